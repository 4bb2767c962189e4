package ht

import "encoding/binary"

// Encoder writes code-blocks.
type Encoder struct {
	mag       []byte // MagSgn bits without stuffing
	vlc       []byte // VLC bits without stuffing
	stuffed   []byte // VLC bytes in the order of their bits
	mel       melWriter
	events    bitPosition // MEL events, in eventBits
	eventBits [(maxArea/4+maxArea/8+2*maxSide)/8 + 16]byte
	quads     [2][1 + maxSide/2 + room]quadSummary // of the row above and of a row, or the other way round; zeros before the first and after the last
	values    [2*maxSide + 4*room]uint32           // of a row: 2(mu-1) and the sign, four for each quad, 0 for zeros
	words     [maxSide/2 + room]uint16             // of a row's quads: where their codewords are
	us        [maxSide/2 + room]uint16             // and their u
	sizes     [maxSide/2 + room]uint32             // and what MagSgn needs: bits 0-3 rho, 4-7 ek, 16-31 U; zeros after the last
	expo      [maxSide + 64]uint8                  // exponents of the bottom samples of the row above, one sample before the first
	above     [maxSide/2 + 64]uint8                // for each quad the largest of them over it, less one
	kernel    bool
}

// room is by how many quads rows are longer than a block, so that kernels may work on groups of 16.
const room = 32

// quadSummary is what a quad's samples say: bits 0-3 rho, 4-7 the samples with the largest exponent, 8-15 that exponent.
type quadSummary = uint16

// NewEncoder returns an encoder. plain keeps it from using the processor's kernels.
func NewEncoder(plain bool) *Encoder {
	return &Encoder{kernel: !plain && haveKernels(),
		// A sample has at most 30 bits of MagSgn. A pair of quads has at most 2 codewords of 7 bits, prefixes, suffixes and extensions of 6, 10 and 8.
		mag: make([]byte, 4*(maxArea+2*maxSide)+64), vlc: make([]byte, 5*(maxArea/4+maxSide)+64), stuffed: make([]byte, 6*(maxArea/4+maxSide)+64)}
}

// Cleanup appends the cleanup segment (7.1) of a block of w x h coefficients to
// dst. Rows lie stride apart in src; magnitudes are below 1<<23. A block of zeros gives no bytes: its packet does not include it.
func (e *Encoder) Cleanup(dst []byte, src []int32, stride, w, h int) []byte {
	nq := (w + 1) / 2
	e.events = bitPosition{}
	clear(e.above[:nq+1])
	var mag, vlc bitPosition
	any := quadSummary(0)
	for y := 0; y < h; y += 2 {
		top := src[y*stride:][:w]
		var bottom []int32
		if y+1 < h {
			bottom = src[(y+1)*stride:][:w]
		}
		row := e.quads[y>>1&1][:1+nq+room]
		any |= e.summarise(row[1:], top, bottom)
		clear(row[1+nq : 1+nq+room])
		if y == 0 {
			vlc = e.initialRow(row[1:], nq, vlc)
		} else {
			vlc = e.laterRow(row, e.quads[y>>1&1^1][:1+nq+room], nq, vlc)
		}
		e.magSgn(&mag, nq)
		largestAbove(e.above[:], e.expo[:], nq, e.kernel)
	}
	if any&15 == 0 {
		return dst
	}
	return e.finish(dst, mag, vlc)
}

// bitPosition is how far a buffer of bits is filled: whole bytes below at, and n bits of acc, fewer than 8.
type bitPosition struct {
	at  int
	acc uint64
	n   uint
}

// put appends the low size bits of x; the others are zero. At most 56 bits at once; buf has 8 bytes more than its bits need.
func (p *bitPosition) put(buf []byte, x uint64, size uint) {
	p.acc |= x << p.n
	p.n += size
	binary.LittleEndian.PutUint64(buf[p.at:], p.acc)
	p.at += int(p.n >> 3)
	p.acc >>= p.n &^ 7
	p.n &= 7
}

