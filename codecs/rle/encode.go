package rle

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// Encoder is a [codecs.Encoder]. It takes every view: 8 and 16 bits, signed or not, 1, 3 or 4 components.
type Encoder struct {
	row []byte // one row of one byte plane
}

// NewEncoder returns an encoder.
func NewEncoder() *Encoder { return &Encoder{} }

// MemoryNeeded returns the size of the output when nothing can be packed, and of a row.
func (e *Encoder) MemoryNeeded(v codecs.View) int64 {
	return grown(worst(&v)) + grown(int64(v.Width))
}

// worst is the most bytes a codestream of the view can take.
func worst(v *codecs.View) int64 {
	plane := int64(v.Height)*int64(worstRow(v.Width)) + 1
	return headerSize + plane*int64(v.Components*v.WordBytes())
}

// grown is a bound of what the allocator takes for n bytes: it rounds up to size classes, by an eighth and a page at most.
func grown(n int64) int64 { return n + n/8 + 8<<10 }

// Encode appends the frame's codestream to dst. Words are zero- or sign-extended to their container first (PS3.5 8.1.1).
func (e *Encoder) Encode(dst []byte, v codecs.View, opts codecs.EncodeOptions) ([]byte, codecs.Layout, error) {
	if err := check(&v); err != nil {
		return dst, codecs.Layout{}, err
	}
	if worst(&v) > 1<<32-1 {
		return dst, codecs.Layout{}, unsupported("a frame whose segment offsets may pass 32 bits")
	}
	if err := cancelled(opts.Context, 0); err != nil {
		return dst, codecs.Layout{}, err
	}
	if cap(e.row) < v.Width {
		e.row = make([]byte, v.Width)
	}
	start := len(dst)
	out := dst
	if need := int(worst(&v)); cap(dst)-start < need {
		out = make([]byte, start, start+need)
		copy(out, dst)
	}
	out = out[:start+headerSize]
	clear(out[start:])
	binary.LittleEndian.PutUint32(out[start:], uint32(v.Components*v.WordBytes()))
	segment := 0
	for c := range v.Components {
		for shift := v.Container - 8; shift >= 0; shift -= 8 {
			segment++
			binary.LittleEndian.PutUint32(out[start+4*segment:], uint32(len(out)-start))
			for y := range v.Height {
				if err := cancelled(opts.Context, y); err != nil {
					return dst, codecs.Layout{}, err
				}
				out = pack(out, loadPlane(e.row[:v.Width], &v, c, y, shift))
			}
			if (len(out)-start)%2 != 0 {
				out = append(out, 0)
			}
		}
	}
	return out, codecs.Layout{}, nil
}

// loadPlane returns the byte at bit shift of every word of a row, extended
// from Bits. Where the bytes lie side by side and need no extension it returns them in place.
func loadPlane(row []byte, v *codecs.View, c, y, shift int) []byte {
	base := c*v.PlaneStride + y*v.RowStride
	step := v.PixelStride
	mask, sign := byte(0xFF), byte(0) // of this byte, when it holds Bits' highest
	fill := false                     // the whole byte is extension
	switch top := v.Bits - shift; {
	case top <= 0:
		fill = true
	case top < 8:
		mask = 1<<top - 1
		if v.Signed {
			sign = 1 << (top - 1)
		}
	}
	at := base // of the byte wanted
	if v.Container == 16 && (shift == 8) != v.BigEndian {
		at++
	}
	if fill {
		if !v.Signed {
			clear(row)
			return row
		}
		low := base // of the low byte, which holds the sign
		if v.BigEndian {
			low++
		}
		pix := v.Pix[low:]
		for x := range row {
			row[x] = -(pix[x*step] >> (v.Bits - 1) & 1)
		}
		return row
	}
	pix := v.Pix[at:]
	switch {
	case step == 1 && mask == 0xFF:
		return pix[:len(row)]
	case step == 2:
		loadPairs(row, pix)
	default:
		for x, p := 0, 0; x < len(row); x, p = x+1, p+step {
			row[x] = pix[p]
		}
	}
	if mask != 0xFF {
		extendBytes(row, row, mask, sign)
	}
	return row
}

// loadPairs takes every second byte of pix, from the first on.
func loadPairs(row, pix []byte) {
	x := 0
	for ; x+4 <= len(row) && 2*x+8 <= len(pix); x += 4 {
		w := binary.LittleEndian.Uint64(pix[2*x:]) & 0x00FF00FF00FF00FF
		w = (w | w>>8) & 0x0000FFFF0000FFFF
		binary.LittleEndian.PutUint32(row[x:], uint32(w|w>>16))
	}
	for ; x < len(row); x++ {
		row[x] = pix[2*x]
	}
}

// extendBytes masks bytes and extends the sign bit, if sign is not zero.
func extendBytes(dst, src []byte, mask, sign byte) {
	src = src[:len(dst)]
	for x, b := range src {
		b &= mask
		dst[x] = b | -(b&sign)&^mask
	}
}
