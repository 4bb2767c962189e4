package roi

import (
	"cmp"
	"math"
	"slices"

	"github.com/radtier/radtier/roi/space"
)

// slice is one frame of a stack.
type slice struct {
	image *Image
	frame int     // from 0
	t     float64 // position along the stack's normal, mm
	half  float64 // half of what the slice stands for along the normal, mm
}

// meets reports whether the slab that a slice stands for reaches into a range along the normal.
func (s *slice) meets(from, to float64) bool {
	return s.t+s.half >= from-samePosition && s.t-s.half <= to+samePosition
}

// down and up are floor and ceiling of pixel coordinates, without being misled by what a computation in mm has
// rounded: a border between two pixels is not in both.
func down(x float64) float64 { return math.Floor(x + samePixel) }
func up(x float64) float64   { return math.Ceil(x - samePixel) }

const samePixel = 1e-6

func (s *slice) plane() *space.Plane { return s.image.Frames[s.frame].Plane }

// stack is the frames of one series that share orientation and grid, along
// their normal: by position, never by number or slice location. Phases and
// echoes lie at the same position and are kept together.
type stack struct {
	series, forUID    string
	row, column, norm space.Vec
	dx, dy            float64
	columns, rows     int
	slices            []slice
	step              float64 // distance of neighbours (median), mm; 0 for a single position
	whole             string  // why it can only be kept in whole slices
}

// Tolerances within which frames are one stack.
const (
	sameDirection = 1e-3
	samePosition  = 1e-3 // mm
	singleHalf    = 0.5  // mm, of a single slice of unknown thickness
)

// stacksOf groups all frames that have a place in the patient.
func stacksOf(images []Image) []*stack {
	type key struct{ series, forUID string }
	groups := map[key][]*stack{}
	var all []*stack
	for i := range images {
		im := &images[i]
		if im.ForUID == "" {
			continue
		}
		k := key{im.SeriesUID, im.ForUID}
		for f := range im.Frames {
			p := im.Frames[f].Plane
			if p == nil {
				continue
			}
			at := slices.IndexFunc(groups[k], func(s *stack) bool { return s.takes(p) })
			if at < 0 {
				s := &stack{series: im.SeriesUID, forUID: im.ForUID, row: p.Row, column: p.Column, norm: p.Normal(), dx: p.DX, dy: p.DY, columns: p.Columns, rows: p.Rows}
				at = len(groups[k])
				groups[k] = append(groups[k], s)
				all = append(all, s)
			}
			s := groups[k][at]
			s.slices = append(s.slices, slice{image: im, frame: f, t: p.Origin.Dot(s.norm)})
			if s.whole == "" {
				s.whole = im.Uncroppable
			}
		}
	}
	for _, s := range all {
		s.sort()
	}
	slices.SortStableFunc(all, func(a, b *stack) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.slices[0].image.SOPUID, b.slices[0].image.SOPUID), cmp.Compare(a.slices[0].frame, b.slices[0].frame))
	})
	return all
}

func (s *stack) takes(p *space.Plane) bool {
	return p.Columns == s.columns && p.Rows == s.rows && near(p.Row, s.row) && near(p.Column, s.column) &&
		math.Abs(p.DX-s.dx) <= sameDirection*s.dx && math.Abs(p.DY-s.dy) <= sameDirection*s.dy
}

func near(a, b space.Vec) bool {
	d := a.Sub(b)
	return math.Abs(d[0]) <= sameDirection && math.Abs(d[1]) <= sameDirection && math.Abs(d[2]) <= sameDirection
}

// sort orders the slices and finds how much of the normal each stands for:
// max(thickness, distance of its farther neighbour) / 2, so that no gap between slices is nobody's.
func (s *stack) sort() {
	slices.SortFunc(s.slices, func(a, b slice) int {
		return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.image.SOPUID, b.image.SOPUID), cmp.Compare(a.frame, b.frame))
	})
	var steps []float64
	below := make([]float64, len(s.slices)) // distance to the next lower position
	for i := range s.slices {
		if i > 0 {
			if d := s.slices[i].t - s.slices[i-1].t; d > samePosition {
				below[i] = d
				steps = append(steps, d)
			} else {
				below[i] = below[i-1]
			}
		}
	}
	if len(steps) > 0 {
		slices.Sort(steps)
		s.step = steps[len(steps)/2]
	}
	above := 0.0
	for i := len(s.slices) - 1; i >= 0; i-- {
		if i+1 < len(s.slices) {
			if d := s.slices[i+1].t - s.slices[i].t; d > samePosition {
				above = d
			}
		}
		gap := max(below[i], above)
		// A hole in the series (a missing slice, a second slab) belongs to nobody.
		gap = min(gap, 2*s.step)
		x := &s.slices[i]
		x.half = max(x.image.Frames[x.frame].Thickness, gap) / 2
		if x.half == 0 {
			x.half = singleHalf
		}
	}
}

// parallel reports whether two stacks cut in the same direction.
func (s *stack) parallel(o *stack) bool { return math.Abs(s.norm.Dot(o.norm)) > 0.999 }

// extent is a box along the axes of a stack: patient coordinates projected on row, column and normal, mm.
type extent struct{ min, max [3]float64 }

func nothing() extent {
	inf := math.Inf(1)
	return extent{[3]float64{inf, inf, inf}, [3]float64{-inf, -inf, -inf}}
}

func (e *extent) empty() bool { return e.min[0] > e.max[0] }

// add takes a point in, and all that is within r mm of it along the axes.
func (e *extent) add(s *stack, v space.Vec, r float64) {
	for k, axis := range [3]space.Vec{s.row, s.column, s.norm} {
		d := v.Dot(axis)
		e.min[k], e.max[k] = min(e.min[k], d-r), max(e.max[k], d+r)
	}
}

// edges returns the box in edge coordinates of a plane of the stack.
func (e *extent) edges(p *space.Plane) (lo, hi space.Point) {
	r, c := p.Origin.Dot(p.Row), p.Origin.Dot(p.Column)
	return space.Point{X: (e.min[0]-r)/p.DX + 0.5, Y: (e.min[1]-c)/p.DY + 0.5}, space.Point{X: (e.max[0]-r)/p.DX + 0.5, Y: (e.max[1]-c)/p.DY + 0.5}
}
