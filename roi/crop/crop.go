package crop

import (
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/dcm"
)

// Rect is a rectangle of whole pixels of a frame: first column, first row (from 0), columns, rows.
type Rect struct{ X, Y, W, H int }

// Spec says which part of a source instance becomes a derived instance.
type Spec struct {
	Rect   Rect
	Frames []int // from 1, rising; nil: all
	// File is the SHA-256 of the source's received file, hex. It is part of the
	// derived instance's UID: another version of an instance has other crops.
	File string
	// Rules is the version of the rules by which regions are planned and crops made; part of the UIDs.
	Rules string
	// Created is when the job that planned was made, and not now: a repeated attempt writes the same bytes.
	Created time.Time
	// Number is added to 9000 for the Series Number. It must be the same wherever source series, rectangle and rules are: those are one derived series.
	Number int
	// Build is the implementation version name of the file and the software version of the contributing equipment, up to 16 characters.
	Build string
}

// Made describes a derived instance that was written.
type Made struct {
	SOPUID, SeriesUID string
	// SampleSHA256 is of the samples of all frames, one after the other: words of Bits Allocated, little endian,
	// masked to Bits Stored, sign-extended, samples of a pixel side by side. It is the catalog's sample digest. Hex.
	SampleSHA256 string
	FileSHA256   string // of everything written, hex
	Bytes        int64  // written
	Frames       int
	Private      int // private elements left out, at all levels, creators not counted
}

// UnsupportedError says why a derived instance cannot be made with certainty: the source is to be kept whole.
type UnsupportedError struct {
	Tag  uint32 // element concerned, 0 if there is none
	What string // without values of elements
}

func (e *UnsupportedError) Error() string {
	if e.Tag != 0 {
		return "crop: unsupported: " + e.What + " in element " + dcm.TagString(e.Tag)
	}
	return "crop: unsupported: " + e.What
}

// SpecError says that a Spec does not fit its source, or is incomplete: a mistake of the caller.
type SpecError struct{ What string }

func (e *SpecError) Error() string { return "crop: " + e.What }

// CheckError is what [Check] returns when a derived instance is not what its source and Spec say.
type CheckError struct{ What string }

func (e *CheckError) Error() string { return "crop: derived instance is wrong: " + e.What }

func unsupported(tag uint32, format string, args ...any) error {
	return &UnsupportedError{tag, fmt.Sprintf(format, args...)}
}

func specError(format string, args ...any) error { return &SpecError{fmt.Sprintf(format, args...)} }

func wrong(format string, args ...any) error { return &CheckError{fmt.Sprintf(format, args...)} }
