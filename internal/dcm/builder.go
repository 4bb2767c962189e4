package dcm

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Builder makes a data set, or an item of one, from values. Elements may be
// given in any order and are written by rising tag; a tag given twice is
// replaced. VRs come from the dictionary, so standard elements need none.
// The first mistake is kept and returned by File. A Builder is not safe for concurrent use.
type Builder struct {
	elements map[uint32]built
	err      error
	signed   bool
}

type built struct {
	vr        VR
	value     []byte // little endian
	items     []*Builder
	sequence  bool
	undefined bool
	fragments [][]byte // encapsulated pixel data, the offset table first
}

// NewBuilder returns an empty data set.
func NewBuilder() *Builder { return &Builder{elements: map[uint32]built{}} }

func (b *Builder) fail(tag uint32, what string) *Builder {
	if b.err == nil {
		b.err = fmt.Errorf("dcm: build %s: %s", TagString(tag), what)
	}
	return b
}

// Text sets an element of characters; several values are joined with backslashes. It returns b, like all setters.
func (b *Builder) Text(tag uint32, values ...string) *Builder {
	vr := dictionaryVR(tag)
	if !vr.text() {
		return b.fail(tag, "no text, by the dictionary VR "+vr.String())
	}
	return b.Raw(tag, vr.String(), []byte(strings.Join(values, `\`)))
}

// Ints sets an element of integers, binary or Integer String. US and SS
// elements of the image (LUT descriptors, padding values) follow Pixel Representation, to be set before them.
func (b *Builder) Ints(tag uint32, values ...int) *Builder {
	vr := dictionaryVR(tag)
	if vr == vrUS && signedChoice(tag) && b.signed {
		vr = vrSS
	}
	if tag == 0x00280103 {
		b.signed = len(values) > 0 && values[0] == 1
	}
	var p []byte
	for i, v := range values {
		switch {
		case vr == VR{'I', 'S'} || vr == VR{'D', 'S'}:
			if i > 0 {
				p = append(p, '\\')
			}
			p = strconv.AppendInt(p, int64(v), 10)
		case vr == vrUS || vr == vrSS || vr == vrOW:
			if v < -1<<15 || v >= 1<<16 {
				return b.fail(tag, "number out of range")
			}
			p = binary.LittleEndian.AppendUint16(p, uint16(v))
		case vr == VR{'A', 'T'}:
			p = binary.LittleEndian.AppendUint16(p, uint16(v>>16))
			p = binary.LittleEndian.AppendUint16(p, uint16(v))
		case vr.unit() == 4 && vr != VR{'F', 'L'} && vr != VR{'O', 'F'}:
			p = binary.LittleEndian.AppendUint32(p, uint32(v))
		case vr.unit() == 8 && vr != VR{'F', 'D'} && vr != VR{'O', 'D'}:
			p = binary.LittleEndian.AppendUint64(p, uint64(v))
		default:
			return b.fail(tag, "no integer, by the dictionary VR "+vr.String())
		}
	}
	return b.Raw(tag, vr.String(), p)
}

// Floats sets an element of floating point numbers or Decimal Strings. A
// Decimal String has at most 16 characters (PS3.5 6.2): longer numbers are rounded to fit.
func (b *Builder) Floats(tag uint32, values ...float64) *Builder {
	vr := dictionaryVR(tag)
	var p []byte
	for i, v := range values {
		switch vr {
		case VR{'D', 'S'}:
			if i > 0 {
				p = append(p, '\\')
			}
			p = append(p, decimalString(v)...)
		case VR{'F', 'L'}, VR{'O', 'F'}:
			p = binary.LittleEndian.AppendUint32(p, math.Float32bits(float32(v)))
		case VR{'F', 'D'}, VR{'O', 'D'}:
			p = binary.LittleEndian.AppendUint64(p, math.Float64bits(v))
		default:
			return b.fail(tag, "no floating point number, by the dictionary VR "+vr.String())
		}
	}
	return b.Raw(tag, vr.String(), p)
}

func decimalString(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	for digits := 15; len(s) > 16; digits-- {
		s = strconv.FormatFloat(v, 'g', digits, 64)
	}
	return s
}

// Raw sets an element to a little endian value, with a VR of PS3.5 6.2 of the caller's choice. Odd values are padded.
func (b *Builder) Raw(tag uint32, vr string, value []byte) *Builder {
	if len(vr) != 2 || !(VR{vr[0], vr[1]}).known() || vr == "SQ" {
		return b.fail(tag, "no VR for a value: "+strconv.Quote(vr))
	}
	b.elements[tag] = built{vr: VR{vr[0], vr[1]}, value: value}
	return b
}

// Items sets a sequence. The items may still be changed until File is called.
func (b *Builder) Items(tag uint32, items ...*Builder) *Builder {
	b.elements[tag] = built{vr: vrSQ, sequence: true, items: items}
	return b
}

// UndefinedItems is Items with undefined lengths and delimiters.
func (b *Builder) UndefinedItems(tag uint32, items ...*Builder) *Builder {
	b.elements[tag] = built{vr: vrSQ, sequence: true, undefined: true, items: items}
	return b
}

// Native sets Pixel Data to native little endian samples, OW for more than 8 bits allocated, which must be set before.
func (b *Builder) Native(samples []byte) *Builder {
	vr := vrOB
	if a := b.elements[0x00280100].value; len(a) >= 2 && binary.LittleEndian.Uint16(a) > 8 {
		vr = vrOW
	}
	b.elements[0x7FE00010] = built{vr: vr, value: samples}
	return b
}

// Encapsulated sets Pixel Data to fragments; table is the value of the Basic Offset Table item, nil for an empty one. Odd fragments are padded.
func (b *Builder) Encapsulated(table []uint32, fragments ...[]byte) *Builder {
	var t []byte
	for _, o := range table {
		t = binary.LittleEndian.AppendUint32(t, o)
	}
	b.elements[0x7FE00010] = built{vr: vrOB, undefined: true, fragments: append([][]byte{t}, fragments...)}
	return b
}

// Delete removes an element.
func (b *Builder) Delete(tag uint32) *Builder {
	delete(b.elements, tag)
	return b
}

// File returns a Part 10 file with the data set encoded as the transfer
// syntax says: implicit, big endian and deflated ones too. SOP Class UID and
// SOP Instance UID must be set for the meta group; everything else is the caller's.
func (b *Builder) File(syntax string) ([]byte, error) {
	body, err := b.dataset(labelled(syntax))
	if err != nil {
		return nil, err
	}
	if deflated(syntax) {
		var z bytes.Buffer
		w, err := flate.NewWriter(&z, flate.DefaultCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		if body = z.Bytes(); len(body)%2 == 1 {
			body = append(body, 0) // PS3.5 A.5
		}
	}
	class, instance := b.elements[0x00080016].value, b.elements[0x00080018].value
	if len(class) == 0 || len(instance) == 0 {
		return nil, fmt.Errorf("dcm: build: SOP Class UID (0008,0016) and SOP Instance UID (0008,0018) must be set")
	}
	meta, err := metaGroup([]metaElement{
		{0x00020001, vrOB, []byte{0, 1}},
		{0x00020002, vrUI, class},
		{0x00020003, vrUI, instance},
		{0x00020010, vrUI, []byte(syntax)},
		{0x00020012, vrUI, []byte(implementationUID)},
		{0x00020013, vrSH, []byte(implementationName)},
	})
	if err != nil {
		return nil, err
	}
	return append(meta, body...), nil
}

func (b *Builder) dataset(enc Encoding) ([]byte, error) {
	enc.Deflated = false
	x := encoder{enc: enc}
	err := b.encode(&x, 0)
	return x.b, err
}

func (b *Builder) encode(x *encoder, depth int) error {
	if b.err != nil {
		return b.err
	}
	if depth > 32 {
		return &LimitError{-1, "nested sequences", int64(depth), 32}
	}
	tags := make([]uint32, 0, len(b.elements))
	for t := range b.elements {
		tags = append(tags, t)
	}
	slices.SortFunc(tags, func(a, b uint32) int { return cmp.Compare(a, b) })
	for _, t := range tags {
		e := b.elements[t]
		var err error
		switch {
		case e.sequence:
			err = e.encodeItems(x, t, depth)
		case e.undefined:
			err = e.encodeFragments(x, t)
		default:
			v := e.value
			if x.enc.BigEndian && e.vr.unit() > 1 {
				v = bytes.Clone(v)
				swap(v, e.vr.unit())
			}
			err = x.value(t, e.vr, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *built) encodeItems(x *encoder, tag uint32, depth int) error {
	mark := x.begin(tag, e.undefined)
	for _, item := range e.items {
		at := x.begin(tagItem, e.undefined)
		if err := item.encode(x, depth+1); err != nil {
			return err
		}
		if err := x.end(tagItem, at, e.undefined); err != nil {
			return err
		}
	}
	return x.end(tag, mark, e.undefined)
}

func (e *built) encodeFragments(x *encoder, tag uint32) error {
	x.header(tag, e.vr, undefinedLength)
	for _, f := range e.fragments {
		if err := x.value(tagItem, vrOB, f); err != nil {
			return err
		}
	}
	x.header(tagSequenceEnd, VR{}, 0)
	return nil
}
