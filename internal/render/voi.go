package render

import "math"

// Function is a VOI LUT Function (0028,1056).
type Function uint8

const (
	Linear      Function = iota // PS3.3 C.11.2.1.2.1
	Sigmoid                     // PS3.3 C.11.2.1.3.1
	LinearExact                 // PS3.3 C.11.2.1.3.2
)

// Window is a Window Center (0028,1050), Window Width (0028,1051) and function, in values after the Modality LUT.
type Window struct {
	Center, Width float64
	Function      Function
}

// Valid reports whether the standard gives the window a meaning: LINEAR needs a width of 1 or more, the others one above 0.
func (w *Window) Valid() bool {
	if w == nil || math.IsNaN(w.Center) || math.IsInf(w.Center, 0) || math.IsNaN(w.Width) || math.IsInf(w.Width, 0) {
		return false
	}
	return w.Width >= 1 || w.Width > 0 && w.Function != Linear
}

// Gray returns the display value of x. Fractions are cut off, as DCMTK does; NaN is 0.
func (w *Window) Gray(x float64) uint8 {
	switch w.Function {
	case Sigmoid:
		return clamp8(255 / (1 + math.Exp(-4*(x-w.Center)/w.Width)))
	case LinearExact:
		return ramp(x, w.Center, w.Width)
	}
	return ramp(x, w.Center-0.5, w.Width-1)
}

// ramp rises from 0 at centre-width/2 to 255 at centre+width/2. A width of 0 is a threshold.
func ramp(x, centre, width float64) uint8 {
	switch {
	case !(x > centre-width/2):
		return 0
	case x > centre+width/2:
		return 255
	}
	// The standard's ((x-centre)/width+0.5)*255 in an order that is exact where the result is a whole number.
	return clamp8((x - (centre - width/2)) * 255 / width)
}

func clamp8(v float64) uint8 {
	switch {
	case !(v > 0):
		return 0
	case v >= 255:
		return 255
	}
	return uint8(v)
}

// shade maps a value after the Modality LUT to a display value.
type shade func(x float64) uint8

// shader chooses the VOI transformation and adds the inversion. spread is
// asked for the values to spread over the grey scale only if nothing in the data set says which.
func (p *Params) shader(spread func() (low, high float64)) shade {
	voi := p.voi(spread)
	if !p.inverted() {
		return voi
	}
	return func(x float64) uint8 { return 255 - voi(x) }
}

func (p *Params) voi(spread func() (low, high float64)) shade {
	switch {
	case p.VOILUT != nil:
		return p.VOILUT.gray
	case p.Window.Valid():
		return p.Window.Gray
	case p.hounsfield():
		return (&Window{Center: 40, Width: 400}).Gray
	}
	low, high := spread()
	if !(high > low) {
		return func(float64) uint8 { return midGray }
	}
	return func(x float64) uint8 { return ramp(x, low/2+high/2, high-low) }
}

// midGray is what an image of equal samples is drawn with.
const midGray = 128
