package dcm

import (
	"bytes"
	"strconv"
	"strings"
)

// value takes the values that a File names from a top-level element.
func (s *scanner) value(e *Element) (err error) {
	f := s.f
	switch e.Tag {
	case 0x00080016:
		f.ClassUID, err = s.text(e)
	case 0x00080018:
		f.SOPUID, err = s.text(e)
	case 0x0020000D:
		f.StudyUID, err = s.text(e)
	case 0x0020000E:
		f.SeriesUID, err = s.text(e)
	case 0x00080060:
		f.Modality, err = s.text(e)
	case 0x00100020:
		s.ids[0], err = s.trimmed(e)
	case 0x00100021:
		s.ids[1], err = s.trimmed(e)
	case 0x00200011:
		f.SeriesNumber, err = s.number(e)
	case 0x00200013:
		f.InstanceNumber, err = s.number(e)
	case 0x00200032:
		f.hasPosition, err = s.decimals(e, f.position[:])
	case 0x00200037:
		f.hasOrient, err = s.decimals(e, f.orientation[:])
	case 0x00280002:
		s.img.Samples, err = s.number(e)
	case 0x00280004:
		s.img.Photometric, err = s.trimmed(e)
	case 0x00280006:
		s.img.Planar, err = s.number(e)
	case 0x00280008:
		s.img.Frames, err = s.number(e)
	case 0x00280010:
		s.img.Rows, err = s.number(e)
	case 0x00280011:
		s.img.Columns, err = s.number(e)
	case 0x00280100:
		s.img.BitsAllocated, err = s.number(e)
	case 0x00280101:
		s.img.BitsStored, err = s.number(e)
	case 0x00280102:
		s.img.HighBit, err = s.number(e)
	case 0x00280103:
		var v int
		v, err = s.number(e)
		s.img.Signed = v == 1
	case 0x7FE00001:
		s.offsets[0] = len(f.Elements) // appended already: index plus 1
	case 0x7FE00002:
		s.offsets[1] = len(f.Elements) // appended already: index plus 1
	default:
		if e.Tag>>24 != 0x60 || e.Tag>>16 > overlayGroups {
			return nil
		}
		bit := uint16(1) << (e.Tag >> 17 & 15)
		switch e.Tag & 0xFFFF {
		case 0x0102:
			var v int
			if v, err = s.number(e); v > 0 {
				f.overlayBits |= bit
			}
		case 0x3000:
			f.overlayBits &^= bit
		}
	}
	return err
}

// text returns a value as it is, without trailing NULs and spaces. Values over 4 KiB count as absent.
func (s *walker) text(e *Element) (string, error) {
	if e.Undefined || e.Length > peekMax {
		return "", nil
	}
	p, err := s.src.peek(e.ValueOffset, int(e.Length))
	if err != nil {
		return "", err
	}
	return string(bytes.TrimRight(p[:e.Length], "\x00 ")), nil
}

func (s *walker) trimmed(e *Element) (string, error) {
	t, err := s.text(e)
	return strings.Trim(t, "\x00 "), err
}

// number returns the first value of an element as an integer, binary or in
// characters; 0 where it is empty or no number.
func (s *scanner) number(e *Element) (int, error) {
	if e.Undefined || e.Length == 0 || e.Length > 64 {
		return 0, nil
	}
	p, err := s.src.peek(e.ValueOffset, int(e.Length))
	if err != nil {
		return 0, err
	}
	enc := s.f.Encoding
	p = p[:e.Length]
	characters := e.VR.text()
	if e.VR == (VR{}) || e.VR == vrUN {
		characters = e.Tag == 0x00200011 || e.Tag == 0x00200013 || e.Tag == 0x00280008
	}
	if !characters {
		switch len(p) {
		case 2:
			return int(enc.u16(p)), nil
		case 4:
			return int(enc.u32(p)), nil
		}
		return 0, nil
	}
	return parseInt(p), nil
}

// parseInt reads an Integer String (PS3.5 6.2), its first value only; 0 if it is none.
func parseInt(p []byte) int {
	if i := bytes.IndexByte(p, '\\'); i >= 0 {
		p = p[:i]
	}
	p = bytes.Trim(p, " \x00+")
	if n, err := strconv.Atoi(string(p)); err == nil && n >= -1<<31 && n < 1<<31 {
		return n
	}
	return 0
}

// decimals reads exactly len(into) Decimal Strings and reports whether it could.
func (s *walker) decimals(e *Element, into []float64) (bool, error) {
	t, err := s.text(e)
	if err != nil || t == "" {
		return false, err
	}
	for i := range into {
		part, rest, _ := strings.Cut(t, "\\")
		v, err := strconv.ParseFloat(strings.Trim(part, " \x00"), 64)
		if err != nil || v != v || v > 1e9 || v < -1e9 {
			return false, nil
		}
		into[i], t = v, rest
	}
	return true, nil
}
