package space

import (
	"encoding/json"
	"fmt"
	"math"
)

// Vec is a point or a direction in the patient, mm.
type Vec [3]float64

// Add returns v + w.
func (v Vec) Add(w Vec) Vec { return Vec{v[0] + w[0], v[1] + w[1], v[2] + w[2]} }

// Sub returns v - w.
func (v Vec) Sub(w Vec) Vec { return Vec{v[0] - w[0], v[1] - w[1], v[2] - w[2]} }

// Scale returns v * k.
func (v Vec) Scale(k float64) Vec { return Vec{v[0] * k, v[1] * k, v[2] * k} }

// Dot returns the scalar product.
func (v Vec) Dot(w Vec) float64 { return v[0]*w[0] + v[1]*w[1] + v[2]*w[2] }

// Cross returns the vector product.
func (v Vec) Cross(w Vec) Vec {
	return Vec{v[1]*w[2] - v[2]*w[1], v[2]*w[0] - v[0]*w[2], v[0]*w[1] - v[1]*w[0]}
}

// Len returns the length.
func (v Vec) Len() float64 { return math.Sqrt(v.Dot(v)) }

// Finite reports whether no component is NaN or infinite.
func (v Vec) Finite() bool {
	return !math.IsNaN(v[0]+v[1]+v[2]) && !math.IsInf(v[0], 0) && !math.IsInf(v[1], 0) && !math.IsInf(v[2], 0)
}

// Point is a place in a frame in edge coordinates: x in columns, y in rows.
type Point struct{ X, Y float64 }

// Plane is the grid of one frame in the patient (PS3.3 C.7.6.2.1.1).
type Plane struct {
	Origin        Vec // Image Position (Patient): centre of the first pixel
	Row, Column   Vec // directions of increasing column and increasing row, of length 1
	DX, DY        float64
	Rows, Columns int
}

// NewPlane checks position, orientation and spacing as the data set has them: iop is row and column
// directions, spacing is between rows, then between columns. What cannot be trusted is an error that says why.
func NewPlane(ipp, iop, spacing []float64, rows, columns int) (Plane, error) {
	var p Plane
	switch {
	case len(ipp) != 3:
		return p, fmt.Errorf("Image Position (Patient) has %d values, want 3", len(ipp))
	case len(iop) != 6:
		return p, fmt.Errorf("Image Orientation (Patient) has %d values, want 6", len(iop))
	case len(spacing) != 2:
		return p, fmt.Errorf("Pixel Spacing has %d values, want 2", len(spacing))
	case rows < 1 || columns < 1:
		return p, fmt.Errorf("%d rows of %d columns", rows, columns)
	}
	p = Plane{Vec(ipp), Vec(iop[:3]), Vec(iop[3:]), spacing[1], spacing[0], rows, columns}
	r, c := p.Row.Len(), p.Column.Len()
	switch {
	case !p.Origin.Finite() || !p.Row.Finite() || !p.Column.Finite():
		return p, fmt.Errorf("Image Position or Orientation (Patient) is no number")
	case math.Abs(r-1) > directionTolerance || math.Abs(c-1) > directionTolerance:
		return p, fmt.Errorf("Image Orientation (Patient) has directions of length %g and %g, want 1", r, c)
	case math.Abs(p.Row.Dot(p.Column)) > directionTolerance:
		return p, fmt.Errorf("Image Orientation (Patient) has directions that are not at right angles")
	case !(p.DX > 0) || !(p.DY > 0) || math.IsInf(p.DX, 0) || math.IsInf(p.DY, 0):
		return p, fmt.Errorf("Pixel Spacing %g and %g is not positive", p.DY, p.DX)
	}
	return p, nil
}

const directionTolerance = 1e-4

// Normal is Row x Column.
func (p *Plane) Normal() Vec { return p.Row.Cross(p.Column) }

// At returns the place of edge coordinates (x, y) in the patient.
func (p *Plane) At(x, y float64) Vec {
	return p.Origin.Add(p.Row.Scale((x - 0.5) * p.DX)).Add(p.Column.Scale((y - 0.5) * p.DY))
}

// Project returns the edge coordinates of the foot of v on the plane, and its distance along the normal, mm.
func (p *Plane) Project(v Vec) (x, y, d float64) {
	w := v.Sub(p.Origin)
	return w.Dot(p.Row)/p.DX + 0.5, w.Dot(p.Column)/p.DY + 0.5, w.Dot(p.Normal())
}

// MarshalJSON writes a point as [x, y].
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{p.X, p.Y}) }

// UnmarshalJSON reads [x, y].
func (p *Point) UnmarshalJSON(raw []byte) error {
	var v [2]float64
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	p.X, p.Y = v[0], v[1]
	return nil
}
