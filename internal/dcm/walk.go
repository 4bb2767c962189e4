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
	// No byte more than the header: what follows may not be there, see File.Pieces.
	p, err := w.src.peek(off, 8)
	if err != nil {
		return e, 0, err
	}
	e.Tag, e.ValueOffset = enc.tag(p), off+8
	if !enc.Explicit || e.Tag>>16 == 0xFFFE {
		return e, enc.u32(p[4:]), nil
	}
	vr := VR{p[4], p[5]}
	switch vr.form() {
	case formShort:
		e.VR = vr
		return e, uint32(enc.u16(p[6:])), nil
	case formLong, formFuture:
		e.VR = vr
		whole, long := limit-off >= 12, uint32(0)
		if whole {
			if p, err = w.src.peek(off, 12); err != nil {
				return e, 0, err
			}
			long = enc.u32(p[8:])
			if long == undefinedLength || off+12+int64(long) <= limit {
				e.ValueOffset = off + 12
				return e, long, nil
			}
		}
		// Some writers use the short form for VRs that need the long one.
		if short := enc.u16(p[6:]); short != 0 && w.plausibleAfter(off+8+int64(short), limit, e.Tag, enc) {
			return e, uint32(short), nil
		}
		if !whole {
			return e, 0, &MalformedError{off, e.Tag, "header is cut off"}
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
			if _, off, err = w.skipItem(off+8, limit, w.sniff(off+8, limit, enc), depth); err != nil {
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

// skipItem steps over the elements of an undefined-length item. It returns
// where they end and the offset after the item's delimiter.
func (w *walker) skipItem(off, limit int64, enc Encoding, depth int) (end, next int64, err error) {
	for {
		if off == limit {
			w.unterminated = true
			return off, off, nil
		}
		if w.nested++; w.nested > w.lim.MaxNested {
			return off, off, &LimitError{off, "elements inside sequences", int64(w.nested), int64(w.lim.MaxNested)}
		}
		e, length, err := w.header(off, limit, enc)
		if err != nil {
			return off, off, err
		}
		switch {
		case e.Tag == tagItemEnd:
			return off, off + 8, nil
		case e.Tag == tagSequenceEnd: // the item's own delimiter is missing
			w.unterminated = true
			return off, off, nil
		case e.Tag == tagItem:
			return off, off, &MalformedError{off, e.Tag, "item inside an item"}
		case length == undefinedLength:
			if off, err = w.skipItems(e.ValueOffset, limit, e.contentEncoding(enc), depth+1); err != nil {
				return off, off, err
			}
		default:
			if off = e.ValueOffset + int64(length); off > limit {
				return off, off, &MalformedError{e.Offset, e.Tag, fmt.Sprintf("length %d passes the end of its surroundings by %d", length, off-limit)}
			}
		}
	}
}

// elements calls visit for each element in [off, end), which is one data set or item.
func (w *walker) elements(off, end int64, enc Encoding, depth int, visit func(Element) error) error {
	for n := 0; off < end; n++ {
		if n >= w.lim.MaxElements {
			return &LimitError{off, "elements of one item", int64(n) + 1, int64(w.lim.MaxElements)}
		}
		e, err := w.element(off, end, enc, depth)
		if err != nil {
			return err
		}
		if e.Tag>>16 == 0xFFFE {
			if e.Tag != tagItem { // a stray delimiter in an item of defined length is harmless
				off = e.ValueOffset
				continue
			}
			return &MalformedError{off, e.Tag, "item inside an item"}
		}
		if err := visit(e); err != nil {
			return err
		}
		off = e.End
	}
	return nil
}

// itemRange is the content of one sequence item, without header and delimiter.
type itemRange struct {
	off, end  int64
	enc       Encoding
	undefined bool
}

// items calls visit for each item of a sequence element of a data set encoded as enc.
func (w *walker) items(e *Element, enc Encoding, depth int, visit func(itemRange) error) error {
	if depth > w.lim.MaxDepth {
		return &LimitError{e.Offset, "nested sequences", int64(depth), int64(w.lim.MaxDepth)}
	}
	enc = e.contentEncoding(enc)
	for off := e.ValueOffset; off < e.End; {
		it, length, err := w.item(off, e.End, enc)
		if err != nil {
			return err
		}
		if it.Tag == tagSequenceEnd || it.Tag == tagItemEnd {
			off += 8
			continue
		}
		r := itemRange{off: it.ValueOffset, end: it.End, undefined: length == undefinedLength}
		next := it.End
		r.enc = w.sniff(r.off, e.End, enc)
		if r.undefined {
			if r.end, next, err = w.skipItem(r.off, e.End, r.enc, depth); err != nil {
				return err
			}
		}
		if err := visit(r); err != nil {
			return err
		}
		off = next
	}
	return nil
}

// isSequence reports whether an element's value is items that hold elements.
func (e *Element) isSequence() bool {
	switch {
	case e.Undefined:
		return !e.isFragments()
	case e.VR == vrSQ:
		return true
	case e.VR == (VR{}):
		return dictionaryVR(e.Tag) == vrSQ
	}
	return false
}

// isFragments reports whether an element of undefined length is encapsulated data, whose items hold bytes.
func (e *Element) isFragments() bool {
	return e.Undefined && (e.VR == vrOB || e.VR == vrOW || e.Tag == 0x7FE00010)
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
