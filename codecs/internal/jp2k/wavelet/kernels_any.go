//go:build !amd64

package wavelet

// haveKernels reports whether the processor has kernels.
func haveKernels() bool { return false }

func forwardRow(_ bool, low, high, x []int32, odd bool) { forwardRowPlain(low, high, x, odd) }
func inverseRow(_ bool, x, low, high []int32, odd bool) { inverseRowPlain(x, low, high, odd) }

func forwardLines(_ bool, low, high, even, odd, next, above []int32) {
	forwardLinesPlain(low, high, even, odd, next, above)
}

func inverseLines(_ bool, even, odd, low, high, above, prev []int32) {
	inverseLinesPlain(even, odd, low, high, above, prev)
}

func unstep(_ bool, dst, x, a, b []float32, f float32) { unstepPlain(dst, x, a, b, f) }
func scale(_ bool, dst, src []float32, f float32)      { scalePlain(dst, src, f) }
func join(_ bool, dst, first, second []float32)        { joinPlain(dst, first, second) }
