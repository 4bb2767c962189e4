package roi

import (
	"time"

	"github.com/radtier/radtier/roi/space"
)

// RecordSchema names the JSON schema of a region record; readers accept this and earlier ones.
const RecordSchema = "radtier.regions/1"

// RuleVersion names the rules of planning and of derived instances. It is part of the UIDs of derived instances: whoever changes what a crop contains changes it.
const RuleVersion = "1"

// State is what is known about the lesions of a study, and so whether its full images may expire.
type State string

const (
	StateExtracted     State = "extracted"      // all lesions of a document that says it is complete are in regions
	StateExtractedOpen State = "extracted-open" // regions are there, and nobody says that these are all lesions: full images stay
	StateKeySlices     State = "key-slices"     // complete, and only whole slices were named
	StateNegative      State = "negative"       // a document or a person says that there is no lesion
	StateNone          State = "none"           // no evidence at all: full images stay, moved to the coldest tier that pays
	StatePartial       State = "partial"        // some images or files of the study cannot be read
	StateUnreadable    State = "unreadable"     // a document cannot be read
	StateUnresolved    State = "unresolved"     // a document refers to what is not there
)

// Expires reports whether full images of a study in that state may expire, as far as regions are concerned.
func (s State) Expires() bool {
	return s == StateExtracted || s == StateKeySlices || s == StateNegative
}

// Record is the region record of one study: one per plan, stored beside the study and named in its manifest. It holds UIDs, codes and numbers, no text.
type Record struct {
	Schema   string    `json:"schema"`
	Plan     string    `json:"plan"`   // digest of everything that decided: images, documents, policy, rules
	Rules    string    `json:"rules"`  // RuleVersion
	Policy   string    `json:"policy"` // digest of the policy
	Tenant   string    `json:"tenant"`
	StudyUID string    `json:"study_uid"`
	Created  time.Time `json:"created"` // of the job that planned, so that a repeated attempt writes the same bytes
	State    State     `json:"state"`
	Why      []string  `json:"why"` // reasons of the state, in words
	Review   *Answer   `json:"review,omitempty"`
	Sources  []Source  `json:"sources"`
	Lesions  []Lesion  `json:"lesions"`
	Regions  []Region  `json:"regions"`
	Totals   Totals    `json:"totals"`
}

// Source is one annotation object and what became of it.
type Source struct {
	StudyUID  string      `json:"study_uid,omitempty"` // if another than the record's
	SeriesUID string      `json:"series_uid,omitempty"`
	SOPUID    string      `json:"sop_uid"`
	Kind      string      `json:"kind"`
	State     SourceState `json:"state"`
	Reasons   []string    `json:"reasons,omitempty"`
	Complete  bool        `json:"complete,omitempty"`
	Findings  int         `json:"findings"`
	Excluded  []string    `json:"excluded,omitempty"`
}

// SourceState says what became of an annotation object: exactly one.
type SourceState string

const (
	SourceUsed       SourceState = "used"
	SourceNoGeometry SourceState = "no-geometry"
	SourceExcluded   SourceState = "excluded" // nothing in it is a lesion, or a later version replaces it
	SourceUnreadable SourceState = "unreadable"
	SourceUnresolved SourceState = "unresolved"
)

// Lesion is one lesion.
type Lesion struct {
	ID       string    `json:"id"` // "L1", in the order of the record
	Tracking string    `json:"tracking_uid,omitempty"`
	Codes    []string  `json:"codes,omitempty"`
	Sources  []string  `json:"sources"` // "SOP UID#item", sorted
	ForUID   string    `json:"for_uid,omitempty"`
	Box      *Box      `json:"box_mm,omitempty"`   // of what is stated, without margins; nil where no geometry in the patient is known
	Extent   string    `json:"z_extent,omitempty"` // "measured", "assumed-sphere", "slice", "key-slices"
	Unsure   []string  `json:"unsure,omitempty"`
	Outlines []Outline `json:"outlines,omitempty"` // to be drawn
}

// Outline is a lesion's border on one frame, edge coordinates.
type Outline struct {
	SOPUID string        `json:"sop_uid"`
	Frame  int           `json:"frame"` // from 1
	Points []space.Point `json:"points"`
}

// Box is an axis-aligned box in the patient, mm.
type Box struct {
	Min space.Vec `json:"min"`
	Max space.Vec `json:"max"`
}

// Mode is how a region is kept.
type Mode string

const (
	ModeCrop  Mode = "crop"  // derived instances with a rectangle of the source
	ModeSlice Mode = "slice" // the instances as they are
)

// Region is what is kept of one series for some lesions.
type Region struct {
	ID        string   `json:"id"` // "R1", in the order of the record
	SeriesUID string   `json:"series_uid"`
	Mode      Mode     `json:"mode"`
	Why       string   `json:"why"` // why slices and not a crop, or which rule chose them
	Rect      Rect     `json:"rect"`
	Lesions   []string `json:"lesions"`
	Uncertain bool     `json:"uncertain,omitempty"`
	Margin    Margin   `json:"margin"`
	// OutSeriesUID is the series of the derived instances; "" for slices, which keep theirs.
	OutSeriesUID string `json:"out_series_uid,omitempty"`
	Items        []Item `json:"items"`
	Bytes        int64  `json:"bytes,omitempty"` // stored, once written
}

// Margin is what was added to the lesions' extents, mm.
type Margin struct {
	InPlane float64 `json:"in_plane_mm"`
	Along   float64 `json:"along_mm"`
}

// Rect is a rectangle of whole pixels of a frame: first column, first row (from 0), columns, rows.
type Rect struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Item is one source instance of a region.
type Item struct {
	SOPUID    string `json:"sop_uid"`
	File      string `json:"file_sha256"`      // of the received file
	Frames    []int  `json:"frames,omitempty"` // from 1; nil: all
	Reference bool   `json:"reference,omitempty"`
	// Once written: the derived instance, and digests of its file and samples. Of slices these are the source's.
	OutSOPUID    string `json:"out_sop_uid,omitempty"`
	OutFile      string `json:"out_file_sha256,omitempty"`
	SampleSHA256 string `json:"out_sample_sha256,omitempty"`
}

// Answer is what a person said about a study that had to be looked at.
type Answer struct {
	Kind   AnswerKind `json:"kind"`
	By     string     `json:"by"`
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	// Plan is the plan that the person saw. An answer holds only for that very evidence.
	Plan string `json:"plan"`
}

// AnswerKind is what a reviewer decided.
type AnswerKind string

const (
	AnswerNegative  AnswerKind = "negative"   // there is no lesion
	AnswerKeepWhole AnswerKind = "keep-whole" // keep the full images until the results expire
)

// Totals sums a record up.
type Totals struct {
	Sources   int   `json:"sources"`
	Lesions   int   `json:"lesions"`
	Regions   int   `json:"regions"`
	Instances int   `json:"instances"`  // source instances in regions, each once
	Frames    int   `json:"frames"`     // of them, each once
	Bytes     int64 `json:"bytes"`      // of the region class, once written
	FullBytes int64 `json:"full_bytes"` // of the full class at that time
}
