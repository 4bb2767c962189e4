package codestream

import (
	"fmt"

	"github.com/radtier/radtier/codecs"
)

// MaxComponents is how many components are read and written here.
const MaxComponents = 4

// Component is what SIZ says of one component.
type Component struct {
	Bits   uint8 // precision: 1..38
	Signed bool
	DX, DY uint8 // XRsiz, YRsiz: samples of the reference grid for one of the component, 1 or more
}

// Size is the SIZ marker segment (A.5.1): the image area, tile grid and
// components. Coordinates are those of the reference grid (Annex B.2).
type Size struct {
	Rsiz                         uint16 // capabilities; bit 14 says that CAP follows
	X1, Y1, X0, Y0               uint32 // the image area is [X0, X1) x [Y0, Y1); at most 1<<31 - 1
	TileW, TileH, TileX0, TileY0 uint32
	N                            int // components: 1..MaxComponents
	Comps                        [MaxComponents]Component
}

// rsizCAP is the bit of Rsiz that says that a CAP marker segment is present (A.5.1, Table A.10).
const rsizCAP = 1 << 14

// maxCoordinate keeps coordinates and sums of two of them inside 32 bits.
const maxCoordinate = 1<<31 - 1

// Tiles is the number of tiles across and down (B-5).
func (s *Size) Tiles() (across, down int) {
	return int((uint64(s.X1) - uint64(s.TileX0) + uint64(s.TileW) - 1) / uint64(s.TileW)),
		int((uint64(s.Y1) - uint64(s.TileY0) + uint64(s.TileH) - 1) / uint64(s.TileH))
}

// ComponentSize is the width and height of component c of the image (B-1, B-2) after
// dropping reduce resolution levels (B-14, for one tile or many).
func (s *Size) ComponentSize(c, reduce int) (w, h int) {
	k := &s.Comps[c]
	cut := func(x uint32, d uint8) uint64 { return ceilShift((uint64(x)+uint64(d)-1)/uint64(d), reduce) }
	return int(cut(s.X1, k.DX) - cut(s.X0, k.DX)), int(cut(s.Y1, k.DY) - cut(s.Y0, k.DY))
}

func ceilShift(x uint64, n int) uint64 { return (x + 1<<uint(n) - 1) >> uint(n) }

// read parses the body of a SIZ marker segment.
func (s *Size) read(c *cursor) error {
	*s = Size{Rsiz: c.u16()}
	for _, p := range []*uint32{&s.X1, &s.Y1, &s.X0, &s.Y0, &s.TileW, &s.TileH, &s.TileX0, &s.TileY0} {
		*p = c.u32()
	}
	n := int(c.u16())
	switch {
	case c.short || n == 0 || len(c.b) != 36+3*n:
		return c.wrong("A.5.1", "length of SIZ does not fit its number of components")
	case n > MaxComponents:
		return unsupported(fmt.Sprintf("%d components", n))
	case s.X0 >= s.X1 || s.Y0 >= s.Y1:
		return c.wrong("B.2", "empty image area")
	case s.TileW == 0 || s.TileH == 0:
		return c.wrong("B.3", "tiles without size")
	case s.TileX0 > s.X0 || s.TileY0 > s.Y0 || uint64(s.TileX0)+uint64(s.TileW) <= uint64(s.X0) || uint64(s.TileY0)+uint64(s.TileH) <= uint64(s.Y0):
		return c.wrong("B.3", "first tile outside the image area")
	case s.X1 > maxCoordinate || s.Y1 > maxCoordinate:
		return unsupported("coordinates of 2^31 and more")
	}
	s.N = n
	for i := range n {
		d := c.u8()
		k := &s.Comps[i]
		*k = Component{Bits: d&0x7F + 1, Signed: d&0x80 != 0, DX: c.u8(), DY: c.u8()}
		if k.Bits > 38 {
			return c.wrong("A.5.1", "precision above 38 bits")
		}
		if k.DX == 0 || k.DY == 0 {
			return c.wrong("A.5.1", "sub-sampling by 0")
		}
		if w, h := s.ComponentSize(i, 0); w == 0 || h == 0 {
			return unsupported("a component without samples")
		}
	}
	if across, down := s.Tiles(); uint64(across)*uint64(down) > 65535 {
		return c.wrong("A.5.1", "more than 65535 tiles")
	}
	return nil
}

// check compares the image with what the caller allows.
func (s *Size) check(most int64) error {
	w, h := uint64(s.X1-s.X0), uint64(s.Y1-s.Y0)
	if need := w * h; need > uint64(most)/uint64(s.N) { // w*h is below 1<<62
		if need > 1<<60 {
			need = 1 << 60
		}
		return &codecs.LimitError{Codec: codec, What: "pixels of all components", Need: int64(need) * int64(s.N), Most: most}
	}
	return nil
}
