//go:build !amd64

package ht

// haveKernels reports that there are none for this processor.
func haveKernels() bool { return false }

const noKernels = "ht: no kernels for this processor"

func summariseKernel(top, bottom *int32, groups int, quads *quadSummary, values *uint32, expo *uint8) uint32 {
	panic(noKernels)
}

func largestAboveKernel(above, expo *uint8, groups int) { panic(noKernels) }

func magnitudeKernel(top, bottom *int32, pairs int, quads *uint32, above, expo, mag *uint8, pos uint, planes uint32) (end uint, most uint32) {
	panic(noKernels)
}

func magSgnKernel(buf *byte, values, sizes *uint32, pairs int, p *bitPosition) { panic(noKernels) }

func quadsKernel(quads, above *uint32, nq int, vlc *byte, tables *vlcDecode, s *vlcRow) {
	panic(noKernels)
}

func classifyKernel(words, us *uint16, sizes *uint32, row, above *quadSummary, over *uint8, nq int, eventBits *byte, events *bitPosition) {
	panic(noKernels)
}
