package wavelet

// Lifting parameters of the 9/7 transform (Table F.4). Their names in the
// standard are Greek letters and K.
const (
	alpha = -1.586134342059924
	beta  = -0.052980118572961
	gamma = 0.882911075530934
	delta = 0.443506852043971
	bigK  = 1.230174104914001
)

// unstepPlain is one lifting step of the 9/7 transform backwards (F.3.8.2):
// dst = x - f*(a+b). dst may be x. Each operation rounds, as in the kernel.
func unstepPlain(dst, x, a, b []float32, f float32) {
	n := len(dst)
	x, a, b = x[:n], a[:n], b[:n]
	for i := range dst {
		dst[i] = x[i] - float32(f*float32(a[i]+b[i]))
	}
}

// scalePlain is dst = f*src, of the length of src.
func scalePlain(dst, src []float32, f float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = x * f
	}
}

// joinPlain puts first and second, of which first may have one sample more, in turns.
func joinPlain(dst, first, second []float32) {
	n := len(second)
	dst = dst[:len(first)+n]
	head := first[:n]
	for i, x := range second {
		pair := dst[2*i : 2*i+2]
		pair[0], pair[1] = head[i], x
	}
	if len(first) > n {
		dst[2*n] = first[n]
	}
}

// row97 puts one line of at least two samples together (1D_FILTR, F.3.8.2).
// even and odd are scratch of the engine: padded, with margin words before the
// first sample, so that mirror images can be written beyond both ends and a
// step takes whole vectors.
type row97 struct {
	fast      bool
	even, odd []float32
}

// margin is the room before the first sample of scratch, a whole vector so that samples stay aligned with it.
const margin = vector

// inverse joins low and high, each scaled first, to x.
func (r *row97) inverse(x, low, high []float32, lowScale, highScale float32, odd bool) {
	n, m := len(low), len(high)
	scale(r.fast, r.even[margin:], low, lowScale)
	scale(r.fast, r.odd[margin:], high, highScale)
	// The neighbours of even sample i are odd samples i-1 and i, those of odd
	// sample i even samples i and i+1; one further if the line begins with an odd one.
	before, after := margin-1, margin
	if odd {
		before, after = margin, margin-1
	}
	for _, f := range [2][2]float32{{delta, gamma}, {beta, alpha}} {
		r.step(r.even, n, r.odd, m, before, f[0])
		r.step(r.odd, m, r.even, n, after, f[1])
	}
	if odd {
		join(r.fast, x, r.odd[margin:][:m], r.even[margin:][:n])
	} else {
		join(r.fast, x, r.even[margin:][:n], r.odd[margin:][:m])
	}
}

// step changes n samples of x by their neighbours, m samples of a; those of sample 0 are at first and first+1.
func (r *row97) step(x []float32, n int, a []float32, m, first int, f float32) {
	a[margin-1], a[margin+m] = a[margin], a[margin+m-1] // F.3.7
	p := padded(n)
	x = x[margin:][:p]
	unstep(r.fast, x, x, a[first:][:p], a[first+1:][:p], f)
}
