package htj2k

import "github.com/radtier/radtier/codecs/internal/jp2k/ht"

// Kernels names the instructions of this processor that encoder and decoder
// use: "avx2+bmi2" in all stages, "avx2" in all but the block coder, or "plain" for none.
func Kernels() string {
	switch {
	case ht.HaveKernels():
		return "avx2+bmi2"
	case haveKernels():
		return "avx2"
	}
	return "plain"
}
