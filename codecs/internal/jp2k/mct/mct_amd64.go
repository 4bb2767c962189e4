package mct

import "golang.org/x/sys/cpu"

// vector is how many samples the kernels take at a time.
const vector = 8

// vectors is how many of n samples go through a kernel.
func vectors(n int) int {
	if !cpu.X86.HasAVX2 {
		return 0
	}
	return n &^ (vector - 1)
}

// The functions below do what the plain ones do for the first samples of a
// line, and return how many these are.

func forwardRCTVectors(r, g, b []int32) int {
	n := vectors(len(r))
	if n > 0 {
		_, _ = g[n-1], b[n-1]
		forwardRCTAVX2(&r[0], &g[0], &b[0], n)
	}
	return n
}

func inverseRCTVectors(r, g, b, y0, y1, y2 []int32) int {
	n := vectors(len(r))
	if n > 0 {
		_, _, _, _, _ = g[n-1], b[n-1], y0[n-1], y1[n-1], y2[n-1]
		inverseRCTAVX2(&r[0], &g[0], &b[0], &y0[0], &y1[0], &y2[0], n)
	}
	return n
}

func inverseICTVectors(r, g, b, y0, y1, y2 []float32) int {
	n := vectors(len(r))
	if n > 0 {
		_, _, _, _, _ = g[n-1], b[n-1], y0[n-1], y1[n-1], y2[n-1]
		inverseICTAVX2(&r[0], &g[0], &b[0], &y0[0], &y1[0], &y2[0], n, &[4]float32{redCr, greenCb, greenCr, blueCb})
	}
	return n
}

// forwardRCTAVX2 is forwardRCTPlain for n samples, a multiple of vector.
//
//go:noescape
func forwardRCTAVX2(red, green, blue *int32, n int)

// inverseRCTAVX2 is inverseRCTPlain for n samples, a multiple of vector.
//
//go:noescape
func inverseRCTAVX2(red, green, blue, y0, y1, y2 *int32, n int)

// inverseICTAVX2 is inverseICTPlain for n samples, a multiple of vector.
//
//go:noescape
func inverseICTAVX2(red, green, blue, y0, y1, y2 *float32, n int, factors *[4]float32)
