package rle_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/codecs/rle"
)

// frame makes a codestream of a header and bytes that follow it.
func frame(segments uint32, offsets []uint32, body ...byte) []byte {
	p := binary.LittleEndian.AppendUint32(nil, segments)
	for _, o := range offsets {
		p = binary.LittleEndian.AppendUint32(p, o)
	}
	return append(append(p, make([]byte, 64-len(p))...), body...)
}

func offsets(list ...uint32) []uint32 { return list }

// TestEncodeBytes holds the encoder to the very bytes of PS3.5 Annex G.
func TestEncodeBytes(t *testing.T) {
	for _, row := range []struct {
		name string
		view codecs.View
		want []byte
	}{
		{"8 bits, odd segment padded", codecs.Interleaved([]byte{7, 7, 7, 1, 2, 3, 4, 4}, 4, 2, 1, 8, 8, false),
			frame(1, offsets(64), 254, 7, 0, 1, 3, 2, 3, 4, 4, 0)},
		{"16 bits: high bytes first", codecs.Interleaved([]byte{0x34, 0x12, 0x78, 0x56}, 2, 1, 1, 16, 16, false),
			frame(2, offsets(64, 68), 1, 0x12, 0x56, 0, 1, 0x34, 0x78, 0)},
		{"16 bits, 12 signed: extended", codecs.Interleaved([]byte{0x34, 0x08, 0xFF, 0xF7}, 2, 1, 1, 16, 12, true),
			frame(2, offsets(64, 68), 1, 0xF8, 0x07, 0, 1, 0x34, 0xFF, 0)},
		{"RGB: red, green, blue", codecs.Interleaved([]byte{1, 2, 3, 1, 2, 3}, 2, 1, 3, 8, 8, false),
			frame(3, offsets(64, 66, 68), 255, 1, 255, 2, 255, 3)},
		{"RGB, planar: the same", codecs.Planar([]byte{1, 1, 2, 2, 3, 3}, 2, 1, 3, 8, 8, false),
			frame(3, offsets(64, 66, 68), 255, 1, 255, 2, 255, 3)},
		{"rows are packed separately", codecs.Interleaved(make([]byte, 8), 4, 2, 1, 8, 8, false),
			frame(1, offsets(64), 253, 0, 253, 0)},
	} {
		got, _, err := rle.NewEncoder().Encode(nil, row.view, codecs.EncodeOptions{})
		if err != nil || !bytes.Equal(got, row.want) {
			t.Errorf("%s: Encode(%v): got %v, %v, want %v", row.name, row.view.Pix, got, err, row.want)
		}
	}
}

