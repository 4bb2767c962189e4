package codestream

import "encoding/binary"

// cursor reads the body of one marker segment. Reading past its end gives
// zeros and sets short, so that callers check once.
type cursor struct {
	b     []byte // the body: what follows the length field
	i     int
	base  int64 // offset of b[0] in the codestream
	short bool
}

func (c *cursor) left() int { return len(c.b) - c.i }

func (c *cursor) u8() uint8 {
	if c.left() < 1 {
		c.short = true
		return 0
	}
	c.i++
	return c.b[c.i-1]
}

func (c *cursor) u16() uint16 {
	if c.left() < 2 {
		c.short, c.i = true, len(c.b)
		return 0
	}
	c.i += 2
	return binary.BigEndian.Uint16(c.b[c.i-2:])
}

func (c *cursor) u32() uint32 {
	if c.left() < 4 {
		c.short, c.i = true, len(c.b)
		return 0
	}
	c.i += 4
	return binary.BigEndian.Uint32(c.b[c.i-4:])
}

// wrong is the error for what was read last.
func (c *cursor) wrong(clause, what string) error {
	return malformed(c.base+int64(c.i), clause, what)
}
