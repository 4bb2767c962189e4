package ht

// Block is what a packet says of a code-block with one HT set.
type Block struct {
	W, H       int
	Planes     int    // Mb, the magnitude bit-planes of the band, ROI shift included (T.800 E-2, H-1)
	Missing    int    // missing bit-planes, those of placeholder sets included (T.814 B.3)
	Passes     int    // 1 to 3: cleanup, SigProp, MagRef
	Cleanup    []byte // its segment
	Refinement []byte // segment of SigProp and MagRef
	Causal     bool   // vertically causal contexts (T.800 D.7)
	Reversible bool
}

// MaxPlanes is the largest Mb that coefficients of 32 bits can hold.
const MaxPlanes = 30

// Decode decodes a block into dst, whose rows lie stride apart: reversible
// coefficients as integers, irreversible ones doubled, so that they can lie between two quantisation steps.
// Bits that the passes do not tell are taken as half a step (T.800 E.1.1.2).
func (d *Decoder) Decode(dst []int32, stride int, b *Block) *Error {
	p := b.Planes - 1 - b.Missing // the bit-plane of the cleanup pass
	switch {
	case p < 0:
		return &Error{0, "T.814 B.3", "more missing bit-planes than the band has"}
	case b.Passes > 1 && p == 0:
		return &Error{0, "T.814 7.4", "refinement below the lowest bit-plane"}
	}
	if err := d.Cleanup(dst, stride, b.W, b.H, b.Cleanup, b.Missing+2); err != nil {
		return err
	}
	if b.Passes == 1 {
		if !b.Reversible || p > 0 {
			up, half := uint(p), int32(1)<<p>>1
			if !b.Reversible {
				up, half = up+1, 1<<p
			}
			scale(dst, stride, b.W, b.H, up, half)
		}
		return nil
	}
	d.refine(dst, stride, b)
	// A unit is now a quarter of the cleanup pass's.
	up := p - 2
	if !b.Reversible {
		up++
	}
	if up >= 0 {
		scale(dst, stride, b.W, b.H, uint(up), 0)
		return nil
	}
	for y := range b.H { // p is 1, and the last two bits say one half
		row := dst[y*stride:][:b.W]
		for x, v := range row {
			m := (v ^ v>>31) - v>>31
			m >>= 1
			row[x] = (m ^ v>>31) - v>>31
		}
	}
	return nil
}

// scale shifts magnitudes up and adds half to those that are not zero.
func scale(dst []int32, stride, w, h int, up uint, half int32) {
	for y := range h {
		row := dst[y*stride:][:w]
		for x, v := range row {
			if v != 0 {
				s := v >> 31
				m := ((v^s)-s)<<up + half
				row[x] = (m ^ s) - s
			}
		}
	}
}

// Significance of a sample, in d.marks.
const (
	byCleanup = 1
	bySigProp = 2
)

// refine decodes the SigProp pass (7.4) and, if there is one, the MagRef pass
// (7.5). Coefficients come in units of the cleanup pass's bit-plane and go in quarters of them, half a step included.
func (d *Decoder) refine(dst []int32, stride int, b *Block) {
	w, h := b.W, b.H
	row := w + 2
	if need := row * (h + 2); cap(d.marks) < need {
		d.marks = make([]uint8, need+need/2)
	}
	marks := d.marks[:row*(h+2)]
	clear(marks)
	for y := range h {
		for x, v := range dst[y*stride:][:w] {
			if v != 0 {
				marks[(y+1)*row+x+1] = byCleanup
				dst[y*stride+x] = v*4 + 2 - v>>31&4 // 4 mu + 2, with the sign
			}
		}
	}
	d.mag.unstuffForward(b.Refinement, 8*w+32, 0)
	pos := uint(0)
	for top := 0; top < h; top += 4 {
		pos = min(pos, d.mag.n) // all that follows is zeros
		for left := 0; left < w; left += 4 {
			pos = d.sigProp(dst, stride, marks, row, left, top, b, pos)
		}
	}
	if b.Passes > 2 {
		d.magRef(dst, stride, marks, row, b)
	}
}

// sigProp decodes four columns of a stripe: what becomes significant, then the signs of that (7.4).
func (d *Decoder) sigProp(dst []int32, stride int, marks []uint8, row, left, top int, b *Block, pos uint) uint {
	right, end := min(left+4, b.W), min(top+4, b.H)
	var found [16]int
	n := 0
	for x := left; x < right; x++ {
		for y := top; y < end; y++ {
			at := (y+1)*row + x + 1
			if marks[at] != 0 {
				continue
			}
			near := marks[at-row-1] | marks[at-row] | marks[at-row+1] | marks[at-1] | marks[at+1]
			if !b.Causal || y+1 < top+4 {
				near |= marks[at+row-1] | marks[at+row] | marks[at+row+1]
			}
			if near == 0 {
				continue
			}
			if d.mag.buf[pos>>3]>>(pos&7)&1 != 0 {
				marks[at] = bySigProp
				found[n] = y*stride + x
				n++
			}
			pos++
		}
	}
	for _, at := range found[:n] {
		dst[at] = 3
		if d.mag.buf[pos>>3]>>(pos&7)&1 != 0 {
			dst[at] = -3
		}
		pos++
	}
	return pos
}

// magRef decodes one more bit of each sample that the cleanup pass found (7.5). Its bits come from the end of the segment.
func (d *Decoder) magRef(dst []int32, stride int, marks []uint8, row int, b *Block) {
	d.vlc.unstuffBackward(b.Refinement, 0, 0, true, 8*b.W+32)
	pos := uint(0)
	for top := 0; top < b.H; top += 4 {
		pos = min(pos, d.vlc.n)
		for x := range b.W {
			for y := top; y < min(top+4, b.H); y++ {
				if marks[(y+1)*row+x+1]&byCleanup == 0 {
					continue
				}
				bit := int32(d.vlc.buf[pos>>3] >> (pos & 7) & 1)
				pos++
				at := y*stride + x
				v := dst[at] // 4 mu + 2, becomes 4 mu + 2 bit + 1
				s := v >> 31
				dst[at] = (((v ^ s) - s - 1 + 2*bit) ^ s) - s
			}
		}
	}
}
