package jpegls

import "golang.org/x/sys/cpu"

// kernelLanes is how many samples the AVX2 kernels take at a time; shorter lines go the plain way.
const kernelLanes = 16

// analyse is analysePlain, with AVX2 where the processor has it.
func analyse(q []int16, px []uint16, prev, cur []uint16, n int, quant *quantiser) {
	w := len(q)
	if !cpu.X86.HasAVX2 || w < kernelLanes || quant.par.near != 0 {
		analysePlain(q, px, prev, cur, n, quant)
		return
	}
	_, _, _ = px[w-1], prev[w+2*n-1], cur[w+n-1]
	analyseAVX2(&q[0], &px[0], &prev[0], &cur[0], w, n, &quant.words)
}

// analyseAbove is analyseAbovePlain, with AVX2 where the processor has it.
func analyseAbove(q []int16, prev []uint16, n int, quant *quantiser) {
	w := len(q)
	if !cpu.X86.HasAVX2 || w < kernelLanes || quant.par.near != 0 {
		analyseAbovePlain(q, prev, n, quant)
		return
	}
	_ = prev[w+2*n-1]
	analyseAboveAVX2(&q[0], &prev[0], w, n, &quant.words)
}

// analyseAVX2 is analysePlain for NEAR = 0 and w of at least kernelLanes. The
// last step overlaps the one before it. Differences are unsigned saturating
// ones in both directions, so all 16 bits of a sample are in use.
//
//go:noescape
func analyseAVX2(q *int16, px, prev, cur *uint16, w, n int, thresholds *[3]uint16)

// analyseAboveAVX2 is analyseAbovePlain likewise.
//
//go:noescape
func analyseAboveAVX2(q *int16, prev *uint16, w, n int, thresholds *[3]uint16)

// equalPrefix is equalPrefixPlain, with AVX2 where the processor has it.
func equalPrefix(a, b []uint16) int {
	w := len(a)
	if !cpu.X86.HasAVX2 || w < kernelLanes {
		return equalPrefixPlain(a, b)
	}
	_ = b[w-1]
	n := equalPrefixAVX2(&a[0], &b[0], w&^(kernelLanes-1))
	if n < w&^(kernelLanes-1) {
		return n
	}
	return n + equalPrefixPlain(a[n:], b[n:w])
}

// equalPrefixAVX2 is equalPrefixPlain for w a multiple of kernelLanes.
//
//go:noescape
func equalPrefixAVX2(a, b *uint16, w int) int
