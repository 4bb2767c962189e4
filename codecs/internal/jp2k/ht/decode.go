package ht

import (
	"encoding/binary"
	"math/bits"
)

// Decoder reads code-blocks.
type Decoder struct {
	mag    bitBuffer // MagSgn, then SigProp bits
	vlc    bitBuffer // VLC, then MagRef bits
	mel    melReader
	row    vlcRow
	quads  []uint32       // of the block, row by row: a vlcEntry, and u above it
	expo   []uint8        // exponents of the bottom samples of the quad row above, one sample before the first
	above  []uint8        // for each quad the largest of them over it, less one
	spare  [maxSide]int32 // a bottom row that the block does not have
	marks  []uint8        // significance for refinement, with a border of one sample
	kernel bool           // use the processor's kernels
}

// NewDecoder returns a decoder. plain keeps it from using the processor's kernels.
func NewDecoder(plain bool) *Decoder {
	return &Decoder{kernel: !plain && haveKernels(), quads: make([]uint32, maxArea/2+maxSide+2*pad), expo: make([]uint8, maxSide+64), above: make([]uint8, maxSide/2+64)}
}

// Error says what is wrong in a block and where.
type Error struct {
	At     int // offset in the block's bytes
	Clause string
	What   string
}

func (e *Error) Error() string { return e.What }

// pad is by how many quads rows of quads are longer than a block, so that kernels may work on more than one.
const pad = 4

// Cleanup decodes the cleanup pass src (the segment of Lcup bytes) of a block of w x h coefficients into dst, whose
// rows lie stride apart, as integers in units of the pass's bit-plane. planes is Z + 2, the most that the exponent of a sample can be,
// where Z is the number of missing bit-planes that the packet header tells plus placeholder sets; at most 30.
func (d *Decoder) Cleanup(dst []int32, stride, w, h int, src []byte, planes int) *Error {
	if e := d.readQuads(w, h, src); e != nil {
		return e
	}
	return d.magnitudes(dst, stride, w, h, planes)
}

// readQuads reads the MEL and VLC bits of all quads (7.3.3, 7.3.5, 7.3.6), and makes MagSgn ready.
func (d *Decoder) readQuads(w, h int, src []byte) *Error {
	n := len(src)
	if n < 2 {
		return &Error{0, "T.814 7.1.2", "cleanup segment shorter than 2 bytes"}
	}
	suffix := int(src[n-1])<<4 | int(src[n-2])&15 // Scup
	if suffix < 2 || suffix > n || suffix > 4079 {
		return &Error{n - 2, "T.814 7.1.2", "length of the MEL and VLC bits outside the cleanup segment"}
	}
	d.mag.unstuffMagSgn(src[:n-suffix], 8*w+32)
	d.vlc.unstuffVLC(src[n-suffix:n-2], src[n-2]>>4, 2*w+64)
	d.mel.open(src[n-suffix : n])

	nq := (w + 1) / 2
	row := nq + pad // quads of a row; the pad is zeros, so that a row has such quads before it, too
	rows := (h + 1) / 2
	pos := d.initialRow(d.quads[pad:][:row:row], nq)
	for y := 1; y < rows; y++ {
		pos = min(pos, d.vlc.n) // all that follows is zeros
		pos = d.laterRow(d.quads[pad+y*row:][:row:row], d.quads[pad-1+(y-1)*row:][:row+1:row+1], nq, pos)
	}
	d.mel.src = nil // it is the caller's memory
	return nil
}

// initialRow reads the first row of quads.
func (d *Decoder) initialRow(quads []uint32, nq int) (pos uint) {
	v, m := d.vlc.buf, &d.mel
	c := uint(0)
	for q := 0; q < nq; q += 2 {
		if m.have < 3 {
			m.more()
		}
		x := binary.LittleEndian.Uint64(v[pos>>3:]) >> (pos & 7)
		var pair [2]uint
		for i := range 2 {
			e := uint(0)
			if q+i < nq && (c != 0 || m.next() != 0) {
				e = uint(decodeInitial.codewords[(c<<7|uint(x)&127)&1023])
				x, pos = x>>(e>>entryLen), pos+e>>entryLen
			}
			pair[i] = e
			c = (e>>1 | e) & 1
			c |= e >> 1 & 6
		}
		mode := pair[0]>>entryOff&1 | pair[1]>>entryOff&1<<1
		if mode == uBoth {
			mode = uBothLow + m.next()
		}
		u0, u1, n := readU(mode, x)
		quads[q], quads[q+1] = uint32(pair[0]|u0<<entryU), uint32(pair[1]|u1<<entryU)
		pos += n
	}
	clear(quads[nq:])
	return pos
}

// vlcRow is how far a row of quads is read. The kernel knows its layout.
type vlcRow struct {
	q      int    // the next quad, even
	at     int    // the byte that follows the have bits
	x      uint64 // the next bits: at least have, and those above them are the right ones, too
	have   uint64
	events uint64 // MEL events, the next one lowest
	left   int    // their number
	e      uint64 // the codeword of the quad before q
}

