package codestream

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// TilePart is one tile-part (A.4.2): where it lies in the codestream.
type TilePart struct {
	Tile      uint16 // Isot
	Index     uint8  // TPsot: number in its tile, from 0
	Parts     uint8  // TNsot: tile-parts of the tile, 0 if it does not say. A hint: encoders in the field write one too few
	Next      int32  // in Reader.Parts: the next tile-part of the same tile, -1 if this is the last
	Offset    int64  // of SOT
	Body, End int64  // the packets are [Body, End)
	Truncated bool   // the source ends before the tile-part does
	packed    bool   // has PPT marker segments
	params    bool   // has COD, COC, QCD, QCC, RGN or POC marker segments
}

// sotLength is the length of SOT with its marker.
const sotLength = 12

// Scan finds all tile-parts, without looking at packets. If truncated, the
// last tile-part may be cut anywhere, and later ones may be missing; otherwise each tile must be there.
func (r *Reader) Scan(truncated bool) error {
	across, down := r.Tiles()
	tiles := across * down
	if tiles > len(r.src)/(sotLength+2)+1 && !truncated {
		return malformed(r.End, "A.4.2", "more tiles than the codestream could have tile-parts")
	}
	r.Parts, r.Truncated = r.Parts[:0], false
	r.ppmBuf, r.ppmEnd = r.ppmBuf[:0], r.ppmEnd[:0]
	r.first, r.last = grow(r.first, tiles), grow(r.last, tiles)
	for i := range tiles {
		r.first[i], r.last[i] = -1, -1
	}
	for at := r.End; ; {
		var p TilePart
		next, err := r.tilePart(&p, at, truncated)
		if err != nil {
			return err
		}
		if next < 0 {
			break
		}
		i := int32(len(r.Parts))
		if was := r.last[p.Tile]; was >= 0 {
			if before := &r.Parts[was]; p.Index != before.Index+1 || p.Index == 0 {
				return malformed(p.Offset, "A.4.2", "tile-parts of a tile out of order")
			}
			r.Parts[was].Next = i
		} else {
			if p.Index != 0 {
				return malformed(p.Offset, "A.4.2", "first tile-part of a tile missing")
			}
			r.first[p.Tile] = i
		}
		r.last[p.Tile] = i
		r.Parts = append(r.Parts, p)
		at = next
	}
	if !truncated {
		for i := range tiles {
			if r.first[i] < 0 {
				return malformed(r.Stop, "A.4.2", "a tile has no tile-part")
			}
		}
	}
	if r.ppm {
		return r.readPPM()
	}
	return nil
}

// tilePart reads the tile-part at an offset and returns the offset of what follows, -1 at the end of the codestream.
func (r *Reader) tilePart(p *TilePart, at int64, truncated bool) (next int64, err error) {
	n := int64(len(r.src))
	if n-at >= 2 && binary.BigEndian.Uint16(r.src[at:]) == markerEOC {
		r.Stop = at + 2
		return -1, nil
	}
	if at == n && len(r.Parts) > 0 {
		r.Stop = n // no EOC: whether packets are missing is seen when they are read
		return -1, nil
	}
	if n-at < sotLength {
		if truncated {
			r.Stop, r.Truncated = n, true
			return -1, nil
		}
		return 0, malformed(at, "A.4.2", "codestream ends inside SOT")
	}
	s := r.src[at:]
	if binary.BigEndian.Uint16(s) != markerSOT || binary.BigEndian.Uint16(s[2:]) != 10 {
		return 0, malformed(at, "A.4.2", "no SOT where a tile-part should begin")
	}
	*p = TilePart{Tile: binary.BigEndian.Uint16(s[4:]), Index: s[10], Parts: s[11], Next: -1, Offset: at}
	if int(p.Tile) >= len(r.first) {
		return 0, malformed(at+4, "A.4.2", "tile-part of a tile that does not exist")
	}
	switch length := int64(binary.BigEndian.Uint32(s[6:])); {
	case length == 0: // the last one: to EOC
		if p.End = endOfLast(r.src, at); p.End < 0 {
			p.End, p.Truncated = n, true
		}
	case length < sotLength+2:
		return 0, malformed(at+6, "A.4.2", "tile-part shorter than its header")
	default:
		p.End = at + length
		if p.End > n {
			p.End, p.Truncated = n, true
		}
	}
	if p.Truncated {
		if !truncated {
			return 0, malformed(at+6, "A.4.2", "tile-part goes past the end of the codestream")
		}
		r.Truncated = true
	}
	whole, err := r.tilePartHeader(p)
	if err != nil {
		return 0, err
	}
	if !whole {
		r.Stop = n
		return -1, nil
	}
	return p.End, nil
}

