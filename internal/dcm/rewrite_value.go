package dcm

import "strings"

// surroundings is the data set or item that an element lies in, which settles VRs that depend on other elements.
type surroundings struct {
	parent   *surroundings
	sequence uint32 // the sequence that the item belongs to, 0 at the root
	elements []Element
	enc      Encoding
}

func (s *surroundings) find(tag uint32) *Element {
	for i := range s.elements {
		if s.elements[i].Tag == tag {
			return &s.elements[i]
		}
	}
	return nil
}

// number returns a 16-bit number from the nearest surroundings that have it.
func (w *walker) number16(s *surroundings, tag uint32) (v int, ok bool, err error) {
	for ; s != nil; s = s.parent {
		if e := s.find(tag); e != nil && e.Length == 2 {
			p, err := w.src.peek(e.ValueOffset, 2)
			if err != nil {
				return 0, false, err
			}
			return int(s.enc.u16(p)), true, nil
		}
	}
	return 0, false, nil
}

// writtenVR decides the VR of an element, and how its value is to be read from the source.
func (w *walker) writtenVR(e *Element, s *surroundings) (VR, error) {
	vr := e.VR
	if vr == (VR{}) {
		vr = dictionaryVR(e.Tag)
		switch {
		case vr == vrUS && signedChoice(e.Tag):
			signed, err := w.signedValue(e, s)
			if err != nil {
				return vr, err
			}
			if signed {
				vr = vrSS
			}
		case vr == vrOW && e.Tag>>16 == 0x5400: // waveforms: by Waveform Bits Allocated
			bits, ok, err := w.number16(s, 0x54001004)
			if err != nil {
				return vr, err
			}
			if ok && bits <= 8 {
				vr = vrOB
			}
		}
		if vr.unit() > 1 && e.Length%int64(vr.unit()) != 0 {
			vr = vrUN
		}
	}
	if !vr.known() || vr.form() == formShort && e.Length > 0xFFFE {
		vr = vrUN
	}
	return vr, nil
}

// signedValue decides US or SS (PS3.5 A.1 and PS3.3 C.11): by Pixel
// Representation, but for the input of a VOI LUT behind a Modality LUT, which is unsigned, or rescaled below 0.
func (w *walker) signedValue(e *Element, s *surroundings) (bool, error) {
	if e.Tag == 0x00283002 && s.sequence == 0x00283010 && s.parent != nil {
		if s.parent.find(0x00283000) != nil {
			return false, nil
		}
		if i := s.parent.find(0x00281052); i != nil {
			t, err := w.text(i)
			if err != nil || strings.HasPrefix(strings.TrimLeft(t, " "), "-") {
				return true, err
			}
		}
	}
	v, _, err := w.number16(s, 0x00280103)
	return v == 1, err
}

// element appends one element, nested ones included, to the buffer.
func (x *rewriter) element(e *Element, s *surroundings, depth int) error {
	if e.isSequence() {
		return x.sequence(e, s, depth+1)
	}
	if int64(len(x.x.b))+e.Length > x.lim.MaxHeaderBytes {
		return &LimitError{e.Offset, "bytes of one top-level element", int64(len(x.x.b)) + e.Length, x.lim.MaxHeaderBytes}
	}
	if e.Undefined {
		return x.nestedFragments(e, s)
	}
	vr, err := x.writtenVR(e, s)
	if err != nil {
		return err
	}
	x.x.header(e.Tag, vr, uint32(e.Length+e.Length%2))
	if err := x.copy(e.ValueOffset, e.Length); err != nil {
		return err
	}
	if s.enc.BigEndian {
		swap(x.x.b[len(x.x.b)-int(e.Length):], e.VR.unit())
	}
	x.x.pad(vr, int(e.Length))
	return nil
}

