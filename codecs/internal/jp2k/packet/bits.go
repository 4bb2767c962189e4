package packet

// bitReader reads the bits of a packet header (B.10.1): most significant
// first; after a byte FF the next byte has seven, its first bit being stuffed.
// Past the end it gives zeros and sets over.
type bitReader struct {
	src  []byte
	i    int // next byte of src
	last byte
	left uint // bits of last that were not read yet
	over bool
}

func (b *bitReader) open(src []byte) { *b = bitReader{src: src} }

// fill takes the next byte.
func (b *bitReader) fill() {
	if b.i >= len(b.src) {
		b.over, b.last, b.left = true, 0, 8
		return
	}
	b.left = 8
	if b.last == 0xFF {
		b.left = 7
	}
	b.last = b.src[b.i]
	b.i++
}

func (b *bitReader) bit() uint32 {
	if b.left == 0 {
		b.fill()
	}
	b.left--
	return uint32(b.last>>b.left) & 1
}

// bits reads up to 32 bits.
func (b *bitReader) bits(n uint) uint32 {
	var x uint32
	for n > 0 {
		if b.left == 0 {
			b.fill()
		}
		k := min(n, b.left)
		b.left -= k
		x = x<<k | uint32(b.last>>b.left)&(1<<k-1)
		n -= k
	}
	return x
}

// close passes the rest of the last byte, and the byte that is stuffed behind a last FF.
func (b *bitReader) close() {
	if b.last == 0xFF && b.i > 0 && !b.over {
		if b.i < len(b.src) {
			b.i++
		} else {
			b.over = true
		}
	}
	b.left, b.last = 0, 0
}

// passes reads the number of coding passes (B.10.6, Table B.4).
func (b *bitReader) passes() int {
	switch {
	case b.bit() == 0:
		return 1
	case b.bit() == 0:
		return 2
	}
	if n := b.bits(2); n < 3 {
		return 3 + int(n)
	}
	if n := b.bits(5); n < 31 {
		return 6 + int(n)
	}
	return 37 + int(b.bits(7))
}

// bitWriter is the opposite of bitReader.
type bitWriter struct {
	dst  []byte
	acc  uint8
	free uint // bits of acc that are free
}

func (b *bitWriter) open(dst []byte) { *b = bitWriter{dst: dst, free: 8} }

func (b *bitWriter) bit(x uint32) {
	b.free--
	b.acc |= uint8(x&1) << b.free
	if b.free == 0 {
		b.dst = append(b.dst, b.acc)
		b.free = 8
		if b.acc == 0xFF {
			b.free = 7
		}
		b.acc = 0
	}
}

func (b *bitWriter) bits(x uint32, n uint) {
	for ; n > 0; n-- {
		b.bit(x >> (n - 1))
	}
}

// close fills the last byte with zeros; a header does not end with FF. The destination is the caller's again.
func (b *bitWriter) close() []byte {
	dst := b.dst
	if b.free < 8 { // also behind a byte FF
		dst = append(dst, b.acc)
	}
	b.dst = nil
	return dst
}
