package dcm

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
)

// CompareDatasets compares two instances element by element, private and
// nested ones included, whatever their encodings, length forms and VR
// letters. It returns a *[DifferenceError] for the first difference. Left out is what [Rewrite] may change: the meta
// group, group lengths, trailing padding, the instances' own pixel data and offset tables, Planar Configuration of
// colour images, RGB against YBR_RCT, and overlays that one of the two keeps in its pixel data.
func CompareDatasets(a io.ReaderAt, fa *File, b io.ReaderAt, fb *File) error {
	x, y := newSide(a, fa), newSide(b, fb)
	return compareElements(x, fa.Elements, fa.Encoding, y, fb.Elements, fb.Encoding, "", 0)
}

type side struct {
	walker
	f *File
}

func newSide(r io.ReaderAt, f *File) *side {
	src, size := f.dataset(r)
	return &side{walker{src: newWindow(src, size), lim: Limits{}.withDefaults()}, f}
}

// ignored reports whether an element of a root data set is not compared.
func ignored(tag uint32, fa, fb *File) bool {
	switch {
	case tag >= 0x7FE00001 && tag <= 0x7FE00003, isPixelData(tag):
		return true
	case tag == 0x00280006:
		return fa.Image != nil && fa.Image.Samples > 1
	case tag == 0x00280004:
		return fa.Image != nil && fb.Image != nil && rctPair(fa.Image.Photometric, fb.Image.Photometric)
	case tag>>24 == 0x60 && tag>>16 <= overlayGroups && (fa.overlayBits|fb.overlayBits)>>(tag>>17&15)&1 == 1:
		e := tag & 0xFFFF
		return e == 0x0100 || e == 0x0102 || e == 0x3000
	}
	return false
}

func rctPair(a, b string) bool {
	return a == "RGB" && b == "YBR_RCT" || a == "YBR_RCT" && b == "RGB"
}

// compared returns the elements that count, in the order of their tags.
func compared(list []Element, root bool, fa, fb *File) []Element {
	out := make([]Element, 0, len(list))
	for _, e := range list {
		if !dropped(e.Tag) && !(root && ignored(e.Tag, fa, fb)) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Element) int { return cmp.Compare(a.Tag, b.Tag) })
	return out
}

func compareElements(x *side, a []Element, encA Encoding, y *side, b []Element, encB Encoding, path string, depth int) error {
	a, b = compared(a, depth == 0, x.f, y.f), compared(b, depth == 0, x.f, y.f)
	for i := range max(len(a), len(b)) {
		switch {
		case i == len(b) || i < len(a) && a[i].Tag < b[i].Tag:
			return &DifferenceError{path + TagString(a[i].Tag), "only the first has the element"}
		case i == len(a) || b[i].Tag < a[i].Tag:
			return &DifferenceError{path + TagString(b[i].Tag), "only the second has the element"}
		}
		if err := compareElement(x, &a[i], encA, y, &b[i], encB, path+TagString(a[i].Tag), depth); err != nil {
			return err
		}
	}
	return nil
}

func compareElement(x *side, a *Element, encA Encoding, y *side, b *Element, encB Encoding, path string, depth int) error {
	if a.VR.known() && b.VR.known() && a.VR != b.VR && a.VR != vrUN && b.VR != vrUN {
		return &DifferenceError{path, fmt.Sprintf("VR %s and %s", a.VR, b.VR)}
	}
	if a.isFragments() || b.isFragments() {
		if a.isFragments() != b.isFragments() {
			return &DifferenceError{path, "only one is encapsulated"}
		}
		return compareValues(x, a, 1, y, b, 1, false, path)
	}
	if a.isSequence() || b.isSequence() {
		return compareSequences(x, a, encA, y, b, encB, path, depth+1)
	}
	vr := a.VR
	if !vr.known() || vr == vrUN {
		vr = b.VR
	}
	if !vr.known() {
		vr = dictionaryVR(a.Tag)
	}
	unitA, unitB := 1, 1
	if encA.BigEndian {
		unitA = a.VR.unit()
	}
	if encB.BigEndian {
		unitB = b.VR.unit()
	}
	return compareValues(x, a, unitA, y, b, unitB, vr.text(), path)
}

