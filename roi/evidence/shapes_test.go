package evidence

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/roi/space"
)

// The box of a rotated ellipse is c +- sqrt(a_k^2 + b_k^2), which is neither that of its four points nor of its unrotated twin.
func TestEllipseBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		angle, a, b := r.Float64()*7, 1+r.Float64()*90, 1+r.Float64()*30
		sin, cos := math.Sincos(angle)
		c := space.Point{X: r.Float64() * 300, Y: r.Float64() * 300}
		s := Shape{Type: Ellipse, P: []space.Point{{X: c.X + a*cos, Y: c.Y + a*sin}, {X: c.X - a*cos, Y: c.Y - a*sin}, {X: c.X - b*sin, Y: c.Y + b*cos}, {X: c.X + b*sin, Y: c.Y - b*cos}}}
		lo, hi := s.Bounds()
		w, h := math.Hypot(a*cos, b*sin), math.Hypot(a*sin, b*cos)
		for _, p := range [][2]float64{{lo.X, c.X - w}, {hi.X, c.X + w}, {lo.Y, c.Y - h}, {hi.Y, c.Y + h}} {
			if math.Abs(p[0]-p[1]) > 1e-9 {
				t.Fatalf("ellipse %v: got %v, want %v", s.P, p[0], p[1])
			}
		}
	}
}

// Every point of a random ellipsoid lies inside the box of its outline, and the box is no larger.
func TestEllipsoidBox(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 300 {
		var axes [3]space.Vec
		u := space.Vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		w := space.Vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		axes[0] = u.Scale(1 / u.Len())
		axes[1] = axes[0].Cross(w)
		axes[1] = axes[1].Scale(1 / axes[1].Len())
		axes[2] = axes[0].Cross(axes[1])
		c := space.Vec{10, -20, 5}
		s := Shape{Type: Ellipsoid}
		for k := range axes {
			axes[k] = axes[k].Scale(1 + 40*r.Float64())
			s.V = append(s.V, c.Add(axes[k]), c.Sub(axes[k]))
		}
		out := s.Outline3()
		for k := range 3 {
			lo, hi := math.Inf(1), math.Inf(-1)
			for _, v := range out {
				lo, hi = min(lo, v[k]), max(hi, v[k])
			}
			half := math.Sqrt(axes[0][k]*axes[0][k] + axes[1][k]*axes[1][k] + axes[2][k]*axes[2][k])
			if up, down := hi-c[k]-half, c[k]-lo-half; min(up, down) < 0 || max(up, down) > 0.007*half {
				t.Fatalf("ellipsoid %v, axis %d: got %v to %v, want %v around %v", s.V, k, lo, hi, half, c[k])
			}
		}
	}
}

func TestShapeCheck(t *testing.T) {
	nan := math.NaN()
	for _, row := range []struct {
		shape Shape
		bad   bool
	}{
		{Shape{Type: None}, false},
		{Shape{Type: Points, P: []space.Point{{X: 1, Y: 2}}}, false},
		{Shape{Type: Points}, true},
		{Shape{Type: Points, P: []space.Point{{X: nan}}}, true},
		{Shape{Type: Circle, P: []space.Point{{}, {X: 1}}}, false},
		{Shape{Type: Circle, P: []space.Point{{}}}, true},
		{Shape{Type: Ellipse, P: make([]space.Point, 3)}, true},
		{Shape{Type: Polygon, P: make([]space.Point, 2)}, true},
		{Shape{Type: Points3, V: []space.Vec{{1, 2, math.Inf(1)}}}, true},
		{Shape{Type: Ellipsoid, V: make([]space.Vec, 6)}, false},
		{Shape{Type: Points3, V: make([]space.Vec, 1), Radius: -1}, true},
		{Shape{Type: 200}, true},
	} {
		if got := row.shape.Check(); (got != "") != row.bad {
			t.Errorf("%+v: got %q, want refused %v", row.shape, got, row.bad)
		}
		if row.bad && (row.shape.Outline() != nil || row.shape.Outline3() != nil) {
			t.Errorf("%+v: refused, and has an outline", row.shape)
		}
	}
}

// TestOutline3Holds: seen from any direction, the vertices reach as far as the shape does, and not much farther.
func TestOutline3Holds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	unit := func() space.Vec {
		v := space.Vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		return v.Scale(1 / v.Len())
	}
	c := space.Vec{10, -20, 30}
	a := unit()
	b := a.Cross(unit())
	b = b.Scale(1 / b.Len())
	d := a.Cross(b)
	a, b, d = a.Scale(7), b.Scale(3), d.Scale(20)
	for _, x := range []struct {
		name  string
		shape Shape
		half  func(n space.Vec) float64 // how far the shape reaches along n
	}{
		{"ball", Shape{Type: Ellipsoid, V: []space.Vec{{50}, {-50}, {0, 50}, {0, -50}, {0, 0, 50}, {0, 0, -50}}}, func(space.Vec) float64 { return 50 }},
		{"ellipsoid", Shape{Type: Ellipsoid, V: []space.Vec{c.Add(a), c.Sub(a), c.Add(b), c.Sub(b), c.Add(d), c.Sub(d)}},
			func(n space.Vec) float64 { return math.Hypot(math.Hypot(a.Dot(n), b.Dot(n)), d.Dot(n)) }},
	} {
		vertices, c := x.shape.Outline3(), x.shape.V[0].Add(x.shape.V[1]).Scale(0.5)
		for range 20_000 {
			n := unit()
			reach := math.Inf(-1)
			for _, v := range vertices {
				reach = max(reach, v.Sub(c).Dot(n))
			}
			if want := x.half(n); reach < want || reach > 1.007*want {
				t.Fatalf("%s: its vertices reach %g mm along %v, the shape %g", x.name, reach, n, want)
			}
		}
	}
}
