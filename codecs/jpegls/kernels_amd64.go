package jpegls

import "golang.org/x/sys/cpu"

// kernel is what the amd64 kernels work on; kernels_amd64.h knows its layout.
// They change its numbers only, never its pointers.
type kernel struct {
	ctx   *[512]regularContext
	q     *int16
	px    *uint16 // encoder: predictions; decoder: the line above, from the sample left of column 0
	xs    *uint16 // encoder: samples; decoder: the line, from the sample left of column 0
	buf   *byte   // encoder: where codes go; decoder: the fragment being read
	table *int8   // decoder: region of difference 0

	i, end int64 // number of the sample, of the first after the last
	n      int64 // bytes of buf written or read
	_      int64 // scratch of the kernels
	acc    uint64
	cnt    int64

	maxVal, up, reset, most   int32 // up is 32-P, most the zeros of an escape code
	ff                        int32 // encoder: the last byte in buf is FF
	least, greatest, zeroWord int32 // bounds of C, and a zero
	stop                      int32 // why the kernel returned
	_                         int32
	size                      int64 // decoder: bytes in buf
	lag                       int64 // decodePixelsKernel: bytes of one pixel
	left                      int64 // and how many of them are still to do
}

// Why a kernel returned.
const (
	stopRun   = 0 // run mode, or the end of the line
	stopLong  = 1 // sample i has a code of more than 32 bits or an escape code; nothing of it was done
	stopBytes = 2 // encoder: 32 bits to write near an FF; decoder: none to read without an FF or the fragment's end
	stopBad   = 3 // decoder: sample i has no valid code
)

// haveKernels reports whether the processor has what the kernels use.
func haveKernels() bool { return cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && countsZeros() }

// Kernels names the instructions of this processor that encoder and decoder
// use: "bmi2" in the coding of samples, "avx2" in what is done to many samples at once, or "plain" for none.
func Kernels() string {
	switch {
	case haveKernels() && cpu.X86.HasAVX2:
		return "avx2+bmi2"
	case haveKernels():
		return "bmi2"
	case cpu.X86.HasAVX2:
		return "avx2"
	}
	return "plain"
}

// countsZeros reports whether LZCNT works; x/sys/cpu has no name for it.
func countsZeros() bool

// encodeKernel is encodeRegularPlain for the samples from k.i on.
//
//go:noescape
func encodeKernel(k *kernel)

// decodeKernel is decodeRegularPlain for the samples from k.i on.
//
//go:noescape
func decodeKernel(k *kernel)

// decodePixelsKernel is decodeRegularPixelsPlain likewise; it changes q.
//
//go:noescape
func decodePixelsKernel(k *kernel)

// set takes the parameters of a scan.
func (k *kernel) set(p *params, precision int, m *model) {
	k.ctx = &m.ctx
	k.maxVal, k.up, k.reset, k.most = int32(p.maxVal), int32(32-precision), int32(p.reset), int32(p.limit-p.qbpp-1)
	k.least, k.greatest, k.zeroWord = -128, 127, 0
}

// encodeRegular is encodeRegularPlain, by the kernel where the processor can.
func (e *Encoder) encodeRegular(q []int16, px, xs []uint16, i int) int {
	if !e.kernels {
		return e.encodeRegularPlain(q, px, xs, i)
	}
	k := &e.kernel
	_, _ = px[len(q)-1], xs[len(q)-1]
	k.q, k.px, k.xs, k.buf = &q[0], &px[0], &xs[0], &e.bits.buf[0]
	k.i, k.end = int64(i), int64(len(q))
	for {
		k.n, k.acc, k.cnt, k.ff = int64(e.bits.n), e.bits.acc, int64(e.bits.cnt), 0
		if e.bits.ff {
			k.ff = 1
		}
		encodeKernel(k)
		e.bits.n, e.bits.acc, e.bits.cnt = int(k.n), k.acc, int(k.cnt)
		switch k.stop {
		case stopRun:
			return int(k.i)
		case stopBytes:
			e.bits.flush()
		case stopLong:
			e.encodeRegularPlain(q[:k.i+1], px, xs, int(k.i))
			k.i++
		}
	}
}

// decodeRegular is decodeRegularPlain, by the kernel where the processor can.
// The first call for a line is the one from column 0.
func (d *Decoder) decodeRegular(prev, cur []uint16, x, w int) (int, string) {
	if !d.kernels {
		return d.decodeRegularPlain(prev, cur, x, w)
	}
	k, r := &d.kernel, &d.bits
	_, _, _ = prev[w], cur[w], d.q[w-1]
	if x == 0 {
		k.q, k.px, k.xs, k.table = &d.q[0], &prev[0], &cur[0], &d.quant.table[quantiserCentre]
	}
	k.i, k.end = int64(x), int64(w)
	for {
		k.take(r)
		decodeKernel(k)
		r.acc, r.cnt, r.i = k.acc, int(k.cnt), int(k.n)
		switch k.stop {
		case stopRun:
			return int(k.i), ""
		case stopBytes:
			r.fill()
		case stopLong:
			x, wrong := d.decodeRegularPlain(prev, cur, int(k.i), int(k.i)+1)
			if wrong != "" {
				return x, wrong
			}
			k.i++
		case stopBad:
			return int(k.i), "no Golomb code"
		}
	}
}

// take has the kernel read where r is.
func (k *kernel) take(r *bitReader) {
	k.acc, k.cnt, k.n, k.size = r.acc, int64(r.cnt), int64(r.i), int64(len(r.cur))
	if len(r.cur) > 0 && k.buf != &r.cur[0] {
		k.buf = &r.cur[0]
	}
}

// decodeRegularPixels is decodeRegularPixelsPlain, by the kernel where the processor can.
func (d *Decoder) decodeRegularPixels(prev, cur []uint16, x, w, n int) (int, string) {
	if !d.kernels {
		return d.decodeRegularPixelsPlain(prev, cur, x, w, n)
	}
	k, r := &d.kernel, &d.bits
	_, _, _ = prev[(w+1)*n-1], cur[(w+1)*n-1], d.q[w*n-1]
	if x == 0 {
		k.q, k.px, k.xs, k.table = &d.q[0], &prev[0], &cur[0], &d.quant.table[quantiserCentre]
		k.lag = int64(2 * n)
	}
	k.i, k.end, k.left = int64(x*n), int64(w*n), 0
	for {
		k.take(r)
		decodePixelsKernel(k)
		r.acc, r.cnt, r.i = k.acc, int(k.cnt), int(k.n)
		switch k.stop {
		case stopRun:
			return int(k.i) / n, ""
		case stopBytes:
			r.fill()
		case stopLong:
			i := int(k.i)
			value, ok := d.decodeSample(int(d.q[i]), int(cur[i]), int(prev[i+n]), int(prev[i]))
			if !ok {
				return i / n, "no Golomb code"
			}
			cur[i+n] = value
			k.i++
			k.left -= 2
		case stopBad:
			return int(k.i) / n, "no Golomb code"
		}
	}
}