// endOfLast finds EOC behind a tile-part of unknown length: the last two bytes of the
// source, or those before a padding byte (PS3.5 A.4). -1 if there is none.
func endOfLast(src []byte, sot int64) int64 {
	n := int64(len(src))
	if src[n-1] == 0 {
		n--
	}
	if n-2 >= sot+sotLength+2 && binary.BigEndian.Uint16(src[n-2:]) == markerEOC {
		return n - 2
	}
	return -1
}

// tilePartHeader finds SOD. whole is false if a truncated tile-part ends before it.
func (r *Reader) tilePartHeader(p *TilePart) (whole bool, err error) {
	for at := p.Offset + sotLength; ; {
		marker, c, next, err := segment(r.src, at, p.End)
		if err != nil {
			if p.Truncated {
				return false, nil
			}
			return false, err
		}
		switch marker {
		case markerSOD:
			p.Body = next
			return true, nil
		case markerCOD, markerCOC, markerQCD, markerQCC, markerRGN:
			if p.Index != 0 {
				return false, c.wrong("A.3", markerName(marker)+" in a tile-part that is not the first of its tile")
			}
			p.params = true
		case markerPOC:
			p.params = true
		case markerPPT:
			if r.ppm {
				return false, c.wrong("A.7.5", "PPT in a codestream with PPM")
			}
			p.packed = true
		case markerPLT, markerCOM:
		case markerSIZ, markerCAP, markerTLM, markerPLM, markerPPM, markerCRG, markerPRF, markerCPF, markerSOC, markerSOT, markerSOP, markerEPH, markerEOC:
			return false, c.wrong("A.3", markerName(marker)+" in a tile-part header")
		default:
			return false, unsupported(markerName(marker) + " in a tile-part header")
		}
		at = next
	}
}

// First returns the number in Parts of the first tile-part of a tile, -1 if it has none. After Scan.
func (r *Reader) First(tile int) int {
	if tile < 0 || tile >= len(r.first) {
		return -1
	}
	return int(r.first[tile])
}

// Source is what Open was given.
func (r *Reader) Source() []byte { return r.src }

// Release forgets the source, which is the caller's memory; what was read from it stays.
func (r *Reader) Release() { r.src = nil }

// Limits are those that Open was given, with defaults filled in.
func (r *Reader) Limits() codecs.Limits { return r.limits }

// TileParams gives the parameters of a tile: those of the main header, overridden by what
// its tile-part headers say (A.6: tile COC before tile COD before main COC before main COD; likewise QCC and QCD). After Scan.
func (r *Reader) TileParams(tile int, p *Params) error {
	*p = r.Params
	var in scope
	at := r.End
	for i := r.First(tile); i >= 0; i = int(r.Parts[i].Next) {
		part := &r.Parts[i]
		if !part.params {
			continue
		}
		at = part.Offset
		for at, end := part.Offset+sotLength, part.Body-2; at < end; {
			marker, c, next, err := segment(r.src, at, end)
			if err == nil {
				_, err = p.apply(marker, &c, &r.Size, &in)
			}
			if err != nil {
				return err
			}
			at = next
		}
	}
	return p.check(&r.Size, &r.HT, at)
}

// grow returns a slice of length n that reuses s's memory.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
