package wavelet

import "github.com/radtier/radtier/codecs/internal/jp2k/geom"

// Inverse97 computes the irreversible 9/7 transform backwards (IDWT, F.3) in float32.
type Inverse97 struct {
	source Source[float32]
	fast   bool // use the processor's kernels
	levels []inverse97Level
	n      int // levels in use
	y      int // of the next line, if there are no levels
}

// ring is how many lines of a level are held: from the line before the one
// that is returned to the fourth after it, a power of two.
const ring = 8

// inverse97Level puts the lines of one level together (2D_SR, F.3.2). The four
// lifting steps down the columns change lines in place; a step is taken for a
// line when both its neighbours have been through the step before.
type inverse97Level struct {
	area geom.Rect
	y    int // of the next line to be returned
	lines[float32]
	ring [ring][]float32 // line y is ring[y&(ring-1)]
	row  row97
	in   int    // the next line to come in
	step [4]int // the next line for each step; even, odd, even, odd ones
}

// unsteps are the factors of the steps.
var unsteps = [4]float32{delta, gamma, beta, alpha}

// NewInverse97 returns a transform that takes its sub-bands from source. plain
// keeps it from using the processor's kernels; the lines are the same.
func NewInverse97(source Source[float32], plain bool) *Inverse97 {
	return &Inverse97{source: source, fast: !plain && haveKernels()}
}

// Set begins a tile-component, as [Inverse.Set] does.
func (v *Inverse97) Set(area geom.Rect, levels int) {
	for len(v.levels) < levels {
		v.levels = append(v.levels, inverse97Level{})
	}
	v.n, v.y = levels, area.Y0
	for d := levels - 1; d >= 0; d-- {
		l := &v.levels[d]
		w := max(0, area.W())
		l.reserve(ring+2, w)
		*l = inverse97Level{area: area, y: area.Y0, lines: l.lines, in: area.Y0}
		for i := range l.ring {
			l.ring[i] = l.line(i, w)
		}
		l.row = row97{fast: v.fast, even: l.whole(ring, w), odd: l.whole(ring+1, w)}
		for s := range l.step {
			l.step[s] = area.Y0 + (area.Y0^s)&1
		}
		area = below(area)
	}
}

// Next returns the next line of the component, as [Inverse.Next] does.
func (v *Inverse97) Next() ([]float32, error) {
	if v.n == 0 {
		y := v.y
		v.y++
		return v.source.Row(0, geom.LL, y)
	}
	return v.next(v.n - 1)
}

// next returns the next line of level d, 0 the lowest.
func (v *Inverse97) next(d int) ([]float32, error) {
	l := &v.levels[d]
	y := l.y
	l.y++
	if l.area.H() == 1 {
		if err := v.along(d, y); err != nil {
			return nil, err
		}
	} else if err := v.take(d, 2+y&1, y); err != nil {
		return nil, err
	}
	return l.at(y), nil
}

// at is line y as wide as the area.
func (l *inverse97Level) at(y int) []float32 { return l.ring[y&(ring-1)][:l.area.W()] }

// take takes step s for the lines up to y, and the steps that must come before it.
func (v *Inverse97) take(d, s, y int) error {
	l := &v.levels[d]
	for ; l.step[s] <= y; l.step[s] += 2 {
		at := l.step[s]
		need := at + 1
		if need == l.area.Y1 {
			need = at - 1
		}
		if s > 0 {
			if err := v.take(d, s-1, need); err != nil {
				return err
			}
		}
		for ; s == 0 && l.in <= max(at, need); l.in++ {
			if err := v.along(d, l.in); err != nil {
				return err
			}
		}
		before, after := at-1, need
		if before < l.area.Y0 {
			before = after
		}
		line := func(y int) []float32 { return l.ring[y&(ring-1)] }
		unstep(v.fast, line(at), line(at), line(before), line(after), unsteps[s])
	}
	return nil
}

// along takes line y of level d from its sub-bands, undoes the steps along it,
// and scales it by the factors of both directions (steps 1 and 2 of F.3.8.2).
func (v *Inverse97) along(d, y int) error {
	l := &v.levels[d]
	x0, x1 := l.area.X0, l.area.X1
	evens, odds := (x1+1)>>1-(x0+1)>>1, x1>>1-x0>>1
	lo, hi := bandsOf(y)
	var low, high []float32
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
	down := float32(bigK)
	switch {
	case l.area.H() == 1 && y&1 != 0:
		down = 0.5 // F.3.6: a single odd sample
	case l.area.H() == 1:
		down = 1
	case y&1 != 0:
		down = 1 / bigK
	}
	dst := l.at(y)
	switch {
	case evens == 0:
		dst[0] = high[0] * (down * 0.5)
	case odds == 0:
		dst[0] = low[0] * down
	default:
		l.row.inverse(dst, low[:evens], high[:odds], down*bigK, down*(1/bigK), x0&1 != 0)
	}
	return nil
}
