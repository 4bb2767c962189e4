package ht

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// noise is a block of coefficients as of an image with noise: normal, with the given deviation.
func noise(w, h int, deviation float64) []int32 {
	r := rand.New(rand.NewPCG(7, 7))
	c := make([]int32, w*h)
	for i := range c {
		c[i] = int32(math.Round(r.NormFloat64() * deviation))
	}
	return c
}

// BenchmarkBlock reports MB/s of 16-bit samples for blocks from nearly empty to dense.
func BenchmarkBlock(b *testing.B) {
	for _, plain := range []bool{false, true} {
		for _, deviation := range []float64{0.3, 2, 15, 200} {
			src := noise(64, 64, deviation)
			e, d := NewEncoder(plain), NewDecoder(plain)
			out := e.Cleanup(nil, src, 64, 64, 64)
			name := fmt.Sprintf("deviation=%g/bits=%.2f/plain=%v", deviation, float64(len(out))*8/4096, plain)
			b.Run("encode/"+name, func(b *testing.B) {
				b.SetBytes(2 * 64 * 64)
				for b.Loop() {
					out = e.Cleanup(out[:0], src, 64, 64, 64)
				}
			})
			b.Run("decode/"+name, func(b *testing.B) {
				b.SetBytes(2 * 64 * 64)
				dst := make([]int32, 64*64)
				for b.Loop() {
					if err := d.Cleanup(dst, 64, 64, 64, out, 22); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
