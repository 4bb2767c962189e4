package crop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

// overlay adds an overlay of which the bits are drawn by set.
func withOverlay(b *dcm.Builder, group uint32, top, left, rows, columns, planes, first int, set func(x, y, plane int) bool) *dcm.Builder {
	base := group << 16
	bits := make([]byte, (rows*columns*max(planes, 1)+7)/8)
	for p := range max(planes, 1) {
		for y := range rows {
			for x := range columns {
				if i := (p*rows+y)*columns + x; set(x, y, p) {
					bits[i/8] |= 1 << (i % 8)
				}
			}
		}
	}
	b.Ints(base|overlayRows, rows).Ints(base|overlayColumns, columns).Text(base|0x40, "R").Raw(base|overlayOrigin, "SS", words(top, left)).
		Ints(base|overlayBits, 1).Ints(base|overlayPosition, 0).Raw(base|overlayData, "OW", append(bits, make([]byte, len(bits)%2)...)).
		Ints(base|overlayArea, 77).Text(base|0x1500, "label")
	if planes > 0 {
		b.Ints(base|overlayFrames, planes).Ints(base|overlayFirst, first)
	}
	return b
}

// TestOverlay moves overlays by example: bits, size, origin, statistics.
func TestOverlay(t *testing.T) {
	dot := func(x, y int) func(int, int, int) bool {
		return func(a, b, _ int) bool { return a == x && b == y }
	}
	for _, row := range []struct {
		name                     string
		top, left, rows, columns int
		x, y                     int    // of the one bit that is set
		want                     string // its place in the crop, "" for no overlay
		area                     bool   // the area of the region is still true
	}{
		{"whole frame", 1, 1, tall, wide, 12, 8, "2,1", true},
		{"whole frame, bit outside", 1, 1, tall, wide, 9, 8, "none", false},
		{"first bit", 1, 1, tall, wide, 10, 7, "0,0", true},
		{"last bit", 1, 1, tall, wide, 18, 12, "8,5", true},
		{"moved right and down", 3, 4, 10, 10, 9, 7, "2,2", true},
		{"begins before the frame", -1, -2, tall, wide, 14, 10, "1,1", true},
		{"reaches beyond the frame", 8, 11, 40, 40, 0, 0, "0,0", true},
		{"outside of the rectangle", 1, 1, 7, wide, 3, 3, "", false},
		{"far away", 3000, 3000, 4, 4, 0, 0, "", false},
		{"before it", -300, -300, 4, 4, 0, 0, "", false},
	} {
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE} {
			s := build(t, withOverlay(slice(), 0x6002, row.top, row.left, row.rows, row.columns, 0, 0, dot(row.x, row.y)), syntax)
			d := crop(t, s, s.spec(part))
			got := ""
			if data := d.Bytes(0x60023000); data != nil {
				got = "none"
				for i := range part.W * part.H {
					if data[i/8]>>(i%8)&1 == 1 {
						got = fmt.Sprintf("%d,%d", i%part.W, i/part.W)
					}
				}
				if r, c, o := d.Ints(0x60020010), d.Ints(0x60020011), d.Ints(0x60020050); r[0] != part.H || c[0] != part.W || !slices.Equal(o, []int{1, 1}) || d.String(0x60021500) != "label" {
					t.Errorf("%s: %v rows of %v at %v", row.name, r, c, o)
				}
			}
			if got != row.want || d.Has(0x60021301) != row.area || got == "" && d.Has(0x60020010) {
				t.Errorf("%s, %s: got %q, area %v; want %q, %v", row.name, syntax, got, d.Has(0x60021301), row.want, row.area)
			}
		}
	}
}

// TestOverlaysOfFrames: overlays with frames of their own, and those in bits of the samples; Check compares every bit.
func TestOverlaysOfFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		frames := 1 + rng.IntN(5)
		b := image(storage+"7.3", frames).Ints(0x00280103, 0)
		if frames > 1 {
			b.Ints(tagIncrement, tagFrameTime).Text(tagFrameTime, "40")
		}
		noise := func(_, _, _ int) bool { return rng.IntN(2) == 0 }
		withOverlay(b, 0x6000, rng.IntN(9)-4, rng.IntN(9)-4, 1+rng.IntN(30), 1+rng.IntN(30), rng.IntN(4), 1+rng.IntN(3), noise)
		b.Ints(0x60040010, tall).Ints(0x60040011, wide).Raw(0x60040050, "SS", words(1, 1)).Ints(0x60040100, 16).Ints(0x60040102, 12+rng.IntN(4))
		if frames > 1 {
			b.Ints(0x60040015, frames)
		}
		var some []int
		for n := 1; n <= frames; n++ {
			if rng.IntN(2) == 0 {
				some = append(some, n)
			}
		}
		s := build(t, b, []string{explicitLE, implicitLE, explicitBE}[rng.IntN(3)])
		r := Rect{rng.IntN(wide), rng.IntN(tall), 0, 0}
		r.W, r.H = 1+rng.IntN(wide-r.X), 1+rng.IntN(tall-r.Y)
		if _, _, err := s.derive(s.spec(r, some...)); err != nil {
			t.Fatalf("%d frames, %v of them, %+v: %v", frames, some, r, err)
		}
	}
}

