package codestream

import (
	"fmt"

	"github.com/radtier/radtier/codecs"
)

// PreviewError says why no preview can be cut out of a codestream, nil if one
// can: dropping resolution levels by rewriting headers needs one tile, an image and tile
// without offsets, the same number of levels in all components, packets that come resolution by resolution,
// and headers that lie in the main header and before their packets. It is an
// *codecs.UnsupportedError, or a *codecs.LimitError if drop is more than the levels. After Scan.
func (r *Reader) PreviewError(drop int) error {
	why := ""
	switch across, down := r.Tiles(); {
	case across != 1 || down != 1:
		why = "several tiles"
	case r.X0|r.Y0|r.TileX0|r.TileY0 != 0:
		why = "image or tile offsets"
	case r.NPOC > 0 || r.Order != RPCL && r.Order != RLCP && (r.Order != LRCP || r.Layers > 1):
		why = "a progression that does not go by resolution"
	case r.prf:
		why = "a profile of its own"
	case r.PackedHeaders(0):
		why = "packed packet headers"
	}
	for i := range r.Parts {
		if r.Parts[i].params {
			why = "parameters in tile-part headers"
		}
	}
	for c := range r.N {
		if r.Coding[c].Levels != r.Coding[0].Levels {
			why = "components of different decomposition levels"
		}
	}
	if why != "" {
		return unsupported("a preview from a codestream with " + why)
	}
	if levels := int64(r.Coding[0].Levels); drop < 0 || int64(drop) > levels {
		return &codecs.LimitError{Codec: codec, What: "resolution levels to drop", Need: int64(drop), Most: levels}
	}
	return nil
}

// previewHeader is the main header of the image without its drop highest resolution
// levels. Sub-bands, precincts and code-blocks that remain are the same ones: sizes are divided and rounded up (B-14),
// the exponents of the remaining sub-bands keep their values, since they say how many bit-planes were coded.
func (r *Reader) previewHeader(drop int) Header {
	h := r.Header
	cut := func(x uint32) uint32 { return uint32(ceilShift(uint64(x), drop)) }
	h.X1, h.Y1, h.TileW, h.TileH = cut(r.X1), cut(r.Y1), cut(r.TileW), cut(r.TileH)
	for c := range h.N {
		k, q := &h.Coding[c], &h.Quant[c]
		k.Levels -= uint8(drop)
		for i := int(k.Levels) + 1; i < len(k.Precincts); i++ {
			k.Precincts[i] = 0xFF
		}
		if q.Style != QuantDerived {
			q.N = 3*k.Levels + 1
		}
		clear(q.Steps[q.N:])
	}
	return h
}

// AppendPreview appends a complete codestream of the image without its drop
// highest resolution levels, made of the same packets: tile-parts by resolution level,
// TLM, EOC. r has scanned the codestream or a prefix of it; ends has the offsets in it behind the last packet of
// each remaining level (packet.LevelEnds), so the source must reach to ends[levels-drop].
func AppendPreview(dst []byte, r *Reader, ends []int64, drop int) ([]byte, error) {
	if err := r.PreviewError(drop); err != nil {
		return dst, err
	}
	parts := int(r.Coding[0].Levels) - drop + 1
	if len(ends) < parts {
		return dst, &codecs.LimitError{Codec: codec, What: "ends of resolution levels", Need: int64(parts), Most: int64(len(ends))}
	}
	h := r.previewHeader(drop)
	var w Writer
	base := len(dst)
	dst = w.Begin(dst, &h, &Layout{Parts: parts, TLM: true})
	from := r.End
	for level := range parts {
		if ends[level] < from || ends[level] > int64(len(r.src)) {
			return dst[:base], malformed(ends[level], "", fmt.Sprintf("end of resolution level %d is outside the codestream or before that of the level below", level))
		}
		dst = w.BeginPart(dst)
		dst = r.appendBodies(dst, from, ends[level])
		dst = w.EndPart(dst)
		from = ends[level]
	}
	return w.End(dst), nil
}

// appendBodies appends the bytes of packets in [from, to).
func (r *Reader) appendBodies(dst []byte, from, to int64) []byte {
	for i := range r.Parts {
		p := &r.Parts[i]
		if a, b := max(from, p.Body), min(to, p.End); a < b {
			dst = append(dst, r.src[a:b]...)
		}
	}
	return dst
}
