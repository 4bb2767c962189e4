package htj2k

import "golang.org/x/sys/cpu"

// haveKernels reports whether the processor has what the kernels use.
func haveKernels() bool { return cpu.X86.HasAVX2 }

// loadWordsKernel is loadPlain for n little endian words side by side, n a
// multiple of 16: each is cut and extended by up32 = 32-Bits bits, and shift is subtracted.
//
//go:noescape
func loadWordsKernel(dst *int32, pix *byte, n, up32 int, shift int32, signed bool)

// loadBytesKernel is loadPlain for n bytes side by side, n a multiple of 16.
//
//go:noescape
func loadBytesKernel(dst *int32, pix *byte, n, up32 int, shift int32, signed bool)

// packWordsKernel makes n little endian words of values, n a multiple of 16.
//
//go:noescape
func packWordsKernel(pix *byte, line *int32, n int, f *format)

// packBytesKernel makes n bytes of values, n a multiple of 16.
//
//go:noescape
func packBytesKernel(pix *byte, line *int32, n int, f *format)
