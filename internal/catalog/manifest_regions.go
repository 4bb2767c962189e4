package catalog

import (
	"slices"
	"time"
)

// RegionRecord names the region record of a study: JSON in the hot tier, which says where lesions are, what is kept of them
// and what became of every document. Package roi defines it; what lists and decisions need of it is repeated here.
type RegionRecord struct {
	Key     string    `json:"key"`
	SHA256  string    `json:"sha256"`
	Size    int64     `json:"size"` // of the record itself
	State   string    `json:"state"`
	Plan    string    `json:"plan"` // digest of everything that decided
	Sources int       `json:"sources"`
	Lesions int       `json:"lesions"`
	Regions int       `json:"regions"`
	Bytes   int64     `json:"bytes"` // stored, of the region class
	Since   time.Time `json:"since"` // when it was put
	Picture *Picture  `json:"picture,omitempty"`
}

// Settled reports whether the state lets full images expire; package roi decides which do, and a test compares.
func (r *RegionRecord) Settled() bool {
	return r.State == "extracted" || r.State == "key-slices" || r.State == "negative"
}

// Picture is a drawing of what is kept of the lesions, PNG in the hot tier, class preview.
type Picture struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Annotation is a JSON annotation document, stored in the hot tier as it was received, class result.
type Annotation struct {
	Key        string    `json:"key"`
	SHA256     string    `json:"sha256"`
	Size       int64     `json:"size"`
	DocumentID string    `json:"document_id"`
	Revision   int       `json:"revision"`
	At         time.Time `json:"at"`
}

// ReviewKind is what a person decided about a study.
type ReviewKind string

const (
	ReviewNegative  ReviewKind = "negative"   // there is no lesion
	ReviewKeepWhole ReviewKind = "keep-whole" // keep the full images
)

// Review is a person's answer. It is for one plan, and stands only while that is the study's.
type Review struct {
	Kind   ReviewKind `json:"kind"`
	By     string     `json:"by"`
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
	Plan   string     `json:"plan"`
}

// Cite lists images of another study of the tenant that documents of this one refer to. SOPUIDs may be empty: the study as a whole.
type Cite struct {
	StudyUID string   `json:"study_uid"`
	SOPUIDs  []string `json:"sop_uids,omitempty"`
	// Evidence is a digest of the documents that refer to it: another one makes the cited study be looked at again although the same images are named.
	Evidence string `json:"evidence,omitempty"`
}

// What a manifest may hold of reviews and citations.
const (
	MaxReviewText = 1000 // bytes of who and why
	MaxCites      = 10000
	maxState      = 40
	maxPlan       = 128
)

// Answered returns the answer that stands: the one that was given for the present plan, nil if there is none.
func (m *Manifest) Answered() *Review {
	if m.Review == nil || m.Regions == nil || m.Review.Plan != m.Regions.Plan {
		return nil
	}
	return m.Review
}

// StoredBytes is the size of all objects that the manifest names: what Totals.StoredBytes must say.
func (m *Manifest) StoredBytes() int64 {
	var n int64
	m.Objects(func(_ string, _ Class, _ string, size int64) { n += size })
	return n
}

func (v *validator) regions(m *Manifest) {
	if r := m.Regions; r != nil {
		v.check(validState(r.State), "region record: state is %.40q", r.State)
		v.check(validPlan(r.Plan), "region record: plan is %.80q", r.Plan)
		v.check(r.Sources >= 0 && r.Lesions >= 0 && r.Regions >= 0 && r.Bytes >= 0, "region record: has %d sources, %d lesions, %d regions, %d bytes", r.Sources, r.Lesions, r.Regions, r.Bytes)
		v.check(!r.Since.IsZero(), "region record: since is missing")
	}
	type name struct {
		id       string
		revision int
	}
	seen := map[name]bool{}
	for i, a := range m.Annotations {
		id := name{a.DocumentID, a.Revision}
		v.check(a.DocumentID != "" && len(a.DocumentID) <= MaxUID && a.Revision >= 0, "annotation %d: document id of %d bytes, revision %d", i, len(a.DocumentID), a.Revision)
		v.check(!a.At.IsZero(), "annotation %d: its time is missing", i)
		v.check(!seen[id], "annotation %d: its document and revision are listed twice", i)
		seen[id] = true
	}
	if r := m.Review; r != nil {
		if err := r.check(); err != nil {
			v.add(err)
		}
	}
	v.check(len(m.Cites) <= MaxCites, "refers to %d other studies, the most is %d", len(m.Cites), MaxCites)
	for i, c := range m.CitedBy {
		v.check(c.StudyUID != "" && len(c.StudyUID) <= MaxUID && isHex(c.Evidence, citeChars), "citation by another study %d: study UID of %d bytes, or its digest is none", i, len(c.StudyUID))
		v.check(i == 0 || m.CitedBy[i-1].StudyUID < c.StudyUID, "citation by another study %d: not in the order of study UIDs, each once", i)
	}
	for i, c := range m.Cites {
		v.check(c.StudyUID != "" && len(c.StudyUID) <= MaxUID && c.StudyUID != m.StudyUID, "citation %d: study UID of %d bytes, or its own", i, len(c.StudyUID))
		v.check(i == 0 || m.Cites[i-1].StudyUID < c.StudyUID, "citation %d: not in the order of study UIDs, each once", i)
		v.check(slices.IsSorted(c.SOPUIDs) && len(slices.Compact(slices.Clone(c.SOPUIDs))) == len(c.SOPUIDs), "citation %d: instances are not in order, each once", i)
		v.check(len(c.Evidence) <= maxPlan, "citation %d: evidence of %d bytes", i, len(c.Evidence))
	}
}

// validState: lower-case letters and hyphens, so that it can be a column, a flag and part of a sentence. States of later versions are accepted: they need a person.
func validState(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= maxState
}

// validPlan: printable ASCII without spaces.
func validPlan(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxPlan
}
