package codectest

import "math/rand/v2"

// Image is a kind of contents. Its samples depend on the shape and the seed only.
type Image struct {
	Name string
	// sample returns a value in [0, top]; r is advanced in the order row, column, component.
	sample func(r *rand.Rand, s Shape, c, x, y, top int) int
}

// Samples returns the image's samples by row, column, component, over the shape's full range.
func (m Image) Samples(s Shape, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 0x7261647469657221))
	out := make([]int32, s.Len())
	top := s.Max() - s.Min()
	for i := range out {
		c, x, y := place(s, i)
		out[i] = int32(m.sample(r, s, c, x, y, top) + s.Min())
	}
	return out
}

// Images returns the contents that tests and benchmarks use: extremes that
// reach every value of the precision, and the last ones like medical images.
func Images() []Image {
	return []Image{
		{"lowest", func(_ *rand.Rand, _ Shape, _, _, _, _ int) int { return 0 }},
		{"highest", func(_ *rand.Rand, _ Shape, _, _, _, top int) int { return top }},
		{"middle", func(_ *rand.Rand, _ Shape, c, _, _, top int) int { return (top/2 + c) % (top + 1) }},
		{"checkerboard", func(_ *rand.Rand, _ Shape, c, x, y, top int) int { return (x + y + c) & 1 * top }},
		{"columns", func(_ *rand.Rand, _ Shape, c, x, _, top int) int { return (x + c) & 1 * top }},
		{"ramp", func(_ *rand.Rand, _ Shape, c, x, y, top int) int { return (x + 3*y + 5*c) % (top + 1) }},
		{"steep ramp", func(_ *rand.Rand, s Shape, c, x, y, top int) int {
			return (x*top/s.Width + y*top/s.Height + c) % (top + 1)
		}},
		{"noise", func(r *rand.Rand, _ Shape, _, _, _, top int) int { return r.IntN(top + 1) }},
		{"extremes", func(r *rand.Rand, _ Shape, _, _, _, top int) int { return r.IntN(2) * top }},
		{"sparse", func(r *rand.Rand, _ Shape, _, _, _, top int) int {
			if r.IntN(50) == 0 {
				return r.IntN(top + 1)
			}
			return 0
		}},
		{"runs", func(_ *rand.Rand, s Shape, c, x, y, top int) int {
			return (x*x/(7+s.Width) + y/3*29 + c*11) % (top + 1)
		}},
		{"smooth", smooth(0)},
		{"smooth with noise", smooth(1)},
		{"disc in air", disc},
	}
}

// smooth is a bowl, with noise of about 2 % of the range.
func smooth(noise int) func(r *rand.Rand, s Shape, c, x, y, top int) int {
	return func(r *rand.Rand, s Shape, c, x, y, top int) int {
		dx, dy := 2*x-s.Width, 2*y-s.Height
		v := top * (dx*dx + dy*dy) / (s.Width*s.Width + s.Height*s.Height + 1)
		v = v*(4-c)/4 + noise*(r.IntN(top/50+1)-top/100)
		return min(max(v, 0), top)
	}
}

// disc is like a slice of a body: constant air, a noisy disc, sharp edges.
func disc(r *rand.Rand, s Shape, c, x, y, top int) int {
	dx, dy := 2*x-s.Width, 2*y-s.Height
	if dx*dx*5+dy*dy*7 > s.Width*s.Height*4 {
		return 0
	}
	v := top/4 + top*(dx+s.Width)/(8*s.Width) + r.IntN(top/64+1) + c*top/16
	if (x/16+y/16)%5 == 0 {
		v += top / 4
	}
	return min(v, top)
}