// initialRow writes the VLC bits of the first row of quads and notes its MEL events.
func (e *Encoder) initialRow(row []quadSummary, nq int, vlc bitPosition) bitPosition {
	c := uint(0)
	for q := 0; q < nq; q += 2 {
		var u [2]uint
		for i := range 2 {
			s := uint(row[q+i])
			rho, largest := s&15, s>>8
			if q+i >= nq {
				e.sizes[q+i] = 0
				continue
			}
			if c == 0 {
				e.event(rho != 0)
			}
			eps := uint(0)
			if largest > 1 {
				u[i], eps = largest-1, s>>4&15
			}
			word := uint(encodeInitial[c<<8|rho<<4|eps])
			vlc.put(e.vlc, uint64(word&127), word>>7&7)
			e.sizes[q+i] = uint32(rho | word>>10<<4 | max(largest, 1)<<16)
			c = (rho>>1 | rho) & 1
			c |= rho >> 1 & 6
		}
		switch {
		case u[0] > 0 && u[1] > 0:
			high := u[0] > 2 && u[1] > 2
			e.event(high)
			switch {
			case high:
				e.putU(&vlc, u[0]-2, u[1]-2)
			case u[0] > 2: // then u[1] is 1 or 2
				p, s := uCode(u[0]), uSuffix(u[0])
				vlc.put(e.vlc, uint64(p.bits)|uint64(u[1]-1)<<p.size|uint64(s.bits)<<(p.size+1), p.size+1+s.size)
			default:
				e.putU(&vlc, u[0], u[1])
			}
		case u[0]|u[1] != 0:
			e.putU(&vlc, u[0], u[1])
		}
	}
	return vlc
}

// event notes a MEL event.
func (e *Encoder) event(one bool) {
	x := uint64(0)
	if one {
		x = 1
	}
	e.events.put(e.eventBits[:], x, 1)
}

