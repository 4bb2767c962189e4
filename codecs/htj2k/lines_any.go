//go:build !amd64

package htj2k

// haveKernels reports that there are none for this processor.
func haveKernels() bool { return false }

const noKernels = "htj2k: no kernels for this processor"

func loadWordsKernel(dst *int32, pix *byte, n, up32 int, shift int32, signed bool) { panic(noKernels) }
func loadBytesKernel(dst *int32, pix *byte, n, up32 int, shift int32, signed bool) { panic(noKernels) }
func packWordsKernel(pix *byte, line *int32, n int, f *format)                     { panic(noKernels) }
func packBytesKernel(pix *byte, line *int32, n int, f *format)                     { panic(noKernels) }
