package dcm

import (
	"errors"
	"fmt"
)

// ErrNotDICOM says that an input has neither the prefix of a Part 10 file nor a plausible first element of a bare data set.
var ErrNotDICOM = errors.New("dcm: not a DICOM file: no DICM prefix and no data element at the start")

// MalformedError says that an input breaks PS3.5 or PS3.10 where it cannot be read past.
type MalformedError struct {
	Offset int64  // byte offset in the file, or in the inflated data set; -1 if it has none
	Tag    uint32 // element concerned, 0 if there is none
	What   string // what is wrong, without values of elements
}

func (e *MalformedError) Error() string {
	s := "dcm: malformed: " + e.What
	if e.Tag != 0 {
		s += " in element " + TagString(e.Tag)
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return s
}

// UnsupportedError says that an input is legal, or at least readable, but that
// what was asked of it is not done here. The caller keeps the bytes as they are.
type UnsupportedError struct {
	Tag  uint32 // element concerned, 0 if there is none
	What string
}

func (e *UnsupportedError) Error() string {
	s := "dcm: unsupported: " + e.What
	if e.Tag != 0 {
		s += " in element " + TagString(e.Tag)
	}
	return s
}

// LimitError says that an input needs more than the [Limits] allow.
type LimitError struct {
	Offset     int64  // where the limit was passed, -1 if it has no place
	What       string // what is limited, with its unit
	Need, Most int64
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("dcm: %s: needs %d, limit is %d", e.What, e.Need, e.Most)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return s
}

// DifferenceError is what [CompareDatasets] returns for the first difference.
// It names the place and not the values, which may be patient data.
type DifferenceError struct {
	Path string // tags and item numbers from the root, such as "(0040,A730)[2].(0040,A160)"
	What string
}

func (e *DifferenceError) Error() string {
	return fmt.Sprintf("dcm: data sets differ at %s: %s", e.Path, e.What)
}

// TagString returns the usual notation of a tag, such as "(7FE0,0010)".
func TagString(tag uint32) string { return fmt.Sprintf("(%04X,%04X)", tag>>16, tag&0xFFFF) }
