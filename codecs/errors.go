package codecs

import "fmt"

// MalformedError says that a codestream breaks its own standard.
type MalformedError struct {
	Codec  string // "jpegls", "rle", ...
	Offset int64  // byte offset in the frame's concatenated fragments, -1 if it has none
	Clause string // clause of the standard that is broken, may be empty
	What   string // what is wrong, without values of samples
}

func (e *MalformedError) Error() string {
	s := fmt.Sprintf("%s: malformed codestream: %s", e.Codec, e.What)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Clause != "" {
		s += " (" + e.Clause + ")"
	}
	return s
}

// UnsupportedError says that an input is legal but not done by this codec.
type UnsupportedError struct {
	Codec string
	What  string
}

func (e *UnsupportedError) Error() string { return fmt.Sprintf("%s: unsupported: %s", e.Codec, e.What) }

// LimitError says that an input asks for more than the caller allows.
type LimitError struct {
	Codec      string
	What       string // what is limited, with its unit
	Need, Most int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s: needs %d, limit is %d", e.Codec, e.What, e.Need, e.Most)
}

// MismatchError says that a codestream does not decode to the samples it was
// compared with. It names the place and not the values, which are patient data.
type MismatchError struct {
	Codec           string
	Component, X, Y int
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: decoded sample differs from its source at component %d, column %d, row %d", e.Codec, e.Component, e.X, e.Y)
}
