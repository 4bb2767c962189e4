package dcm

import (
	"encoding/binary"
	"fmt"
)

// encoder appends encoded elements to a buffer.
type encoder struct {
	b   []byte
	enc Encoding
}

func (x *encoder) u16(v uint16) {
	if x.enc.BigEndian {
		x.b = binary.BigEndian.AppendUint16(x.b, v)
	} else {
		x.b = binary.LittleEndian.AppendUint16(x.b, v)
	}
}

func (x *encoder) u32(v uint32) {
	if x.enc.BigEndian {
		x.b = binary.BigEndian.AppendUint32(x.b, v)
	} else {
		x.b = binary.LittleEndian.AppendUint32(x.b, v)
	}
}

func (x *encoder) tag(t uint32) { x.u16(uint16(t >> 16)); x.u16(uint16(t)) }

// header appends tag, VR and length. The caller has seen to it that the length suits the VR.
func (x *encoder) header(t uint32, vr VR, length uint32) {
	x.tag(t)
	switch {
	case !x.enc.Explicit || t>>16 == 0xFFFE:
		x.u32(length)
	case vr.form() == formShort:
		x.b = append(x.b, vr[0], vr[1])
		x.u16(uint16(length))
	default:
		x.b = append(x.b, vr[0], vr[1], 0, 0)
		x.u32(length)
	}
}

// value appends an element whose value is already in the right byte order,
// padded to even length as its VR wants it.
func (x *encoder) value(t uint32, vr VR, value []byte) error {
	n := len(value) + len(value)%2
	if int64(n) >= undefinedLength {
		return &LimitError{-1, "bytes of the value of " + TagString(t), int64(n), undefinedLength - 1}
	}
	if vr.form() == formShort && n > 0xFFFE && x.enc.Explicit {
		vr = vrUN
	}
	x.header(t, vr, uint32(n))
	x.b = append(x.b, value...)
	x.pad(vr, len(value))
	return nil
}

func (x *encoder) pad(vr VR, length int) {
	if length%2 == 1 {
		x.b = append(x.b, padByte(vr))
	}
}

// padByte is what an odd value of this VR is filled up with (PS3.5 6.2).
func padByte(vr VR) byte {
	if vr.text() && vr != vrUI {
		return ' '
	}
	return 0
}

// begin starts a sequence or item whose length is not known yet; end closes it.
func (x *encoder) begin(t uint32, undefined bool) (mark int) {
	if undefined {
		x.header(t, vrSQ, undefinedLength)
	} else {
		x.header(t, vrSQ, 0)
	}
	return len(x.b)
}

func (x *encoder) end(t uint32, mark int, undefined bool) error {
	if undefined {
		delimiter := uint32(tagSequenceEnd)
		if t == tagItem {
			delimiter = tagItemEnd
		}
		x.header(delimiter, VR{}, 0)
		return nil
	}
	n := int64(len(x.b) - mark)
	if n >= undefinedLength {
		return &LimitError{-1, fmt.Sprintf("bytes of the sequence %s", TagString(t)), n, undefinedLength - 1}
	}
	x.enc.order().PutUint32(x.b[mark-4:], uint32(n))
	return nil
}

// Implementation Class UID and Version Name that our files carry (PS3.7 D.3.3.2).
const (
	implementationUID  = "2.25.211964037188142806337291540923170115843"
	implementationName = "RADTIER_1"
)

// metaGroup returns preamble, prefix and file meta information (PS3.10 7.1) of
// the given elements, which are values of (0002,eeee) with even rising eeee and no group length.
func metaGroup(elements []metaElement) ([]byte, error) {
	x := encoder{enc: Encoding{Explicit: true}}
	for _, e := range elements {
		if err := x.value(e.tag, e.vr, e.value); err != nil {
			return nil, err
		}
	}
	head := encoder{b: make([]byte, 128, 144+len(x.b)), enc: x.enc}
	head.b = append(head.b, "DICM"...)
	if err := head.value(0x00020000, vrUL, binary.LittleEndian.AppendUint32(nil, uint32(len(x.b)))); err != nil {
		return nil, err
	}
	return append(head.b, x.b...), nil
}

type metaElement struct {
	tag   uint32
	vr    VR
	value []byte
}
