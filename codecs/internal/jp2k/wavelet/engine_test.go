package wavelet

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// collector is a Sink that keeps sub-bands, and looks whether calls are in order.
type collector struct {
	t     *testing.T
	bands map[bandKey]plane[int32]
	asked map[bandKey]int // rows asked for
	done  map[bandKey]int // rows written
}

const poison = 0x5a5a5a5a

// collect makes room for the sub-bands of an area.
func collect(t *testing.T, area geom.Rect, levels int) *collector {
	c := &collector{t, map[bandKey]plane[int32]{}, map[bandKey]int{}, map[bandKey]int{}}
	for d := range levels {
		for o := geom.HL; o <= geom.HH; o++ {
			c.bands[bandKey{levels - d, o}] = newPlane[int32](bandRect(area, o))
		}
		area = bandRect(area, geom.LL)
	}
	c.bands[bandKey{0, geom.LL}] = newPlane[int32](area)
	for _, b := range c.bands {
		for i := range b.v {
			b.v[i] = poison
		}
	}
	return c
}

func (c *collector) Row(r int, o geom.Orient, y int) []int32 {
	b, ok := c.bands[bandKey{r, o}]
	if !ok || b.Empty() || y < b.Y0 || y >= b.Y1 {
		c.t.Fatalf("row %d of sub-band %d/%d with area %v", y, r, o, b.Rect)
	}
	c.asked[bandKey{r, o}] = y + 1
	return b.row(y)
}

func (c *collector) Done(r int, o geom.Orient, y int) {
	k := bandKey{r, o}
	if c.asked[k] != y+1 || y != c.bands[k].Y0+c.done[k] {
		c.t.Fatalf("row %d of sub-band %d/%d is done, after %d others", y, r, o, c.done[k])
	}
	c.done[k]++
}

// supplier is a Source of sub-bands. What it gave it takes away at the next call for the sub-band.
type supplier[T int32 | float32] struct {
	bands map[bandKey]plane[T]
	given map[bandKey]int
	last  map[bandKey][]T
	fail  int // calls until one fails
}

var errSupply = errors.New("no more rows")

func supply[T int32 | float32](bands map[bandKey]plane[T]) *supplier[T] {
	return &supplier[T]{bands, map[bandKey]int{}, map[bandKey][]T{}, -1}
}

func (s *supplier[T]) Row(r int, o geom.Orient, y int) ([]T, error) {
	if s.fail == 0 {
		return nil, errSupply
	}
	s.fail--
	k := bandKey{r, o}
	b, ok := s.bands[k]
	if !ok || b.Empty() || y != b.Y0+s.given[k] || y >= b.Y1 {
		return nil, fmt.Errorf("row %d of sub-band %d/%d with area %v, after %d others", y, r, o, b.Rect, s.given[k])
	}
	s.given[k]++
	for i := range s.last[k] {
		s.last[k][i] = 0x5a5a
	}
	s.last[k] = slices.Clone(b.row(y))
	return slices.Clip(s.last[k]), nil
}

// forwardAll transforms a plane.
func forwardAll(t *testing.T, f *Forward, c *collector, p plane[int32], levels int) {
	t.Helper()
	f.sink = c
	f.Set(p.Rect, levels)
	for y := p.Y0; y < p.Y1; y++ {
		line := f.Line()
		if len(line) != p.W() {
			t.Fatalf("line of %d samples, want %d", len(line), p.W())
		}
		copy(line, p.row(y))
		f.Push()
	}
	for k, b := range c.bands {
		if !b.Empty() && c.done[k] != b.H() {
			t.Fatalf("%d rows of sub-band %v, want %d", c.done[k], k, b.H())
		}
	}
}

// pictures fill planes; sizes and precisions are told apart by seed.
var pictures = []struct {
	name string
	at   func(rng *rand.Rand, x, y int) int32
}{
	{"noise", func(rng *rand.Rand, _, _ int) int32 { return rng.Int32N(1<<16) - 1<<15 }},
	{"small", func(rng *rand.Rand, _, _ int) int32 { return rng.Int32N(4) - 2 }},
	{"checkerboard", func(_ *rand.Rand, x, y int) int32 { return (int32(x+y)&1)*65535 - 32768 }},
	{"extremes", func(rng *rand.Rand, _, _ int) int32 { return rng.Int32N(2)*65535 - 32768 }},
	{"ramp", func(_ *rand.Rand, x, y int) int32 { return int32(17*x - 31*y) }},
}

