package dcm

import (
	"io"
	"math"
	"strconv"
	"strings"
)

// Dataset is the values of a data set or of one sequence item. It holds
// copies, or parts of a [Bytes] source that must then not change; nested items are read when asked for.
type Dataset struct {
	elements []held
	src      *walker // what the offsets in elements refer to, for nested items
	enc      Encoding
	parent   *Dataset
	depth    int
}

type held struct {
	Element
	value []byte // nil if the value was left out
}

// ReadDataset reads all values but pixel data and those longer than
// lim.MaxValue. Sequences are read whatever their length, within lim.MaxHeaderBytes for all values together.
func ReadDataset(r io.ReaderAt, f *File, lim Limits) (*Dataset, error) {
	lim = lim.withDefaults()
	r, size := f.dataset(r)
	w := walker{src: newWindow(r, size), lim: lim}
	d := &Dataset{elements: make([]held, 0, len(f.Elements)), src: &w, enc: f.Encoding}
	var total int64
	var arena []byte
	for _, e := range f.Elements {
		h := held{Element: e}
		if !isPixelData(e.Tag) && (e.Length <= lim.MaxValue || e.isSequence()) {
			if total += e.Length; total > lim.MaxHeaderBytes {
				return nil, &LimitError{e.Offset, "bytes of values", total, lim.MaxHeaderBytes}
			}
			var err error
			if w.src.mem != nil || e.Length > peekMax {
				h.value, err = w.src.bytes(e.ValueOffset, e.Length)
			} else {
				h.value, arena, err = w.keep(arena, e.ValueOffset, int(e.Length))
			}
			if err != nil {
				return nil, err
			}
		}
		d.elements = append(d.elements, h)
	}
	return d, nil
}

// keep copies a short value into an arena, which saves an allocation per element.
func (w *walker) keep(arena []byte, off int64, n int) (value, rest []byte, err error) {
	p, err := w.src.peek(off, n)
	if err != nil {
		return nil, arena, err
	}
	if cap(arena)-len(arena) < n {
		arena = make([]byte, 0, 2*peekMax)
	}
	at := len(arena)
	arena = append(arena, p[:n]...)
	return arena[at : at+n : at+n], arena, nil
}

func (d *Dataset) find(tag uint32) *held {
	for i := range d.elements {
		if d.elements[i].Tag == tag {
			return &d.elements[i]
		}
	}
	return nil
}

// Tags returns the tags of all elements in file order.
func (d *Dataset) Tags() []uint32 {
	tags := make([]uint32, len(d.elements))
	for i := range d.elements {
		tags[i] = d.elements[i].Tag
	}
	return tags
}

// Has reports whether the element is present, be it empty.
func (d *Dataset) Has(tag uint32) bool { return d.find(tag) != nil }

// Length returns the length of a value in bytes, also of one that was left out; -1 if the element is absent.
func (d *Dataset) Length(tag uint32) int64 {
	if h := d.find(tag); h != nil {
		return h.Length
	}
	return -1
}

// Bytes returns a value as it is encoded; nil if it is absent or was left out, empty but not nil if it is empty.
func (d *Dataset) Bytes(tag uint32) []byte {
	h := d.find(tag)
	if h == nil {
		return nil
	}
	if h.value == nil && h.Length == 0 {
		return []byte{}
	}
	return h.value
}

// VR returns the element's Value Representation, from the dictionary where
// the encoding has none or says UN; zero if unknown or absent.
func (d *Dataset) VR(tag uint32) VR {
	h := d.find(tag)
	if h == nil {
		return VR{}
	}
	return d.vr(h)
}

func (d *Dataset) vr(h *held) VR {
	if h.VR != (VR{}) && h.VR != vrUN {
		return h.VR
	}
	vr := dictionaryVR(h.Tag)
	switch {
	case vr == (VR{}) && h.Undefined:
		return vrSQ
	case vr == (VR{}):
		return h.VR
	case vr == vrUS && signedChoice(h.Tag) && d.signed():
		return vrSS
	}
	return vr
}

// signed returns Pixel Representation of the nearest data set that has one.
func (d *Dataset) signed() bool {
	for ; d != nil; d = d.parent {
		if h := d.find(0x00280103); h != nil && len(h.value) >= 2 {
			return d.enc.u16(h.value) == 1
		}
	}
	return false
}

// String returns the whole value as text, bytes as they are, without padding
// at its end; "" if absent. Values are separated by backslashes, see [Dataset.Strings].
func (d *Dataset) String(tag uint32) string {
	return strings.TrimRight(string(d.Bytes(tag)), "\x00 ")
}

