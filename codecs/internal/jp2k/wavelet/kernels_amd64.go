package wavelet

import (
	"golang.org/x/sys/cpu"
)

// haveKernels reports whether the processor has what the kernels use.
func haveKernels() bool { return cpu.X86.HasAVX2 }

// The functions below choose between a kernel and the plain code that its
// comment refers to. Kernels read and write exactly the samples of the
// plain code, and need no alignment.

// Widths from which the kernels take a line; narrower ones go the plain way.
const (
	leastForwardRow = 2 * vector
	leastInverseRow = 2*vector + 2
)

func forwardRow(fast bool, low, high, x []int32, odd bool) {
	if !fast || odd || len(x) < leastForwardRow {
		forwardRowPlain(low, high, x, odd)
		return
	}
	_, _ = low[(len(x)+1)/2-1], high[len(x)/2-1]
	forwardRowAVX2(&low[0], &high[0], &x[0], len(x))
}

func inverseRow(fast bool, x, low, high []int32, odd bool) {
	if !fast || odd || len(x) < leastInverseRow {
		inverseRowPlain(x, low, high, odd)
		return
	}
	_, _ = low[(len(x)+1)/2-1], high[len(x)/2-1]
	inverseRowAVX2(&x[0], &low[0], &high[0], len(x))
}

func forwardLines(fast bool, low, high, even, odd, next, above []int32) {
	n := 0
	if fast && len(low) >= vector {
		n = len(low) &^ (vector - 1)
		_, _, _, _, _ = high[n-1], even[n-1], odd[n-1], next[n-1], above[n-1]
		forwardLinesAVX2(&low[0], &high[0], &even[0], &odd[0], &next[0], &above[0], n)
	}
	forwardLinesPlain(low[n:], high[n:], even[n:], odd[n:], next[n:], above[n:])
}

func inverseLines(fast bool, even, odd, low, high, above, prev []int32) {
	n := 0
	if fast && len(even) >= vector {
		n = len(even) &^ (vector - 1)
		_, _, _, _, _ = odd[n-1], low[n-1], high[n-1], above[n-1], prev[n-1]
		inverseLinesAVX2(&even[0], &odd[0], &low[0], &high[0], &above[0], &prev[0], n)
	}
	inverseLinesPlain(even[n:], odd[n:], low[n:], high[n:], above[n:], prev[n:])
}

func unstep(fast bool, dst, x, a, b []float32, f float32) {
	n := 0
	if fast && len(dst) >= vector {
		n = len(dst) &^ (vector - 1)
		_, _, _ = x[n-1], a[n-1], b[n-1]
		unstepAVX2(&dst[0], &x[0], &a[0], &b[0], n, f)
	}
	unstepPlain(dst[n:], x[n:], a[n:], b[n:], f)
}

func scale(fast bool, dst, src []float32, f float32) {
	n := 0
	if fast && len(src) >= vector {
		n = len(src) &^ (vector - 1)
		_ = dst[n-1]
		scaleAVX2(&dst[0], &src[0], n, f)
	}
	scalePlain(dst[n:], src[n:], f)
}

func join(fast bool, dst, first, second []float32) {
	n := 0
	if fast && len(second) >= vector {
		n = len(second) &^ (vector - 1)
		_, _ = dst[2*n-1], first[n-1]
		joinAVX2(&dst[0], &first[0], &second[0], n)
	}
	joinPlain(dst[2*n:], first[n:], second[n:])
}

// forwardRowAVX2 is forwardRowPlain for w samples that begin with an even one, w at least leastForwardRow.
//
//go:noescape
func forwardRowAVX2(low, high, x *int32, w int)

// inverseRowAVX2 is inverseRowPlain for w samples that begin with an even one, w at least leastInverseRow.
//
//go:noescape
func inverseRowAVX2(x, low, high *int32, w int)

// forwardLinesAVX2 is forwardLinesPlain for n samples, a multiple of vector.
//
//go:noescape
func forwardLinesAVX2(low, high, even, odd, next, above *int32, n int)

// inverseLinesAVX2 is inverseLinesPlain for n samples, a multiple of vector.
//
//go:noescape
func inverseLinesAVX2(even, odd, low, high, above, prev *int32, n int)

// unstepAVX2 is unstepPlain for n samples, a multiple of vector.
//
//go:noescape
func unstepAVX2(dst, x, a, b *float32, n int, f float32)

// scaleAVX2 is scalePlain for n samples, a multiple of vector.
//
//go:noescape
func scaleAVX2(dst, src *float32, n int, f float32)

// joinAVX2 is joinPlain for n samples of each, a multiple of vector.
//
//go:noescape
func joinAVX2(dst, first, second *float32, n int)
