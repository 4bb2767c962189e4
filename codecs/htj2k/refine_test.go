package htj2k

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/codecs/internal/jp2k/ht"
)

// No encoder at hand writes SigProp and MagRef passes, so this test has one of
// its own, written from T.814 clause 7.4 and 7.5 for whole code-blocks of samples, without a wavelet
// transform. Other decoders say whether it is right.

// refined is a code-block with an HT set of several passes.
type refined struct {
	w, h    int
	passes  int
	causal  bool
	values  []int32 // what the passes tell, in units of 1
	cleanup []byte
	rest    []byte // refinement segment
}

// forwardBits packs bits from the lowest of each byte; after FF a byte has 7 (T.814 7.4).
type forwardBits struct {
	out  []byte
	n    uint // bits in last
	last uint
}

func (b *forwardBits) put(bit uint) {
	b.last |= bit << b.n
	b.n++
	size := uint(8)
	if len(b.out) > 0 && b.out[len(b.out)-1] == 0xFF {
		size = 7
	}
	if b.n == size {
		b.out = append(b.out, byte(b.last))
		b.n, b.last = 0, 0
	}
}

func (b *forwardBits) end() []byte {
	for b.n > 0 {
		b.put(0)
	}
	if len(b.out) > 0 && b.out[len(b.out)-1] == 0xFF {
		b.out = append(b.out, 0)
	}
	return b.out
}

// backwardBits packs bits into bytes that are read from the end: a byte has 7
// bits if these are all ones and the one read before is above 8F, and the first counts as if one were (T.814 7.5).
type backwardBits struct {
	out  []byte // in the order of reading
	n    uint
	last uint
}

func (b *backwardBits) put(bit uint) {
	b.last |= bit << b.n
	b.n++
	before := byte(0xFF)
	if len(b.out) > 0 {
		before = b.out[len(b.out)-1]
	}
	if b.n == 8 || b.n == 7 && before > 0x8F && b.last == 0x7F {
		b.out = append(b.out, byte(b.last))
		b.n, b.last = 0, 0
	}
}

func (b *backwardBits) end() []byte {
	for b.n > 0 {
		b.put(0)
	}
	slices.Reverse(b.out)
	return b.out
}

// refine codes values whose lowest bit-plane is left to SigProp and MagRef. Values of +-1 that SigProp does not
// reach, and last bits that a missing MagRef does not tell, are changed to what a decoder must find.
func refine(values []int32, w, h, passes int, causal bool) refined {
	r := refined{w: w, h: h, passes: passes, causal: causal, values: slices.Clone(values)}
	high := make([]int32, len(values))
	significant := make([]bool, len(values))
	for i, v := range values {
		m := max(v, -v) >> 1
		significant[i] = m != 0
		if high[i] = m; v < 0 {
			high[i] = -m
		}
	}
	r.cleanup = ht.NewEncoder(true).Cleanup(nil, high, w, w, h)
	found := make([]bool, len(values))
	var forward forwardBits
	at := func(x, y, top int) bool {
		if x < 0 || y < 0 || x >= w || y >= h || causal && y >= top+4 {
			return false
		}
		return significant[y*w+x] || found[y*w+x]
	}
	for top := 0; top < h; top += 4 {
		for left := 0; left < w; left += 4 {
			var signs []uint
			for x := left; x < min(left+4, w); x++ {
				for y := top; y < min(top+4, h); y++ {
					i := y*w + x
					if significant[i] {
						continue
					}
					near := false
					for dy := -1; dy <= 1; dy++ {
						for dx := -1; dx <= 1; dx++ {
							near = near || (dx != 0 || dy != 0) && at(x+dx, y+dy, top)
						}
					}
					switch {
					case !near:
						r.values[i] = 0
					case values[i] == 0:
						forward.put(0)
					default:
						forward.put(1)
						found[i] = true
						sign := uint(0)
						if values[i] < 0 {
							sign = 1
						}
						signs = append(signs, sign)
					}
				}
			}
			for _, s := range signs {
				forward.put(s)
			}
		}
	}
	var backward backwardBits
	for top := 0; top < h; top += 4 {
		for x := range w {
			for y := top; y < min(top+4, h); y++ {
				i := y*w + x
				if !significant[i] {
					continue
				}
				if passes == 2 { // half a step: the bit is taken for one
					if high[i] > 0 {
						r.values[i] = 2*high[i] + 1
					} else {
						r.values[i] = 2*high[i] - 1
					}
					continue
				}
				backward.put(uint(max(values[i], -values[i]) & 1))
			}
		}
	}
	r.rest = forward.end()
	if passes == 3 {
		r.rest = append(r.rest, backward.end()...)
	}
	return r
}

