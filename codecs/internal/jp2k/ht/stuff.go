package ht

import (
	"encoding/binary"
	mathbits "math/bits"
)

// finish appends the MagSgn, MEL and VLC bits with their stuffing, and Scup (7.1.1).
func (e *Encoder) finish(dst []byte, mag, vlc bitPosition) []byte {
	start := len(dst)
	// MagSgn: ones fill the last byte, and the reader sees ones after the end, so a last FF is not written.
	e.mag[mag.at] = byte(mag.acc) | 0xFF<<mag.n
	n := uint(mag.at)*8 + mag.n
	dst = appendStuffed(dst, e.mag[:], n)
	for len(dst) > start && dst[len(dst)-1] == 0xFF {
		dst = dst[:len(dst)-1]
	}
	suffix := len(dst)

	e.mel.code(e.eventBits[:], e.events)
	binary.LittleEndian.PutUint64(e.vlc[vlc.at:], vlc.acc)
	n = uint(vlc.at)*8 + vlc.n
	words, used := e.stuffVLC(n)
	var shared bool
	if dst, shared = e.mel.finish(dst, words, used); shared {
		words = words[:len(words)-1]
	}
	for i := len(words) - 1; i >= 0; i-- {
		dst = append(dst, words[i])
	}
	size := len(dst) + 1 - suffix // Scup counts the byte that is still to come
	dst[len(dst)-1] = dst[len(dst)-1]&0xF0 | byte(size&15)
	return append(dst, byte(size>>4))
}

// appendStuffed appends n bits of src, with a zero above the seven bits that
// follow an FF (7.1.3). After the last bit src has ones up to a whole byte, and 8 bytes that may be read.
func appendStuffed(dst []byte, src []byte, n uint) []byte {
	pos := uint(0)
	ff := false
	for pos < n {
		x := binary.LittleEndian.Uint64(src[pos>>3:]) >> (pos & 7)
		if !ff && n-pos >= 64 {
			// 56 bits are there for certain.
			if x &= 1<<56 - 1; anyFF(x) == 0 {
				dst = binary.LittleEndian.AppendUint64(dst, x)
				dst = dst[:len(dst)-1]
				pos += 56
				continue
			}
		}
		size := uint(8)
		b := byte(x)
		if ff {
			size, b = 7, b&0x7F
		}
		if left := n - pos; left < size {
			b |= byte(0xFF) << left & (1<<size - 1)
		}
		dst = append(dst, b)
		ff = b == 0xFF
		pos += size
	}
	return dst
}

// stuffVLC gives the n VLC bits as bytes in the order of their bits, the first
// // one the byte that it shares with Scup (7.1.4), and how many low bits of the last one are used.
func (e *Encoder) stuffVLC(n uint) (words []byte, used uint) {
	out := e.stuffed[:0]
	pos := uint(0)
	// The first byte takes 4 bits, or 3 if these are ones: what comes before it counts as more than 8F.
	x := e.vlc[0]
	take := uint(4)
	if x&7 == 7 {
		take = 3
	}
	b := x&(1<<take-1)<<4 | 0x0F // the half byte of Scup counts as ones
	out = append(out, b)
	pos += take
	used = 4 + min(take, n)
	high := b > 0x8F
	for pos < n {
		x := binary.LittleEndian.Uint64(e.vlc[pos>>3:]) >> (pos & 7)
		if n-pos >= 64 {
			if x &= 1<<56 - 1; anyLow7F(x) == 0 {
				out = binary.LittleEndian.AppendUint64(out, x)
				out = out[:len(out)-1]
				pos += 56
				high = byte(x>>48) > 0x8F
				continue
			}
		}
		b, take := byte(x), uint(8)
		if high && b&0x7F == 0x7F {
			b, take = 0x7F, 7
		}
		out = append(out, b)
		used = min(take, n-pos)
		pos += take
		high = b > 0x8F
	}
	return out, used
}

// melWriter writes MEL events (7.3.3).
type melWriter struct {
	buf  []byte
	acc  uint64 // bits of the byte under way
	left uint   // how many it still takes
	run  uint32 // zeros since the last codeword
}

// code codes events, the first one lowest in the first byte.
func (m *melWriter) code(bits []byte, p bitPosition) {
	*m = melWriter{buf: m.buf[:0], left: 8}
	state := uint8(0)
	binary.LittleEndian.PutUint64(bits[p.at:], p.acc)
	n := uint(p.at)*8 + p.n
	for pos := uint(0); pos < n; {
		x := binary.LittleEndian.Uint64(bits[pos>>3:]) >> (pos & 7)
		zeros := min(uint(mathbits.TrailingZeros64(x)), 56, n-pos)
		m.run += uint32(zeros)
		pos += zeros
		for e := melExponents[state]; m.run >= 1<<e; e = melExponents[state] {
			m.bits(1, 1)
			m.run -= 1 << e
			state = min(state+1, 12)
		}
		if zeros < 56 && pos < n { // a one
			m.bits(m.run, uint(melExponents[state])+1) // a 0, and the run
			m.run = 0
			pos++
			if state > 0 {
				state--
			}
		}
	}
}

// bits appends size bits, the highest first, with a zero before those that follow an FF.
func (m *melWriter) bits(x uint32, size uint) {
	for size >= m.left { // the byte becomes full
		size -= m.left
		b := byte(m.acc) | byte(x>>size)
		m.buf = append(m.buf, b)
		x &= 1<<size - 1
		m.acc, m.left = 0, 8
		if b == 0xFF {
			m.left = 7
		}
	}
	m.left -= size
	m.acc |= uint64(x) << m.left
}

// finish appends all MEL bytes. The last one may be shared with the last byte of the
// VLC bits, of which used bits count, if no bit of one contradicts the other's; then it is appended here.
func (m *melWriter) finish(dst, vlc []byte, used uint) (all []byte, shared bool) {
	if m.run > 0 {
		m.bits(1, 1) // a run that is longer than the events that are left
	}
	dst = append(dst, m.buf...)
	if m.left == 8 {
		return dst, false
	}
	last := vlc[len(vlc)-1]
	mine, theirs := byte(0xFF)<<m.left, byte(0xFF)>>(8-used)
	both := byte(m.acc) | last
	if len(vlc) > 1 && (both^byte(m.acc))&mine == 0 && (both^last)&theirs == 0 && both != 0xFF {
		return append(dst, both), true
	}
	return append(dst, byte(m.acc)), false
}