func picture(i int, area geom.Rect, seed uint64) plane[int32] {
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	p := newPlane[int32](area)
	p.each(func(x, y int) { *p.at(x, y) = pictures[i].at(rng, x, y) })
	return p
}

func wide(p plane[int32]) plane[int64] {
	q := newPlane[int64](p.Rect)
	for i, x := range p.v {
		q.v[i] = int64(x)
	}
	return q
}

// differs says where two planes differ.
func differs(got plane[int32], want plane[int64]) string {
	for i, x := range want.v {
		if int64(got.v[i]) != x {
			return fmt.Sprintf("sample (%d, %d): got %d, want %d", got.X0+i%got.W(), got.Y0+i/got.W(), got.v[i], x)
		}
	}
	return ""
}

// areas calls f with areas of all sizes and all parities of their origin.
func areas(t *testing.T, maxW, maxH int, f func(seed int, area geom.Rect)) {
	n := 0
	for w := 1; w <= maxW; w++ {
		for h := 1; h <= maxH; h++ {
			for origin := range 4 {
				n++
				x, y := origin&1, origin>>1
				if n%3 == 0 {
					x, y = x+2*(n%37), y+2*(n%23)
				}
				f(n, geom.Rect{X0: x, Y0: y, X1: x + w, Y1: y + h})
			}
		}
	}
}

// TestReversible holds both directions, plain and with kernels, against the reference.
func TestReversible(t *testing.T) {
	maxW, maxH := 70, 20
	if testing.Short() {
		maxW, maxH = 40, 9
	}
	var engines []*Forward
	var inverses []*Inverse
	for _, plain := range []bool{true, false} {
		engines = append(engines, NewForward(nil, plain))
		inverses = append(inverses, NewInverse(nil, plain))
	}
	areas(t, maxW, maxH, func(n int, area geom.Rect) {
		// Each size meets every number of levels and every picture, at one origin or another.
		for levels := range 7 {
			i := (n + levels) % len(pictures)
			p := picture(i, area, uint64(n))
			name := fmt.Sprintf("%v, %d levels, %s", area, levels, pictures[i].name)
			want := referenceForward(wide(p), levels, forward53)
			for k, f := range engines {
				c := collect(t, area, levels)
				forwardAll(t, f, c, p, levels)
				for b, w := range want {
					if d := differs(c.bands[b], w); d != "" {
						t.Fatalf("%s, plain %t: sub-band %v, %s", name, k == 0, b, d)
					}
				}
				for reduce := 0; reduce <= levels; reduce += 1 + reduce {
					reversed(t, name, inverses[k], c.bands, p, want, levels, reduce)
				}
			}
		}
	})
}

// reversed looks at what an Inverse makes of sub-bands without the highest resolution levels.
func reversed(t *testing.T, name string, v *Inverse, bands map[bandKey]plane[int32], p plane[int32], ref map[bandKey]plane[int64], levels, reduce int) {
	t.Helper()
	area := p.Rect
	for range reduce {
		area = bandRect(area, geom.LL)
	}
	want := wide(p)
	if reduce > 0 {
		want = referenceInverse(area, ref, levels, levels-reduce, inverse53)
	}
	v.source = supply(bands)
	v.Set(area, levels-reduce)
	if area.Empty() {
		return
	}
	for y := area.Y0; y < area.Y1; y++ {
		line, err := v.Next()
		if err != nil || len(line) != area.W() {
			t.Fatalf("%s, reduced %d: line %d of %d samples, error %v", name, reduce, y, len(line), err)
		}
		for x, got := range line {
			if w := want.row(y)[x]; int64(got) != w {
				t.Fatalf("%s, reduced %d, fast %t: sample (%d, %d): got %d, want %d", name, reduce, v.fast, area.X0+x, y, got, w)
			}
		}
	}
}

