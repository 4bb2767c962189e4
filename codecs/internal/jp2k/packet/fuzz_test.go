package packet

import (
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// FuzzRead gives any bytes to the readers of headers and packets: errors have
// types, pieces of code-blocks lie inside the codestream, and what can be rewritten as a preview reads back.
func FuzzRead(f *testing.F) {
	for seed := range uint64(16) {
		f.Add(small(f, seed), uint8(seed%3))
	}
	f.Fuzz(func(t *testing.T, src []byte, reduce uint8) {
		if len(src) > 1<<16 {
			return
		}
		var k fuzzed
		if err := k.parse(src, int(reduce%34)); err != nil {
			assertTyped(t, err)
			return
		}
		for c := range k.t.N {
			for r := range k.t.Comps[c].Res {
				res := &k.t.Comps[c].Res[r]
				for b := range res.NBands {
					for i := range res.Bands[b].Blocks {
						k.check(t, src, &res.Bands[b].Blocks[i])
					}
				}
			}
		}
		if reduce == 0 && k.cs.PreviewError(1) == nil {
			k.preview(t)
		}
	})
}

type fuzzed struct{ parsed }

func (k *fuzzed) check(t *testing.T, src []byte, b *geom.Block) {
	if b.Kind == geom.HT {
		segment, _ := b.Refinement(src, nil)
		if n := len(b.Cleanup(src)); n < 2 || b.Passes < 1 || b.Passes > 3 || b.Passes > 1 != (len(segment) > 0) || b.Missing < b.Zero {
			t.Errorf("code-block %+v", *b)
		}
	}
	for j := b.First; j > 0; j = k.t.Chunks[j-1].Next {
		c := k.t.Chunks[j-1]
		_ = src[c.Off:][:c.Len]
	}
}

func (k *fuzzed) preview(t *testing.T) {
	ends, err := k.r.LevelEnds(nil, &k.cs, &k.t)
	if err != nil {
		t.Fatal(err)
	}
	small, err := codestream.AppendPreview(nil, &k.cs, ends, 1)
	if err != nil {
		t.Fatalf("ends %v: %v", ends, err)
	}
	var p parsed
	if err := p.parse(small, 0); err != nil || p.unused != 0 {
		t.Fatalf("preview: %v, %d bytes left over", err, p.unused)
	}
}
