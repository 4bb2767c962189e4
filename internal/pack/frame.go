package pack

import (
	"context"
	"fmt"

	"github.com/radtier/radtier/codecs"
)

// Decoders holds one decoder per coding. Like a decoder it serves one goroutine at a time and keeps its tables between frames.
type Decoders struct {
	set   *codecs.Set
	made  map[Coding]codecs.Decoder
	plain bool
}

// NewDecoders returns decoders of the codecs in set, which are made when they are first needed.
func NewDecoders(set *codecs.Set) *Decoders {
	return &Decoders{set: set, made: make(map[Coding]codecs.Decoder)}
}

// NewPlainDecoders is NewDecoders with the plain decoders of those codecs that have one (codecs.Syntax.NewPlainDecoder).
func NewPlainDecoders(set *codecs.Set) *Decoders {
	d := NewDecoders(set)
	d.plain = true
	return d
}

func (d *Decoders) of(c Coding) (codecs.Decoder, error) {
	if d == nil || d.set == nil {
		return nil, &UnsupportedError{fmt.Sprintf("%s frame: no codecs given", c)}
	}
	if dec, ok := d.made[c]; ok {
		return dec, nil
	}
	s, ok := d.set.Lookup(c.Syntax())
	if !ok || s.NewDecoder == nil {
		return nil, &UnsupportedError{fmt.Sprintf("%s frame: no codec for transfer syntax %q in this build", c, c.Syntax())}
	}
	newDecoder := s.NewDecoder
	if d.plain && s.NewPlainDecoder != nil {
		newDecoder = s.NewPlainDecoder
	}
	dec := newDecoder()
	d.made[c] = dec
	return dec, nil
}

// FrameView describes one native frame, laid out as received, to a codec.
// signFill says that the bits above BitsStored repeat the sign; without it a
// decoder writes zeros there. It is meant for BitsAllocated 8 and 16 with HighBit = BitsStored-1; codecs check the rest (View.Check).
func FrameView(img *Image, pix []byte, signFill bool) codecs.View {
	layout := codecs.Interleaved
	if img.Planar && img.Samples > 1 {
		layout = codecs.Planar
	}
	v := layout(pix, img.Columns, img.Rows, img.Samples, img.BitsAllocated, img.BitsStored, signFill)
	v.BigEndian = img.BigEndian && img.BitsAllocated == 16
	return v
}

// FrameBytes is the size of one native frame with all its samples in whole
// words, 0 if the image does not declare one. (Chroma shared between pixels makes a received frame smaller.)
func (img *Image) FrameBytes() int64 {
	const most = 65535 // of these US attributes
	if img.Rows < 1 || img.Rows > most || img.Columns < 1 || img.Columns > most || img.Samples < 1 || img.Samples > most ||
		img.BitsAllocated < 8 || img.BitsAllocated > 64 || img.BitsAllocated%8 != 0 {
		return 0
	}
	return int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.BitsAllocated/8)
}

// RebuildFrame lays one stored frame out as it was received: it decodes
// payload, fills the bits above BitsStored, and applies the residue (a zstd
// frame, nil if none). dst has the length of the result, is overwritten and
// returned. For CodingBytes and CodingZstd the received bytes are in the
// payload and img is not used. Writers call this very function to prove a
// frame before they store it, and readers to give it back.
func RebuildFrame(ctx context.Context, dec *Decoders, img *Image, signFill bool, c Coding, payload, residue, dst []byte) ([]byte, error) {
	switch {
	case c == CodingBytes:
		if len(payload) != len(dst) {
			return nil, &MalformedError{fmt.Sprintf("frame of %d bytes, its record says %d", len(payload), len(dst)), -1}
		}
		copy(dst, payload)
		return dst, nil
	case c == CodingZstd:
		return decompressInto(dst, payload)
	case img == nil:
		return nil, &MalformedError{"codestream without image", -1}
	}
	if n := img.FrameBytes(); n != int64(len(dst)) {
		return nil, &MalformedError{fmt.Sprintf("frame record says %d bytes, its image %d", len(dst), n), -1}
	}
	d, err := dec.of(c)
	if err != nil {
		return nil, err
	}
	if err := d.Decode(FrameView(img, dst, signFill), [][]byte{payload}, codecs.DecodeOptions{Context: ctx}); err != nil {
		return nil, err
	}
	if residue == nil {
		return dst, nil
	}
	diff, err := DecompressZstd(nil, residue, int64(len(dst)))
	if err != nil {
		return nil, fmt.Errorf("residue: %w", err)
	}
	if len(diff) != len(dst) {
		return nil, &MalformedError{fmt.Sprintf("residue of %d bytes, frame of %d", len(diff), len(dst)), -1}
	}
	for i, x := range diff {
		dst[i] ^= x
	}
	return dst, nil
}

// decompressInto decompresses a zstd frame whose content has the length of dst.
func decompressInto(dst, src []byte) ([]byte, error) {
	out, err := DecompressZstd(dst[:0:len(dst)], src, int64(len(dst)))
	if err == nil && len(out) != len(dst) {
		err = &MalformedError{fmt.Sprintf("content of %d bytes, its record says %d", len(out), len(dst)), -1}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
