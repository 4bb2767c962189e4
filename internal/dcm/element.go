package dcm

import "encoding/binary"

// VR is a Value Representation (PS3.5 6.2) as its two letters, zero where the encoding has none.
type VR [2]byte

func (v VR) String() string {
	if v == (VR{}) {
		return ""
	}
	return string(v[:])
}

// Encoding is how a data set is really encoded.
type Encoding struct {
	Explicit  bool // VR letters are present
	BigEndian bool
	Deflated  bool // the data set is a deflate stream (PS3.5 A.5)
}

func (e Encoding) order() binary.ByteOrder {
	if e.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (e Encoding) u16(p []byte) uint16 {
	if e.BigEndian {
		return uint16(p[0])<<8 | uint16(p[1])
	}
	return uint16(p[1])<<8 | uint16(p[0])
}

func (e Encoding) u32(p []byte) uint32 {
	if e.BigEndian {
		return binary.BigEndian.Uint32(p)
	}
	return binary.LittleEndian.Uint32(p)
}

func (e Encoding) tag(p []byte) uint32 { return uint32(e.u16(p))<<16 | uint32(e.u16(p[2:])) }

// Element is one data element of a file.
type Element struct {
	Tag         uint32
	VR          VR   // zero where the element has no VR letters
	Undefined   bool // undefined length: delimited by items and a sequence delimiter
	Offset      int64
	ValueOffset int64
	Length      int64 // bytes of the value; for undefined length all bytes up to End, the delimiter included
	End         int64
}

// Private reports whether the element belongs to an odd group.
func (e *Element) Private() bool { return e.Tag>>16&1 == 1 }

const (
	tagItem         = 0xFFFEE000
	tagItemEnd      = 0xFFFEE00D
	tagSequenceEnd  = 0xFFFEE0DD
	undefinedLength = 0xFFFFFFFF
)

type vrForm uint8

const (
	formIllegal vrForm = iota // not two capital letters
	formFuture                // capital letters, but not of PS3.5: a later edition's, long form
	formShort                 // 16-bit length
	formLong                  // two reserved bytes and a 32-bit length
)

// form returns how the length of an explicit element is written (PS3.5 7.1.2).
func (v VR) form() vrForm {
	switch uint16(v[0])<<8 | uint16(v[1]) {
	case 'U'<<8 | 'I', 'L'<<8 | 'O', 'S'<<8 | 'H', 'C'<<8 | 'S', 'D'<<8 | 'S', 'I'<<8 | 'S', 'U'<<8 | 'S', 'D'<<8 | 'A', 'T'<<8 | 'M', 'P'<<8 | 'N',
		'A'<<8 | 'E', 'A'<<8 | 'S', 'A'<<8 | 'T', 'D'<<8 | 'T', 'F'<<8 | 'D', 'F'<<8 | 'L', 'L'<<8 | 'T', 'S'<<8 | 'L', 'S'<<8 | 'S', 'S'<<8 | 'T', 'U'<<8 | 'L':
		return formShort
	case 'S'<<8 | 'Q', 'O'<<8 | 'B', 'O'<<8 | 'W', 'U'<<8 | 'N', 'U'<<8 | 'T', 'U'<<8 | 'R', 'U'<<8 | 'C', 'O'<<8 | 'D', 'O'<<8 | 'F', 'O'<<8 | 'L', 'O'<<8 | 'V', 'S'<<8 | 'V', 'U'<<8 | 'V':
		return formLong
	}
	if v[0] >= 'A' && v[0] <= 'Z' && v[1] >= 'A' && v[1] <= 'Z' {
		return formFuture
	}
	return formIllegal
}

// known reports whether the VR is one of PS3.5 6.2.
func (v VR) known() bool { f := v.form(); return f == formShort || f == formLong }

var (
	vrSQ = VR{'S', 'Q'}
	vrUN = VR{'U', 'N'}
	vrOB = VR{'O', 'B'}
	vrOW = VR{'O', 'W'}
	vrOV = VR{'O', 'V'}
	vrUS = VR{'U', 'S'}
	vrSS = VR{'S', 'S'}
	vrUL = VR{'U', 'L'}
	vrUI = VR{'U', 'I'}
	vrLO = VR{'L', 'O'}
	vrCS = VR{'C', 'S'}
	vrSH = VR{'S', 'H'}
)

// unit is the size of the words that a value of this VR is made of, which is what byte order applies to; 1 for text and bytes.
func (v VR) unit() int {
	switch v {
	case vrUS, vrSS, vrOW, VR{'A', 'T'}:
		return 2
	case vrUL, VR{'S', 'L'}, VR{'F', 'L'}, VR{'O', 'F'}, VR{'O', 'L'}:
		return 4
	case VR{'F', 'D'}, VR{'O', 'D'}, VR{'O', 'V'}, VR{'S', 'V'}, VR{'U', 'V'}:
		return 8
	}
	return 1
}

// text reports whether the value is characters, which are padded with a space (UI: with NUL).
func (v VR) text() bool {
	switch v {
	case vrSQ, vrUN, vrOB:
		return false
	}
	return v.known() && v.unit() == 1
}
