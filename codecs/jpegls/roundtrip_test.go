package jpegls

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// roundTrip encodes and decodes on all paths and into every kind of view, and compares.
func roundTrip(t *testing.T, e *Encoder, decoders []*Decoder, v codecs.View, r *rand.Rand) {
	t.Helper()
	e.kernels = false
	plain, _, err := e.Encode([]byte("head"), v, codecs.EncodeOptions{})
	if err != nil {
		t.Fatalf("%s: %v", describe(&v), err)
	}
	e.kernels = haveKernels()
	data, _, err := e.Encode([]byte("head"), v, codecs.EncodeOptions{})
	if err != nil {
		t.Fatalf("%s: %v", describe(&v), err)
	}
	if !bytes.Equal(data, plain) {
		t.Fatalf("%s: kernels and plain Go encode differently", describe(&v))
	}
	if need := e.MemoryNeeded(v); int64(len(data)) > need {
		t.Fatalf("%s: %d bytes, MemoryNeeded said %d", describe(&v), len(data), need)
	}
	if !bytes.HasPrefix(data, []byte("head")) {
		t.Fatal("Encode did not append")
	}
	src := [][]byte{data[4:]}
	for _, d := range decoders {
		got := makeView(r, v.Width, v.Height, v.Components, v.Container, v.Bits, v.Signed, layouts[r.IntN(len(layouts))], pattern{})
		if err := d.Decode(got, src, codecs.DecodeOptions{}); err != nil {
			t.Fatalf("%s, general %v, kernels %v: %v", describe(&v), d.general, d.kernels, err)
		}
		sameImage(t, &got, &v)
		if err := d.Compare(v, src, codecs.DecodeOptions{}); err != nil {
			t.Fatalf("%s: Compare: %v", describe(&v), err)
		}
	}
}

// decoderPaths are decoders that take the three ways to the same samples: kernels, plain Go, Annex A as written.
func decoderPaths() []*Decoder {
	fast, plain, general := NewDecoder(), NewDecoder(), NewDecoder()
	plain.kernels, general.kernels, general.general = false, false, true
	return []*Decoder{fast, plain, general}
}

func TestRoundTripSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	decoders := decoderPaths()
	for _, mode := range []Interleave{InterleaveNone, InterleaveLine, InterleaveSample} {
		e := NewEncoder(Options{Interleave: mode})
		for w := 1; w <= 20; w++ {
			for h := 1; h <= 20; h++ {
				for _, n := range []int{1, 3, 4} {
					p := patterns[r.IntN(len(patterns))]
					l := layouts[r.IntN(len(layouts))]
					roundTrip(t, e, decoders, makeView(r, w, h, n, 8, 8, false, l, p), r)
					roundTrip(t, e, decoders, makeView(r, w, h, n, 16, 12, r.IntN(2) == 0, l, p), r)
				}
			}
		}
	}
}

func TestRoundTripDepths(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	decoders := decoderPaths()
	for _, mode := range []Interleave{InterleaveNone, InterleaveLine, InterleaveSample} {
		e := NewEncoder(Options{Interleave: mode})
		for _, p := range patterns {
			for _, l := range layouts {
				for container := 8; container <= 16; container += 8 {
					for bits := 1; bits <= container; bits++ {
						for _, n := range []int{1, 2, 3, 4} {
							if n == 1 && mode != InterleaveNone {
								continue
							}
							signed := r.IntN(2) == 0
							roundTrip(t, e, decoders, makeView(r, 37, 7, n, container, bits, signed, l, p), r)
							if n == 1 {
								roundTrip(t, e, decoders, makeView(r, 37, 7, n, container, bits, !signed, l, p), r)
							}
						}
					}
				}
			}
		}
	}
}

func TestRoundTripLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	decoders := decoderPaths()
	e := NewEncoder(Options{})
	for _, size := range [][3]int{{65535, 2, 1}, {2, 65535, 1}, {1, 65535, 3}, {65535, 1, 4}, {300, 200, 1}, {300, 200, 3}} {
		for i, p := range patterns[2:] {
			bits := 8 + i%2*8
			roundTrip(t, e, decoders, makeView(r, size[0], size[1], size[2], bits, bits, false, layout{}, p), r)
		}
	}
}

