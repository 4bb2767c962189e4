package rle

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/radtier/radtier/codecs"
)

const everyByte = 0x00FF00FF00FF00FF

// store writes one row of a component into the view: words of the byte planes
// high and low, masked to the view's bits and extended. Words of 8 bits have no high plane.
func store(v *codecs.View, c, y int, high, low []byte) {
	pix, step := v.Pix[c*v.PlaneStride+y*v.RowStride:], v.PixelStride
	if v.Container == 8 {
		if v.Bits < 8 {
			mask, sign := byte(1)<<v.Bits-1, byte(0)
			if v.Signed {
				sign = 1 << (v.Bits - 1)
			}
			extendBytes(low, low, mask, sign)
		}
		if step == 1 {
			copy(pix, low)
			return
		}
		for x, p := 0, 0; x < len(low); x, p = x+1, p+step {
			pix[p] = low[x]
		}
		return
	}
	mask := uint64(1)<<v.Bits - 1
	above, top := uint64(0), v.Bits-1 // bits to set where bit top is set
	if v.Signed {
		above = 0xFFFF &^ mask
	}
	x := 0
	if step == 2 {
		const lanes = 0x0001000100010001
		for mask := mask * lanes; x+4 <= len(low); x += 4 {
			w := weave(high[x:], low[x:]) & mask
			w |= w >> top & lanes * above
			if v.BigEndian {
				w = swap(w)
			}
			binary.LittleEndian.PutUint64(pix[2*x:], w)
		}
	}
	for p := x * step; x < len(low); x, p = x+1, p+step {
		w := (uint64(high[x])<<8 | uint64(low[x])) & mask
		w |= w >> top & 1 * above
		if v.BigEndian {
			pix[p], pix[p+1] = byte(w>>8), byte(w)
		} else {
			pix[p], pix[p+1] = byte(w), byte(w>>8)
		}
	}
}

// differs returns the first column where the view's row has another sample than the byte planes, -1 if none.
func differs(v *codecs.View, c, y int, high, low []byte) int {
	pix, step := v.Pix[c*v.PlaneStride+y*v.RowStride:], v.PixelStride
	mask := uint64(1)<<v.Bits - 1
	x := 0
	switch {
	case v.Container == 8:
		if step == 1 && v.Bits == 8 && bytes.Equal(pix[:len(low)], low) {
			return -1
		}
		for p := 0; x < len(low); x, p = x+1, p+step {
			if uint64(pix[p]^low[x])&mask != 0 {
				return x
			}
		}
		return -1
	case step == 2:
		for mask := mask * 0x0001000100010001; x+4 <= len(low); x += 4 {
			w := binary.LittleEndian.Uint64(pix[2*x:])
			if v.BigEndian {
				w = swap(w)
			}
			if d := (w ^ weave(high[x:], low[x:])) & mask; d != 0 {
				return x + bits.TrailingZeros64(d)/16
			}
		}
	}
	for p := x * step; x < len(low); x, p = x+1, p+step {
		a, b := pix[p], pix[p+1]
		if v.BigEndian {
			a, b = b, a
		}
		if uint64(uint16(b^high[x])<<8|uint16(a^low[x]))&mask != 0 {
			return x
		}
	}
	return -1
}

// weave returns four little endian words of four high and four low bytes.
func weave(high, low []byte) uint64 {
	return spread(binary.LittleEndian.Uint32(low)) | spread(binary.LittleEndian.Uint32(high))<<8
}

// spread puts four bytes into the low halves of four words.
func spread(four uint32) uint64 {
	w := uint64(four)
	w = (w | w<<16) & 0x0000FFFF0000FFFF
	return (w | w<<8) & everyByte
}

// swap exchanges the bytes of four words.
func swap(w uint64) uint64 { return w>>8&everyByte | w&everyByte<<8 }
