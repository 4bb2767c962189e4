package wavelet

// Lifting steps down the columns take whole lines, all of one length, a
// multiple of vector in the engines. Steps of one line are for the ends of an
// area; between them the fused steps do the work.

// highStep is the first step forward (F-9): dst = x - floor((a+b)/2).
func highStep(dst, x, a, b []int32) {
	n := len(dst)
	x, a, b = x[:n], a[:n], b[:n]
	for i := range dst {
		dst[i] = x[i] - (a[i]+b[i])>>1
	}
}

// lowStep is the second step forward (F-10): dst = x + floor((a+b+2)/4).
func lowStep(dst, x, a, b []int32) {
	n := len(dst)
	x, a, b = x[:n], a[:n], b[:n]
	for i := range dst {
		dst[i] = x[i] + (a[i]+b[i]+2)>>2
	}
}

// lowUnstep is the first step backwards (F-5): dst = x - floor((a+b+2)/4).
func lowUnstep(dst, x, a, b []int32) {
	n := len(dst)
	x, a, b = x[:n], a[:n], b[:n]
	for i := range dst {
		dst[i] = x[i] - (a[i]+b[i]+2)>>2
	}
}

// highUnstep is the second step backwards (F-6): dst = x + floor((a+b)/2).
func highUnstep(dst, x, a, b []int32) {
	n := len(dst)
	x, a, b = x[:n], a[:n], b[:n]
	for i := range dst {
		dst[i] = x[i] + (a[i]+b[i])>>1
	}
}

// forwardLinesPlain takes both steps where an odd line lies between the even
// lines even and next; above is the odd line before even, after its step. high
// and low are none of the others.
func forwardLinesPlain(low, high, even, odd, next, above []int32) {
	n := len(low)
	high, even, odd, next, above = high[:n], even[:n], odd[:n], next[:n], above[:n]
	for i := range low {
		e := even[i]
		d := odd[i] - (e+next[i])>>1
		high[i] = d
		low[i] = e + (above[i]+d+2)>>2
	}
}

// inverseLinesPlain undoes both: low becomes even with the high-pass lines
// around it, and above, the first of them, becomes odd with the even lines
// around it, of which prev comes before. even and odd are none of the others.
func inverseLinesPlain(even, odd, low, high, above, prev []int32) {
	n := len(even)
	odd, low, high, above, prev = odd[:n], low[:n], high[:n], above[:n], prev[:n]
	for i := range even {
		d := above[i]
		e := low[i] - (d+high[i]+2)>>2
		even[i] = e
		odd[i] = d + (prev[i]+e)>>1
	}
}
