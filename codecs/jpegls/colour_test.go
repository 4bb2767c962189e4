package jpegls

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// transformed applies HP1, HP2 or HP3 to a pixel of 8 bits.
func transformed(kind byte, r, g, b int) (int, int, int) {
	switch kind {
	case 1:
		return r - g + 128, g, b - g + 128
	case 2:
		return r - g + 128, g, b - (r+g)>>1 + 128
	}
	v2, v3 := (b-g+128)&255, (r-g+128)&255
	return g + (v2+v3)>>2 - 64, v2, v3
}

func TestColourTransforms(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	want := makeView(r, 31, 9, 3, 8, 8, false, layout{}, patterns[4])
	for kind := byte(1); kind <= 3; kind++ {
		coded := makeView(r, 31, 9, 3, 8, 8, false, layout{}, pattern{})
		for y := range want.Height {
			for x := range want.Width {
				a, b, c := transformed(kind, int(sample(&want, 0, x, y)), int(sample(&want, 1, x, y)), int(sample(&want, 2, x, y)))
				put(&coded, 0, x, y, uint16(a&255))
				put(&coded, 1, x, y, uint16(b&255))
				put(&coded, 2, x, y, uint16(c&255))
			}
		}
		for _, mode := range []Interleave{InterleaveLine, InterleaveSample} {
			data, _, err := NewEncoder(Options{Interleave: mode}).Encode(nil, coded, codecs.EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.Replace(data, []byte{0xFF, markerSOI}, []byte{0xFF, markerSOI, 0xFF, markerAPP8, 0, 7, 'm', 'r', 'f', 'x', kind}, 1)
			if err := NewDecoder().Compare(want, [][]byte{data}, codecs.DecodeOptions{}); err != nil {
				t.Errorf("HP%d, interleave %v: %v", kind, mode, err)
			}
		}
	}
}