// TestDeep runs more levels than there are samples, as a header may ask for.
func TestDeep(t *testing.T) {
	f, v := NewForward(nil, false), NewInverse(nil, false)
	for _, area := range []geom.Rect{{X0: 0, Y0: 0, X1: 1, Y1: 1}, {X0: 1, Y0: 1, X1: 2, Y1: 2}, {X0: 0, Y0: 0, X1: 1, Y1: 300}, {X0: 1, Y0: 0, X1: 2, Y1: 300},
		{X0: 0, Y0: 0, X1: 300, Y1: 1}, {X0: 0, Y0: 7, X1: 300, Y1: 8}, {X0: 1<<31 - 9, Y0: 1<<31 - 6, X1: 1<<31 - 1, Y1: 1<<31 - 1}, {X0: 5, Y0: 5, X1: 82, Y1: 61}} {
		for _, levels := range []int{7, 8, 9, 31, 32} {
			p := picture(0, area, 1)
			want := referenceForward(wide(p), levels, forward53)
			c := collect(t, area, levels)
			forwardAll(t, f, c, p, levels)
			for b, w := range want {
				if d := differs(c.bands[b], w); d != "" {
					t.Fatalf("%v, %d levels: sub-band %v, %s", area, levels, b, d)
				}
			}
			reversed(t, fmt.Sprint(area, levels), v, c.bands, p, want, levels, 0)
			reversed(t, fmt.Sprint(area, levels), v, c.bands, p, want, levels, levels/2)
		}
	}
}

// TestIrreversible holds the 9/7 transform against the reference in float64, and both code paths against each other.
func TestIrreversible(t *testing.T) {
	maxW, maxH := 50, 14
	if testing.Short() {
		maxW, maxH = 21, 9
	}
	engines := []*Inverse97{NewInverse97(nil, true), NewInverse97(nil, false)}
	areas(t, maxW, maxH, func(n int, area geom.Rect) {
		levels := n % 7
		i := n % len(pictures)
		p := picture(i, area, uint64(n))
		exact := newPlane[float64](area)
		for k, x := range p.v {
			exact.v[k] = float64(x)
		}
		bands := map[bandKey]plane[float32]{}
		for k, b := range referenceForward(exact, levels, forward97) {
			f := newPlane[float32](b.Rect)
			for j, x := range b.v {
				f.v[j] = float32(x)
			}
			bands[k] = f
		}
		irreversible(t, engines, bands, exact, area, levels, 0)
		if below := bandRect(area, geom.LL); levels > 0 && !below.Empty() {
			irreversible(t, engines, bands, plane[float64]{}, below, levels, 1)
		}
	})
}

// irreversible puts sub-bands together both ways. want is of the whole image, and nothing for a reduced one.
func irreversible(t *testing.T, engines []*Inverse97, bands map[bandKey]plane[float32], want plane[float64], area geom.Rect, levels, reduce int) {
	t.Helper()
	if reduce > 0 {
		wider := map[bandKey]plane[float64]{}
		for k, b := range bands {
			w := newPlane[float64](b.Rect)
			for i, x := range b.v {
				w.v[i] = float64(x)
			}
			wider[k] = w
		}
		want = referenceInverse(area, wider, levels, levels-reduce, inverse97)
	}
	for _, v := range engines {
		v.source = supply(bands)
		v.Set(area, levels-reduce)
	}
	for y := area.Y0; y < area.Y1; y++ {
		plain, err := engines[0].Next()
		fast, err2 := engines[1].Next()
		if err != nil || err2 != nil {
			t.Fatalf("%v, %d levels, reduced %d: line %d: errors %v, %v", area, levels, reduce, y, err, err2)
		}
		for x, w := range want.row(y) {
			if got := float64(plain[x]); math.Abs(got-w) > 0.1 || math.Float32bits(plain[x]) != math.Float32bits(fast[x]) {
				t.Fatalf("%v, %d levels, reduced %d: sample (%d, %d): got %g plain, %g with kernels, want %g", area, levels, reduce, area.X0+x, y, got, fast[x], w)
			}
		}
	}
}
