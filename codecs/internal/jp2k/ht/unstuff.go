package ht

import (
	"encoding/binary"
	"math/bits"
)

// bitBuffer holds the bits of a codeword segment without stuffing, the first
// one lowest in the first byte. After its n bits come as many bits of filling as
// the caller asked for, so that readers load 8 bytes anywhere without a check.
type bitBuffer struct {
	buf []byte
	n   uint // bits
}

const (
	everyByte = 0x0101010101010101
	everyTop  = 0x8080808080808080
)

// anyFF reports (not zero) whether a byte of x is FF.
func anyFF(x uint64) uint64 { return (^x - everyByte) & x & everyTop }

// anyLow7F reports (not zero) whether the low 7 bits of a byte of x are all ones.
func anyLow7F(x uint64) uint64 { return ((x &^ everyTop) + everyByte) & everyTop }

func (b *bitBuffer) grow(n int) {
	if cap(b.buf) < n {
		b.buf = make([]byte, n, n+n/2)
	}
	b.buf = b.buf[:cap(b.buf)]
}

// unstuffMagSgn takes src without the bit that follows each FF (7.1.3), with
// ones after its end, at least fill bytes of them.
func (b *bitBuffer) unstuffMagSgn(src []byte, fill int) {
	b.unstuffForward(src, fill, 0xFF)
}

// unstuffForward does so with any filling.
func (b *bitBuffer) unstuffForward(src []byte, fill int, filling byte) {
	b.grow(len(src) + fill + 16)
	out := b.buf
	var acc uint64 // bits not yet in out
	var have uint  // their number, below 8
	at, i := 0, 0
	ff := false // the last byte was FF
	for i < len(src) {
		if len(src)-i >= 8 && !ff {
			x := binary.LittleEndian.Uint64(src[i:])
			if anyFF(x) == 0 {
				acc |= x << have
				binary.LittleEndian.PutUint64(out[at:], acc)
				acc = x >> (64 - have)
				at, i = at+8, i+8
				continue
			}
		}
		// A byte at a time, up to 8.
		for end := min(i+8, len(src)); i < end; i++ {
			x := uint64(src[i])
			size := uint(8)
			if ff {
				x, size = x&0x7F, 7
			}
			ff = src[i] == 0xFF
			acc |= x << have
			out[at] = byte(acc)
			if have += size; have >= 8 {
				acc >>= 8
				have -= 8
				at++
			}
		}
	}
	b.n = uint(at)*8 + have
	rest := out[at : at+fill+8]
	for i := range rest {
		rest[i] = filling
	}
	rest[0] = byte(acc) | filling<<have
}

// unstuffVLC takes src from its last byte to its first, without the bit above
// seven ones that come after more than 8F (7.1.4). Before them come the bits of
// first, the high half of the byte that shares its low half with Scup. Zeros follow.
func (b *bitBuffer) unstuffVLC(src []byte, first byte, fill int) {
	size := uint(4)
	if first&7 == 7 {
		size = 3
	}
	b.unstuffBackward(src, uint64(first)&(1<<size-1), size, first > 8, fill)
}

// unstuffBackward does so after have bits in acc; high says whether what came before them counts as more than 8F.
func (b *bitBuffer) unstuffBackward(src []byte, acc uint64, have uint, high bool, fill int) {
	b.grow(len(src) + fill + 24)
	out := b.buf
	at, i := 0, len(src) // the next byte is src[i-1]
	for i > 0 {
		if i >= 8 {
			x := bits.ReverseBytes64(binary.LittleEndian.Uint64(src[i-8:]))
			if anyLow7F(x) == 0 {
				acc |= x << have
				binary.LittleEndian.PutUint64(out[at:], acc)
				acc = x >> (64 - have)
				at, i = at+8, i-8
				high = x>>56 > 0x8F
				continue
			}
		}
		for end := max(i-8, 0); i > end; i-- {
			x := uint64(src[i-1])
			size := uint(8)
			if high && x&0x7F == 0x7F {
				x, size = 0x7F, 7
			}
			high = src[i-1] > 0x8F
			acc |= x << have
			out[at] = byte(acc)
			if have += size; have >= 8 {
				acc >>= 8
				have -= 8
				at++
			}
		}
	}
	b.n = uint(at)*8 + have
	out[at] = byte(acc)
	clear(out[at+1 : at+fill+8])
}

// melReader reads MEL events (7.3.3), ahead of their use: runs of zeros that end with a one become a string of bits.
type melReader struct {
	events uint64 // the next ones, the first lowest
	have   uint   // their number

	src   []byte
	at    int
	last2 int    // offset of the byte whose low half is part of Scup
	acc   uint64 // bits of the segment, the next one highest
	bits  uint   // their number
	ff    bool   // the last byte was FF
	state uint8
	run   uint // zeros that did not fit into events
	one   bool // then a one
}

// open starts at the first byte of a suffix, the MEL and VLC bits with Scup.
func (m *melReader) open(suffix []byte) {
	*m = melReader{src: suffix, last2: len(suffix) - 2}
}

// next takes the next event; there must be one.
func (m *melReader) next() uint {
	e := uint(m.events & 1)
	m.events >>= 1
	m.have--
	return e
}

// more decodes events until there are at least 31.
func (m *melReader) more() {
	for m.have < 31 {
		if m.run == 0 && !m.one {
			m.nextRun()
		}
		n := min(m.run, 63-m.have)
		m.have += n
		if m.run -= n; m.run == 0 && m.one {
			m.events |= 1 << m.have
			m.have++
			m.one = false
		}
	}
}

// nextRun decodes one codeword: a 1 is a whole run of zeros, a 0 and as many
// bits as the state's exponent are a shorter run and the one that ends it.
func (m *melReader) nextRun() {
	if m.bits < 6 {
		m.fill()
	}
	e := uint(melExponents[m.state])
	if m.acc>>63 != 0 {
		m.acc, m.bits = m.acc<<1, m.bits-1
		m.run = 1 << e
		m.state = min(m.state+1, 12)
		return
	}
	m.run = uint(m.acc << 1 >> (64 - e))
	m.one = true
	m.acc, m.bits = m.acc<<(1+e), m.bits-(1+e)
	if m.state > 0 {
		m.state--
	}
}

// fill reads bytes: seven bits after an FF, ones after the end, and the half byte of Scup counts as ones (7.1.3).
func (m *melReader) fill() {
	for m.bits <= 48 {
		x := uint64(0xFF)
		if m.at < m.last2 {
			x = uint64(m.src[m.at])
		} else if m.at == m.last2 {
			x = uint64(m.src[m.at]) | 0x0F
		}
		m.at++
		size := uint(8)
		if m.ff {
			size = 7
		}
		m.ff = x == 0xFF
		x &= 1<<size - 1
		m.acc |= x << (64 - size) >> m.bits
		m.bits += size
	}
}
