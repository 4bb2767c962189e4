package pack

import (
	"errors"
	"fmt"
)

// ErrNotExact says that an instance was transcoded from an encapsulated
// source: its elements and samples are all here, the received file is not.
// Use [Volume.Virtual] for the elements and [Volume.Frame] for the samples.
var ErrNotExact = errors.New("pack: the received file cannot be rebuilt, only its elements and samples")

// MalformedError says that bytes do not follow the format. What holds no values of the data.
type MalformedError struct {
	What   string
	Offset int64 // in the bytes that were looked at, -1 if it has none
}

func (e *MalformedError) Error() string {
	if e.Offset < 0 {
		return "pack: malformed: " + e.What
	}
	return fmt.Sprintf("pack: malformed at byte %d: %s", e.Offset, e.What)
}

// VersionError says that an index is intact but of a later version of the
// format, or uses a feature that this build does not know. A newer build reads it.
type VersionError struct {
	Version int    // of the index
	Flags   uint32 // unknown flags, 0 if the version is the reason
}

func (e *VersionError) Error() string {
	if e.Flags != 0 {
		return fmt.Sprintf("pack: index uses unknown features (flags %#x): read it with a newer build", e.Flags)
	}
	return fmt.Sprintf("pack: index of version %d, this build reads up to %d: read it with a newer build", e.Version, Version)
}

// LimitError says that something is larger than the format or the caller allows.
type LimitError struct {
	What       string // with its unit
	Need, Most int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("pack: %s: needs %d, limit is %d", e.What, e.Need, e.Most)
}

// UnsupportedError says that a volume is sound but needs a codec that this build lacks.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return "pack: unsupported: " + e.What }

// DamagedError says that stored bytes are not those that were written.
type DamagedError struct {
	Part   string // "frame", "residue", "value", "header block", "index", "local header", "central directory", ...
	SOPUID string // of the instance it belongs to, empty if it belongs to none or to several
	Frame  int    // frame index in that instance, -1 if it is none
	Offset int64  // first byte in the volume, -1 if not known
	What   string
	Err    error // cause, or nil
}

func (e *DamagedError) Error() string {
	s := "pack: damaged " + e.Part
	if e.Frame >= 0 {
		s += fmt.Sprintf(" %d", e.Frame)
	}
	if e.SOPUID != "" {
		s += fmt.Sprintf(" of instance %q", e.SOPUID)
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d of the volume", e.Offset)
	}
	if e.What != "" {
		s += ": " + e.What
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DamagedError) Unwrap() error { return e.Err }
