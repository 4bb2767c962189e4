package jpegls

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The processor's kernels must find exactly what plain Go finds, which in turn is A.3 and A.4.1 as written.
func TestAnalyse(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, precision := range []int{2, 3, 8, 12, 15, 16} {
		for _, pre := range []preset{{}, {t1: 1, t2: 1, t3: 1}, {t1: 1, t2: 2, t3: 3}} {
			par, wrong := newParams(precision, 0, pre)
			if wrong != "" {
				t.Fatal(wrong)
			}
			var quant quantiser
			quant.set(par)
			for n := 1; n <= 4; n++ {
				for w := 1; w <= 70; w++ {
					prev, cur := make([]uint16, w+2*n), make([]uint16, w+2*n)
					spread := []int{1, 2, 5, par.maxVal + 1}[r.IntN(4)]
					base := r.IntN(par.maxVal + 2 - min(spread, par.maxVal+1))
					for i := range prev {
						prev[i] = uint16(base + r.IntN(min(spread, par.maxVal+1)))
						cur[i] = uint16(base + r.IntN(min(spread, par.maxVal+1)))
					}
					wantQ, wantAbove, wantPx := make([]int16, w), make([]int16, w), make([]uint16, w)
					for x := range w {
						ra, rb, rc, rd := int(cur[x]), int(prev[x+n]), int(prev[x]), int(prev[x+2*n])
						wantAbove[x] = int16(81*par.quantise(rd-rb) + 9*par.quantise(rb-rc))
						wantQ[x] = wantAbove[x] + int16(par.quantise(rc-ra))
						wantPx[x] = uint16(predict(ra, rb, rc))
					}
					for name, f := range map[string]struct {
						both  func([]int16, []uint16, []uint16, []uint16, int, *quantiser)
						above func([]int16, []uint16, int, *quantiser)
					}{"plain": {analysePlain, analyseAbovePlain}, "kernel": {analyse, analyseAbove}} {
						q, above, px := make([]int16, w), make([]int16, w), make([]uint16, w)
						f.both(q, px, prev, cur, n, &quant)
						f.above(above, prev, n, &quant)
						if !slices.Equal(q, wantQ) || !slices.Equal(px, wantPx) || !slices.Equal(above, wantAbove) {
							t.Fatalf("%s, precision %d, %d samples, lag %d:\nprev %v\ncur %v\ngot  q %v px %v above %v\nwant q %v px %v above %v",
								name, precision, w, n, prev, cur, q, px, above, wantQ, wantPx, wantAbove)
						}
					}
				}
			}
		}
	}
}

func TestEqualPrefix(t *testing.T) {
	for w := range 80 {
		a, b := make([]uint16, w), make([]uint16, w+3)
		for at := range w + 1 {
			for _, bit := range []uint16{1, 0x8000} {
				want := w
				if at < w {
					b[at] ^= bit
					want = at
				}
				if plain, got := equalPrefixPlain(a, b), equalPrefix(a, b); got != want || plain != want {
					t.Errorf("%d samples that differ at %d: got %d, plain %d", w, at, got, plain)
				}
				clear(b)
			}
		}
	}
}

// The quantiser's table is A.3.3 for every difference.
func TestQuantiser(t *testing.T) {
	for _, c := range []struct {
		precision, near int
		pre             preset
	}{{8, 0, preset{}}, {8, 3, preset{}}, {2, 0, preset{}}, {16, 0, preset{}}, {16, 255, preset{}}, {8, 0, preset{t1: 1, t2: 1, t3: 1}}, {8, 0, preset{t1: 255, t2: 255, t3: 255}}, {12, 0, preset{maxVal: 3000}}} {
		par, wrong := newParams(c.precision, c.near, c.pre)
		if wrong != "" {
			t.Fatal(wrong)
		}
		var q quantiser
		q.set(par)
		for d := -par.maxVal; d <= par.maxVal; d++ {
			if got, want := q.of(d), par.quantise(d); got != want {
				t.Errorf("%+v, difference %d: got region %d, want %d", par, d, got, want)
			}
		}
	}
}
