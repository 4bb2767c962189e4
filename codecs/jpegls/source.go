package jpegls

// source reads a frame from the fragments it came in, without joining them.
type source struct {
	cur  []byte // the fragment being read
	i    int    // next byte of cur
	base int64  // offset in the frame of cur[0]
	rest [][]byte
}

func newSource(src [][]byte) source { return source{rest: src} }

// offset is the place in the frame of the next byte.
func (s *source) offset() int64 { return s.base + int64(s.i) }

// advance moves on to the next fragment that has bytes.
func (s *source) advance() bool {
	for s.i >= len(s.cur) {
		if len(s.rest) == 0 {
			return false
		}
		s.base += int64(len(s.cur))
		s.cur, s.i, s.rest = s.rest[0], 0, s.rest[1:]
	}
	return true
}

// next reads a byte.
func (s *source) next() (byte, bool) {
	if !s.advance() {
		return 0, false
	}
	s.i++
	return s.cur[s.i-1], true
}

// skip passes n bytes and reports whether there were so many.
func (s *source) skip(n int) bool {
	for n > 0 {
		if !s.advance() {
			return false
		}
		step := min(n, len(s.cur)-s.i)
		s.i += step
		n -= step
	}
	return true
}

// peek2 returns the next two bytes without passing them, and how many there are.
func (s *source) peek2() (a, b byte, n int) {
	if !s.advance() {
		return 0, 0, 0
	}
	if s.i+1 < len(s.cur) {
		return s.cur[s.i], s.cur[s.i+1], 2
	}
	a = s.cur[s.i]
	for _, f := range s.rest {
		if len(f) > 0 {
			return a, f[0], 2
		}
	}
	return a, 0, 1
}
