package dcm

import "fmt"

// walker steps through encoded elements. It is what Scan, ReadDataset,
// Rewrite and CompareDatasets have in common.
type walker struct {
	src          window
	lim          Limits
	nested       int  // elements and items stepped over inside sequences
	unterminated bool // a sequence or item ended with its surroundings instead of with a delimiter
}

// element reads the element at off, which ends at limit at the latest, and finds its end.
func (w *walker) element(off, limit int64, enc Encoding, depth int) (Element, error) {
	e, length, err := w.header(off, limit, enc)
	if err != nil {
		return e, err
	}
	if length != undefinedLength {
		e.Length = int64(length)
		e.End = e.ValueOffset + e.Length
		if e.End > limit {
			return e, &MalformedError{off, e.Tag, fmt.Sprintf("length %d passes the end of its surroundings by %d", e.Length, e.End-limit)}
		}
		return e, nil
	}
	e.Undefined = true
	e.End, err = w.skipItems(e.ValueOffset, limit, e.contentEncoding(enc), depth+1)
	e.Length = e.End - e.ValueOffset
	return e, err
}

// contentEncoding is how the items of a sequence are encoded: those of a UN element always implicit little endian (PS3.5 6.2.2).
func (e *Element) contentEncoding(enc Encoding) Encoding {
	if e.VR == vrUN {
		return Encoding{}
	}
	return enc
}

// header reads tag, VR and length. The element's Length and End are left to the caller.
func (w *walker) header(off, limit int64, enc Encoding) (e Element, length uint32, err error) {
	e.Offset = off
	if limit-off < 8 {
		return e, 0, &MalformedError{off, 0, fmt.Sprintf("%d bytes left, an element needs at least 8", limit-off)}
	}
	p, err := w.src.peek(off, int(min(12, limit-off)))
	if err != nil {
		return e, 0, err
	}
	e.Tag, e.ValueOffset = enc.tag(p), off+8
	if !enc.Explicit || e.Tag>>16 == 0xFFFE {
		return e, enc.u32(p[4:]), nil
	}
	vr := VR{p[4], p[5]}
	switch form := vr.form(); form {
	case formShort:
		e.VR = vr
		return e, uint32(enc.u16(p[6:])), nil
	case formLong, formFuture:
		e.VR = vr
		long := uint32(undefinedLength)
		if limit-off >= 12 {
			long = enc.u32(p[8:])
			if long == undefinedLength || off+12+int64(long) <= limit {
				e.ValueOffset = off + 12
				return e, long, nil
			}
		} else if form == formLong {
			return e, 0, &MalformedError{off, e.Tag, "header is cut off"}
		}
		// Some writers use the short form for VRs that need the long one.
		if short := enc.u16(p[6:]); short != 0 && w.plausibleAfter(off+8+int64(short), limit, e.Tag, enc) {
			return e, uint32(short), nil
		}
		e.ValueOffset = off + 12
		return e, long, nil
	}
	return w.illegalVR(e, p, limit, enc)
}

// illegalVR reads an element of an explicit data set whose VR letters are
// none: it is either written as in implicit VR, or has placeholders such as "??" and a short length.
func (w *walker) illegalVR(e Element, p []byte, limit int64, enc Encoding) (Element, uint32, error) {
	implicit, short, vr := enc.u32(p[4:]), enc.u16(p[6:]), VR{p[4], p[5]}
	switch {
	case implicit == undefinedLength:
		return e, implicit, nil
	case w.plausibleAfter(e.ValueOffset+int64(implicit), limit, e.Tag, enc):
		return e, implicit, nil
	case w.plausibleAfter(e.ValueOffset+int64(short), limit, e.Tag, enc):
		e.VR = vr
		return e, uint32(short), nil
	case e.ValueOffset+int64(implicit) > limit && e.ValueOffset+int64(short) <= limit:
		e.VR = vr
		return e, uint32(short), nil
	}
	return e, implicit, nil
}

// plausibleAfter reports whether off can be where an element with the given tag ends.
func (w *walker) plausibleAfter(off, limit int64, tag uint32, enc Encoding) bool {
	if off == limit {
		return true
	}
	if limit-off < 8 {
		return false
	}
	p, err := w.src.peek(off, 8)
	if err != nil {
		return false
	}
	next := enc.tag(p)
	if next <= tag {
		return false
	}
	if next>>16 == 0xFFFE || enc.Explicit && (VR{p[4], p[5]}).known() {
		return true
	}
	length := enc.u32(p[4:])
	return length == undefinedLength || off+8+int64(length) <= limit
}

