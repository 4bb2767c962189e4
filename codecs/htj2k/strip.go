package htj2k

import (
	"math"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// strip holds one row of code-blocks of a sub-band: all that is ever in memory of its coefficients.
type strip struct {
	band   *geom.Band
	row    int // of code-blocks that it holds, from the grid's first; -1: none
	top    int // row of the sub-band that the strip begins with
	stride int // coefficients from one row to the next
	words  []int32
	floats []float32 // irreversible: the same coefficients, dequantised
}

// strideOf keeps rows apart by whole vectors.
func strideOf(width int) int { return (width + 15) &^ 15 }

// set takes over a sub-band.
func (s *strip) set(b *geom.Band, irreversible bool) {
	s.band, s.row = b, -1
	if b.Empty() {
		return
	}
	s.stride = strideOf(b.W())
	n := s.stride * stripRows(b)
	if cap(s.words) < n {
		s.words = make([]int32, n)
	}
	s.words = s.words[:n]
	if irreversible {
		if cap(s.floats) < n {
			s.floats = make([]float32, n)
		}
		s.floats = s.floats[:n]
	}
}

// stripRows is the height of the largest row of code-blocks.
func stripRows(b *geom.Band) int { return min(1<<b.BlockH, b.H()) }

// stripBytes bounds the memory of a strip.
func stripBytes(b *geom.Band, irreversible bool) int64 {
	if b.Empty() {
		return 0
	}
	n := 4 * int64(strideOf(b.W())) * int64(stripRows(b))
	if irreversible {
		n *= 2
	}
	return n
}

// begin moves the strip to the row of code-blocks that has row y of the sub-band, and reports whether it was there already.
func (s *strip) begin(y int) (there bool) {
	row := y>>s.band.BlockH - s.band.GridY0
	if row == s.row {
		return true
	}
	s.row = row
	s.top = max(s.band.Y0, (row+s.band.GridY0)<<s.band.BlockH)
	return false
}

// at is the index of a row of the sub-band.
func (s *strip) at(y int) int { return (y - s.top) * s.stride }

// quantum is half the quantisation step of a sub-band of an irreversible transform (E-3), whose
// coefficients the block decoder gives doubled. bits is the precision of the component.
func quantum(b *geom.Band, bits int) float32 {
	gain := 0
	switch b.Orient {
	case geom.HL, geom.LH:
		gain = 1
	case geom.HH:
		gain = 2
	}
	return float32(math.Ldexp(1+float64(b.Mantissa)/2048, bits+gain-int(b.Exponent)-1))
}

// undoROI shifts the coefficients of a region of interest back (H.1): they are those of 1<<shift and more.
func undoROI(c []int32, stride, w, h int, shift uint, doubled bool) {
	least := int32(1) << shift
	if doubled {
		least <<= 1
	}
	for y := range h {
		row := c[y*stride:][:w]
		for x, v := range row {
			s := v >> 31
			if m := (v ^ s) - s; m >= least {
				row[x] = (m>>shift ^ s) - s
			}
		}
	}
}