// Strings returns the values of a text element, without padding at both ends
// of each; nil if absent or empty. The bytes are in the data set's character
// set; a backslash that is half of a two-byte character does not separate.
func (d *Dataset) Strings(tag uint32) []string {
	s := d.String(tag)
	if s == "" {
		return nil
	}
	var list []string
	switch d.VR(tag) {
	case VR{'L', 'T'}, VR{'S', 'T'}, VR{'U', 'T'}, VR{'U', 'R'}: // one value, in which a backslash is a character
		return []string{s}
	case vrLO, vrSH, VR{'P', 'N'}, VR{'U', 'C'}:
		list = splitText(s, d.charset())
	default:
		list = strings.Split(s, `\`)
	}
	for i := range list {
		list[i] = strings.Trim(list[i], "\x00 ")
	}
	return list
}

func (d *Dataset) charset() string {
	for ; d != nil; d = d.parent {
		if h := d.find(0x00080005); h != nil {
			return string(h.value)
		}
	}
	return ""
}

// Ints returns the values of a number element, binary or Integer String;
// for OW its unsigned words, for OB its bytes. It returns nil if the element is absent or no such number.
func (d *Dataset) Ints(tag uint32) []int {
	h := d.find(tag)
	if h == nil || h.value == nil {
		return nil
	}
	vr, p := d.vr(h), h.value
	if vr == (VR{'I', 'S'}) {
		var list []int
		for _, s := range d.Strings(tag) {
			n, err := strconv.Atoi(strings.TrimPrefix(s, "+"))
			if err != nil {
				return nil
			}
			list = append(list, n)
		}
		return list
	}
	word := d.word(vr)
	if word == nil {
		return nil
	}
	unit := vr.unit()
	list := make([]int, 0, len(p)/unit)
	for ; len(p) >= unit; p = p[unit:] {
		list = append(list, word(p))
	}
	// A descriptor's first and last value, number of entries and bits, are unsigned whatever the VR (PS3.3 C.11.1.1.1).
	if isDescriptor(tag) && vr == vrSS && len(list) == 3 {
		list[0], list[2] = int(uint16(list[0])), int(uint16(list[2]))
	}
	return list
}

func isDescriptor(tag uint32) bool {
	return tag == 0x00283002 || tag >= 0x00281100 && tag <= 0x00281103
}

func (d *Dataset) word(vr VR) func([]byte) int {
	order := d.enc.order()
	switch vr {
	case vrUS, vrOW:
		return func(p []byte) int { return int(order.Uint16(p)) }
	case vrSS:
		return func(p []byte) int { return int(int16(order.Uint16(p))) }
	case vrUL, VR{'O', 'L'}:
		return func(p []byte) int { return int(order.Uint32(p)) }
	case VR{'S', 'L'}:
		return func(p []byte) int { return int(int32(order.Uint32(p))) }
	case VR{'U', 'V'}, VR{'S', 'V'}, vrOV:
		return func(p []byte) int { return int(order.Uint64(p)) }
	case vrOB:
		return func(p []byte) int { return int(p[0]) }
	}
	return nil
}

// Floats returns the values of a number element of any kind, Decimal String
// included; nil if the element is absent or no number. NaN and infinities are returned as they are.
func (d *Dataset) Floats(tag uint32) []float64 {
	h := d.find(tag)
	if h == nil || h.value == nil {
		return nil
	}
	order := d.enc.order()
	var list []float64
	switch vr := d.vr(h); vr {
	case VR{'D', 'S'}, VR{'I', 'S'}:
		for _, s := range d.Strings(tag) {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil && !math.IsInf(v, 0) {
				return nil
			}
			list = append(list, v)
		}
	case VR{'F', 'L'}, VR{'O', 'F'}:
		for p := h.value; len(p) >= 4; p = p[4:] {
			list = append(list, float64(math.Float32frombits(order.Uint32(p))))
		}
	case VR{'F', 'D'}, VR{'O', 'D'}:
		for p := h.value; len(p) >= 8; p = p[8:] {
			list = append(list, math.Float64frombits(order.Uint64(p)))
		}
	default:
		for _, n := range d.Ints(tag) {
			list = append(list, float64(n))
		}
	}
	return list
}

// Items returns the items of a sequence as far as they can be read, nil if it is absent or no sequence.
func (d *Dataset) Items(tag uint32) []*Dataset {
	items, _ := d.Sequence(tag)
	return items
}

// Sequence returns the items of a sequence, and what broke it, if it is malformed or passes a limit.
func (d *Dataset) Sequence(tag uint32) ([]*Dataset, error) {
	h := d.find(tag)
	if h == nil || h.value == nil || h.isFragments() {
		return nil, nil
	}
	e := h.Element
	if !e.isSequence() {
		if e.VR != vrUN || dictionaryVR(tag) != vrSQ {
			return nil, nil
		}
	}
	// The value's bytes are the source of the items; offsets in errors are relative to it.
	w := &walker{src: newWindow(Bytes(h.value), int64(len(h.value))), lim: d.src.lim}
	e.ValueOffset, e.End = 0, int64(len(h.value))
	var items []*Dataset
	err := w.items(&e, d.enc, d.depth+1, func(r itemRange) error {
		item := &Dataset{src: w, enc: r.enc, parent: d, depth: d.depth + 1}
		items = append(items, item)
		return w.elements(r.off, r.end, r.enc, d.depth+1, func(e Element) error {
			v := held{Element: e}
			if e.Length <= w.lim.MaxValue || e.isSequence() {
				v.value = h.value[e.ValueOffset:e.End:e.End]
			}
			item.elements = append(item.elements, v)
			return nil
		})
	})
	return items, err
}