func TestRoundTripRestartsAndPresets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	decoders := decoderPaths()
	for _, mode := range []Interleave{InterleaveNone, InterleaveLine, InterleaveSample} {
		for _, every := range []int{0, 1, 5, 11} {
			for _, pre := range []preset{{}, {reset: 3}, {reset: 255}, {t1: 1, t2: 1, t3: 1}, {t1: 5, t2: 90, t3: 255, reset: 31}} {
				e := NewEncoder(Options{Interleave: mode, RestartInterval: every, preset: pre})
				for _, p := range patterns {
					for _, n := range []int{1, 3} {
						roundTrip(t, e, decoders, makeView(r, 40, 12, n, 8, 8, false, layout{}, p), r)
						roundTrip(t, e, decoders, makeView(r, 23, 12, n, 16, 16, true, layout{}, p), r)
					}
				}
			}
		}
	}
}

func TestPrecision(t *testing.T) {
	for _, c := range []struct {
		container, bits int
		signed          bool
		want            int
	}{
		{8, 1, false, 2}, {8, 2, false, 2}, {8, 7, false, 7}, {8, 8, false, 8}, {8, 5, true, 8},
		{16, 1, false, 9}, {16, 8, false, 9}, {16, 9, false, 9}, {16, 12, false, 12}, {16, 16, false, 16}, {16, 12, true, 16},
	} {
		v := codecs.View{Container: c.container, Bits: c.bits, Signed: c.signed}
		if got := Precision(v); got != c.want {
			t.Errorf("Precision(%d of %d, signed %v): got %d, want %d", c.bits, c.container, c.signed, got, c.want)
		}
	}
}

// Compare must find any single sample that differs, and name its place.
func TestCompareFindsEverySample(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, mode := range []Interleave{InterleaveNone, InterleaveSample} {
		v := makeView(r, 5, 4, 3, 16, 10, false, layout{}, patterns[4])
		data, _, err := NewEncoder(Options{Interleave: mode}).Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder()
		for y := range v.Height {
			for x := range v.Width {
				for c := range v.Components {
					was := word(v, c, x, y)
					put(&v, c, x, y, was^1)
					err := d.Compare(v, [][]byte{data}, codecs.DecodeOptions{})
					put(&v, c, x, y, was)
					want := codecs.MismatchError{Codec: codecName, Component: c, X: x, Y: y}
					var got *codecs.MismatchError
					if !errors.As(err, &got) || *got != want {
						t.Fatalf("got %v, want %v", err, &want)
					}
				}
			}
		}
	}
}

// A codec takes memory at its first frame only.
func TestNoAllocationsPerFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{1, 3} {
		v := makeView(r, 64, 64, n, 16, 12, false, layout{}, patterns[5])
		got := makeView(r, 64, 64, n, 16, 12, false, layout{}, pattern{})
		e, d := NewEncoder(Options{}), NewDecoder()
		var enc codecs.Encoder = e
		var dec codecs.Decoder = d
		data, _, err := e.Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		src := [][]byte{append([]byte(nil), data...)}
		for name, f := range map[string]func() error{
			"Encode":  func() error { data, _, err = enc.Encode(data[:0], v, codecs.EncodeOptions{}); return err },
			"Decode":  func() error { return dec.Decode(got, src, codecs.DecodeOptions{}) },
			"Compare": func() error { return dec.Compare(v, src, codecs.DecodeOptions{}) },
			"Probe":   func() error { _, err := dec.Probe(src); return err },
		} {
			if allocs := testing.AllocsPerRun(5, func() {
				if err := f(); err != nil {
					t.Fatal(err)
				}
			}); allocs != 0 {
				t.Errorf("%s of %d components: got %v allocations per frame, want 0", name, n, allocs)
			}
		}
	}
}
