// Package mct computes the component transforms of JPEG 2000 (ISO/IEC 15444-1,
// T.800 Annex G) on one line of three components at a time: the reversible
// one, RCT, in both directions, and the irreversible one, ICT, backwards.
//
// All slices of a call have the length of the first. Arithmetic wraps at 32
// bits. With fast, a kernel does the work where the processor has AVX2; it
// gives the same samples, bit for bit, also of the ICT.
package mct

// Factors of the ICT backwards (G.3.2).
const (
	redCr   = 1.402
	greenCb = 0.344136
	greenCr = 0.714136
	blueCb  = 1.772
)

// ForwardRCT replaces red, green and blue, level-shifted, by Y0, Y1 and Y2
// (G.2.1): a luminance of as many bits, and two differences of one bit more.
func ForwardRCT(r, g, b []int32, fast bool) {
	n := 0
	if fast {
		n = forwardRCTVectors(r, g, b)
	}
	forwardRCTPlain(r[n:], g[n:], b[n:])
}

func forwardRCTPlain(r, g, b []int32) {
	g, b = g[:len(r)], b[:len(r)]
	for i := range r {
		red, green, blue := r[i], g[i], b[i]
		r[i], g[i], b[i] = (red+2*green+blue)>>2, blue-green, red-green
	}
}

// InverseRCT makes red, green and blue of y0, y1 and y2 (G.2.2), which stay as
// they are, or are replaced where r is y0, g is y1 and b is y2.
func InverseRCT(r, g, b, y0, y1, y2 []int32, fast bool) {
	n := 0
	if fast {
		n = inverseRCTVectors(r, g, b, y0, y1, y2)
	}
	inverseRCTPlain(r[n:], g[n:], b[n:], y0[n:], y1[n:], y2[n:])
}

func inverseRCTPlain(r, g, b, y0, y1, y2 []int32) {
	n := len(r)
	g, b, y0, y1, y2 = g[:n], b[:n], y0[:n], y1[:n], y2[:n]
	for i := range r {
		cb, cr := y1[i], y2[i]
		green := y0[i] - (cb+cr)>>2
		r[i], g[i], b[i] = cr+green, green, cb+green
	}
}

// InverseICT makes red, green and blue of y0, y1 and y2 (G.3.2), as InverseRCT does.
func InverseICT(r, g, b, y0, y1, y2 []float32, fast bool) {
	n := 0
	if fast {
		n = inverseICTVectors(r, g, b, y0, y1, y2)
	}
	inverseICTPlain(r[n:], g[n:], b[n:], y0[n:], y1[n:], y2[n:])
}

// inverseICTPlain rounds after each operation, as the kernel does; without the
// conversions a compiler may fuse them.
func inverseICTPlain(r, g, b, y0, y1, y2 []float32) {
	n := len(r)
	g, b, y0, y1, y2 = g[:n], b[:n], y0[:n], y1[:n], y2[:n]
	for i := range r {
		y, cb, cr := y0[i], y1[i], y2[i]
		r[i] = y + float32(redCr*cr)
		g[i] = float32(y-float32(greenCb*cb)) - float32(greenCr*cr)
		b[i] = y + float32(blueCb*cb)
	}
}
