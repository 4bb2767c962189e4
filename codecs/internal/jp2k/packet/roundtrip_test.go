package packet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// The Writer's packets for random code-blocks come back from the Reader, for sizes 1..70 and large ones, 1 to 3 components.
func TestWriterRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var w Writer
	var made geom.Tile
	var k parsed
	sizes := [][2]uint32{{65535, 1}, {1, 65535}, {65535, 40}, {40, 65535}, {2000, 3000}}
	for n := uint32(1); n <= 70; n++ {
		sizes = append(sizes, [2]uint32{n, 1 + rng.Uint32N(70)}, [2]uint32{1 + rng.Uint32N(70), n})
	}
	for _, size := range sizes {
		h := header(size[0], size[1], 1+rng.IntN(3), uint8(rng.IntN(7)))
		if err := made.Set(&h.Size, &h.Params, 0, 1<<28); err != nil {
			t.Fatal(err)
		}
		arena := fillBlocks(rng, &made)
		src, err := write(&w, &h, &made, arena)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.parse(src, 0); err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		if k.unused != 0 {
			t.Errorf("%v: got %d bytes behind the packets, want 0", size, k.unused)
		}
		if bad := codestream.CheckRPCL(&k.cs); len(bad) > 0 && size[0] <= 64 {
			t.Errorf("%v: CheckRPCL: got %v", size, bad)
		}
		for i := range k.cs.Parts {
			if got, want := k.ends[i], k.cs.Parts[i].End; got != want && k.cs.Parts[i].Body != want {
				t.Errorf("%v: end of level %d: got %d, want %d", size, i, got, want)
			}
		}
		compare(t, fmt.Sprint(size), &made, arena, &k.t, src)
	}
}

// header is an image of one tile as the encoder writes it.
func header(w, h uint32, comps int, levels uint8) codestream.Header {
	var x codestream.Header
	x.Size = codestream.Size{X1: w, Y1: h, TileW: w, TileH: h, N: comps}
	x.Params = codestream.Params{Order: codestream.RPCL, Layers: 1, MCT: comps == 3}
	for c := range comps {
		x.Comps[c] = codestream.Component{Bits: 16, DX: 1, DY: 1}
		x.Coding[c] = codestream.Coding{Levels: levels, BlockW: 6, BlockH: 6, Style: codestream.StyleHT, Reversible: true}
		x.Coding[c].DefaultPrecincts()
		x.Quant[c] = codestream.Quant{Guard: 1, N: 3*levels + 1}
		for i := range x.Quant[c].N {
			x.Quant[c].Steps[i] = 18 << 11
		}
	}
	x.HT = codestream.Capability(true, 18)
	x.Prepare()
	return x
}

// fillBlocks gives code-blocks random contents.
func fillBlocks(rng *rand.Rand, t *geom.Tile) []byte {
	var arena []byte
	sparse := rng.IntN(4)
	for c := range t.N {
		for r := range t.Comps[c].Res {
			res := &t.Comps[c].Res[r]
			for b := range res.NBands {
				for i := range res.Bands[b].Blocks {
					k := &res.Bands[b].Blocks[i]
					if sparse > 0 && rng.IntN(sparse) > 0 {
						continue
					}
					n := 2 + rng.IntN(1<<rng.IntN(10))
					k.Off, k.Len, k.Passes, k.Zero = uint32(len(arena)), uint32(n), 1, uint8(rng.IntN(18))
					for range n {
						arena = append(arena, byte(rng.Uint32()))
					}
				}
			}
		}
	}
	return arena
}

func write(w *Writer, h *codestream.Header, t *geom.Tile, arena []byte) ([]byte, error) {
	levels := int(h.Coding[0].Levels)
	var cw codestream.Writer
	dst := cw.Begin(nil, h, &codestream.Layout{Parts: levels + 1, TLM: true, Comment: "radtier"})
	for r := range levels + 1 {
		dst = cw.BeginPart(dst)
		var err error
		if dst, err = w.Append(dst, t, r, arena); err != nil {
			return nil, err
		}
		dst = cw.EndPart(dst)
	}
	return cw.End(dst), nil
}

// compare checks that read blocks have the bytes of those made.
func compare(t *testing.T, name string, made *geom.Tile, arena []byte, read *geom.Tile, src []byte) {
	t.Helper()
	for c := range made.N {
		for r := range made.Comps[c].Res {
			for b := range made.Comps[c].Res[r].NBands {
				want, got := made.Comps[c].Res[r].Bands[b].Blocks, read.Comps[c].Res[r].Bands[b].Blocks
				for i := range want {
					w, g := &want[i], &got[i]
					if !bytes.Equal(w.Cleanup(arena), g.Cleanup(src)) || w.Passes != g.Passes || w.Len > 0 && w.Zero != g.Zero || w.Len > 0 && g.Missing != g.Zero {
						t.Fatalf("%s: component %d, level %d, sub-band %d, code-block %d: got %+v, want %+v", name, c, r, b, i, *g, *w)
					}
				}
			}
		}
	}
}

func TestWriterReusesMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	h := header(512, 512, 1, 3)
	var made geom.Tile
	if err := made.Set(&h.Size, &h.Params, 0, 1<<28); err != nil {
		t.Fatal(err)
	}
	arena := fillBlocks(rng, &made)
	var w Writer
	dst := make([]byte, 0, len(arena)+1<<16)
	if n := testing.AllocsPerRun(10, func() {
		for r := range 4 {
			if _, err := w.Append(dst, &made, r, arena); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("Writer.Append: got %v allocations, want 0", n)
	}
	src, err := write(&w, &h, &made, arena)
	if err != nil {
		t.Fatal(err)
	}
	var k parsed
	var ends []int64
	if n := testing.AllocsPerRun(10, func() {
		if err := k.parse(src, 0); err != nil {
			t.Fatal(err)
		}
		if ends, err = k.r.LevelEnds(ends[:0], &k.cs, &k.t); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("reading again: got %v allocations, want 0", n)
	}
	if !slices.IsSorted(ends) || ends[3] != int64(len(src)) {
		t.Errorf("LevelEnds: got %v, want four that rise to %d", ends, len(src))
	}
}

// What cannot be written is an error and no panic.
func TestWriterRefuses(t *testing.T) {
	h := header(100, 100, 2, 2)
	h.Comps[1].DX = 2
	var tile geom.Tile
	if err := tile.Set(&h.Size, &h.Params, 0, 1<<28); err != nil {
		t.Fatal(err)
	}
	var w Writer
	if _, err := w.Append(nil, &tile, 0, nil); err == nil {
		t.Error("components of different sizes: got no error")
	}
	h.Comps[1].DX = 1
	if err := tile.Set(&h.Size, &h.Params, 0, 1<<28); err != nil {
		t.Fatal(err)
	}
	tile.Comps[0].Res[0].Bands[0].Blocks[0].Len = 5
	if _, err := w.Append(nil, &tile, 0, make([]byte, 4)); err == nil {
		t.Error("a code-block past the end of the arena: got no error")
	}
}
