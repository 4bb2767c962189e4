package wavelet

import (
	"fmt"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// strips is a Sink and Source that keeps one row of each sub-band.
type strips[T int32 | float32] struct{ rows [40][]T }

func newStrips[T int32 | float32](area geom.Rect) *strips[T] {
	s := new(strips[T])
	for i := range s.rows {
		s.rows[i] = make([]T, area.W())
		for j := range s.rows[i] {
			s.rows[i][j] = T(j*j) / 7
		}
	}
	return s
}

type sinkStrips struct {
	*strips[int32]
	area   geom.Rect
	levels int
}

func widthOf(area geom.Rect, levels, r int, o geom.Orient) int {
	for range levels - max(r, 1) {
		area = below(area)
	}
	if r == 0 && levels == 0 {
		return area.W()
	}
	return bandRect(area, o).W()
}

func (s *sinkStrips) Row(r int, o geom.Orient, _ int) []int32 {
	return s.rows[4*r+int(o)][:s.widths(r, o)]
}
func (s *sinkStrips) Done(int, geom.Orient, int) {}

func (s *sinkStrips) widths(r int, o geom.Orient) int { return widthOf(s.area, s.levels, r, o) }

type sourceStrips[T int32 | float32] struct {
	*strips[T]
	area   geom.Rect
	levels int
}

func (s *sourceStrips[T]) Row(r int, o geom.Orient, _ int) ([]T, error) {
	return s.rows[4*r+int(o)][:widthOf(s.area, s.levels, r, o)], nil
}

// Throughput is of 16-bit samples, whatever the lines hold.

func benchAreas(b *testing.B, f func(b *testing.B, area geom.Rect, levels int, plain bool)) {
	for _, size := range []struct{ w, h, levels int }{{512, 512, 5}, {512, 512, 1}, {2500, 2048, 5}} {
		for _, plain := range []bool{true, false} {
			code := "kernels"
			if plain {
				code = "plain"
			}
			b.Run(fmt.Sprintf("%dx%d/levels=%d/%s", size.w, size.h, size.levels, code), func(b *testing.B) {
				b.SetBytes(int64(size.w) * int64(size.h) * 2)
				b.ReportAllocs()
				f(b, geom.Rect{X1: size.w, Y1: size.h}, size.levels, plain)
			})
		}
	}
}

func BenchmarkForward(b *testing.B) {
	benchAreas(b, func(b *testing.B, area geom.Rect, levels int, plain bool) {
		f := NewForward(&sinkStrips{newStrips[int32](area), area, levels}, plain)
		for b.Loop() {
			f.Set(area, levels)
			for range area.H() {
				f.Push() // what Line returns is filled by others
			}
		}
	})
}

func BenchmarkInverse(b *testing.B) {
	benchAreas(b, func(b *testing.B, area geom.Rect, levels int, plain bool) {
		v := NewInverse(&sourceStrips[int32]{newStrips[int32](area), area, levels}, plain)
		for b.Loop() {
			v.Set(area, levels)
			for range area.H() {
				if _, err := v.Next(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkInverse97(b *testing.B) {
	benchAreas(b, func(b *testing.B, area geom.Rect, levels int, plain bool) {
		v := NewInverse97(&sourceStrips[float32]{newStrips[float32](area), area, levels}, plain)
		for b.Loop() {
			v.Set(area, levels)
			for range area.H() {
				if _, err := v.Next(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
