package dcm

import "fmt"

// overlay is one overlay plane kept in an unused bit of native samples, which
// encapsulated syntaxes do not allow (PS3.5 8.1.2): it moves to (60xx,3000).
type overlay struct {
	group uint32 // 6000, 6002, ... 601E
	bit   int
	done  bool
}

const overlayGroups = 0x601E

// findOverlays lists the overlays that have to move, and refuses those that cannot.
func (x *rewriter) findOverlays() error {
	f := x.f
	for group := uint32(0x6000); group <= overlayGroups; group += 2 {
		base := group << 16
		position := f.Find(base | 0x0102)
		if position == nil || position.Length != 2 || f.Find(base|0x3000) != nil {
			continue
		}
		bit, err := x.number(base | 0x0102)
		if err != nil {
			return err
		}
		rows, err := x.number(base | 0x0010)
		if err != nil {
			return err
		}
		columns, err := x.number(base | 0x0011)
		if err != nil {
			return err
		}
		frames := 1
		if e := f.Find(base | 0x0015); e != nil {
			t, err := x.text(e)
			if err != nil {
				return err
			}
			frames = parseInt([]byte(t))
		}
		img := f.Image
		what := ""
		switch {
		case bit == 0 && rows == 0:
			continue // not in use
		case f.Pixel.Encapsulated || f.Pixel.FrameProblem != "":
			what = "overlay inside pixel data that is encapsulated or not whole frames"
		case img.BitsAllocated != 8 && img.BitsAllocated != 16 || img.Samples != 1 || f.swapped8():
			what = fmt.Sprintf("overlay inside samples of %d bits, %d a pixel", img.BitsAllocated, img.Samples)
		case bit >= img.BitsAllocated || bit <= img.HighBit && bit > img.HighBit-img.BitsStored:
			what = fmt.Sprintf("overlay at bit %d, which holds the image", bit)
		case rows != img.Rows || columns != img.Columns || frames != img.Frames:
			what = "overlay of another size than the image that holds it"
		}
		if what != "" {
			return &UnsupportedError{base | 0x0102, what}
		}
		x.overlays = append(x.overlays, overlay{group: group, bit: bit})
	}
	return nil
}

// number reads a top-level US element, 0 if it is absent.
func (x *rewriter) number(tag uint32) (int, error) {
	e := x.f.Find(tag)
	if e == nil || e.Length != 2 {
		return 0, nil
	}
	p, err := x.src.peek(e.ValueOffset, 2)
	if err != nil {
		return 0, err
	}
	return int(x.f.Encoding.u16(p)), nil
}

// overlayElement reports whether an element describes where a moved overlay was.
func (x *rewriter) overlayElement(tag uint32) bool {
	for i := range x.overlays {
		if tag == x.overlays[i].group<<16|0x0100 || tag == x.overlays[i].group<<16|0x0102 {
			return true
		}
	}
	return false
}

// overlayDescription writes Overlay Bits Allocated 1 and Overlay Bit Position 0.
func (x *rewriter) overlayDescription(e *Element) error {
	value := []byte{0, 0}
	if e.Tag&0xFFFF == 0x0100 {
		value[0] = 1
	}
	return x.x.value(e.Tag, vrUS, value)
}

// overlayData writes (60xx,3000) of each moved overlay whose place is before the element next.
func (x *rewriter) overlayData(next uint32) error {
	for i := range x.overlays {
		o := &x.overlays[i]
		if o.done || next <= o.group<<16|0x3000 {
			continue
		}
		o.done = true
		bits, err := x.overlayBits(o.bit)
		if err != nil {
			return err
		}
		if err := x.x.value(o.group<<16|0x3000, vrOW, bits); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}

// overlayBits collects one bit of every sample, first sample in the lowest bit.
func (x *rewriter) overlayBits(bit int) ([]byte, error) {
	img, px := x.f.Image, x.f.Pixel
	word := int64(img.BitsAllocated / 8)
	n := int64(img.Rows) * int64(img.Columns) * int64(img.Frames)
	out := make([]byte, (n+7)/8)
	// Byte of a word that holds the bit.
	at := int64(bit / 8)
	if x.f.PixelBigEndian() {
		at = word - 1 - at
	}
	mask := byte(1) << (bit % 8)
	for i := int64(0); i < n; {
		k := min(n-i, maxChunk/word)
		p, err := x.src.peek(px.ValueOffset+i*word, int(k*word))
		if err != nil {
			return nil, err
		}
		for j := range k {
			if p[j*word+at]&mask != 0 {
				out[(i+j)/8] |= 1 << ((i + j) % 8)
			}
		}
		i += k
	}
	return out, nil
}
