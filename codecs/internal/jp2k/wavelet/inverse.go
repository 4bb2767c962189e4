package wavelet

import "github.com/radtier/radtier/codecs/internal/jp2k/geom"

// Inverse computes the reversible 5/3 transform backwards (IDWT, F.3).
type Inverse struct {
	source Source[int32]
	fast   bool // use the processor's kernels
	levels []inverseLevel
	n      int // levels in use
	y      int // of the next line, if there are no levels
}

// inverseLevel puts the lines of one level together (2D_SR, F.3.2): along the
// lines (HOR_SR, F.3.4), then down the columns (VER_SR, F.3.5).
type inverseLevel struct {
	area geom.Rect
	y    int // of the next line to be returned
	lines[int32]
	low, high []int32 // lines that came in last, after their steps along
	above     []int32 // the odd line before low
	even      []int32 // the last even line that is complete
	prev      []int32 // the even line before it
	odd       []int32 // the odd line between them
	ready     bool    // even is the next line to be returned
}

// NewInverse returns a transform that takes its sub-bands from source. plain
// keeps it from using the processor's kernels; the lines are the same.
func NewInverse(source Source[int32], plain bool) *Inverse {
	return &Inverse{source: source, fast: !plain && haveKernels()}
}

// Set begins a tile-component of an area with so many decomposition levels;
// of a reduced image, both are what is left of them. The component before it
// need not be complete, and may have ended with an error.
func (v *Inverse) Set(area geom.Rect, levels int) {
	for len(v.levels) < levels {
		v.levels = append(v.levels, inverseLevel{})
	}
	v.n, v.y = levels, area.Y0
	for d := levels - 1; d >= 0; d-- {
		l := &v.levels[d]
		w := max(0, area.W())
		l.reserve(6, w)
		*l = inverseLevel{area: area, y: area.Y0, lines: l.lines,
			low: l.line(0, w), high: l.line(1, w), above: l.line(2, w), even: l.line(3, w), prev: l.line(4, w), odd: l.line(5, w)}
		area = below(area)
	}
}

// Next returns the next line of the component. It must not be changed and is
// valid until the next call. There must be no more calls than the area has
// lines, none if it is empty, and none after an error, which is the source's.
func (v *Inverse) Next() ([]int32, error) {
	if v.n == 0 {
		y := v.y
		v.y++
		return v.source.Row(0, geom.LL, y)
	}
	return v.next(v.n - 1)
}

// next returns the next line of level d, 0 the lowest.
func (v *Inverse) next(d int) ([]int32, error) {
	l := &v.levels[d]
	y := l.y
	l.y++
	w := l.area.W()
	switch {
	case l.area.H() == 1: // F.3.6: a single sample, halved if odd
		if err := v.along(d, l.even, y); err != nil {
			return nil, err
		}
		if y&1 != 0 {
			for i := range l.even {
				l.even[i] >>= 1
			}
		}
		return l.even[:w], nil
	case l.ready:
		l.ready = false
		return l.even[:w], nil
	case y == l.area.Y0 && y&1 == 0:
		if err := v.along(d, l.low, y); err != nil {
			return nil, err
		}
		if err := v.along(d, l.above, y+1); err != nil {
			return nil, err
		}
		lowUnstep(l.even, l.low, l.above, l.above)
		return l.even[:w], nil
	case y == l.area.Y0:
		if err := v.along(d, l.above, y); err != nil {
			return nil, err
		}
	}
	return v.pair(d, y)
}

// pair completes the odd line y, which is above, and the even line after it, if there is one.
func (v *Inverse) pair(d, y int) ([]int32, error) {
	l := &v.levels[d]
	w := l.area.W()
	if y+1 == l.area.Y1 {
		highUnstep(l.odd, l.above, l.even, l.even)
		return l.odd[:w], nil
	}
	if err := v.along(d, l.low, y+1); err != nil {
		return nil, err
	}
	under := l.above
	if y+2 < l.area.Y1 {
		if err := v.along(d, l.high, y+2); err != nil {
			return nil, err
		}
		under = l.high
	}
	l.even, l.prev = l.prev, l.even
	if y == l.area.Y0 {
		lowUnstep(l.even, l.low, l.above, under)
		highUnstep(l.odd, l.above, l.even, l.even)
	} else {
		inverseLines(v.fast, l.even, l.odd, l.low, under, l.above, l.prev)
	}
	l.above, l.high = l.high, l.above
	l.ready = true
	return l.odd[:w], nil
}

// along takes line y of level d from its sub-bands and undoes the steps along it.
func (v *Inverse) along(d int, dst []int32, y int) error {
	l := &v.levels[d]
	x0, x1 := l.area.X0, l.area.X1
	dst = dst[:x1-x0]
	evens, odds := (x1+1)>>1-(x0+1)>>1, x1>>1-x0>>1
	lo, hi := bandsOf(y)
	var low, high []int32
	var err error
	switch {
	case evens == 0:
	case lo == geom.LL && d > 0:
		low, err = v.next(d - 1)
	case lo == geom.LL:
		low, err = v.source.Row(0, lo, y>>1)
	default:
		low, err = v.source.Row(d+1, lo, y>>1)
	}
	if err != nil {
		return err
	}
	if odds > 0 {
		if high, err = v.source.Row(d+1, hi, y>>1); err != nil {
			return err
		}
	}
	switch {
	case evens == 0:
		dst[0] = high[0] >> 1 // F.3.6
	case odds == 0:
		dst[0] = low[0]
	default:
		inverseRow(v.fast, dst, low[:evens], high[:odds], x0&1 != 0)
	}
	return nil
}