// copy appends source bytes to the buffer.
func (x *rewriter) copy(off, n int64) error {
	for n > 0 {
		k := min(n, maxChunk)
		p, err := x.src.peek(off, int(k))
		if err != nil {
			return err
		}
		x.x.b = append(x.x.b, p[:k]...)
		off, n = off+k, n-k
	}
	return nil
}

// sequence appends a sequence in the length form that it came in. A UN element
// of items, and a sequence that only its undefined length gives away, are copied: their items are implicit little endian.
func (x *rewriter) sequence(e *Element, s *surroundings, depth int) error {
	if depth > x.lim.MaxDepth {
		return &LimitError{e.Offset, "nested sequences", int64(depth), int64(x.lim.MaxDepth)}
	}
	vr := e.VR
	if vr == (VR{}) {
		vr = dictionaryVR(e.Tag)
	}
	switch {
	case vr == vrSQ:
	case vr == vrUN, !vr.known() && s.enc == Encoding{}:
		return x.unknownItems(e)
	case !vr.known(): // letters of no VR, but its items are encoded like a sequence's
	default:
		return &UnsupportedError{e.Tag, "undefined length with VR " + vr.String()}
	}
	mark := x.x.begin(e.Tag, e.Undefined)
	err := x.items(e, s.enc, depth, func(r itemRange) error {
		in := &surroundings{parent: s, sequence: e.Tag, enc: r.enc}
		err := x.elements(r.off, r.end, r.enc, depth, func(e Element) error {
			in.elements = append(in.elements, e)
			return nil
		})
		if err != nil {
			return err
		}
		at := x.x.begin(tagItem, r.undefined)
		for i := range in.elements {
			if dropped(in.elements[i].Tag) {
				continue
			}
			if err := x.element(&in.elements[i], in, depth); err != nil {
				return err
			}
		}
		return x.x.end(tagItem, at, r.undefined)
	})
	if err != nil {
		return err
	}
	return x.x.end(e.Tag, mark, e.Undefined)
}

// unknownItems copies the items of an element of unknown VR.
func (x *rewriter) unknownItems(e *Element) error {
	if x.f.Unterminated {
		return &UnsupportedError{e.Tag, "copying a sequence of unknown elements from a file without its last delimiters"}
	}
	if e.Length > x.lim.MaxHeaderBytes {
		return &LimitError{e.Offset, "bytes of one top-level element", e.Length, x.lim.MaxHeaderBytes}
	}
	x.x.header(e.Tag, vrUN, undefinedLength)
	return x.copy(e.ValueOffset, e.Length)
}

// nestedFragments copies encapsulated data that is not the instance's own pixel data, such as a compressed icon.
func (x *rewriter) nestedFragments(e *Element, s *surroundings) error {
	if s.enc.BigEndian || x.f.Unterminated {
		return &UnsupportedError{e.Tag, "nested encapsulated data that is big endian or without delimiter"}
	}
	vr := e.VR
	if vr == (VR{}) {
		vr = vrOB
	}
	x.x.header(e.Tag, vr, undefinedLength)
	return x.copy(e.ValueOffset, e.Length)
}

// long writes a long value of the root without holding it in memory.
func (x *rewriter) long(e *Element) error {
	vr, err := x.writtenVR(e, &x.root)
	if err != nil {
		return err
	}
	unit := 1
	if x.f.Encoding.BigEndian {
		unit = e.VR.unit()
	}
	x.x.header(e.Tag, vr, uint32(e.Length+e.Length%2))
	if err := x.stream(e.ValueOffset, e.Length, unit); err != nil {
		return err
	}
	x.x.pad(vr, int(e.Length%2))
	return nil
}

// stream passes the buffer and then a range of the source on, in chunks, with words of unit bytes swapped.
func (x *rewriter) stream(off, n int64, unit int) error {
	for n > 0 {
		k := min(n, maxChunk)
		if err := x.copy(off, k); err != nil {
			return err
		}
		if unit > 1 {
			swap(x.x.b[len(x.x.b)-int(k):], unit)
		}
		off, n = off+k, n-k
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}