// laterRow reads a row of quads under the row above; before that row's first quad lies one without significant samples.
func (d *Decoder) laterRow(quads, above []uint32, nq int, pos uint) uint {
	v, m := d.vlc.buf, &d.mel
	s := &d.row
	*s = vlcRow{at: int(pos>>3) + 7, x: binary.LittleEndian.Uint64(v[pos>>3:]) >> (pos & 7), have: uint64(56 - pos&7), events: m.events, left: int(m.have)}
	above = above[:1+nq+pad]
	quads = quads[:nq+pad]
	for s.q < nq {
		if s.left < 2 {
			m.events, m.have = s.events, uint(s.left)
			m.more()
			s.events, s.left = m.events, int(m.have)
		}
		if d.kernel && nq-s.q >= 2 {
			quadsKernel(&quads[0], &above[1], nq&^1, &v[0], decodeTables, s)
		} else {
			quadsPlain(quads, above, nq, v, s)
		}
	}
	m.events, m.have = s.events, uint(s.left)
	clear(quads[nq:])
	return uint(s.at)*8 - uint(s.have)
}

// quadsPlain reads quads of a row, two by two, while there are MEL events for them. What takes it from one pair to the next is
// the window on the VLC bits only: two codewords and the prefixes of u are found in it, one after the other. All else is without branches.
func quadsPlain(quads, above []uint32, nq int, v []byte, s *vlcRow) {
	at, x, have, events, left := s.at, s.x, s.have, s.events, s.left
	q, e1 := s.q, uint32(s.e)
	t := decodeTables
	for ; q < nq && left >= 2; q += 2 {
		around := above[q:][:4:4] // from the quad above left
		// Context (7.3.5): samples above left and above, left, above right and beyond. Without any, a
		// MEL event says whether the quad has significant samples at all.
		c := around[0]<<4&128 | around[1]<<6&640 | around[2]<<8&512 | e1&(1<<entryLeft)
		none := (c - 1) >> 31
		e0 := t.codewords[(c|uint32(x)&127)&1023] & (none - 1 | -uint32(events&1))
		events, left = events>>none, left-int(none)
		x >>= e0 >> entryLen & 63

		c = around[1]<<4&128 | around[2]<<6&640 | around[3]<<8&512 | e0&(1<<entryLeft)
		none = (c - 1) >> 31
		second := ^uint32(0)
		if q+1 == nq {
			none, second = 0, 0 // there is no second quad
		}
		e1 = t.codewords[(c|uint32(x)&127)&1023] & (none - 1 | -uint32(events&1)) & second
		events, left = events>>none, left-int(none)
		x >>= e1 >> entryLen & 63

		p := t.prefixes[(e0&(1<<entryOff)|e1&(1<<entryOff)<<1|uint32(x)&63)&255]
		n, n0, n1 := p&7, p>>3&7, p>>6&7
		s0 := uint32(x>>n) & (1<<n0 - 1)
		s1 := uint32(x>>(n+n0)) & (1<<n1 - 1)
		x >>= p >> 16 & 63
		have -= uint64(e0>>entryLen + e1>>entryLen + p>>16)
		if s0 >= 28 {
			s0 += uint32(x) & 15 << 2
			x, have = x>>4, have-4
		}
		if s1 >= 28 {
			s1 += uint32(x) & 15 << 2
			x, have = x>>4, have-4
		}
		quads[q] = e0 | (p>>9&7+s0)<<entryU
		quads[q+1] = e1 | (p>>12&7+s1)<<entryU
		x |= binary.LittleEndian.Uint64(v[at:]) << (have & 63)
		at += int((63 - have) >> 3)
		have |= 56
	}
	*s = vlcRow{q, at, x, have, events, left, uint64(e1)}
}

// readU reads u of a pair of quads: prefixes, suffixes, extensions (7.3.6). n is the number of bits read.
func readU(mode uint, x uint64) (u0, u1, n uint) {
	p := uint(uPrefix[(mode<<6|uint(x)&63)%(6<<6)])
	n = p & 7
	n0, n1 := p>>3&7, p>>6&7
	x >>= n
	s0 := uint(x) & (1<<n0 - 1)
	x >>= n0
	s1 := uint(x) & (1<<n1 - 1)
	u0, u1, n = p>>9&7+s0, p>>12&7+s1, n+n0+n1
	if s0|s1 >= 28 {
		x >>= n1
		if s0 >= 28 {
			u0 += uint(x) & 15 << 2
			x, n = x>>4, n+4
		}
		if s1 >= 28 {
			u1 += uint(x) & 15 << 2
			n += 4
		}
	}
	return u0, u1, n
}

