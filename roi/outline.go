package roi

import (
	"math"
	"slices"

	"github.com/radtier/radtier/roi/space"
)

// record describes a lesion.
func (l *lesion) record(id string, parts []*part) Lesion {
	r := Lesion{ID: id, Tracking: l.tracking, Codes: l.codes(), Sources: l.sources(), Unsure: l.unsure()}
	key, pointed := true, false // a point in space has no extent of its own
	for i := range l.bodies {
		pointed = pointed || l.bodies[i].normal == (space.Vec{}) && l.bodies[i].reach > l.bodies[i].radius
	}
	for _, q := range l.spots {
		key = key && q.key
	}
	switch {
	case len(l.bodies) > 0 && (l.assumed > 0 || pointed):
		r.Extent = "assumed-sphere"
	case len(l.bodies) > 0:
		r.Extent = "measured"
	case key:
		r.Extent = "key-slices"
	default:
		r.Extent = "slice"
	}
	if len(l.bodies) > 0 {
		r.ForUID = l.bodies[0].forUID
		b := l.boxes[r.ForUID]
		r.Box = &Box{rounded(b.Min), rounded(b.Max)}
	}
	for _, x := range parts {
		for _, i := range x.references {
			if slices.Contains(x.lesions, l) {
				r.Outlines = append(r.Outlines, l.outlinesOn(x.stack, &x.stack.slices[i])...)
			}
		}
	}
	for _, q := range l.spots {
		drawn := slices.ContainsFunc(r.Outlines, func(o Outline) bool { return o.SOPUID == q.image.SOPUID && o.Frame == q.frame+1 })
		if q.poly != nil && !drawn && q.image.Frames[q.frame].Plane == nil {
			r.Outlines = append(r.Outlines, Outline{q.image.SOPUID, q.frame + 1, hull(q.poly)})
		}
	}
	if len(r.Outlines) > maxOutlines {
		r.Outlines = r.Outlines[:maxOutlines]
	}
	return r
}

// maxOutlines bounds the drawing of one lesion; its regions are not concerned.
const maxOutlines = 64

// rounded is good to a nanometre, and the same on every machine that fuses multiplications or does not.
func rounded(v space.Vec) space.Vec {
	for k := range v {
		v[k] = round(v[k])
	}
	return v
}

func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// outlinesOn draws the lesion's bodies that meet a slice.
func (l *lesion) outlinesOn(s *stack, q *slice) []Outline {
	var out []Outline
	p := q.plane()
	for i := range l.bodies {
		b := &l.bodies[i]
		if b.forUID != s.forUID {
			continue
		}
		lo, hi := math.Inf(1), math.Inf(-1)
		var poly []space.Point
		for _, v := range b.v {
			x, y, d := p.Project(v)
			lo, hi = min(lo, d), max(hi, d)
			if r := b.reach*b.reach - d*d; b.normal == (space.Vec{}) && r > 0 { // a ball
				poly = append(poly, ring(space.Point{X: x, Y: y}, math.Sqrt(r)/p.DX, math.Sqrt(r)/p.DY)...)
				continue
			}
			poly = append(poly, space.Point{X: x, Y: y})
		}
		reach := q.half
		if b.normal == (space.Vec{}) || math.Abs(b.normal.Dot(s.norm)) < 0.999 {
			reach += b.reach
		}
		if lo > reach+samePosition || hi < -reach-samePosition {
			continue
		}
		out = append(out, Outline{q.image.SOPUID, q.frame + 1, hull(poly)})
	}
	return out
}

// ring is an ellipse around c with half axes rx and ry.
func ring(c space.Point, rx, ry float64) []space.Point {
	const n = 32
	out := make([]space.Point, n)
	for i := range out {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / n)
		out[i] = space.Point{X: c.X + rx*cos, Y: c.Y + ry*sin}
	}
	return out
}

// hull is the convex hull of points, rounded to a thousandth of a pixel.
func hull(points []space.Point) []space.Point {
	pts := slices.Clone(points)
	for i := range pts {
		pts[i] = space.Point{X: math.Round(pts[i].X*1000) / 1000, Y: math.Round(pts[i].Y*1000) / 1000}
	}
	return space.Hull(pts)
}
