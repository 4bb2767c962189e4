package codestream

import "github.com/radtier/radtier/codecs"

// Outline is what a prefix of a codestream has besides packets: its main header and
// tile-part headers, and where packets lie between them. With the packets, which a preview has, it gives the
// prefix back byte by byte, so that a viewer that has a preview fetches only what follows.
type Outline struct {
	Heads  []byte  // main header and tile-part headers one after another
	Bodies []Range // packets of each tile-part, in the codestream
}

// Range is the bytes [Start, End) of a codestream.
type Range struct{ Start, End int64 }

// End is the length of the prefix: what is missing begins there.
func (o *Outline) End() int64 {
	end := int64(len(o.Heads))
	for _, b := range o.Bodies {
		end += b.End - b.Start
	}
	return end
}

// Outline describes the first end bytes of a codestream, which must end in packets or behind them.
// After Scan.
func (r *Reader) Outline(end int64) (Outline, error) {
	var o Outline
	at := int64(0)
	for i := range r.Parts {
		p := &r.Parts[i]
		if p.Body > end {
			break
		}
		o.Heads = append(o.Heads, r.src[at:p.Body]...)
		at = min(p.End, end)
		o.Bodies = append(o.Bodies, Range{p.Body, at})
		if at == end {
			break
		}
	}
	if at != end {
		return Outline{}, malformed(end, "A.4.2", "prefix does not end in packets")
	}
	return o, nil
}

// Join appends the prefix of the original codestream that o describes: its headers
// with the packets of preview, which was scanned.
func Join(dst []byte, o *Outline, preview *Reader) ([]byte, error) {
	have, need := int64(0), o.End()-int64(len(o.Heads))
	for i := range preview.Parts {
		have += preview.Parts[i].End - preview.Parts[i].Body
	}
	if have != need {
		return dst, &codecs.LimitError{Codec: codec, What: "bytes of packets for the upgrade of a preview", Need: need, Most: have}
	}
	base := int64(len(dst))
	heads, taken := o.Heads, int64(0)
	part, at := 0, int64(0) // the preview's tile-part, and what was taken of it
	for _, b := range o.Bodies {
		n := b.Start - (int64(len(dst)) - base)
		if n < 0 || n > int64(len(heads)) || b.End < b.Start || taken+b.End-b.Start > have {
			return dst[:base], malformed(b.Start, "", "outline whose parts do not follow one another")
		}
		dst, heads = append(dst, heads[:n]...), heads[n:]
		taken += b.End - b.Start
		for left := b.End - b.Start; left > 0; {
			p := &preview.Parts[part]
			k := min(left, p.End-p.Body-at)
			dst = append(dst, preview.src[p.Body+at:][:k]...)
			left, at = left-k, at+k
			if p.Body+at == p.End {
				part, at = part+1, 0
			}
		}
	}
	return append(dst, heads...), nil
}
