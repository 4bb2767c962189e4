package codestream

import "encoding/binary"

// Packed packet headers (A.7.4, A.7.5): instead of before their bodies, packet
// headers lie together in the main header (PPM) or in tile-part headers (PPT).

// PackedHeaders reports whether the packet headers of a tile lie apart from the bodies. After Scan.
func (r *Reader) PackedHeaders(tile int) bool {
	if r.ppm {
		return true
	}
	for i := r.First(tile); i >= 0; i = int(r.Parts[i].Next) {
		if r.Parts[i].packed {
			return true
		}
	}
	return false
}

// AppendPackedHeaders appends the packet headers of tile-part i of Parts, as PPM or PPT have them.
func (r *Reader) AppendPackedHeaders(dst []byte, i int) ([]byte, error) {
	p := &r.Parts[i]
	if r.ppm {
		from := 0
		if i > 0 {
			from = r.ppmEnd[i-1]
		}
		return append(dst, r.ppmBuf[from:r.ppmEnd[i]]...), nil
	}
	if !p.packed {
		return dst, nil
	}
	return r.appendNumbered(dst, p.Offset+sotLength, p.Body-2, markerPPT, "A.7.5")
}

// numbered are the marker segments of one kind in a header by the index that their first byte is. They need
// not be in this order in the header.
type numbered [256]cursor

// collect finds the marker segments of one kind in the header [at, end), and leaves each behind its index.
func (r *Reader) collect(at, end int64, kind uint16, clause string) (all numbered, err error) {
	for at < end {
		marker, c, after, err := segment(r.src, at, end)
		if err != nil {
			return all, err
		}
		at = after
		if marker != kind {
			continue
		}
		z := c.u8()
		if c.short {
			return all, c.wrong(clause, "length of "+markerName(kind))
		}
		if all[z].b != nil {
			return all, c.wrong(clause, "two "+markerName(kind)+" with one index")
		}
		all[z] = c
	}
	return all, nil
}

// appendNumbered appends the data of all marker segments of one kind in a header, in the order of their index.
func (r *Reader) appendNumbered(dst []byte, at, end int64, kind uint16, clause string) ([]byte, error) {
	all, err := r.collect(at, end, kind, clause)
	for i := range all {
		if all[i].b != nil {
			dst = append(dst, all[i].b[1:]...)
		}
	}
	return dst, err
}

// readPPM joins the PPM marker segments and splits them at Nppm, one for each tile-part.
func (r *Reader) readPPM() error {
	var err error
	if r.ppmBuf, err = r.appendNumbered(r.ppmBuf[:0], 2, r.End, markerPPM, "A.7.4"); err != nil {
		return err
	}
	// The lengths Nppm are squeezed out, so that what remains is the headers one after another.
	w, at := 0, 0
	for range r.Parts {
		if len(r.ppmBuf)-at < 4 {
			return malformed(r.End, "A.7.4", "PPM has no packet headers for a tile-part")
		}
		n := int64(binary.BigEndian.Uint32(r.ppmBuf[at:]))
		at += 4
		if n > int64(len(r.ppmBuf)-at) {
			return malformed(r.End, "A.7.4", "packet headers in PPM are shorter than Nppm")
		}
		w += copy(r.ppmBuf[w:], r.ppmBuf[at:at+int(n)])
		at += int(n)
		r.ppmEnd = append(r.ppmEnd, w)
	}
	return nil
}
