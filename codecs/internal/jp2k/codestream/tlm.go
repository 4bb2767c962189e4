package codestream

// TileLength is an entry of TLM (A.7.1).
type TileLength struct {
	Tile   uint16
	Length uint32 // of the tile-part, SOT included
}

// HasTLM reports whether the main header has TLM marker segments.
func (r *Reader) HasTLM() bool { return r.tlm }

// AppendTLM appends the tile-part lengths that TLM marker segments claim, in
// the order of the codestream. Nothing checks that they are true: they are a hint. After Open.
func (r *Reader) AppendTLM(dst []TileLength) ([]TileLength, error) {
	all, err := r.collect(2, r.End, markerTLM, "A.7.1")
	next := uint16(0)
	for i := range all {
		c := &all[i]
		if c.b == nil || err != nil {
			continue
		}
		style := c.u8()
		tileBytes, lengthBytes := int(style>>4&3), 2
		if style&0x40 != 0 {
			lengthBytes = 4
		}
		if c.short || tileBytes == 3 || style&0x8F != 0 || c.left()%(tileBytes+lengthBytes) != 0 {
			return dst, c.wrong("A.7.1", "length or sizes of TLM")
		}
		for c.left() > 0 {
			x := TileLength{Tile: next}
			switch tileBytes {
			case 0: // one tile-part for each tile, in order
				next++
			case 1:
				x.Tile = uint16(c.u8())
			case 2:
				x.Tile = c.u16()
			}
			if lengthBytes == 2 {
				x.Length = uint32(c.u16())
			} else {
				x.Length = c.u32()
			}
			dst = append(dst, x)
		}
	}
	return dst, err
}
