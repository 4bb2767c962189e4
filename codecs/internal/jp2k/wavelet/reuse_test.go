package wavelet

import (
	"errors"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// bandsOfPicture are the sub-bands of an area, in both kinds of words.
func bandsOfPicture(t *testing.T, area geom.Rect, levels int) (plane[int32], map[bandKey]plane[int32], map[bandKey]plane[float32]) {
	p := picture(0, area, 9)
	c := collect(t, area, levels)
	forwardAll(t, NewForward(nil, true), c, p, levels)
	f := map[bandKey]plane[float32]{}
	for k, b := range c.bands {
		f[k] = newPlane[float32](b.Rect)
		for i, x := range b.v {
			f[k].v[i] = float32(x)
		}
	}
	return p, c.bands, f
}

// TestErrors fails the source at each of its calls: the error comes back at
// the next line that needs the row, and the transform can be used again.
func TestErrors(t *testing.T) {
	area, levels := geom.Rect{X0: 3, Y0: 5, X1: 25, Y1: 18}, 3
	p, bands, floats := bandsOfPicture(t, area, levels)
	v, f := NewInverse(nil, false), NewInverse97(nil, false)
	calls := 0
	for _, b := range bands {
		if !b.Empty() {
			calls += b.H()
		}
	}
	for fail := range calls {
		v.source, f.source = &supplier[int32]{bands, map[bandKey]int{}, map[bandKey][]int32{}, fail}, &supplier[float32]{floats, map[bandKey]int{}, map[bandKey][]float32{}, fail}
		v.Set(area, levels)
		f.Set(area, levels)
		var err, err97 error
		for y := 0; y < area.H() && err == nil; y++ {
			_, err = v.Next()
		}
		for y := 0; y < area.H() && err97 == nil; y++ {
			_, err97 = f.Next()
		}
		if !errors.Is(err, errSupply) || !errors.Is(err97, errSupply) {
			t.Fatalf("call %d of %d failed: got errors %v and %v", fail, calls, err, err97)
		}
	}
	reversed(t, "after errors", v, bands, p, nil, levels, 0)
}

// TestAbandoned begins a component before the one before it is complete.
func TestAbandoned(t *testing.T) {
	area, levels := geom.Rect{X0: 1, Y0: 1, X1: 40, Y1: 29}, 4
	p, bands, _ := bandsOfPicture(t, area, levels)
	f, v := NewForward(nil, false), NewInverse(nil, false)
	for lines := range area.H() {
		f.sink, v.source = collect(t, area, levels), supply(bands)
		f.Set(area, levels)
		v.Set(area, levels)
		for range lines {
			f.Push()
			if _, err := v.Next(); err != nil {
				t.Fatal(err)
			}
		}
		c := collect(t, area, levels)
		forwardAll(t, f, c, p, levels)
		for k, b := range bands {
			if d := differs(c.bands[k], wide(b)); d != "" {
				t.Fatalf("after %d lines of another component: sub-band %v, %s", lines, k, d)
			}
		}
		reversed(t, "after another component", v, bands, p, nil, levels, 0)
	}
}

// TestAllocations runs components of two areas in turns: only the first ones take memory.
func TestAllocations(t *testing.T) {
	areas := []geom.Rect{{X1: 300, Y1: 40}, {X0: 7, Y0: 3, X1: 90, Y1: 61}}
	const levels = 6
	sink := &sinkStrips{strips: newStrips[int32](areas[0]), levels: levels}
	source := &sourceStrips[int32]{strips: sink.strips, levels: levels}
	source97 := &sourceStrips[float32]{strips: newStrips[float32](areas[0]), levels: levels}
	f, v, w := NewForward(sink, false), NewInverse(source, false), NewInverse97(source97, false)
	run := func() {
		for _, area := range areas {
			sink.area, source.area, source97.area = area, area, area
			f.Set(area, levels)
			v.Set(area, levels)
			w.Set(area, levels)
			for range area.H() {
				f.Line()
				f.Push()
				if _, err := v.Next(); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Next(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations a run, want none", n)
	}
}

// TestMemory looks that lines are held, not planes.
func TestMemory(t *testing.T) {
	words := func(h int) (n int) {
		area := geom.Rect{X1: 1000, Y1: h}
		f, v, w := NewForward(nil, false), NewInverse(nil, false), NewInverse97(nil, false)
		f.Set(area, 5)
		v.Set(area, 5)
		w.Set(area, 5)
		for d := range 5 {
			n += len(f.levels[d].words) + len(v.levels[d].words) + len(w.levels[d].words)
		}
		return n
	}
	if low, high := words(1), words(60000); low != high || high > 50*1000 {
		t.Errorf("%d words for 1 line, %d for 60000; want as many, and at most 50 lines of them", low, high)
	}
}