// randomValues makes a block of `bits` magnitude bits, with stretches of zeros.
func randomValues(rng *rand.Rand, n, bits int) []int32 {
	values := make([]int32, n)
	dense := 1 + rng.IntN(20)
	for i := range values {
		if rng.IntN(20) < dense {
			values[i] = int32(rng.IntN(1<<(1+rng.IntN(bits)))) * int32(1-2*rng.IntN(2))
		}
	}
	return values
}

// TestRefinementBlocks decodes blocks of all sizes with two and three passes.
func TestRefinementBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 1))
	for _, plain := range []bool{false, true} {
		d := ht.NewDecoder(plain)
		for round := range 4096 {
			w, h := 1+round%64, 1+round/64
			bits := 2 + rng.IntN(14)
			r := refine(randomValues(rng, w*h, bits), w, h, 2+rng.IntN(2), rng.IntN(2) == 0)
			if len(r.cleanup) == 0 {
				continue
			}
			got := make([]int32, w*h)
			b := ht.Block{W: w, H: h, Planes: bits + 1, Missing: bits - 1, Passes: r.passes, Cleanup: r.cleanup, Refinement: r.rest, Causal: r.causal, Reversible: true}
			if err := d.Decode(got, w, &b); err != nil {
				t.Fatalf("plain %v, %d x %d, %d bits, %d passes, causal %v: %v", plain, w, h, bits, r.passes, r.causal, err)
			}
			for i := range got {
				if got[i] != r.values[i] {
					t.Fatalf("plain %v, %d x %d, %d bits, %d passes, causal %v: got %d at column %d of row %d, want %d", plain, w, h, bits, r.passes, r.causal, got[i], i%w, i/w, r.values[i])
				}
			}
		}
	}
}

// headerBits writes packet headers (T.800 B.10.1).
type headerBits struct {
	out  []byte
	n    uint
	last byte
}

func (b *headerBits) put(value uint32, bits int) {
	for i := bits - 1; i >= 0; i-- {
		size := uint(8)
		if len(b.out) > 0 && b.out[len(b.out)-1] == 0xFF {
			size = 7
		}
		b.last = b.last<<1 | byte(value>>i&1)
		if b.n++; b.n == size {
			b.out = append(b.out, b.last)
			b.n, b.last = 0, 0
		}
	}
}

func (b *headerBits) end() []byte {
	for b.n > 0 {
		b.put(0, 1)
	}
	if len(b.out) > 0 && b.out[len(b.out)-1] == 0xFF {
		b.out = append(b.out, 0)
	}
	return b.out
}

// length writes Lblock's growth and a length of that many bits and more (B.10.7.1).
func (b *headerBits) lengths(lblock *int, pairs ...[2]int) {
	for _, p := range pairs {
		for p[0]>>(*lblock+p[1]) != 0 {
			b.put(1, 1)
			*lblock++
		}
	}
	b.put(0, 1)
	for _, p := range pairs {
		b.put(uint32(p[0]), *lblock+p[1])
	}
}

