// Package ht codes and decodes the code-blocks of High-Throughput JPEG 2000
// (ISO/IEC 15444-15 | T.814, clause 7 and Annexes B and C).
//
// An [Encoder] writes the cleanup pass of a block of integer coefficients,
// losslessly. A [Decoder] reads the cleanup, significance propagation and
// magnitude refinement passes of one HT set. The two share the tables of the
// standard and nothing else, so that one cannot vouch for a fault of the other.
//
// Both keep their scratch memory and allocate nothing per block; neither is
// safe for concurrent use. Coefficients are int32 in two's complement, rows of
// a block lie stride apart in the caller's band buffer.
//
// Hot loops have a version for amd64 with AVX2 and BMI2, chosen at run time, and
// a plain twin that gives the same bytes.
package ht

// Words of the standard used throughout: a quad is 2 x 2 samples, numbered
// down first (0 top left, 1 bottom left, 2 top right, 3 bottom right); rho is the
// pattern of its significant samples; E is the exponent of a sample, the
// number of bits of 2mu-1, with mu its magnitude; U is the largest E of a quad, kappa
// its prediction, u = U - kappa is sent (7.3.4 to 7.3.7).

// Largest dimensions of a code-block (T.800 A.6.1): at most 1024 samples in
// one direction and 4096 in all.
const (
	maxSide = 1024
	maxArea = 4096
)

// HaveKernels reports whether this processor has what the kernels need.
func HaveKernels() bool { return haveKernels() }
