// Package wavelet computes the discrete wavelet transforms of JPEG 2000
// (ISO/IEC 15444-1, T.800 Annex F) line by line: the reversible 5/3 transform
// of int32 samples in both directions, and the irreversible 9/7 transform of
// float32 samples backwards.
//
// A [Forward] takes the lines of a tile-component from top to bottom and
// writes every row of a sub-band where its [Sink] wants it, as soon as the row
// is known. An [Inverse] or [Inverse97] gives the lines from top to bottom and
// asks its [Source] for a row of a sub-band when it needs it. All of them hold
// a few lines of each level, never a plane; allocate only when an area is
// wider or has more levels than those before it; and serve one goroutine.
//
// A sample belongs to the low-pass or the high-pass part of its line by
// whether its coordinate on the reference grid is even or odd, so areas may
// begin anywhere and a level may have sub-bands without columns or rows
// (F.3, F.4). Sub-bands and rows are named as in package geom: resolution
// level 0 holds LL alone, level r the three sub-bands that lead to it, and row
// numbers are the sub-band's own coordinates (B-15).
//
// Arithmetic wraps at 32 bits and division by powers of two rounds down, so
// what a hostile codestream contains gives wrong samples, never a failure.
// Kernels for AVX2 give the same samples as the plain code, bit for bit, also
// of the 9/7 transform.
package wavelet

import "github.com/radtier/radtier/codecs/internal/jp2k/geom"

// Sink takes sub-bands. r is the resolution level and y a row of the sub-band
// in its own coordinates. The rows of a sub-band come in order, each once, and
// no calls are made for sub-bands without samples.
type Sink interface {
	// Row returns where the row is to be written: a slice as long as the
	// sub-band is wide. Nothing beyond it is written, and it is not read.
	Row(r int, o geom.Orient, y int) []int32
	// Done says that the row was written.
	Done(r int, o geom.Orient, y int)
}

// Source gives sub-bands of coefficients T, with the numbers and the order of
// [Sink].
type Source[T int32 | float32] interface {
	// Row returns a row as long as the sub-band is wide. It must stay as it is
	// until the next call for the same sub-band; nothing beyond it is read.
	Row(r int, o geom.Orient, y int) ([]T, error)
}

// below is the area of the LL sub-band of an area (B-15).
func below(r geom.Rect) geom.Rect {
	return geom.Rect{X0: (r.X0 + 1) >> 1, Y0: (r.Y0 + 1) >> 1, X1: (r.X1 + 1) >> 1, Y1: (r.Y1 + 1) >> 1}
}

// bandsOf names the sub-bands that hold the low-pass and the high-pass part of line y.
func bandsOf(y int) (low, high geom.Orient) {
	if y&1 == 0 {
		return geom.LL, geom.HL
	}
	return geom.LH, geom.HH
}
