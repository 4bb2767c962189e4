package ht

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// roundTrip codes a block and decodes it.
func roundTrip(t *testing.T, e *Encoder, d *Decoder, src []int32, stride, w, h int) {
	t.Helper()
	out := e.Cleanup(nil, src, stride, w, h)
	got := make([]int32, stride*h)
	for i := range got {
		got[i] = 77
	}
	largest := 0
	for y := range h {
		for _, v := range src[y*stride:][:w] {
			for v = max(v, -v); v>>largest != 0; {
				largest++
			}
		}
	}
	if len(out) == 0 {
		if largest != 0 {
			t.Fatalf("%d x %d: no bytes for a block that is not zero", w, h)
		}
		return
	}
	for i := 1; i < len(out); i++ {
		if out[i-1] == 0xFF && out[i] > 0x8F {
			t.Fatalf("%d x %d: FF %02X at %d of %d", w, h, out[i], i-1, len(out))
		}
	}
	if out[len(out)-1] == 0xFF {
		t.Fatalf("%d x %d: the segment ends with FF", w, h)
	}
	if err := d.Cleanup(got, stride, w, h, out, largest+1); err != nil {
		t.Fatalf("%d x %d, %d bits: %v", w, h, largest, err)
	}
	for y := range h {
		a, b := src[y*stride:][:w], got[y*stride:][:w]
		if !slices.Equal(a, b) {
			for x := range a {
				if a[x] != b[x] {
					t.Fatalf("%d x %d, %d bits: got %d at column %d of row %d, want %d", w, h, largest, b[x], x, y, a[x])
				}
			}
		}
		for x := w; x < stride; x++ {
			if got[y*stride+x] != 77 {
				t.Fatalf("%d x %d: column %d of row %d was written to", w, h, x, y)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, plain := range []bool{true, false} {
		e, d := NewEncoder(plain), NewDecoder(plain)
		var sizes [][2]int
		for w := 1; w <= 40; w++ {
			for h := 1; h <= 9; h++ {
				sizes = append(sizes, [2]int{w, h})
			}
		}
		sizes = append(sizes, [][2]int{{64, 64}, {63, 64}, {64, 63}, {61, 61}, {1024, 4}, {4, 1024}, {1023, 3}, {1, 1024}, {3, 1023}, {1024, 1}}...)
		for _, s := range sizes {
			w, h := s[0], s[1]
			stride := w + r.IntN(9)
			for round := range 60 {
				src := make([]int32, stride*h+8)
				bits := r.IntN(22)
				density := r.Float64()
				if round%3 == 0 {
					density *= density * density
				}
				for i := range src {
					if r.Float64() < density {
						v := int32(r.IntN(1 << r.IntN(bits+1)))
						switch round % 7 {
						case 5:
							v = 1<<bits - 1
						case 6:
							v = int32(r.IntN(2)) << r.IntN(bits+1)
						}
						if r.IntN(2) == 0 {
							v = -v
						}
						src[i] = v
					}
				}
				roundTrip(t, e, d, src, stride, w, h)
			}
		}
	}
}
