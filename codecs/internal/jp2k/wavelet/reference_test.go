package wavelet

import (
	"math"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// The reference transforms whole planes by the letter of Annex F: a signal is
// a function of its coordinate, extended without end (F.3.7), and the lifting
// equations are taken for all coordinates that they need.

// number is what a reference computes with; floats are the 9/7 transform's.
type number interface{ int64 | float64 }

// mirror is PSE_O (F-4): the coordinate inside [i0, i1) that i stands for.
func mirror(i, i0, i1 int) int {
	period := 2 * (i1 - i0 - 1)
	if period == 0 {
		return i0
	}
	k := ((i-i0)%period + period) % period
	return i0 + min(k, period-k)
}

// floorDiv rounds down, as the equations ask.
func floorDiv(a, d int64) int64 { return int64(math.Floor(float64(a) / float64(d))) }

// signal1D is a signal on [i0, i1) in a table with room for the extension on both sides.
type signal1D[T number] struct {
	i0, i1 int
	v      []T
}

// beyondEnds is how far a signal is extended.
const beyondEnds = 8

func (s signal1D[T]) at(i int) *T { return &s.v[i-s.i0+beyondEnds] }

func newSignal[T number](x []T, i0 int) signal1D[T] {
	s := signal1D[T]{i0, i0 + len(x), make([]T, len(x)+2*beyondEnds)}
	for i := i0 - beyondEnds; i < s.i1+beyondEnds; i++ {
		*s.at(i) = x[mirror(i, i0, s.i1)-i0]
	}
	return s
}

// each calls f for the coordinates of one parity, far enough beyond the ends for the steps that are left.
func (s signal1D[T]) each(parity, beyond int, f func(i int)) {
	for i := s.i0 - beyond; i < s.i1+beyond; i++ {
		if i&1 == parity {
			f(i)
		}
	}
}

// forward53 is 1D_SD of the reversible transform: F-9, F-10, and F.4.6 for single samples.
func forward53(x []int64, i0 int) {
	if len(x) == 1 {
		x[0] <<= i0 & 1
		return
	}
	s := newSignal(x, i0)
	s.each(1, 4, func(i int) { *s.at(i) -= floorDiv(*s.at(i - 1)+*s.at(i + 1), 2) })
	s.each(0, 2, func(i int) { *s.at(i) += floorDiv(*s.at(i - 1)+*s.at(i + 1)+2, 4) })
	for i := range x {
		x[i] = *s.at(i0 + i)
	}
}

// inverse53 is 1D_SR: F-5, F-6.
func inverse53(x []int64, i0 int) {
	if len(x) == 1 {
		x[0] >>= i0 & 1
		return
	}
	s := newSignal(x, i0)
	s.each(0, 4, func(i int) { *s.at(i) -= floorDiv(*s.at(i - 1)+*s.at(i + 1)+2, 4) })
	s.each(1, 2, func(i int) { *s.at(i) += floorDiv(*s.at(i - 1)+*s.at(i + 1), 2) })
	for i := range x {
		x[i] = *s.at(i0 + i)
	}
}

// inverse97 is 1D_SR of the irreversible transform (F.3.8.2).
func inverse97(x []float64, i0 int) {
	if len(x) == 1 {
		x[0] /= float64(1 + i0&1)
		return
	}
	s := newSignal(x, i0)
	s.each(0, 7, func(i int) { *s.at(i) *= bigK })
	s.each(1, 7, func(i int) { *s.at(i) /= bigK })
	for k, f := range []float64{delta, gamma, beta, alpha} {
		s.each(k&1, 6-k, func(i int) { *s.at(i) -= f * (*s.at(i - 1) + *s.at(i + 1)) })
	}
	for i := range x {
		x[i] = *s.at(i0 + i)
	}
}

// forward97 is inverse97 backwards (F.4.8.2).
func forward97(x []float64, i0 int) {
	if len(x) == 1 {
		x[0] *= float64(1 + i0&1)
		return
	}
	s := newSignal(x, i0)
	for k, f := range []float64{alpha, beta, gamma, delta} {
		s.each(1-k&1, 6-k, func(i int) { *s.at(i) += f * (*s.at(i - 1) + *s.at(i + 1)) })
	}
	s.each(0, 0, func(i int) { *s.at(i) /= bigK })
	s.each(1, 0, func(i int) { *s.at(i) *= bigK })
	for i := range x {
		x[i] = *s.at(i0 + i)
	}
}

// plane is an area's samples line by line.
type plane[T any] struct {
	geom.Rect
	v []T
}

func newPlane[T any](r geom.Rect) plane[T] {
	return plane[T]{r, make([]T, max(0, r.W())*max(0, r.H()))}
}

func (p plane[T]) row(y int) []T  { return p.v[(y-p.Y0)*p.W():][:p.W():p.W()] }
func (p plane[T]) at(x, y int) *T { return &p.v[(y-p.Y0)*p.W()+x-p.X0] }
func (p plane[T]) each(f func(x, y int)) {
	for y := p.Y0; y < p.Y1; y++ {
		for x := p.X0; x < p.X1; x++ {
			f(x, y)
		}
	}
}

// rowsOf replaces each row by t of it; columnsOf each column.
func rowsOf[T number](p plane[T], t func([]T, int)) {
	for y := p.Y0; y < p.Y1 && p.W() > 0; y++ {
		t(p.row(y), p.X0)
	}
}

func columnsOf[T number](p plane[T], t func([]T, int)) {
	c := make([]T, p.H())
	for x := p.X0; x < p.X1 && p.H() > 0; x++ {
		for y := range c {
			c[y] = *p.at(x, p.Y0+y)
		}
		t(c, p.Y0)
		for y := range c {
			*p.at(x, p.Y0+y) = c[y]
		}
	}
}

// bandKey names a sub-band.
type bandKey struct {
	r int
	o geom.Orient
}

// bandRect is a sub-band's area after one level (B-15): its samples have the parities of o.
func bandRect(r geom.Rect, o geom.Orient) geom.Rect {
	x, y := 0, 0
	if o == geom.HL || o == geom.HH {
		x = 1
	}
	if o == geom.LH || o == geom.HH {
		y = 1
	}
	return geom.Rect{X0: (r.X0 - x + 1) >> 1, Y0: (r.Y0 - y + 1) >> 1, X1: (r.X1 - x + 1) >> 1, Y1: (r.Y1 - y + 1) >> 1}
}

// referenceForward is FDWT (F.4.1): columns, then lines (F.4.2), then 2D_DEINTERLEAVE (F.4.5).
func referenceForward[T number](p plane[T], levels int, t func([]T, int)) map[bandKey]plane[T] {
	bands := map[bandKey]plane[T]{}
	p = plane[T]{p.Rect, append([]T(nil), p.v...)}
	for d := range levels {
		columnsOf(p, t)
		rowsOf(p, t)
		var ll plane[T]
		for o := geom.LL; o <= geom.HH; o++ {
			b := newPlane[T](bandRect(p.Rect, o))
			dx, dy := int(o&1), int(o>>1)
			b.each(func(x, y int) { *b.at(x, y) = *p.at(2*x+dx, 2*y+dy) })
			if o == geom.LL {
				ll = b
			} else {
				bands[bandKey{levels - d, o}] = b
			}
		}
		p = ll
	}
	bands[bandKey{0, geom.LL}] = p
	return bands
}

// referenceInverse is IDWT (F.3.1): 2D_INTERLEAVE (F.3.3), lines, then columns (F.3.2).
func referenceInverse[T number](area geom.Rect, bands map[bandKey]plane[T], levels, r int, t func([]T, int)) plane[T] {
	if r == 0 {
		return bands[bandKey{0, geom.LL}]
	}
	p := newPlane[T](area)
	ll := referenceInverse(bandRect(area, geom.LL), bands, levels, r-1, t)
	for o := geom.LL; o <= geom.HH; o++ {
		b := ll
		if o != geom.LL {
			b = bands[bandKey{r, o}]
		}
		dx, dy := int(o&1), int(o>>1)
		b.each(func(x, y int) { *p.at(2*x+dx, 2*y+dy) = *b.at(x, y) })
	}
	rowsOf(p, t)
	columnsOf(p, t)
	return p
}
