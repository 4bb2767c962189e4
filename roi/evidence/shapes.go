package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/radtier/radtier/roi/space"
)

// angles is how many vertices the outline of an ellipse has, besides its extremes.
const angles = 64

// bulge is how much a curve through points may leave their box (INTERPOLATED), on each side, of the box's side.
const bulge = 0.1

// Check says why a shape cannot be trusted, "" if it can.
func (s *Shape) Check() string {
	for _, p := range s.P {
		if math.IsNaN(p.X+p.Y) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0) {
			return "a coordinate is no number"
		}
	}
	for _, v := range s.V {
		if !v.Finite() {
			return "a coordinate is no number"
		}
	}
	if math.IsNaN(s.Radius) || s.Radius < 0 || math.IsInf(s.Radius, 0) {
		return "the radius is no length"
	}
	least, most, n := 1, 0, len(s.P)
	switch s.Type {
	case None:
		return ""
	case Points:
	case Polyline, Bulging:
		least = 2
	case Polygon, Mask:
		least = 3
	case Circle, Rectangle:
		least, most = 2, 2
	case Ellipse:
		least, most = 4, 4
	case Points3:
		n = len(s.V)
	case Ellipse3:
		least, most, n = 4, 4, len(s.V)
	case Ellipsoid:
		least, most, n = 6, 6, len(s.V)
	default:
		return "a shape of an unknown kind"
	}
	if n < least || most > 0 && n > most {
		return fmt.Sprintf("%d points, want %s", n, cmp.Or(map[bool]string{true: fmt.Sprint(least)}[most > 0], fmt.Sprintf("at least %d", least)))
	}
	return ""
}

// Outline returns vertices whose convex hull holds a shape of two dimensions,
// in edge coordinates: of an ellipse points of its rim, its extremes included, so that their box is exact. It is
// nil for shapes in space and for those that Check refuses. Radius is not in it.
func (s *Shape) Outline() []space.Point {
	if s.Check() != "" || len(s.P) == 0 {
		return nil
	}
	p := s.P
	switch s.Type {
	case Points, Polyline, Polygon, Mask:
		return slices.Clone(p)
	case Rectangle:
		return []space.Point{p[0], {X: p[1].X, Y: p[0].Y}, p[1], {X: p[0].X, Y: p[1].Y}}
	case Bulging:
		lo, hi := s.box()
		x, y := bulge*(hi.X-lo.X), bulge*(hi.Y-lo.Y)
		return []space.Point{{X: lo.X - x, Y: lo.Y - y}, {X: hi.X + x, Y: lo.Y - y}, {X: hi.X + x, Y: hi.Y + y}, {X: lo.X - x, Y: hi.Y + y}}
	case Circle:
		r := math.Hypot(p[1].X-p[0].X, p[1].Y-p[0].Y)
		return rim(p[0], space.Point{X: r}, space.Point{Y: r})
	case Ellipse: // PS3.3 C.18.6.1.2: ends of the major axis, ends of the minor axis
		c := space.Point{X: (p[0].X + p[1].X) / 2, Y: (p[0].Y + p[1].Y) / 2}
		return rim(c, space.Point{X: (p[0].X - p[1].X) / 2, Y: (p[0].Y - p[1].Y) / 2}, space.Point{X: (p[2].X - p[3].X) / 2, Y: (p[2].Y - p[3].Y) / 2})
	}
	return nil
}

// rim returns points c + a cos + b sin, with those at which x and y are largest and least.
func rim(c, a, b space.Point) []space.Point {
	at := make([]float64, 0, angles+4)
	for i := range angles {
		at = append(at, 2*math.Pi*float64(i)/angles)
	}
	for _, t := range [2]float64{math.Atan2(b.X, a.X), math.Atan2(b.Y, a.Y)} {
		at = append(at, math.Mod(t+2*math.Pi, 2*math.Pi), math.Mod(t+3*math.Pi, 2*math.Pi))
	}
	slices.Sort(at)
	out := make([]space.Point, 0, len(at))
	for _, t := range slices.Compact(at) {
		sin, cos := math.Sincos(t)
		out = append(out, space.Point{X: c.X + a.X*cos + b.X*sin, Y: c.Y + a.Y*cos + b.Y*sin})
	}
	return out
}

func (s *Shape) box() (lo, hi space.Point) {
	lo, hi = s.P[0], s.P[0]
	for _, p := range s.P[1:] {
		lo.X, lo.Y, hi.X, hi.Y = min(lo.X, p.X), min(lo.Y, p.Y), max(hi.X, p.X), max(hi.Y, p.Y)
	}
	return lo, hi
}

// Bounds is the box of Outline; zero where that is nil.
func (s *Shape) Bounds() (lo, hi space.Point) {
	o := Shape{P: s.Outline()}
	if len(o.P) == 0 {
		return lo, hi
	}
	return o.box()
}

// Outline3 returns vertices whose convex hull holds a shape in space, mm, whatever direction one looks from. Radius is not in it. It is nil for shapes of two dimensions and for those that Check refuses.
func (s *Shape) Outline3() []space.Vec {
	if s.Check() != "" || len(s.V) == 0 {
		return nil
	}
	v := s.V
	var out []space.Vec
	switch s.Type {
	case Points3:
		out = slices.Clone(v)
	case Ellipse3:
		out = rim3(v[0].Add(v[1]).Scale(0.5), v[0].Sub(v[1]).Scale(0.5), v[2].Sub(v[3]).Scale(0.5))
	case Ellipsoid: // PS3.3 C.18.9.1.2: ends of three axes
		c := v[0].Add(v[1]).Scale(0.5)
		a, b, d := v[0].Sub(v[1]).Scale(0.5), v[2].Sub(v[3]).Scale(0.5), v[4].Sub(v[5]).Scale(0.5)
		for _, u := range around {
			out = append(out, c.Add(a.Scale(u[0])).Add(b.Scale(u[1])).Add(d.Scale(u[2])))
		}
	default:
		return nil
	}
	return out
}

// around are points around the unit sphere, on a grid on the sides of a cube, so little outside that their convex hull holds it.
var around = func() (out []space.Vec) {
	const n, outside = 8, 1.0065
	for x := -n; x <= n; x++ {
		for y := -n; y <= n; y++ {
			for z := -n; z <= n; z++ {
				if max(x, -x, y, -y, z, -z) == n {
					v := space.Vec{math.Tan(float64(x) * math.Pi / 4 / n), math.Tan(float64(y) * math.Pi / 4 / n), math.Tan(float64(z) * math.Pi / 4 / n)}
					out = append(out, v.Scale(outside/v.Len()))
				}
			}
		}
	}
	return out
}()

func rim3(c, a, b space.Vec) []space.Vec {
	at := make([]float64, 0, angles+6)
	for i := range angles {
		at = append(at, 2*math.Pi*float64(i)/angles)
	}
	for k := range 3 {
		t := math.Atan2(b[k], a[k])
		at = append(at, t, t+math.Pi)
	}
	out := make([]space.Vec, 0, len(at))
	for _, t := range at {
		sin, cos := math.Sincos(t)
		out = append(out, c.Add(a.Scale(cos)).Add(b.Scale(sin)))
	}
	return out
}
