package ht

import "golang.org/x/sys/cpu"

// haveKernels reports whether the processor has what the kernels use.
func haveKernels() bool {
	return features{cpu.X86.HasAVX2, cpu.X86.HasBMI1, cpu.X86.HasBMI2, cpu.X86.HasPOPCNT}.usable()
}

// features are the sets of instructions that the kernels use, as far as the processor and the operating system have them.
type features struct{ avx2, bmi1, bmi2, popcnt bool }

func (f features) usable() bool { return f.avx2 && f.bmi1 && f.bmi2 && f.popcnt }

// summariseKernel is summarisePlain for groups of four whole columns. Magnitudes are below 1<<23.
//
//go:noescape
func summariseKernel(top, bottom *int32, groups int, quads *quadSummary, values *uint32, expo *uint8) uint32

// largestAboveKernel is largestAbovePlain for 16 quads at a time; above and expo are long enough for whole groups.
//
//go:noescape
func largestAboveKernel(above, expo *uint8, groups int)

// magnitudeKernel is magnitudesPlain for pairs of quads, four whole columns. planes is at most 24.
//
//go:noescape
func magnitudeKernel(top, bottom *int32, pairs int, quads *uint32, above, expo, mag *uint8, pos uint, planes uint32) (end uint, most uint32)

// magSgnKernel is magSgnPlain for pairs of quads; the last may be one that sizes says has no samples.
//
//go:noescape
func magSgnKernel(buf *byte, values, sizes *uint32, pairs int, p *bitPosition)

// quadsKernel is quadsPlain for an even number of quads: from s.q up to nq, or to where MEL events run out. above is the quad over quads[0].
//
//go:noescape
func quadsKernel(quads, above *uint32, nq int, vlc *byte, tables *vlcDecode, s *vlcRow)

// classifyKernel is classifyPlain; row and above are those of the first quad. It works on groups of 16 quads, and appends events to eventBits.
//
//go:noescape
func classifyKernel(words, us *uint16, sizes *uint32, row, above *quadSummary, over *uint8, nq int, eventBits *byte, events *bitPosition)