// stream wraps one block into a codestream of a single-block image without wavelet levels. layers is 1, or 2
// with the cleanup pass in the first and the others in the second.
func (r *refined) stream(bits int, signed bool, layers int) []byte {
	v := codecs.View{Width: r.w, Height: r.h, Components: 1, Container: 16, Bits: bits, Signed: signed}
	e := NewEncoder(Options{Plain: true})
	e.levels = 0
	e.setHeader(&v, false)
	e.head.Layers = uint16(layers)
	if r.causal {
		e.head.Coding[0].Style |= codestream.StyleCausal
	}
	var tile geom.Tile
	if err := tile.Set(&e.head.Size, &e.head.Params, 0, 1<<40); err != nil {
		panic(err)
	}
	missing := tile.Comps[0].Res[0].Bands[0].Planes - 2
	var w codestream.Writer
	out := w.Begin(nil, &e.head, &codestream.Layout{Parts: 1, TLM: true})
	out = w.BeginPart(out)
	more := 1 // SigProp and MagRef: one bit more of length (floor log2 of 2 passes)
	if r.passes == 2 {
		more = 0
	}
	passes := func(b *headerBits, n int) { // Table B.4
		switch n {
		case 1:
			b.put(0, 1)
		case 2:
			b.put(2, 2)
		case 3:
			b.put(0xC, 4)
		}
	}
	lblock := 3
	var b headerBits
	b.put(1, 1)              // not empty
	b.put(1, 1)              // inclusion
	b.put(1, int(missing)+1) // missing bit-planes: zeros and a one
	if layers == 1 {
		passes(&b, r.passes)
		b.lengths(&lblock, [2]int{len(r.cleanup), 0}, [2]int{len(r.rest), more})
		out = append(append(append(out, b.end()...), r.cleanup...), r.rest...)
	} else {
		passes(&b, 1)
		b.lengths(&lblock, [2]int{len(r.cleanup), 0})
		out = append(append(out, b.end()...), r.cleanup...)
		b = headerBits{}
		b.put(1, 1)
		b.put(1, 1) // in this layer, too
		passes(&b, r.passes-1)
		b.lengths(&lblock, [2]int{len(r.rest), more})
		out = append(append(out, b.end()...), r.rest...)
	}
	return w.End(w.EndPart(out))
}

// image returns the samples of the block as a view: values are what remains after the level shift (T.800 G.1).
func (r *refined) image(bits int, signed bool) codecs.View {
	v := codecs.View{Width: r.w, Height: r.h, Components: 1, Container: 16, Bits: bits, Signed: signed, PixelStride: 2, RowStride: 2 * r.w, PlaneStride: 2 * r.w * r.h}
	for _, x := range r.values {
		if !signed {
			x += 1 << (bits - 1)
		}
		v.Pix = append(v.Pix, byte(x), byte(x>>8))
	}
	return v
}

// TestRefinementStreams: our decoder, OpenJPH and OpenJPEG find the same samples in code-blocks of two and three passes; ours
// also in two quality layers.
func TestRefinementStreams(t *testing.T) {
	for _, row := range []struct {
		name string
		o    func(*testing.T) other
	}{{"ours", nil}, {"OpenJPH", openJPH}, {"OpenJPEG", openJPEG}} {
		t.Run(row.name, func(t *testing.T) {
			o := row.o
			var tool other
			if o != nil {
				tool = o(t)
			}
			dir := t.TempDir()
			rng := rand.New(rand.NewPCG(42, 7))
			rounds := 150
			if o == nil {
				rounds = 1500
			}
			for round := range rounds {
				w, h := 1+rng.IntN(64), 1+rng.IntN(64)
				bits := 9 + rng.IntN(7)
				signed, layers := round%2 == 0, 1+round/2%2
				if o != nil {
					// OpenJPH 0.9 and OpenJPEG 2.5 read refinement passes in the packet of the cleanup pass only, and
					// OpenJPH's output has no negative samples.
					layers, signed = 1, signed && row.name != "OpenJPH"
				}
				r := refine(randomValues(rng, w*h, bits-1), w, h, 2+round%5%2, round%3 == 0)
				if len(r.cleanup) == 0 {
					continue
				}
				stream, v := r.stream(bits, signed, layers), r.image(bits, signed)
				if o != nil {
					tool.agree(t, dir, stream, &v, 0)
					if t.Failed() {
						t.Fatalf("round %d: %d passes, causal %v, %d layers", round, r.passes, r.causal, layers)
					}
					continue
				}
				for _, d := range []*Decoder{NewDecoder(), NewPlainDecoder()} {
					if err := d.Compare(v, [][]byte{stream}, codecs.DecodeOptions{}); err != nil {
						t.Fatalf("round %d, %s: %d passes, causal %v, %d layers: %v", round, describe(&v), r.passes, r.causal, layers, err)
					}
				}
			}
		})
	}
}