// magnitudes reads the MagSgn bits of all quads (7.3.8) into dst.
func (d *Decoder) magnitudes(dst []int32, stride, w, h, planes int) *Error {
	row := (w+1)/2 + pad
	nq := (w + 1) / 2
	clear(d.above[:nq])
	clear(d.expo[:w+4])
	var pos uint
	for y := 0; 2*y < h; y++ {
		if pos > d.mag.n {
			pos = d.mag.n // all that follows is ones
		}
		quads := d.quads[pad+y*row:][:nq]
		top := dst[2*y*stride:][:w]
		var bottom []int32
		if 2*y+1 < h {
			bottom = dst[(2*y+1)*stride:][:w]
		}
		var most uint32
		pos, most = d.magnitudeRow(top, bottom, quads, pos, uint32(planes))
		if most > uint32(planes) {
			return &Error{0, "T.814 7.3.7", "exponent beyond the bit-planes of its band"}
		}
		largestAbove(d.above, d.expo, nq, d.kernel)
	}
	return nil
}

// magnitudeRow decodes a row of quads; bottom is nil if the block ends with the
// top samples. It leaves the exponents of the bottom samples in expo, and returns the largest U.
func (d *Decoder) magnitudeRow(top, bottom []int32, quads []uint32, pos uint, planes uint32) (uint, uint32) {
	w, whole := len(top), 0
	most := uint32(0)
	if d.kernel && w >= 4 && planes <= 24 {
		below := &d.spare[0]
		if bottom != nil {
			below = &bottom[0]
		}
		whole = w &^ 3
		pos, most = magnitudeKernel(&top[0], below, whole/4, &quads[0], &d.above[0], &d.expo[1], &d.mag.buf[0], pos, planes)
		if whole == w {
			return pos, most
		}
		if bottom != nil {
			bottom = bottom[whole:]
		}
	}
	pos, rest := d.magnitudesPlain(top[whole:], bottom, quads[whole/2:], d.above[whole/2:], d.expo[1+whole:], pos, planes)
	return pos, max(most, rest)
}

// magnitudesPlain does so for quads with all their data.
func (d *Decoder) magnitudesPlain(top, bottom []int32, quads []uint32, above, expo []uint8, pos uint, planes uint32) (uint, uint32) {
	m := d.mag.buf
	above = above[:len(quads)]
	expo = expo[:2*len(quads)]
	most := uint32(0)
	for q, info := range quads {
		rho := info & 15
		if rho == 0 {
			expo[2*q], expo[2*q+1] = 0, 0
			top[2*q] = 0
			if bottom != nil {
				bottom[2*q] = 0
			}
			if 2*q+1 < len(top) {
				top[2*q+1] = 0
				if bottom != nil {
					bottom[2*q+1] = 0
				}
			}
			continue
		}
		u := info>>entryU + kappa(rho, above[q])
		most = max(most, u)
		u = min(u, planes) // beyond it the block is refused
		var value [4]int32
		var e [4]uint8
		for n := range uint32(4) {
			if rho>>n&1 == 0 {
				continue
			}
			size := u - info>>(entryEK+n)&1
			v := binary.LittleEndian.Uint64(m[pos>>3:]) >> (pos & 7) & (1<<(size&63) - 1)
			pos += uint(size)
			v |= uint64(info>>(entryE1+n)&1) << (size & 63)
			// v is 2(mu-1) and the sign (7.3.8)
			x := int32(v>>1) + 1
			value[n] = (x ^ -int32(v&1)) + int32(v&1)
			e[n] = uint8(bits.Len64(v | 1))
		}
		expo[2*q], expo[2*q+1] = e[1], e[3]
		top[2*q] = value[0]
		if bottom != nil {
			bottom[2*q] = value[1]
		}
		if 2*q+1 < len(top) {
			top[2*q+1] = value[2]
			if bottom != nil {
				bottom[2*q+1] = value[3]
			}
		}
	}
	return pos, most
}

// kappa predicts U from the largest exponent above, less one (7.3.7): at least 1, and
// better only for quads with several significant samples.
func kappa(rho uint32, above uint8) uint32 {
	if rho&(rho-1) == 0 {
		return 1
	}
	return max(1, uint32(above))
}

// largestAbove gives for each quad the largest of the four exponents over it, from
// the sample before its first to that after its last, less one, at least 0. expo begins with
// the sample before the first quad. Both have room for whole groups of 16 quads.
func largestAbove(above, expo []uint8, nq int, kernel bool) {
	if kernel {
		groups := (nq + 15) / 16
		_, _ = above[16*groups-1], expo[32*groups+2]
		largestAboveKernel(&above[0], &expo[0], groups)
		return
	}
	largestAbovePlain(above[:nq], expo[:2*nq+2])
}

func largestAbovePlain(above, expo []uint8) {
	for q := range above {
		e := expo[2*q:][:4:4]
		above[q] = max(e[0], e[1], e[2], e[3], 1) - 1
	}
}
