package wavelet

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// spread puts step-1 zeros between the taps of g and convolves f with it.
func spread(f, g []float64, step int) []float64 {
	out := make([]float64, len(f)+(len(g)-1)*step)
	for i, x := range f {
		for k, y := range g {
			out[i+k*step] += x * y
		}
	}
	return out
}

var (
	lowPass  = []float64{-0.125, 0.25, 0.75, 0.25, -0.125} // F-9 in F-10
	highPass = []float64{-0.5, 1, -0.5}                    // F-9
)

// filter is what levels levels make together, the last of them high-pass or all low-pass.
func filter(high bool, levels int) []float64 {
	f := []float64{1}
	for n := range levels {
		g := lowPass
		if high && n == levels-1 {
			g = highPass
		}
		f = spread(f, g, 1<<n)
	}
	return f
}

func absolutes(f []float64) (sum float64) {
	for _, x := range f {
		sum += math.Abs(x)
	}
	return sum
}

// TestGains holds the tables of gains against the filters.
func TestGains(t *testing.T) {
	for n := range 18 {
		for _, high := range []bool{false, true} {
			want := absolutes(filter(high, n))
			if got := gain(high, n); got < want || got > want+1e-3 {
				t.Errorf("gain of %d levels, high %t: got %v, want a little over %v", n, high, got, want)
			}
		}
	}
}

// worst is a picture whose coefficient at (cx, cy) of a sub-band is as large as it can be, or as small:
// each sample is at the end of its range that the filter's sign asks for.
func worst(size, precision, level int, o geom.Orient, cx, cy int, smallest bool) plane[int32] {
	across, down := filter(o&1 != 0, level), filter(o>>1 != 0, level)
	p := newPlane[int32](geom.Rect{X1: size, Y1: size})
	tap := func(f []float64, at, c int, high bool) float64 {
		centre := c << level
		if high {
			centre += 1 << (level - 1)
		}
		// Samples stand for their mirror images too.
		sum := 0.0
		for i := centre - len(f)/2; i <= centre+len(f)/2; i++ {
			if mirror(i, 0, size) == at {
				sum += f[i-centre+len(f)/2]
			}
		}
		return sum
	}
	xs, ys := make([]float64, size), make([]float64, size)
	for i := range size {
		xs[i], ys[i] = tap(across, i, cx, o&1 != 0), tap(down, i, cy, o>>1 != 0)
	}
	p.each(func(x, y int) {
		v := int32(1)<<(precision-1) - 1
		if (xs[x]*ys[y] < 0) != smallest {
			v = -1 << (precision - 1)
		}
		*p.at(x, y) = v
	})
	return p
}

// TestMagnitudeBits looks at pictures made of the filters' signs: no
// coefficient is over the bound, and for 12 and 16 bits the largest ones need
// at least one bit less than it.
func TestMagnitudeBits(t *testing.T) {
	f := NewForward(nil, false)
	for level := 1; level <= 5; level++ {
		size := 6 << level
		for _, precision := range []int{1, 2, 3, 8, 12, 16, 17} {
			for o := geom.LL; o <= geom.HH; o++ {
				most := MagnitudeBits(precision, level, o)
				reached := 0
				for _, c := range []int{0, 2, 5} {
					for _, smallest := range []bool{false, true} {
						p := worst(size, precision, level, o, c, c, smallest)
						sink := collect(t, p.Rect, level)
						forwardAll(t, f, sink, p, level)
						for k, b := range sink.bands {
							for i, v := range b.v {
								n := bits.Len32(uint32(max(v, -v)))
								if limit := MagnitudeBits(precision, level-max(k.r-1, 0), k.o); n > limit {
									t.Fatalf("%d bits, worst case of level %d/%d: coefficient %d of sub-band %v is %d, more than %d bits", precision, level, o, i, k, v, limit)
								}
								if k.r == min(1, int(o)) && k.o == o {
									reached = max(reached, n)
								}
							}
						}
					}
				}
				if precision >= 12 && reached < most-1 {
					t.Errorf("%d bits, level %d/%d: no coefficient of more than %d bits, the bound is %d", precision, level, o, reached, most)
				}
			}
		}
	}
}

// TestMagnitudeBitsTable is what an encoder writes for 16 bits.
func TestMagnitudeBitsTable(t *testing.T) {
	for _, c := range []struct {
		bits, level int
		o           geom.Orient
		want        int
	}{
		{16, 0, geom.LL, 16}, {1, 0, geom.LL, 1}, {16, 1, geom.HH, 17}, {16, 1, geom.HL, 17}, {16, 1, geom.LH, 17}, {16, 1, geom.LL, 17},
		{16, 2, geom.HH, 18}, {16, 2, geom.HL, 18}, {16, 5, geom.LL, 17}, {16, 5, geom.HH, 18}, {16, 32, geom.LL, 17}, {16, 32, geom.HH, 19},
	} {
		if got := MagnitudeBits(c.bits, c.level, c.o); got != c.want {
			t.Errorf("MagnitudeBits(%d, %d, %d): got %d, want %d", c.bits, c.level, c.o, got, c.want)
		}
	}
}

// TestMagnitudeBitsSmall looks at areas of all small sizes, where mirror
// images and single samples prevail, and at few bits, where rounding does.
func TestMagnitudeBitsSmall(t *testing.T) {
	const levels = 6
	f := NewForward(nil, false)
	rng := rand.New(rand.NewPCG(3, 3))
	for w := 1; w <= 24; w++ {
		for h := 1; h <= 24; h++ {
			for _, precision := range []int{1, 2, 3, 4, 16} {
				p := newPlane[int32](geom.Rect{X1: w, Y1: h})
				for i := range p.v {
					p.v[i] = int32(rng.Uint32()&1)*(1<<precision-1) - 1<<(precision-1)
				}
				sink := collect(t, p.Rect, levels)
				forwardAll(t, f, sink, p, levels)
				for k, b := range sink.bands {
					limit := MagnitudeBits(precision, levels+1-max(k.r, 1), k.o)
					for i, v := range b.v {
						if n := bits.Len32(uint32(max(v, -v))); n > limit {
							t.Fatalf("%d x %d, %d bits: coefficient %d of sub-band %v is %d, more than %d bits", w, h, precision, i, k, v, limit)
						}
					}
				}
			}
		}
	}
}
