package dcm

import (
	"cmp"
	"io"
	"slices"
)

// Edit is a data set, or one item of it, of which elements are changed before
// it is written in another file. What is not touched is copied as [Rewrite]
// does: every value byte for byte, nested ones too, in Explicit VR Little
// Endian. Values are read when they are asked for; nothing of the source is
// changed. An Edit is not safe for concurrent use.
type Edit struct {
	x       *rewriter
	in      *surroundings
	depth   int
	parent  *Edit
	entries []entry
	values  *Dataset
}

// entry is one element of an Edit: the source's, a new value, or a sequence whose items were asked for.
type entry struct {
	Element
	fresh  *built
	opened bool
	items  []editItem
}

// editItem is an item of the source, or a new one.
type editItem struct {
	edit      *Edit
	undefined bool // length form of the source's item
	fresh     *Builder
}

// NewEdit begins to edit the instance that [Scan] found in r. Of r it reads what is asked for, and what is copied.
func NewEdit(r io.ReaderAt, f *File) (*Edit, error) {
	if f.IsDICOMDIR() {
		return nil, &UnsupportedError{0x00041220, "editing a DICOMDIR, whose records refer to byte offsets"}
	}
	for i := range f.Elements {
		if e := &f.Elements[i]; e.Tag>>16 == 2 {
			return nil, &UnsupportedError{e.Tag, "file meta element inside the data set"}
		}
	}
	src, size := f.dataset(r)
	x := &rewriter{walker: walker{src: newWindow(src, size), lim: Limits{}.withDefaults()}, f: f, x: encoder{enc: Encoding{Explicit: true}}}
	x.root = surroundings{elements: f.Elements, enc: f.Encoding}
	e := &Edit{x: x, in: &x.root}
	e.fill(f.Elements)
	return e, nil
}

func (e *Edit) fill(list []Element) {
	e.entries = make([]entry, 0, len(list))
	for _, el := range list {
		if !dropped(el.Tag) && !(e.parent == nil && isPixelData(el.Tag)) {
			e.entries = append(e.entries, entry{Element: el})
		}
	}
	slices.SortStableFunc(e.entries, func(a, b entry) int { return cmp.Compare(a.Tag, b.Tag) })
}

func (e *Edit) find(tag uint32) *entry {
	i, ok := slices.BinarySearchFunc(e.entries, tag, func(x entry, t uint32) int { return cmp.Compare(x.Tag, t) })
	if !ok {
		return nil
	}
	return &e.entries[i]
}

// Has reports whether an element will be written.
func (e *Edit) Has(tag uint32) bool { return e.find(tag) != nil }

// Tags returns the tags that will be written, rising, without the instance's pixel data.
func (e *Edit) Tags() []uint32 {
	tags := make([]uint32, len(e.entries))
	for i := range e.entries {
		tags[i] = e.entries[i].Tag
	}
	return tags
}

// IsSequence reports whether an element to be written is a sequence of the source that [Edit.Items] can open.
func (e *Edit) IsSequence(tag uint32) bool {
	x := e.find(tag)
	return x != nil && x.fresh == nil && x.isSequence() && x.sequenceVR() == vrSQ
}

// Delete removes all elements that remove says.
func (e *Edit) Delete(remove func(tag uint32) bool) {
	e.entries = slices.DeleteFunc(e.entries, func(x entry) bool { return remove(x.Tag) })
}

// DeleteTags removes elements.
func (e *Edit) DeleteTags(tags ...uint32) {
	e.Delete(func(t uint32) bool { return slices.Contains(tags, t) })
}

// Set replaces or adds the elements of b. An element that came twice is there once afterwards.
func (e *Edit) Set(b *Builder) error {
	if b.err != nil {
		return b.err
	}
	for tag, value := range b.elements { // the order makes no difference: entries are sorted
		e.DeleteTags(tag)
		at, _ := slices.BinarySearchFunc(e.entries, tag, func(x entry, t uint32) int { return cmp.Compare(x.Tag, t) })
		e.entries = slices.Insert(e.entries, at, entry{Element: Element{Tag: tag}, fresh: &value})
	}
	return nil
}

// Values returns the source's values of the data set or item, whatever was
// changed. Sequences are left out: see [Edit.Items]. Values longer than the default MaxValue have a length only.
func (e *Edit) Values() (*Dataset, error) {
	if e.values != nil {
		return e.values, nil
	}
	d := &Dataset{src: &e.x.walker, enc: e.in.enc, depth: e.depth}
	if e.parent != nil {
		p, err := e.parent.Values()
		if err != nil {
			return nil, err
		}
		d.parent = p
	}
	for _, el := range e.in.elements {
		h := held{Element: el}
		if !el.isSequence() && !el.Undefined && el.Length <= e.x.lim.MaxValue && !isPixelData(el.Tag) {
			v, err := e.x.src.bytes(el.ValueOffset, el.Length)
			if err != nil {
				return nil, err
			}
			h.value = v
		}
		d.elements = append(d.elements, h)
	}
	e.values = d
	return d, nil
}

