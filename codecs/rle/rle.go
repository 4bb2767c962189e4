// Package rle is the RLE Lossless encoding of DICOM, PS3.5 Annex G.
//
// A frame is a header of 64 bytes and up to 15 segments. Each segment holds
// one byte of every sample of one component (a byte plane), most significant
// byte first, first component first, packed row by row as runs and literals (G.3.1).
//
// The codestream carries neither width nor height nor precision: [Decoder.Probe]
// leaves the size zero, and the view given to Decode decides. What fits is checked:
// the number of segments against components and words, and that every segment holds as many bytes as
// the image has pixels, neither fewer nor more (bytes 00 and 80 behind the last run are padding).
//
// The encoder writes one segment per byte of a word, rows packed separately,
// every segment of even length. The decoder also takes what writers got wrong
// without doubt about its meaning: segments in any order or shared, bytes
// between them, odd lengths, runs that go on across the end of a row, surplus
// offsets in the header, a frame in several fragments.
//
// Words of 32 bits are legal in Annex G and not done here.
package rle

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/radtier/radtier/codecs"
)

const (
	name       = "rle"
	headerSize = 64
	// A context is looked at once per so many rows.
	rowsPerLook = 64
)

func malformed(offset int64, clause, format string, args ...any) error {
	return &codecs.MalformedError{Codec: name, Offset: offset, Clause: clause, What: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &codecs.UnsupportedError{Codec: name, What: fmt.Sprintf(format, args...)}
}

// check refuses views that cannot be used, and two samples per pixel, which
// no photometric interpretation has and no header could tell from one of twice the size.
func check(v *codecs.View) error {
	if err := v.Check(name); err != nil {
		return err
	}
	if v.Components == 2 {
		return unsupported("2 components")
	}
	return nil
}

// header is the RLE header (PS3.5 G.5).
type header struct {
	segments int
	offsets  [15]uint32
}

// parse reads the header from the first 64 bytes of the fragments.
func parse(src [][]byte) (header, error) {
	var h header
	var raw [headerSize]byte
	n := 0
	for _, fragment := range src {
		if n += copy(raw[n:], fragment); n == headerSize {
			break
		}
	}
	if n < headerSize {
		return h, malformed(int64(n), "PS3.5 G.5", "the header of 64 bytes ends early")
	}
	count := binary.LittleEndian.Uint32(raw[:])
	if count < 1 || count > 15 {
		return h, malformed(0, "PS3.5 G.5", "%d segments, 1 to 15 are possible", count)
	}
	h.segments = int(count)
	for i := range h.offsets {
		h.offsets[i] = binary.LittleEndian.Uint32(raw[4+4*i:])
	}
	return h, nil
}

// size is the length of the concatenated fragments.
func size(src [][]byte) int64 {
	var n int64
	for _, fragment := range src {
		n += int64(len(fragment))
	}
	return n
}

// bounds returns where segment i begins and ends: at the next higher offset, or with the frame.
func (h *header) bounds(i int, total int64) (from, to int64, err error) {
	from, to = int64(h.offsets[i]), total
	if from < headerSize || from > total {
		return 0, 0, malformed(int64(4+4*i), "PS3.5 G.5", "segment %d begins at byte %d of a frame of %d bytes", i+1, from, total)
	}
	for _, o := range h.offsets[:h.segments] {
		if next := int64(o); next > from && next < to {
			to = next
		}
	}
	return from, to, nil
}

// cancelled looks at a context every few rows.
func cancelled(ctx context.Context, row int) error {
	if ctx == nil || row%rowsPerLook != 0 {
		return nil
	}
	return ctx.Err()
}
