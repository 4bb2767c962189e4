//go:build !amd64

package jpegls

// kernel is empty where there are no kernels.
type kernel struct{}

func haveKernels() bool { return false }

// Kernels names the instructions of this processor that encoder and decoder use: there are none for it.
func Kernels() string { return "plain" }

func (k *kernel) set(p *params, precision int, m *model) {}

func (e *Encoder) encodeRegular(q []int16, px, xs []uint16, i int) int {
	return e.encodeRegularPlain(q, px, xs, i)
}

func (d *Decoder) decodeRegular(prev, cur []uint16, x, w int) (int, string) {
	return d.decodeRegularPlain(prev, cur, x, w)
}

func (d *Decoder) decodeRegularPixels(prev, cur []uint16, x, w, n int) (int, string) {
	return d.decodeRegularPixelsPlain(prev, cur, x, w, n)
}