// Bytes returns the source's value of an element of any length up to the
// default MaxHeaderBytes, its words turned little endian; nil if it is absent. A sequence has none.
func (e *Edit) Bytes(tag uint32) ([]byte, error) {
	el := e.in.find(tag)
	switch {
	case el == nil:
		return nil, nil
	case el.isSequence() || el.Undefined || isPixelData(tag):
		return nil, &UnsupportedError{tag, "a value that is not plain bytes"}
	case el.Length > e.x.lim.MaxHeaderBytes:
		return nil, &LimitError{el.Offset, "bytes of one value", el.Length, e.x.lim.MaxHeaderBytes}
	}
	v, err := e.x.src.bytes(el.ValueOffset, el.Length)
	if err != nil {
		return nil, err
	}
	v = append([]byte{}, v...)
	if e.in.enc.BigEndian {
		swap(v, el.VR.unit())
	}
	return v, nil
}

// Items returns the source's items of a sequence that are still to be
// written; changes made to them are written. It returns nil if there is no
// such element, and an *[UnsupportedError] if it is not written as a sequence.
func (e *Edit) Items(tag uint32) ([]*Edit, error) {
	x := e.find(tag)
	if x == nil || x.fresh != nil {
		return nil, nil
	}
	if err := e.open(x); err != nil {
		return nil, err
	}
	var list []*Edit
	for _, it := range x.items {
		if it.edit != nil {
			list = append(list, it.edit)
		}
	}
	return list, nil
}

// Keep removes the items of a sequence that keep does not want, i counting the source's items still there.
func (e *Edit) Keep(tag uint32, keep func(i int) bool) error {
	x := e.find(tag)
	if x == nil || x.fresh != nil {
		return nil
	}
	if err := e.open(x); err != nil {
		return err
	}
	var list []editItem
	n := 0
	for _, it := range x.items {
		if it.edit != nil {
			n++
			if !keep(n - 1) {
				continue
			}
		}
		list = append(list, it)
	}
	x.items = list
	return nil
}

// Append adds items behind those of a sequence, which is made if it is not there.
func (e *Edit) Append(tag uint32, items ...*Builder) error {
	x := e.find(tag)
	if x == nil {
		return e.Set(NewBuilder().Items(tag, items...))
	}
	if x.fresh != nil {
		x.fresh.items = append(x.fresh.items, items...)
		return nil
	}
	if err := e.open(x); err != nil {
		return err
	}
	for _, it := range items {
		x.items = append(x.items, editItem{fresh: it, undefined: x.Undefined})
	}
	return nil
}

// Walk calls visit for the data set and for every item of the source below
// it that is still to be written, from the outside in. Sequences that are written as unknown values stay closed.
func (e *Edit) Walk(visit func(*Edit) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for i := range e.entries {
		x := &e.entries[i]
		if x.fresh != nil || x.sequenceVR() != vrSQ || !x.opened && !x.isSequence() {
			continue
		}
		if err := e.open(x); err != nil {
			return err
		}
		for _, it := range x.items {
			if it.edit != nil {
				if err := it.edit.Walk(visit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sequenceVR is the VR that tells whether the source wrote a sequence as one; UN says that it did not.
func (x *entry) sequenceVR() VR {
	if x.VR.known() {
		return x.VR
	}
	return dictionaryVR(x.Tag)
}

// open reads the items of a sequence.
func (e *Edit) open(x *entry) error {
	if x.opened {
		return nil
	}
	if x.sequenceVR() != vrSQ || !x.isSequence() {
		return &UnsupportedError{x.Tag, "editing a sequence that is not written as one"}
	}
	if e.depth+1 > e.x.lim.MaxDepth {
		return &LimitError{x.Offset, "nested sequences", int64(e.depth) + 1, int64(e.x.lim.MaxDepth)}
	}
	if x.Length > e.x.lim.MaxHeaderBytes {
		return &LimitError{x.Offset, "bytes of one top-level element", x.Length, e.x.lim.MaxHeaderBytes}
	}
	err := e.x.items(&x.Element, e.in.enc, e.depth+1, func(r itemRange) error {
		list, err := e.x.content(r, e.depth+1)
		if err != nil {
			return err
		}
		item := &Edit{x: e.x, depth: e.depth + 1, parent: e, in: &surroundings{parent: e.in, sequence: x.Tag, elements: list, enc: r.enc}}
		item.fill(list)
		x.items = append(x.items, editItem{edit: item, undefined: r.undefined})
		return nil
	})
	if err != nil {
		return err
	}
	x.opened = true
	return nil
}
