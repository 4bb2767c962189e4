package crop

import (
	"encoding/binary"
	"math/bits"

	"github.com/radtier/radtier/internal/dcm"
)

// Overlay planes (PS3.3 C.9.2) become planes of exactly the kept rectangle,
// at origin 1\1, with one bit a pixel. Those that show nothing of it are removed.

// Elements of an overlay group.
const (
	overlayRows     = 0x0010
	overlayColumns  = 0x0011
	overlayFrames   = 0x0015
	overlayOrigin   = 0x0050
	overlayFirst    = 0x0051
	overlayPacking  = 0x0060 // compression code, retired
	overlayBits     = 0x0100
	overlayPosition = 0x0102
	overlayArea     = 0x1301 // of a region of interest; mean and deviation follow
	overlayData     = 0x3000
)

// bitmap is planes of single bits, the first in the lowest bit of a byte; planes follow without gap.
type bitmap struct {
	w, h int
	data []byte
}

const mostOverlayBytes = 64 << 20

func newBitmap(w, h, planes int) (bitmap, error) {
	n := (int64(w)*int64(h)*int64(planes) + 7) / 8
	if n > mostOverlayBytes {
		return bitmap{}, unsupported(0x60003000, "an overlay of %d bytes", n)
	}
	return bitmap{w, h, make([]byte, n+n%2)}, nil
}

func (b *bitmap) set(x, y, plane int) {
	i := (plane*b.h+y)*b.w + x
	b.data[i/8] |= 1 << (i % 8)
}

func ones(p []byte) (n int) {
	for _, b := range p {
		n += bits.OnesCount8(b)
	}
	return n
}

// overlays moves all overlay planes.
func (m *maker) overlays() error {
	for group := uint32(0x6000); group <= 0x601E; group += 2 {
		if err := m.overlay(group << 16); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) removeOverlay(base uint32) {
	m.e.Delete(func(t uint32) bool { return t&0xFFFF0000 == base })
}

func (m *maker) overlay(base uint32) error {
	number := func(element uint32, absent int) int {
		if v := m.v.Ints(base | element); len(v) > 0 {
			return v[0]
		}
		return absent
	}
	rows, columns := number(overlayRows, 0), number(overlayColumns, 0)
	if m.v.Has(base|overlayPacking) && m.v.Length(base|overlayPacking) > 0 && m.v.String(base|overlayPacking) != "NONE" {
		return unsupported(base|overlayPacking, "a compressed overlay")
	}
	var plane bitmap
	var err error
	all := true // everything that was set is kept
	planes := 0
	switch position := number(overlayPosition, 0); {
	case m.v.Has(base | overlayData):
		planes = number(overlayFrames, 1)
		plane, all, err = m.overlayPart(base, rows, columns, planes, m.v.Has(base|overlayFrames))
	case position > 0 && rows > 0:
		img := m.f.Image
		if m.f.Pixel.Encapsulated || img.Samples != 1 || rows != img.Rows || columns != img.Columns || position >= img.BitsAllocated || position < img.BitsStored {
			return unsupported(base|overlayPosition, "an overlay inside samples that does not fit them")
		}
		planes, all = number(overlayFrames, 1), false
		plane, err = m.embeddedBits(position)
	default:
		m.removeOverlay(base) // there is no plane: whatever describes it describes nothing
		return nil
	}
	if err != nil {
		return err
	}
	if plane.data == nil {
		m.removeOverlay(base)
		return nil
	}
	b := dcm.NewBuilder().Raw(base|overlayRows, "US", words(plane.h)).Raw(base|overlayColumns, "US", words(plane.w)).
		Raw(base|overlayOrigin, "SS", words(1, 1)).Raw(base|overlayBits, "US", words(1)).Raw(base|overlayPosition, "US", words(0)).
		Raw(base|overlayData, "OW", plane.data)
	if m.v.Has(base | overlayFrames) {
		b.Ints(base|overlayFrames, len(m.frames))
	} else if !m.v.Has(base|overlayData) && len(m.frames) > 1 {
		b.Ints(base|overlayFrames, len(m.frames))
	}
	if m.v.Has(base | overlayFirst) {
		b.Raw(base|overlayFirst, "US", words(1))
	}
	if !all { // statistics of a region of interest that is not all there any more
		m.e.DeleteTags(base|overlayArea, base|overlayArea+1, base|overlayArea+2)
	}
	return m.e.Set(b)
}

// overlayPart cuts the rectangle out of an overlay's own plane; no data if
// they do not touch. An overlay with a number of frames has its first one over image frame (60xx,0051); one without lies over all.
func (m *maker) overlayPart(base uint32, rows, columns, planes int, several bool) (out bitmap, all bool, err error) {
	data, err := m.e.Bytes(base | overlayData)
	if err != nil {
		return out, false, err
	}
	r := m.spec.Rect
	top, left := 1, 1
	if o := m.v.Ints(base | overlayOrigin); len(o) == 2 {
		top, left = o[0], o[1]
	}
	if rows < 1 || columns < 1 || planes < 1 || planes > len(data)*8 || int64(rows)*int64(columns)*int64(planes) > int64(len(data))*8 {
		return out, false, unsupported(base|overlayData, "an overlay of %d planes of %d x %d in %d bytes", planes, columns, rows, len(data))
	}
	// The overlay's columns and rows that lie in the rectangle.
	x0, x1 := max(0, r.X-(left-1)), min(columns, r.X+r.W-(left-1))
	y0, y1 := max(0, r.Y-(top-1)), min(rows, r.Y+r.H-(top-1))
	if x0 >= x1 || y0 >= y1 {
		return out, false, nil
	}
	first := 1
	if v := m.v.Ints(base | overlayFirst); len(v) > 0 {
		first = v[0]
	}
	over := []int{0} // for each plane written the source's, -1 for none
	if several {
		over = over[:0]
		for _, i := range m.frames {
			k := i + 1 - first
			if k < 0 || k >= planes {
				k = -1
			}
			over = append(over, k)
		}
	}
	if out, err = newBitmap(r.W, r.H, len(over)); err != nil {
		return out, false, err
	}
	for to, from := range over {
		for y := y0; y < y1 && from >= 0; y++ {
			line := (from*rows + y) * columns
			for x := x0; x < x1; x++ {
				if i := line + x; data[i/8]>>(i%8)&1 == 1 {
					out.set(x+left-1-r.X, y+top-1-r.Y, to)
				}
			}
		}
	}
	used := rows * columns * planes
	for i := used; i < len(data)*8 && i%8 != 0; i++ { // bits behind the last plane
		data[i/8] &^= 1 << (i % 8)
	}
	return out, ones(data[:(used+7)/8]) == ones(out.data), nil
}

// words encodes 16-bit numbers.
func words(list ...int) (p []byte) {
	for _, v := range list {
		p = binary.LittleEndian.AppendUint16(p, uint16(v))
	}
	return p
}
