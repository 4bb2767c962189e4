package crop

import (
	"fmt"
	"hash"
	"io"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// writeSamples writes the kept rectangle of every kept frame as native samples, and adds them to sum.
func (m *maker) writeSamples(w io.Writer, sum hash.Hash, frame func(i int) (codecs.View, error)) error {
	var row []byte
	for _, i := range m.frames {
		v, err := frame(i)
		if err != nil {
			return fmt.Errorf("crop: frame %d: %w", i+1, err)
		}
		if err := fits(m.f, v); err != nil {
			return err
		}
		for y := range m.spec.Rect.H {
			row = appendRow(row[:0], &v, m.spec.Rect, y)
			sum.Write(row)
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendRow appends row y of the rectangle: little endian words, samples side
// by side, masked to the significant bits and sign-extended (PS3.5 8.1.1).
func appendRow(dst []byte, v *codecs.View, r Rect, y int) []byte {
	mask := uint16(1)<<v.Bits - 1 // 16 bits: the shift gives 0, and the mask all ones
	sign := uint16(0)
	if v.Signed {
		sign = 1 << (v.Bits - 1)
	}
	line := (r.Y+y)*v.RowStride + r.X*v.PixelStride
	for x := range r.W {
		for c := range v.Components {
			at := line + x*v.PixelStride + c*v.PlaneStride
			var s uint16
			switch {
			case v.Container == 8:
				s = uint16(v.Pix[at])
			case v.BigEndian:
				s = uint16(v.Pix[at])<<8 | uint16(v.Pix[at+1])
			default:
				s = uint16(v.Pix[at+1])<<8 | uint16(v.Pix[at])
			}
			s &= mask
			if s&sign != 0 {
				s |= ^mask
			}
			dst = append(dst, byte(s))
			if v.Container == 16 {
				dst = append(dst, byte(s>>8))
			}
		}
	}
	return dst
}

// pixelDescription sets what describes the samples.
func (m *maker) pixelDescription() error {
	b := dcm.NewBuilder().Ints(0x00280010, m.spec.Rect.H).Ints(0x00280011, m.spec.Rect.W)
	if m.f.Image.Samples > 1 {
		b.Ints(0x00280006, 0)
	}
	if p := m.f.Image.Photometric; p == "YBR_RCT" || p == "YBR_ICT" {
		b.Text(0x00280004, "RGB") // decoders undo a codestream's own colour transform (PS3.5 8.2.4)
	}
	return m.e.Set(b)
}

// embeddedBits reads the overlay that lies in one bit of the kept samples (retired, PS3.5 8.1.2), by rows of the rectangle, frame by frame.
func (m *maker) embeddedBits(bit int) (plane bitmap, err error) {
	img, r := m.f.Image, m.spec.Rect
	word := img.BitsAllocated / 8
	var src = m.r
	if in := m.f.Inflated(); in != nil {
		src = dcm.Bytes(in)
	}
	if plane, err = newBitmap(r.W, r.H, len(m.frames)); err != nil {
		return plane, err
	}
	at := bit / 8
	if m.f.PixelBigEndian() {
		at = word - 1 - at
	}
	row := make([]byte, r.W*word)
	for k, i := range m.frames {
		from := m.f.FrameRanges(i)
		if len(from) != 1 || from[0].Length < int64(img.Rows)*int64(img.Columns)*int64(word) {
			return plane, unsupported(0x7FE00010, "an overlay in samples that are not whole frames")
		}
		for y := range r.H {
			off := from[0].ValueOffset + int64((r.Y+y)*img.Columns+r.X)*int64(word)
			if n, err := src.ReadAt(row, off); n < len(row) {
				return plane, fmt.Errorf("crop: read pixel data: %w", err)
			}
			for x := range r.W {
				if row[x*word+at]>>(bit%8)&1 == 1 {
					plane.set(x, y, k)
				}
			}
		}
	}
	return plane, nil
}
