package packet

import "github.com/radtier/radtier/codecs/internal/jp2k/codestream"

// bodies walks through the tile-parts of a tile. A packet lies in one of them whole (A.4.2).
type bodies struct {
	parts     []codestream.TilePart
	i         int   // the current one, -1 behind the last
	at, end   int64 // what is left of it
	truncated bool  // the codestream is
}

func (b *bodies) open(cs *codestream.Reader, tile int) {
	*b = bodies{parts: cs.Parts, i: cs.First(tile), at: cs.Stop, end: cs.Stop, truncated: cs.Truncated}
	if b.i >= 0 {
		b.at, b.end = b.parts[b.i].Body, b.parts[b.i].End
	}
}

// next moves on to a tile-part that has bytes, and reports whether there is one.
func (b *bodies) next() bool {
	for b.at >= b.end {
		if b.i < 0 || b.parts[b.i].Next < 0 {
			return false
		}
		b.i = int(b.parts[b.i].Next)
		b.at, b.end = b.parts[b.i].Body, b.parts[b.i].End
	}
	return true
}

func (b *bodies) rest(src []byte) []byte { return src[b.at:b.end] }

// unused is the number of bytes that were not passed.
func (b *bodies) unused() int64 {
	n := b.end - b.at
	for i := b.i; i >= 0; {
		if i = int(b.parts[i].Next); i >= 0 {
			n += b.parts[i].End - b.parts[i].Body
		}
	}
	return n
}

// size is the number of bytes of the whole tile, before the first packet.
func (b *bodies) size() int64 { return b.unused() }