func compareSequences(x *side, a *Element, encA Encoding, y *side, b *Element, encB Encoding, path string, depth int) error {
	for _, e := range []*Element{a, b} {
		if !e.isSequence() && e.VR != vrUN && e.VR != (VR{}) {
			return &DifferenceError{path, "only one is a sequence"}
		}
	}
	itemsA, err := x.collect(a, encA, depth)
	if err != nil {
		return err
	}
	itemsB, err := y.collect(b, encB, depth)
	if err != nil {
		return err
	}
	if len(itemsA) != len(itemsB) {
		return &DifferenceError{path, fmt.Sprintf("%d and %d items", len(itemsA), len(itemsB))}
	}
	for i := range itemsA {
		ea, err := x.content(itemsA[i], depth)
		if err != nil {
			return err
		}
		eb, err := y.content(itemsB[i], depth)
		if err != nil {
			return err
		}
		if err := compareElements(x, ea, itemsA[i].enc, y, eb, itemsB[i].enc, fmt.Sprintf("%s[%d].", path, i), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) collect(e *Element, enc Encoding, depth int) (list []itemRange, err error) {
	err = w.items(e, enc, depth, func(r itemRange) error { list = append(list, r); return nil })
	return list, err
}

func (w *walker) content(r itemRange, depth int) (list []Element, err error) {
	err = w.elements(r.off, r.end, r.enc, depth, func(e Element) error { list = append(list, e); return nil })
	return list, err
}

// compareValues compares two values, each turned little endian by its word
// size, without padding: all trailing spaces and NULs of text, else one byte that makes the length even.
func compareValues(x *side, a *Element, unitA int, y *side, b *Element, unitB int, text bool, path string) error {
	if unitA == 1 && unitB == 1 && text {
		return compareText(x, a, y, b, path)
	}
	n := min(a.Length, b.Length)
	for off := int64(0); off < n; {
		k := int(min(n-off, peekMax)) // a multiple of every word size but at the end
		p, err := x.src.peek(a.ValueOffset+off, k)
		if err != nil {
			return err
		}
		q, err := y.src.peek(b.ValueOffset+off, k)
		if err != nil {
			return err
		}
		p, q = p[:k], q[:k]
		if unitA != unitB {
			p, q = bytes.Clone(p), bytes.Clone(q)
			swap(p, unitA)
			swap(q, unitB)
		}
		if !bytes.Equal(p, q) {
			return &DifferenceError{path, "values"}
		}
		off += int64(k)
	}
	long, w := a, &x.walker
	if b.Length > a.Length {
		long, w = b, &y.walker
	}
	switch long.Length - n {
	case 0:
		return nil
	case 1:
		p, err := w.src.peek(long.End-1, 1)
		if err != nil {
			return err
		}
		if long.Length%2 == 0 && (p[0] == 0 || p[0] == ' ') {
			return nil
		}
	}
	return &DifferenceError{path, fmt.Sprintf("lengths %d and %d", a.Length, b.Length)}
}

func compareText(x *side, a *Element, y *side, b *Element, path string) error {
	for _, e := range []*Element{a, b} {
		if e.Length > x.lim.MaxHeaderBytes {
			return &LimitError{e.Offset, "bytes of a text value", e.Length, x.lim.MaxHeaderBytes}
		}
	}
	p, err := x.src.bytes(a.ValueOffset, a.Length)
	if err != nil {
		return err
	}
	q, err := y.src.bytes(b.ValueOffset, b.Length)
	if err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimRight(p, "\x00 "), bytes.TrimRight(q, "\x00 ")) {
		return &DifferenceError{path, "text"}
	}
	return nil
}
