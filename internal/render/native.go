package render

import (
	"fmt"
	"io"

	"github.com/radtier/radtier/internal/dcm"
)

// ReadNative reads one frame, counted from 0, of a scanned file with native pixel data. It
// holds that frame only. r is what the file was scanned from. Encapsulated pixel data is an *[codecs.UnsupportedError]: decode it and use Frame.
func ReadNative(r io.ReaderAt, f *dcm.File, frame int) (Raw, error) {
	img, px := f.Image, f.Pixel
	switch {
	case px == nil || img == nil:
		return Raw{}, unsupported("object without pixel data")
	case px.Encapsulated:
		return Raw{}, unsupported("encapsulated pixel data as native samples")
	case frame < 0 || frame >= img.Frames:
		return Raw{}, fmt.Errorf("render: frame %d of %d", frame+1, img.Frames)
	case f.FrameBits() == 0:
		return Raw{}, malformed("pixel data: " + px.FrameProblem)
	}
	raw := Raw{Width: img.Columns, Height: img.Rows, Components: img.Samples, Allocated: img.BitsAllocated, Stored: img.BitsStored, HighBit: img.HighBit,
		Signed: img.Signed, BigEndian: f.PixelBigEndian(), Planar: img.Planar == 1, Float: px.Tag != 0x7FE00010}
	if raw.Float && px.Tag == 0x7FE00008 {
		raw.Allocated = 32
	}
	whole := int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.BitsAllocated)
	raw.Shared = f.FrameBits() != whole
	if raw.Shared && img.Photometric != "YBR_FULL_422" && img.Photometric != "YBR_PARTIAL_422" {
		return Raw{}, unsupported("chroma shared between rows")
	}
	first := int64(frame) * f.FrameBits()
	raw.FirstBit = int(first % 8)
	from, to := first/8, (first+f.FrameBits()+7)/8
	// Samples of 8 bits and less in 16-bit words of a big endian data set: the second byte of a word is the first sample.
	swapped := f.PixelBigEndian() && img.BitsAllocated <= 8 && (px.VR == dcm.VR{'O', 'W'} || px.VR == dcm.VR{})
	lead := int64(0)
	if swapped {
		lead = from % 2
		from, to = from-lead, to+to%2
	}
	if to > px.Length {
		return Raw{}, malformed(fmt.Sprintf("pixel data of %d bytes ends in frame %d", px.Length, frame+1))
	}
	if data := f.Inflated(); data != nil {
		r = dcm.Bytes(data)
	}
	raw.Pix = make([]byte, to-from)
	if n, err := r.ReadAt(raw.Pix, px.ValueOffset+from); n < len(raw.Pix) {
		return Raw{}, fmt.Errorf("render: read frame %d: %w", frame+1, err)
	}
	if swapped {
		for i := 0; i+1 < len(raw.Pix); i += 2 {
			raw.Pix[i], raw.Pix[i+1] = raw.Pix[i+1], raw.Pix[i]
		}
		raw.Pix = raw.Pix[lead:]
	}
	return raw, nil
}
