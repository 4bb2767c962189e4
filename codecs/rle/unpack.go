package rle

import "encoding/binary"

// segment unpacks one byte plane, row by row, from fragments.
type segment struct {
	in    []byte   // unread bytes of the segment in the current fragment
	later [][]byte // fragments after it
	left  int64    // bytes of the segment in later
	run   int      // bytes that the packet begun still gives: all equal to value ..
	value byte
	lit   int // .. or literal; one of run and lit is zero
}

// open places s on the bytes [from, to) of the fragments, which hold them.
func (s *segment) open(src [][]byte, from, to int64) {
	for len(src) > 0 && from >= int64(len(src[0])) {
		from -= int64(len(src[0]))
		to -= int64(len(src[0]))
		src = src[1:]
	}
	*s = segment{}
	if len(src) == 0 {
		return
	}
	end := min(to, int64(len(src[0])))
	s.in, s.later, s.left = src[0][from:end], src[1:], to-end
}

// refill goes on to the next fragment; false at the end of the segment.
func (s *segment) refill() bool {
	for len(s.in) == 0 {
		if s.left == 0 || len(s.later) == 0 {
			return false
		}
		n := min(s.left, int64(len(s.later[0])))
		s.in, s.later = s.later[0][:n], s.later[1:]
		s.left -= n
	}
	return true
}

// rest is the number of bytes not yet read.
func (s *segment) rest() int64 { return int64(len(s.in)) + s.left }

// rowSlack is the room that unpack needs behind a row: its last store of eight bytes may begin in the row's last byte.
const rowSlack = 8

// unpack fills row with the next bytes of the plane and may overwrite rowSlack
// bytes of its capacity behind it. It reports whether there were enough.
func (s *segment) unpack(row []byte) bool {
	x := s.carry(row)
	wide := row[:len(row)+rowSlack]
	for x < len(row) {
		in := s.in
		pos := 0
		// Packets that lie whole in this fragment and in this row, eight bytes at a time.
	whole:
		for x < len(row) && pos+packetRoom+8 <= len(in) {
			c := int(in[pos])
			switch {
			case c < 128:
				n := c + 1
				if n > len(row)-x {
					break whole
				}
				to, from := wide[x:x+n+8], in[pos+1:pos+1+n+7]
				for k := 0; k < n; k += 8 {
					binary.LittleEndian.PutUint64(to[k:], binary.LittleEndian.Uint64(from[k:]))
				}
				x += n
				pos += 1 + n
			case c > 128:
				n := 257 - c
				if n > len(row)-x {
					break whole
				}
				value := uint64(in[pos+1]) * ones
				to := wide[x : x+n+8]
				for k := 0; k < n; k += 8 {
					binary.LittleEndian.PutUint64(to[k:], value)
				}
				x += n
				pos += 2
			default: // 128 is no operation
				pos++
			}
		}
		s.in = in[pos:]
		if x == len(row) {
			break
		}
		if !s.begin() {
			return false
		}
		n := s.carry(row[x:])
		if n == 0 && s.lit > 0 { // a literal that the segment does not hold
			return false
		}
		x += n
	}
	return true
}

// begin reads the start of the next packet into run and value, or lit. It returns false at the end of the segment.
func (s *segment) begin() bool {
	for s.refill() {
		c := s.in[0]
		s.in = s.in[1:]
		switch {
		case c < 128:
			s.lit = int(c) + 1
			return true
		case c > 128:
			if !s.refill() {
				return false
			}
			s.run, s.value = 257-int(c), s.in[0]
			s.in = s.in[1:]
			return true
		}
	}
	return false
}

// carry goes on with the packet begun and returns the bytes it gave.
func (s *segment) carry(row []byte) int {
	x := 0
	for ; s.run > 0 && x < len(row); s.run-- {
		row[x] = s.value
		x++
	}
	for s.lit > 0 && x < len(row) && s.refill() {
		n := copy(row[x:min(len(row), x+s.lit)], s.in)
		s.in = s.in[n:]
		s.lit -= n
		x += n
	}
	return x
}

// padded reports whether nothing but padding follows: bytes 00 or 80.
func (s *segment) padded() bool {
	if s.run > 0 || s.lit > 0 {
		return false
	}
	for s.refill() {
		for _, b := range s.in {
			if b != 0 && b != 128 {
				return false
			}
		}
		s.in = nil
	}
	return true
}
