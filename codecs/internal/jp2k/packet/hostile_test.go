package packet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
)

// assertTyped fails unless an error is of one of the kinds that a hostile input may cause.
func assertTyped(t *testing.T, err error) {
	t.Helper()
	var malformed *codecs.MalformedError
	var unsupported *codecs.UnsupportedError
	var limit *codecs.LimitError
	if !errors.As(err, &malformed) && !errors.As(err, &unsupported) && !errors.As(err, &limit) {
		t.Fatalf("got untyped error %v", err)
	}
}

// small is a synthetic codestream.
func small(t testing.TB, seed uint64) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	for {
		h := randomHeader(rng)
		across, down := h.Tiles()
		if across*down > 4 {
			continue
		}
		packed := rng.IntN(3) == 0
		var parts []slowPart
		for index := range across * down {
			s, err := newSlowTile(rng, &h, index)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, s.parts(rng, &h.Params, packed)...)
		}
		if src := assemble(rng, &h, parts, packed && rng.IntN(2) == 0); len(src) < 3000 {
			return src
		}
	}
}

// one is a codestream of one tile whose packets are the given bytes.
func one(h *codestream.Header, body []byte) []byte {
	h.Prepare()
	var w codestream.Writer
	dst := w.Begin(nil, h, &codestream.Layout{Parts: 1})
	return w.End(w.EndPart(append(w.BeginPart(dst), body...)))
}

// Headers of a few bytes that ask for much. Every row must end quickly: the test's own time is the proof.
func TestHostileHeaders(t *testing.T) {
	precincts := func(h *codestream.Header, lowest, other uint8) {
		for r := range h.Coding[0].Precincts {
			h.Coding[0].Precincts[r] = other
		}
		h.Coding[0].Precincts[0] = lowest
	}
	for _, row := range []struct {
		name string
		make func() []byte
		want string
	}{
		{"precincts of one sample over 65535 x 65535", func() []byte {
			h := header(65535, 65535, 1, 0)
			precincts(&h, 0, 0x11)
			return one(&h, nil)
		}, "code-blocks of a tile"},
		{"precincts of two samples over 65535 x 65535", func() []byte {
			h := header(65535, 65535, 1, 5)
			precincts(&h, 0x11, 0x11)
			return one(&h, nil)
		}, "code-blocks of a tile"},
		{"precincts of two samples over 65535 x 1", func() []byte {
			h := header(65535, 1, 1, 32)
			precincts(&h, 0x11, 0x11)
			return one(&h, bytes.Repeat([]byte{0}, 100))
		}, "past the end"},
		{"blocks of 4 x 4 over 65535 x 65535", func() []byte {
			h := header(65535, 65535, 1, 5)
			h.Coding[0].BlockW, h.Coding[0].BlockH = 2, 2
			return one(&h, nil)
		}, "code-blocks of a tile"},
		{"65535 layers of empty packets", func() []byte {
			h := header(65535, 65535, 1, 5)
			h.Layers = 65535
			return one(&h, make([]byte, 1000))
		}, "past the end"},
		{"65535 layers that include nothing of a million code-blocks", func() []byte {
			h := header(65535, 65535, 1, 0)
			h.Layers = 65535
			return one(&h, bytes.Repeat([]byte{0x80}, 300000))
		}, "visited by packet headers"},
		{"wide precincts of one component, high ones of another", func() []byte {
			h := header(40000, 40000, 2, 0)
			h.Order = codestream.PCRL
			h.Coding[0].Precincts[0], h.Coding[1].Precincts[0] = 0x4F, 0xF4
			return one(&h, make([]byte, 2*2*2500)) // two rows or columns of 2500 precincts each
		}, ""},
		{"64 changes over 65535 layers", func() []byte {
			h := header(512, 512, 1, 5)
			h.Layers = 65535
			for i := range h.POC {
				h.POC[i] = codestream.Change{LayerEnd: 65535, ResEnd: 33, CompEnd: 1, Order: codestream.Order(i % 2)}
			}
			h.NPOC = len(h.POC)
			return one(&h, make([]byte, 6*65535-1))
		}, "past the end"},
		{"64 changes without the last resolution level", func() []byte {
			h := header(512, 512, 1, 5)
			h.Layers = 65535
			for i := range h.POC {
				h.POC[i] = codestream.Change{LayerEnd: 65535, ResEnd: 5, CompEnd: 1, Order: codestream.Order(i % 2)}
			}
			h.NPOC = len(h.POC)
			return one(&h, make([]byte, 6*65535-1))
		}, "do not cover"},
		{"changes that visit nothing", func() []byte {
			h := header(512, 512, 1, 0)
			h.Layers = 65535
			for i := range h.POC {
				h.POC[i] = codestream.Change{ResStart: 20, LayerEnd: 65535, ResEnd: 33, CompEnd: 1}
			}
			h.NPOC = len(h.POC)
			return one(&h, nil)
		}, "do not cover"},
		{"missing bit-planes without end", func() []byte {
			h := header(64, 64, 1, 0)
			return one(&h, append([]byte{0xC0}, make([]byte, 1000)...))
		}, "missing bit-planes"},
		{"Lblock without end", func() []byte {
			h := header(64, 64, 1, 0)
			return one(&h, append([]byte{0xEF}, bytes.Repeat([]byte{0xFF, 0x7F}, 50)...))
		}, "32 bits"},
		{"a body that is not there", func() []byte {
			h := header(64, 64, 1, 0)
			return one(&h, []byte{0xE6, 0x80}) // included, no missing bit-planes, one pass, Lblock 3..., length above 0
		}, "past the end"},
	} {
		var k parsed
		err := k.parse(row.make(), 0)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: got %v", row.name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		case err != nil:
			assertTyped(t, err)
		}
	}
}

// A codestream cut anywhere is an error, and never another picture.
func TestEveryPrefix(t *testing.T) {
	var k parsed
	for seed := range uint64(12) {
		src := small(t, seed)
		for n := range len(src) {
			if err := k.parse(src[:n], 0); err == nil {
				if n < int(k.cs.Stop) || k.unused != 0 || n < len(src)-2 {
					t.Errorf("codestream %d: %d of %d bytes: got no error", seed, n, len(src))
				}
			} else {
				assertTyped(t, err)
			}
			if err := k.parse(src[:n], 1); err != nil {
				assertTyped(t, err)
			}
		}
	}
}

// One byte changed, anywhere: an error or not, but nothing worse.
func TestEveryByteChanged(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var k parsed
	for seed := range uint64(12) {
		src := small(t, seed+100)
		for i := range src {
			was := src[i]
			for _, b := range []byte{0, 0xFF, was ^ 1<<rng.IntN(8), byte(rng.Uint32())} {
				src[i] = b
				if err := k.parse(src, rng.IntN(2)); err != nil {
					assertTyped(t, err)
				}
			}
			src[i] = was
		}
	}
}