// skipItems steps over the items of an undefined-length sequence, or the
// fragments of nested encapsulated data, and returns the offset after its delimiter.
func (w *walker) skipItems(off, limit int64, enc Encoding, depth int) (int64, error) {
	if depth > w.lim.MaxDepth {
		return off, &LimitError{off, "nested sequences", int64(depth), int64(w.lim.MaxDepth)}
	}
	for {
		if off == limit {
			w.unterminated = true
			return off, nil
		}
		it, length, err := w.item(off, limit, enc)
		switch {
		case err != nil:
			return off, err
		case it.Tag == tagSequenceEnd:
			return off + 8, nil
		case it.Tag == tagItemEnd: // a stray one is harmless
			off += 8
		case length != undefinedLength:
			off = it.End
		default:
			if off, err = w.skipItem(off+8, limit, w.sniff(off+8, limit, enc), depth); err != nil {
				return off, err
			}
		}
	}
}

// item reads the header of an item or delimiter and checks that it fits.
func (w *walker) item(off, limit int64, enc Encoding) (Element, uint32, error) {
	if w.nested++; w.nested > w.lim.MaxNested {
		return Element{}, 0, &LimitError{off, "elements inside sequences", int64(w.nested), int64(w.lim.MaxNested)}
	}
	if limit-off < 8 {
		return Element{}, 0, &MalformedError{off, 0, fmt.Sprintf("%d bytes left, an item needs at least 8", limit-off)}
	}
	p, err := w.src.peek(off, 8)
	if err != nil {
		return Element{}, 0, err
	}
	it := Element{Tag: enc.tag(p), Offset: off, ValueOffset: off + 8, End: off + 8}
	length := enc.u32(p[4:])
	switch it.Tag {
	case tagSequenceEnd, tagItemEnd:
		return it, 0, nil
	case tagItem:
	default:
		return it, 0, &MalformedError{off, it.Tag, "where an item or the end of a sequence must be"}
	}
	if length == undefinedLength {
		it.Undefined = true
		return it, length, nil
	}
	it.Length = int64(length)
	it.End += it.Length
	if it.End > limit {
		return it, 0, &MalformedError{off, it.Tag, fmt.Sprintf("item of %d bytes passes the end of its surroundings by %d", it.Length, it.End-limit)}
	}
	return it, length, nil
}

// skipItem steps over the elements of an undefined-length item and returns the offset after its delimiter.
func (w *walker) skipItem(off, limit int64, enc Encoding, depth int) (int64, error) {
	for {
		if off == limit {
			w.unterminated = true
			return off, nil
		}
		if w.nested++; w.nested > w.lim.MaxNested {
			return off, &LimitError{off, "elements inside sequences", int64(w.nested), int64(w.lim.MaxNested)}
		}
		e, length, err := w.header(off, limit, enc)
		if err != nil {
			return off, err
		}
		switch {
		case e.Tag == tagItemEnd:
			return off + 8, nil
		case e.Tag == tagSequenceEnd: // the item's own delimiter is missing
			w.unterminated = true
			return off, nil
		case e.Tag == tagItem:
			return off, &MalformedError{off, e.Tag, "item inside an item"}
		case length == undefinedLength:
			if off, err = w.skipItems(e.ValueOffset, limit, e.contentEncoding(enc), depth+1); err != nil {
				return off, err
			}
		default:
			if off = e.ValueOffset + int64(length); off > limit {
				return off, &MalformedError{e.Offset, e.Tag, fmt.Sprintf("length %d passes the end of its surroundings by %d", length, off-limit)}
			}
		}
	}
}

// sniff returns how the elements starting at off are really encoded: some
// writers put explicit items into implicit data sets. (The reverse is seen
// element by element, see illegalVR.)
func (w *walker) sniff(off, limit int64, enc Encoding) Encoding {
	if enc.Explicit || limit-off < 8 {
		return enc
	}
	p, err := w.src.peek(off, 8)
	if err != nil || !(VR{p[4], p[5]}).known() || enc.tag(p)>>16 == 0xFFFE {
		return enc
	}
	tag, length := enc.tag(p), enc.u32(p[4:])
	if w.plausibleAfter(off+8+int64(length), limit, tag, enc) {
		return enc
	}
	explicit := enc
	explicit.Explicit = true
	e, length, err := w.header(off, limit, explicit)
	if err == nil && (length == undefinedLength || w.plausibleAfter(e.ValueOffset+int64(length), limit, tag, explicit)) {
		return explicit
	}
	return enc
}