// TestDecodeForeign decodes what other writers make, and refuses what could mean another image.
func TestDecodeForeign(t *testing.T) {
	mono := codectest.Shape{Width: 4, Height: 2, Components: 1, Container: 8, Bits: 8}
	wide := codectest.Shape{Width: 2, Height: 1, Components: 1, Container: 16, Bits: 16}
	rgb := codectest.Shape{Width: 2, Height: 1, Components: 3, Container: 8, Bits: 8}
	big := wide
	big.Width = 300
	for _, row := range []struct {
		name  string
		shape codectest.Shape
		src   []byte
		want  []int32 // nil: malformed
	}{
		{"plain", mono, frame(1, offsets(64), 253, 5, 3, 1, 2, 3, 4), []int32{5, 5, 5, 5, 1, 2, 3, 4}},
		{"a run across the end of a row", mono, frame(1, offsets(64), 251, 5, 1, 1, 2), []int32{5, 5, 5, 5, 5, 5, 1, 2}},
		{"a literal across the end of a row", mono, frame(1, offsets(64), 7, 1, 2, 3, 4, 5, 6, 7, 8), []int32{1, 2, 3, 4, 5, 6, 7, 8}},
		{"no operations", mono, frame(1, offsets(64), 128, 253, 5, 128, 128, 253, 6, 128), []int32{5, 5, 5, 5, 6, 6, 6, 6}},
		{"padding of several zeros", mono, frame(1, offsets(64), 249, 5, 0, 0, 0, 0), []int32{5, 5, 5, 5, 5, 5, 5, 5}},
		{"a gap after the header", mono, frame(1, offsets(70), 1, 2, 3, 4, 5, 6, 249, 5), []int32{5, 5, 5, 5, 5, 5, 5, 5}},
		{"offsets behind the last segment", mono, frame(1, offsets(64, 65, 9999), 249, 5), []int32{5, 5, 5, 5, 5, 5, 5, 5}},
		{"segments in another order", wide, frame(2, offsets(66, 64), 255, 1, 255, 2), []int32{0x201, 0x201}},
		{"planes that share a segment", rgb, frame(3, offsets(64, 64, 64), 255, 9), []int32{9, 9, 9, 9, 9, 9}},
		{"odd segments", wide, frame(2, offsets(64, 67), 1, 1, 2, 255, 7), []int32{0x107, 0x207}},

		{"too few samples", mono, frame(1, offsets(64), 253, 5, 2, 1, 2, 3), nil},
		{"a literal that ends early", mono, frame(1, offsets(64), 253, 5, 3, 1, 2, 3), nil},
		{"a run without its value", mono, frame(1, offsets(64), 253, 5, 253), nil},
		{"a literal that goes on in the next segment", wide, frame(2, offsets(64, 66), 1, 1, 255, 7), nil},
		{"a run past the image", mono, frame(1, offsets(64), 248, 5), nil},
		{"more rows than the image", mono, frame(1, offsets(64), 249, 5, 249, 6), nil},
		{"no segments", mono, frame(0, offsets(64), 249, 5), nil},
		{"16 segments", mono, frame(16, offsets(64), 249, 5), nil},
		{"a big endian header", mono, frame(1<<24, offsets(64<<24), 249, 5), nil},
		{"fewer segments than bytes of a pixel", wide, frame(3, offsets(64, 64, 64), 255, 1), nil},
		{"a segment inside the header", mono, frame(1, offsets(60), 249, 5), nil},
		{"a segment past the frame", mono, frame(1, offsets(67), 249, 5), nil},
		{"a segment far past the frame", wide, frame(2, offsets(64, 0xFFFFFFFF), 255, 5, 255, 6), nil},
		{"an empty segment", mono, frame(1, offsets(66), 249, 5), nil},
		{"the header cut", mono, frame(1, offsets(64))[:63], nil},
		{"the header alone", mono, frame(1, offsets(64)), nil},
	} {
		out := codectest.Layouts()[0].New(row.shape)
		err := rle.NewDecoder().Decode(out.View, [][]byte{row.src}, codecs.DecodeOptions{})
		var broken *codecs.MalformedError
		switch got := codectest.Samples(out.View); {
		case row.want == nil && !errors.As(err, &broken):
			t.Errorf("%s: Decode(%v): got %v, error %v, want *codecs.MalformedError", row.name, row.src, got, err)
		case row.want != nil && (err != nil || !slices.Equal(got, row.want)):
			t.Errorf("%s: Decode(%v): got %v, error %v, want %v", row.name, row.src, got, err, row.want)
		}
	}
}

// TestUnsupported keeps what is legal elsewhere apart from what is broken.
func TestUnsupported(t *testing.T) {
	dec := rle.NewDecoder()
	four := frame(4, offsets(64, 66, 68, 70), 255, 1, 255, 2, 255, 3, 255, 4)
	twelve := frame(12, slices.Repeat(offsets(64), 12), 255, 1)
	reduced := codecs.DecodeOptions{Reduce: 1}
	for _, row := range []struct {
		name string
		call func() error
	}{
		{"one component of 32 bits", func() error {
			return dec.Decode(codecs.Interleaved(make([]byte, 4), 2, 1, 1, 16, 16, false), [][]byte{four}, codecs.DecodeOptions{})
		}},
		{"RGB of 32 bits", func() error {
			return dec.Decode(codecs.Interleaved(make([]byte, 12), 2, 1, 3, 16, 16, false), [][]byte{twelve}, codecs.DecodeOptions{})
		}},
		{"16-bit samples into 8-bit words", func() error {
			two := frame(2, offsets(64, 66), 255, 1, 255, 2)
			return dec.Decode(codecs.Interleaved(make([]byte, 2), 2, 1, 1, 8, 8, false), [][]byte{two}, codecs.DecodeOptions{})
		}},
		{"a reduced resolution", func() error {
			return dec.Decode(codecs.Interleaved(make([]byte, 8), 2, 1, 4, 8, 8, false), [][]byte{four}, reduced)
		}},
		{"Probe of 12 segments", func() error { _, err := dec.Probe([][]byte{twelve}); return err }},
		{"two components", func() error {
			_, _, err := rle.NewEncoder().Encode(nil, codecs.Interleaved(make([]byte, 2), 1, 1, 2, 8, 8, false), codecs.EncodeOptions{})
			return err
		}},
	} {
		var unsupported *codecs.UnsupportedError
		if err := row.call(); !errors.As(err, &unsupported) {
			t.Errorf("%s: got %v, want *codecs.UnsupportedError", row.name, err)
		}
	}
	if err := dec.Decode(codecs.Interleaved(make([]byte, 8), 2, 1, 4, 8, 8, false), [][]byte{four}, codecs.DecodeOptions{}); err != nil {
		t.Errorf("four components of 8 bits: %v", err)
	}
}
