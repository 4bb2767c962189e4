package wavelet

// One line of the 5/3 transform: x[i] has the coordinate i+first, low[i] and
// high[i] are its i-th even and odd samples. The line has at least two
// samples; single ones are for the callers (F.3.6, F.4.6).

// forwardRowPlain splits a line (1D_SD, F.4.6; F-9 and F-10): every odd sample
// loses the mean of its neighbours, then every even sample gains a quarter of
// its new neighbours' sum. Beyond an end lies the mirror image (F.4.7), so the
// only neighbour counts twice.
func forwardRowPlain(low, high, x []int32, odd bool) {
	n, m := len(low), len(high)
	if odd {
		// x: high 0, low 0, high 1, low 1, ...
		prev := x[0] - (x[1]+x[1])>>1
		high[0] = prev
		high := high[1:]
		in := x[1:]
		for len(high) > 0 && len(in) >= 3 && len(low) > 0 {
			d := in[1] - (in[0]+in[2])>>1
			high[0] = d
			low[0] = in[0] + (prev+d+2)>>2
			prev = d
			high, low, in = high[1:], low[1:], in[2:]
		}
		switch len(in) {
		case 2: // the line ends with an odd sample
			d := in[1] - (in[0]+in[0])>>1
			high[0] = d
			low[0] = in[0] + (prev+d+2)>>2
		case 1:
			low[0] = in[0] + (prev+prev+2)>>2
		}
		return
	}
	forwardEvenFrom(low[:n:n], high[:m:m], x, 0)
}

// forwardEvenFrom is forwardRowPlain for lines that begin with an even sample, from pair i on.
func forwardEvenFrom(low, high, x []int32, i int) {
	var prev int32
	first := i == 0
	if !first {
		prev = high[i-1]
	}
	low, high, x = low[i:], high[i:], x[2*i:]
	if first {
		next := x[0]
		if len(x) > 2 {
			next = x[2]
		}
		prev = x[1] - (x[0]+next)>>1
	}
	n := (len(x) - 1) / 2 // pairs with an even sample behind them
	e := x[0]
	lo, hi := low[:n], high[:n]
	hi = hi[:len(lo)]
	in := x[1:]
	for j := range lo {
		pair := in[2*j : 2*j+2]
		next := pair[1]
		d := pair[0] - (e+next)>>1
		hi[j] = d
		lo[j] = e + (prev+d+2)>>2
		prev, e = d, next
	}
	if len(x)&1 != 0 {
		low[n] = e + (prev+prev+2)>>2
		return
	}
	d := x[2*n+1] - (e+e)>>1
	high[n] = d
	low[n] = e + (prev+d+2)>>2
}

// inverseRowPlain puts a line together (1D_SR, F.3.6; F-5 and F-6): the steps
// of forwardRowPlain backwards.
func inverseRowPlain(x, low, high []int32, odd bool) {
	if odd {
		d := high[0]
		prev, high := d, high[1:] // the high-pass sample before low[0]
		before := int32(0)        // the even sample before it
		out := x
		for i, s := range low {
			next := prev
			if i < len(high) {
				next = high[i]
			}
			e := s - (prev+next+2)>>2
			if i == 0 {
				before = e
			}
			out[0] = prev + (before+e)>>1
			out[1] = e
			out, prev, before = out[2:], next, e
		}
		if len(out) > 0 {
			out[0] = prev + (before+before)>>1
		}
		return
	}
	d := high[0]
	e := low[0] - (d+d+2)>>2
	n := len(high) - 1
	lo, hi := low[1:], high[1:]
	lo, hi = lo[:n], hi[:n]
	for j := range lo {
		next := hi[j]
		after := lo[j] - (d+next+2)>>2
		pair := x[2*j : 2*j+2]
		pair[0] = e
		pair[1] = d + (e+after)>>1
		e, d = after, next
	}
	x[2*n] = e
	if len(low) == len(high) {
		x[2*n+1] = d + (e+e)>>1
		return
	}
	after := low[n+1] - (d+d+2)>>2
	x[2*n+1] = d + (e+after)>>1
	x[2*n+2] = after
}
