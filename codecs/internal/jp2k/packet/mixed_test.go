package packet

import (
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// In a mixed tile-component the first length that is not 0 says which coder a code-block has (T.814 B.3).
func TestMixedCodeBlocks(t *testing.T) {
	const included = "1" + "1" + "1" // a packet that is not empty, included in layer 0, no missing bit-planes
	for _, row := range []struct {
		name   string
		bits   string // passes, Lblock, lengths
		mixed  bool
		kind   geom.Kind
		total  uint16
		length uint32 // of the cleanup segment or of the first chunk
		ref    uint32
		fails  bool
	}{
		{"HT: a length with a leading 0", "0" + "10" + "0101", true, geom.HT, 1, 5, 0, false},
		{"MQ: a length with a leading 1", "0" + "10" + "1101", true, geom.MQ, 1, 13, 0, false},
		{"MQ: Lblock as it was", "0" + "0" + "010", true, geom.MQ, 1, 2, 0, false},
		{"MQ: too short for HT", "0" + "10" + "0001", true, geom.MQ, 1, 1, 0, false},
		{"MQ: three passes and one more bit of length", "1100" + "10" + "1101" + "1", true, geom.MQ, 3, 27, 0, false},
		{"HT: three passes", "1100" + "10" + "0101" + "00011", true, geom.HT, 3, 5, 3, false},
		{"not known: no bytes", "0" + "0" + "000", true, geom.Unknown, 1, 0, 0, false},
		{"not known: three passes without bytes", "1100" + "0" + "000" + "0", true, geom.Unknown, 3, 0, 0, false},
		{"MQ: three passes, only the last bit of the length", "1100" + "0" + "000" + "1", true, geom.MQ, 3, 1, 0, false},
		{"HT only: a leading 1", "0" + "10" + "1101", false, geom.HT, 1, 13, 0, false},
		{"HT only: one byte", "0" + "10" + "0001", false, geom.HT, 1, 0, 0, true},
		{"HT only: placeholders with bytes", "1100" + "0" + "000" + "1", false, geom.HT, 3, 0, 0, true},
		{"HT only: one placeholder set", "11110000" + "0" /* 6 passes */ + "0" + "00101" + "0011", false, geom.HT, 6, 5, 3, false},
	} {
		h := header(64, 64, 1, 0)
		if row.mixed {
			h.Coding[0].Style |= codestream.StyleMixed
			h.Ccap15 |= 3 << 14
		}
		var w bitWriter
		w.open(nil)
		for _, c := range included + row.bits {
			w.bit(uint32(c - '0'))
		}
		body := append(w.close(), make([]byte, row.length+row.ref)...)
		var k parsed
		err := k.parse(one(&h, body), 0)
		if (err != nil) != row.fails {
			t.Errorf("%s: got %v", row.name, err)
			continue
		}
		if row.fails {
			assertTyped(t, err)
			continue
		}
		b := &k.t.Comps[0].Res[0].Bands[0].Blocks[0]
		length := b.Len
		if b.First > 0 {
			length = k.t.Chunks[b.First-1].Len
		}
		if b.Kind != row.kind || b.Total != row.total || length != row.length || b.Ref[0].Len != row.ref || k.unused != 0 {
			t.Errorf("%s: got %+v with %d bytes, %d left over, want kind %d, %d passes, %d bytes and %d of refinement", row.name, *b, length, k.unused, row.kind, row.total, row.length, row.ref)
		}
	}
}
