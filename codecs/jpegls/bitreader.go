package jpegls

import (
	"encoding/binary"
	"math/bits"
)

// bitReader reads entropy-coded data up to the next marker (A.1). Beyond it
// come zero bits, which are counted: a caller that took one of them has read a truncated scan.
type bitReader struct {
	source
	acc uint64 // next bits from the top; what is below the first cnt is zero
	cnt int
	pad int // how many of the cnt bits are not in the data
}

// start begins a scan or restart interval.
func (r *bitReader) start() { r.acc, r.cnt, r.pad = 0, 0, 0 }

// fill has at least 49 bits ready.
func (r *bitReader) fill() {
	for r.cnt <= 48 {
		if r.cnt <= 32 && r.i+4 <= len(r.cur) {
			if w := binary.BigEndian.Uint32(r.cur[r.i:]); !hasFF(w) {
				r.acc |= uint64(w) << (uint(32-r.cnt) & 63)
				r.cnt += 32
				r.i += 4
				continue
			}
		}
		a, b, n := r.peek2()
		switch {
		case n == 0 || a == 0xFF && (n == 1 || b >= 0x80): // end of data or marker
			r.cnt += 8
			r.pad += 8
		case a == 0xFF: // its 8 bits and 7 of the stuffed byte
			r.skip(2)
			r.acc |= (0xFF<<7 | uint64(b)) << (uint(64-15-r.cnt) & 63)
			r.cnt += 15
		default:
			r.skip(1)
			r.acc |= uint64(a) << (uint(64-8-r.cnt) & 63)
			r.cnt += 8
		}
	}
}

// overrun reports whether bits were taken that are not in the data.
func (r *bitReader) overrun() bool { return r.cnt < r.pad }

// read takes n bits, at most 32.
func (r *bitReader) read(n int) int {
	if r.cnt < n {
		r.fill()
	}
	v := int(r.acc >> 1 >> (uint(63-n) & 63))
	r.acc <<= uint(n) & 63
	r.cnt -= n
	return v
}

// longestError is the largest mapped error that a 16-bit image can have, with
// room for encoders that do not reduce errors modulo RANGE. It keeps A within 32 bits.
const longestError = 2*65535 + 1

// golomb takes a limited-length code (A.5.3, reversed) and returns the mapped
// error, -1 if it is no code.
func (r *bitReader) golomb(k, limit, qbpp int) int {
	r.fill()
	zeros, most := 0, limit-qbpp-1
	if r.acc>>16 == 0 { // the prefix may be longer than what is ready
		zeros = 32
		r.acc <<= 32
		r.cnt -= 32
		r.fill()
	}
	tail := bits.LeadingZeros64(r.acc)
	if zeros += tail; zeros > most {
		return -1
	}
	r.acc = r.acc << (uint(tail) & 63) << 1
	r.cnt -= tail + 1
	if zeros == most {
		return r.read(qbpp) + 1
	}
	m := zeros<<k | r.read(k)
	if m > longestError {
		return -1
	}
	return m
}

// finish ends a scan or restart interval: what is left must be no more than
// padding, and a marker or the end of the data must follow. It returns what is wrong.
func (r *bitReader) finish() string {
	left := r.cnt - r.pad
	if left < 0 {
		return "entropy-coded data ends early"
	}
	r.start()
	for {
		a, b, n := r.peek2()
		switch {
		case n == 2 && a == 0xFF && b >= 0x80:
			if left >= 16 {
				return "entropy-coded data after the last sample"
			}
			return ""
		case n == 0 || n == 1 && a == 0xFF:
			if left >= 24 { // a byte that made the fragment even may be among them
				return "entropy-coded data after the last sample"
			}
			return ""
		case left >= 24:
			return "entropy-coded data after the last sample"
		}
		r.skip(1)
		left += 8
	}
}

// skipScan passes entropy-coded data with its restart markers, up to another marker or the end.
func (s *source) skipScan() {
	for {
		a, b, n := s.peek2()
		if n == 0 || n == 2 && a == 0xFF && b >= 0x80 && b&^7 != markerRST0 {
			return
		}
		s.i++
		if a != 0xFF {
			for s.i < len(s.cur) && s.cur[s.i] != 0xFF {
				s.i++
			}
		}
	}
}
