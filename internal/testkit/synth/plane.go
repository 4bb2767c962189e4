package synth

import "math"

// plane is an image that shapes are painted on, in millimetres from its centre: x to the right, y down.
type plane struct {
	w, h    int
	spacing float64 // mm per pixel
	px      []int16
}

func newPlane(w, h int, spacing float64) *plane {
	return &plane{w, h, spacing, make([]int16, w*h)}
}

func (p *plane) fill(v int16) {
	for i := range p.px {
		p.px[i] = v
	}
}

// ellipse paints an upright ellipse. Shapes painted later lie on top.
func (p *plane) ellipse(cx, cy, a, b float64, v int16) {
	p.spans(cx, cy, a, b, func(row []int16) {
		for i := range row {
			row[i] = v
		}
	})
}

// replace paints an ellipse only where the value below is one of a range.
func (p *plane) replace(cx, cy, a, b float64, from, to, v int16) {
	p.spans(cx, cy, a, b, func(row []int16) {
		for i, old := range row {
			if old >= from && old <= to {
				row[i] = v
			}
		}
	})
}

func (p *plane) spans(cx, cy, a, b float64, paint func(row []int16)) {
	if a <= 0 || b <= 0 {
		return
	}
	midX, midY := float64(p.w-1)/2, float64(p.h-1)/2
	top := max(0, int(math.Ceil((cy-b)/p.spacing+midY)))
	bottom := min(p.h-1, int(math.Floor((cy+b)/p.spacing+midY)))
	for y := top; y <= bottom; y++ {
		d := ((float64(y)-midY)*p.spacing - cy) / b
		if d*d >= 1 {
			continue
		}
		half := a * math.Sqrt(1-d*d)
		left := max(0, int(math.Ceil((cx-half)/p.spacing+midX)))
		right := min(p.w-1, int(math.Floor((cx+half)/p.spacing+midX)))
		if left <= right {
			paint(p.px[y*p.w+left : y*p.w+right+1])
		}
	}
}

// blur smooths with the kernel 1 2 1 in both directions, as a scanner's point spread does.
func (p *plane) blur() {
	line := make([]int16, max(p.w, p.h))
	for y := range p.h {
		row := p.px[y*p.w : (y+1)*p.w]
		copy(line, row)
		for x := 1; x < p.w-1; x++ {
			row[x] = int16((int(line[x-1]) + 2*int(line[x]) + int(line[x+1])) >> 2)
		}
	}
	above := make([]int16, p.w)
	copy(above, p.px[:p.w])
	for y := 1; y < p.h-1; y++ {
		row, below := p.px[y*p.w:(y+1)*p.w], p.px[(y+1)*p.w:(y+2)*p.w]
		for x, v := range row {
			row[x] = int16((int(above[x]) + 2*int(v) + int(below[x])) >> 2)
			above[x] = v
		}
	}
}
