package roi

import (
	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// Study is what planning looks at.
type Study struct {
	Tenant, UID string
	// Images are the current versions of all instances that show something a lesion can be on, withdrawn ones left out.
	Images []Image
	// Documents are this study's annotation objects, and those of other studies that refer to its images.
	Documents []*evidence.Document
	// Unreadable says why instances of the study cannot be looked at (quarantined files, broken headers).
	Unreadable []string
	FullBytes  int64
}

// Image is one image instance.
type Image struct {
	SeriesUID, SOPUID, ClassUID string
	Modality                    string
	File                        string // SHA-256 of the received file, hex
	ForUID                      string // frame of reference
	Number                      int    // Instance Number
	Rows, Columns               int
	Localizer                   bool
	// Uncroppable says why the instance can only be kept whole: lossy, 1 bit, shared chroma, kept as received; "" otherwise.
	Uncroppable string
	// ProcessedFrom are the images whose coordinates are this one's too (For Processing predecessors with preserved locations).
	ProcessedFrom []Predecessor
	// DX, DY are pixel distances in mm for margins, where frames have no plane; 0 unknown.
	DX, DY float64
	Frames []Frame
}

// Predecessor is an image from which another was made.
type Predecessor struct {
	SOPUID string
	Same   bool // a pixel of one lies where it lies in the other (Spatial Locations Preserved YES)
}

// Frame is one frame of an image.
type Frame struct {
	Plane     *space.Plane // nil: no geometry in the patient
	Thickness float64      // mm, 0 unknown
	Bytes     int64        // stored
}