func TestShutter(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(b *dcm.Builder)
		want string // what is left of it
	}{
		{"opens all of the rectangle", func(b *dcm.Builder) {
			b.Text(0x00181600, "RECTANGULAR").Ints(0x00181602, 3).Ints(0x00181604, 22).Ints(0x00181606, 2).Ints(0x00181608, 19).Ints(0x00181622, 0)
		}, "[]"},
		{"hides its first columns", func(b *dcm.Builder) {
			b.Text(0x00181600, "RECTANGULAR").Ints(0x00181602, 13).Ints(0x00181604, 22).Ints(0x00181606, 2).Ints(0x00181608, 19).Ints(0x00181622, 0)
		}, "[RECTANGULAR] 3 9 1 6 value"},
		{"hides all of it", func(b *dcm.Builder) {
			b.Text(0x00181600, "RECTANGULAR").Ints(0x00181602, 1).Ints(0x00181604, 5).Ints(0x00181606, 2).Ints(0x00181608, 19).Ints(0x00181622, 0)
		}, "[RECTANGULAR] 1 0 1 6 value"},
		{"a large circle", func(b *dcm.Builder) { b.Text(0x00181600, "CIRCULAR").Ints(0x00181610, 10, 15).Ints(0x00181612, 6) }, "[]"},
		{"a small circle", func(b *dcm.Builder) { b.Text(0x00181600, "CIRCULAR").Ints(0x00181610, 10, 15).Ints(0x00181612, 4) }, "[CIRCULAR] 3\\5 4"},
		{"a circle with its centre outside", func(b *dcm.Builder) { b.Text(0x00181600, "CIRCULAR").Ints(0x00181610, 2, 2).Ints(0x00181612, 9) }, "[CIRCULAR] -5\\-8 9"},
		{"of two shapes one", func(b *dcm.Builder) {
			b.Text(0x00181600, "RECTANGULAR", "CIRCULAR").Ints(0x00181602, 3).Ints(0x00181604, 22).Ints(0x00181606, 2).Ints(0x00181608, 19).Ints(0x00181610, 10, 15).Ints(0x00181612, 4).Ints(0x00181622, 0)
		}, "[CIRCULAR] 3\\5 4 value"},
		{"polygon", func(b *dcm.Builder) { b.Text(0x00181600, "POLYGONAL").Ints(0x00181620, 8, 11, 20, 11, 8, 30) }, "[POLYGONAL] 1\\1\\13\\1\\1\\20"},
	} {
		b := slice()
		row.edit(b)
		s := build(t, b, explicitLE)
		d := crop(t, s, s.spec(part))
		got := fmt.Sprint(d.Strings(0x00181600))
		for _, tag := range []uint32{0x00181602, 0x00181604, 0x00181606, 0x00181608, 0x00181610, 0x00181612, 0x00181620} {
			if d.Has(tag) {
				got += " " + d.String(tag)
			}
		}
		if d.Has(0x00181622) {
			got += " value"
		}
		if got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestUltrasoundRegions(t *testing.T) {
	region := func(x0, y0, x1, y1 int, ref ...int) *dcm.Builder {
		b := dcm.NewBuilder().Ints(regionX0, x0).Ints(regionY0, y0).Ints(regionX1, x1).Ints(regionY1, y1).Ints(0x00186012, 1)
		if ref != nil {
			b.Ints(referenceX, ref[0]).Ints(referenceY, ref[1])
		}
		return b
	}
	list := func(d *dcm.Dataset) (out []string) {
		for _, it := range d.Items(tagRegions) {
			s := fmt.Sprint(it.Ints(regionX0)[0], it.Ints(regionY0)[0], it.Ints(regionX1)[0], it.Ints(regionY1)[0])
			if it.Has(referenceX) {
				s += fmt.Sprint(" ref ", it.Ints(referenceX)[0], it.Ints(referenceY)[0])
			}
			out = append(out, s)
		}
		return out
	}
	for _, row := range []struct {
		name string
		in   []*dcm.Builder
		want []string
	}{
		{"all of the frame", []*dcm.Builder{region(0, 0, wide-1, tall-1)}, []string{"0 0 8 5"}},
		{"beyond the frame", []*dcm.Builder{region(0, 0, 4000000000, 4000000000, 12, 9)}, []string{"0 0 8 5 ref 2 2"}},
		{"inside", []*dcm.Builder{region(11, 8, 12, 9, -3, 4)}, []string{"1 1 2 2 ref -3 4"}},
		{"one outside, one half", []*dcm.Builder{region(0, 0, 5, 5), region(15, 5, 30, 9, 0, 0)}, []string{"5 0 8 2 ref 0 -2"}},
		{"none left", []*dcm.Builder{region(0, 0, 9, 6)}, nil},
		{"touches", []*dcm.Builder{region(0, 0, 10, 7)}, []string{"0 0 0 0"}},
	} {
		s := build(t, image(storage+"6.1", 1).Ints(0x00280103, 0).Items(tagRegions, row.in...), explicitLE)
		d := crop(t, s, s.spec(part))
		if got := list(d); !slices.Equal(got, row.want) || row.want == nil && d.Has(tagRegions) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// TestFrameTimes: the intervals between kept frames stay true.
func TestFrameTimes(t *testing.T) {
	clip := func() *dcm.Builder {
		return image(storage+"3.1", 6).Ints(0x00280103, 0).Ints(tagIncrement, tagFrameTime).Text(tagFrameTime, "33.3").Ints(0x00286010, 4).Ints(0x00082142, 1).Ints(0x00082143, 6)
	}
	vector := func() *dcm.Builder {
		return clip().Delete(tagFrameTime).Ints(tagIncrement, tagTimeVector).Text(tagTimeVector, "0", "10", "20", "30.5", "40", "50")
	}
	for _, row := range []struct {
		name   string
		b      *dcm.Builder
		frames []int
		want   string // time, vector, representative
	}{
		{"all", clip(), nil, "33.3||4"},
		{"one after the other", clip(), []int{3, 4, 5}, "33.3||2"},
		{"every second", clip(), []int{1, 3, 5}, "66.6||"},
		{"with a gap", clip(), []int{1, 2, 4}, `|0\33.3\66.6|3`},
		{"only one", clip(), []int{4}, "33.3||1"},
		{"vector", vector(), []int{2, 4, 5}, `|0\50.5\40|2`},
		{"vector, all", vector(), nil, `|0\10\20\30.5\40\50|4`},
	} {
		s := build(t, row.b, explicitLE)
		d := crop(t, s, s.spec(part, row.frames...))
		representative := ""
		if v := d.Ints(0x00286010); len(v) > 0 {
			representative = fmt.Sprint(v[0])
		}
		if got := d.String(tagFrameTime) + "|" + d.String(tagTimeVector) + "|" + representative; got != row.want || row.frames != nil && d.Has(0x00082142) {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
	for name, b := range map[string]*dcm.Builder{
		"a vector of another length": vector().Text(tagTimeVector, "0", "10"),
		"times that are none":        vector().Text(tagTimeVector, "0", "x", "1", "2", "3", "4"),
		"an unknown increment":       clip().Ints(tagIncrement, 0x00280106),
		"mask subtraction":           clip().Items(0x00286100, dcm.NewBuilder().Text(0x00286101, "AVG_SUB")),
		"angiography":                clip().Text(0x00080016, storage+"12.1"),
	} {
		s := build(t, b, explicitLE)
		_, _, err := s.derive(s.spec(part, 1, 3))
		var no *UnsupportedError
		if !errors.As(err, &no) {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
}

// TestSubsetOfLabels: vectors of Secondary Capture keep the values of the kept frames, text in its character set.
func TestSubsetOfLabels(t *testing.T) {
	b := image(storage+"7.3", 3).Ints(0x00280103, 0).Text(tagCharset, "GB18030").Ints(tagIncrement, 0x00182002).Text(0x00182002, "a", "\x81\x5C", "c")
	s := build(t, b, explicitLE)
	d := crop(t, s, s.spec(part, 2, 3))
	if got := strings.TrimRight(string(d.Bytes(0x00182002)), " "); got != "\x81\x5C\\c" {
		t.Errorf("got %q", got)
	}
}