// laterRow writes the VLC bits of another row of quads, under the row above, and notes its MEL events. Both
// rows begin with a quad without significant samples that does not count.
func (e *Encoder) laterRow(row, above []quadSummary, nq int, p bitPosition) bitPosition {
	if e.kernel {
		classifyKernel(&e.words[0], &e.us[0], &e.sizes[0], &row[1], &above[1], &e.above[0], nq, &e.eventBits[0], &e.events)
	} else {
		e.classifyPlain(row, above, nq)
	}
	// A second quad that is not there has no codeword, no u and no samples.
	e.words[nq], e.us[nq], e.sizes[nq] = 0, 0, 0
	at, acc, n := p.at, p.acc, p.n
	words, us, sizes := e.words[:nq+1], e.us[:nq+1], e.sizes[:nq+1]
	for q := 0; q < nq; q += 2 {
		w0, w1 := uint64(encodeLater[words[q]&2047]), uint64(encodeLater[words[q+1]&2047])
		sizes[q] |= uint32(w0 >> 10 << 4)
		sizes[q+1] |= uint32(w1 >> 10 << 4)
		x := w0&127 | w1&127<<(w0>>7&7)
		size := uint(w0>>7&7 + w1>>7&7)
		u0, u1 := us[q], us[q+1]
		if max(u0, u1) >= uint16(len(uWords)) {
			p = bitPosition{at, acc, n}
			p.put(e.vlc, x, size)
			e.putU(&p, uint(u0), uint(u1))
			at, acc, n = p.at, p.acc, p.n
			continue
		}
		a, b := uint64(uWords[u0]), uint64(uWords[u1])
		x |= (a&7 | b&7<<(a>>3&3)) << size
		size += uint(a>>3&3 + b>>3&3)
		x |= (a>>5&31 | b>>5&31<<(a>>10&7)) << (size & 63)
		size += uint(a>>10&7 + b>>10&7)
		acc |= x << n
		n += size
		binary.LittleEndian.PutUint64(e.vlc[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	return bitPosition{at, acc, n}
}

// classifyPlain finds, for each quad of a row, where its codeword is in encodeLater (context, rho, and the samples whose exponent
// is U if u is not 0), u, and what MagSgn needs without what the codeword tells: all from samples that are known, so that quads do not wait for each other.
func (e *Encoder) classifyPlain(row, above []quadSummary, nq int) {
	for q := range nq {
		s, left := row[q+1], row[q]
		before, over, after := above[q], above[q+1], above[q+2]
		// Context (7.3.5): samples above left and above, left, above right and beyond.
		c := (before>>3|over>>1)&1<<8 | (left>>2|left>>3)&1<<9 | (over>>3|after>>1)&1<<10
		rho, largest := s&15, s>>8
		if c == 0 {
			e.event(rho != 0)
		}
		k := quadSummary(1)
		if rho&(rho-1) != 0 { // gamma (7.3.7)
			k = max(1, quadSummary(e.above[q]))
		}
		u, eps := quadSummary(0), quadSummary(0)
		if largest > k {
			u, eps = largest-k, s>>4&15
		}
		e.words[q], e.us[q], e.sizes[q] = c|rho<<4|eps, u, uint32(rho)|uint32(k+u)<<16
	}
}

// magSgn writes the MagSgn bits of a row (7.3.8): of each significant sample the low U bits, or one less where the codeword told the highest.
func (e *Encoder) magSgn(p *bitPosition, nq int) {
	if e.kernel {
		magSgnKernel(&e.mag[0], &e.values[0], &e.sizes[0], (nq+1)/2, p)
		return
	}
	e.magSgnPlain(p, nq)
}

func (e *Encoder) magSgnPlain(p *bitPosition, nq int) {
	for q, s := range e.sizes[:nq] {
		rho, known, u := uint(s), uint(s>>4), uint(s>>16)
		if rho&15 == 0 {
			continue
		}
		v := e.values[4*q:][:4:4]
		m0 := (u - known&1) & -(rho & 1) & 63
		m1 := (u - known>>1&1) & -(rho >> 1 & 1) & 63
		p.put(e.mag, uint64(v[0])&(1<<m0-1)|uint64(v[1])&(1<<m1-1)<<m0, m0+m1)
		m2 := (u - known>>2&1) & -(rho >> 2 & 1) & 63
		m3 := (u - known>>3&1) & -(rho >> 3 & 1) & 63
		p.put(e.mag, uint64(v[2])&(1<<m2-1)|uint64(v[3])&(1<<m3-1)<<m2, m2+m3)
	}
}

// bitString is a few bits, the first one lowest.
type bitString struct{ bits, size uint }

// uCode is the prefix for u (7.3.6, Table 3).
func uCode(u uint) bitString {
	switch {
	case u == 0:
		return bitString{}
	case u == 1:
		return bitString{1, 1}
	case u == 2:
		return bitString{2, 2}
	case u < 5:
		return bitString{4, 3}
	}
	return bitString{0, 3}
}

// uSuffix is the suffix for u, with 5 bits at most; uExtension what comes after that.
func uSuffix(u uint) bitString {
	switch {
	case u < 3:
		return bitString{}
	case u < 5:
		return bitString{u - 3, 1}
	case u < 33:
		return bitString{u - 5, 5}
	}
	return bitString{28 + (u-33)&3, 5}
}

func uExtension(u uint) bitString {
	if u < 33 {
		return bitString{}
	}
	return bitString{(u - 33) >> 2, 4}
}

// putU writes u of a pair of quads: both prefixes, both suffixes, both extensions.
func (e *Encoder) putU(vlc *bitPosition, u0, u1 uint) {
	if u0 < uint(len(uWords)) && u1 < uint(len(uWords)) {
		a, b := uint64(uWords[u0]), uint64(uWords[u1])
		pa, pb, sa, sb := uint(a>>3&3), uint(b>>3&3), uint(a>>10&7), uint(b>>10&7)
		vlc.put(e.vlc, a&7|b&7<<pa|(a>>5&31|b>>5&31<<sa)<<(pa+pb), pa+pb+sa+sb)
		return
	}
	for _, part := range [...]func(uint) bitString{uCode, uSuffix, uExtension} {
		for _, u := range [...]uint{u0, u1} {
			s := part(u)
			vlc.put(e.vlc, uint64(s.bits), s.size)
		}
	}
}

// uWords has, for u without extension, bits 0-2 the prefix, 3-4 its length, 5-9 the suffix, 10-12 its length.
var uWords = func() (t [33]uint16) {
	for u := range uint(len(t)) {
		p, s := uCode(u), uSuffix(u)
		t[u] = uint16(p.bits | p.size<<3 | s.bits<<5 | s.size<<10)
	}
	return t
}()
