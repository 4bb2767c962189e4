package mct

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// line is n words of a kind: any at all, or level-shifted samples of 16 bits and their ends.
func line(rng *rand.Rand, n int, kind string) []int32 {
	l := make([]int32, n)
	for i := range l {
		switch kind {
		case "words":
			l[i] = int32(rng.Uint32())
		case "samples":
			l[i] = rng.Int32N(1<<16) - 1<<15
		case "ends":
			l[i] = rng.Int32N(2)*65535 - 32768
		}
	}
	return l
}

var kinds = []string{"words", "samples", "ends"}

// TestRCT holds both code paths against G.2 in 64 bits, and looks that what goes forward comes back.
func TestRCT(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, kind := range kinds {
		for w := range 201 {
			in := [3][]int32{line(rng, w, kind), line(rng, w, kind), line(rng, w, kind)}
			for _, fast := range []bool{false, true} {
				y := [3][]int32{slices.Clone(in[0]), slices.Clone(in[1]), slices.Clone(in[2])}
				ForwardRCT(y[0], y[1], y[2], fast)
				for i := range w {
					r, g, b := int64(in[0][i]), int64(in[1][i]), int64(in[2][i])
					// Modulo 2^32 for words of any kind, of which the sum wraps.
					want := [3]int32{int32(r+2*g+b) >> 2, int32(b - g), int32(r - g)}
					if got := [3]int32{y[0][i], y[1][i], y[2][i]}; got != want {
						t.Fatalf("%s, width %d, fast %t: RCT of %d, %d, %d: got %d, want %d", kind, w, fast, r, g, b, got, want)
					}
				}
				var out [3][]int32
				for c := range out {
					out[c] = make([]int32, w)
				}
				kept := [3][]int32{slices.Clone(y[0]), slices.Clone(y[1]), slices.Clone(y[2])}
				InverseRCT(out[0], out[1], out[2], y[0], y[1], y[2], fast)
				for c := range y {
					if !slices.Equal(y[c], kept[c]) {
						t.Fatalf("%s, width %d, fast %t: InverseRCT changed what it reads", kind, w, fast)
					}
				}
				InverseRCT(y[0], y[1], y[2], y[0], y[1], y[2], fast) // in place
				for c := range out {
					if kind != "words" && !slices.Equal(out[c], in[c]) {
						t.Fatalf("%s, width %d, fast %t, component %d: got %v back, want %v", kind, w, fast, c, out[c], in[c])
					}
					if !slices.Equal(out[c], y[c]) {
						t.Fatalf("%s, width %d, fast %t, component %d: got %v in place, want %v", kind, w, fast, c, y[c], out[c])
					}
				}
			}
		}
	}
}

// TestInverseRCTWords holds the code paths against each other where sums wrap.
func TestInverseRCTWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 2))
	for w := range 201 {
		y := [3][]int32{line(rng, w, "words"), line(rng, w, "words"), line(rng, w, "words")}
		var got, want [3][]int32
		for c := range y {
			got[c], want[c] = make([]int32, w), make([]int32, w)
		}
		InverseRCT(got[0], got[1], got[2], y[0], y[1], y[2], true)
		InverseRCT(want[0], want[1], want[2], y[0], y[1], y[2], false)
		for c := range y {
			if !slices.Equal(got[c], want[c]) {
				t.Fatalf("width %d, component %d: got %v, want %v", w, c, got[c], want[c])
			}
		}
	}
}

// TestICT holds both code paths against G.3.2 in float64, and against each other.
func TestICT(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 3))
	for w := range 201 {
		var y, fast, plain [3][]float32
		for c := range y {
			y[c], fast[c], plain[c] = make([]float32, w), make([]float32, w), make([]float32, w)
			for i := range y[c] {
				y[c][i] = float32(rng.Float64()*65536 - 32768)
			}
		}
		InverseICT(fast[0], fast[1], fast[2], y[0], y[1], y[2], true)
		InverseICT(plain[0], plain[1], plain[2], y[0], y[1], y[2], false)
		for i := range w {
			l, cb, cr := float64(y[0][i]), float64(y[1][i]), float64(y[2][i])
			for c, want := range [3]float64{l + 1.402*cr, l - 0.344136*cb - 0.714136*cr, l + 1.772*cb} {
				if got := float64(plain[c][i]); math.Abs(got-want) > 0.02 || math.Float32bits(fast[c][i]) != math.Float32bits(plain[c][i]) {
					t.Fatalf("width %d, component %d of (%g, %g, %g): got %g plain, %g fast, want %g", w, c, l, cb, cr, got, fast[c][i], want)
				}
			}
		}
	}
}

func BenchmarkMCT(b *testing.B) {
	const w = 512
	rng := rand.New(rand.NewPCG(7, 4))
	var l [6][]int32
	var f [6][]float32
	for i := range l {
		l[i], f[i] = line(rng, w, "samples"), make([]float32, w)
	}
	for _, fast := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "kernels"}[fast]
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"forward RCT", func() { ForwardRCT(l[0], l[1], l[2], fast) }},
			{"inverse RCT", func() { InverseRCT(l[3], l[4], l[5], l[0], l[1], l[2], fast) }},
			{"inverse ICT", func() { InverseICT(f[3], f[4], f[5], f[0], f[1], f[2], fast) }},
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(3 * 2 * w) // of 16-bit samples
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
