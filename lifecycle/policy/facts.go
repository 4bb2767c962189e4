package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Facts are all that a decision about a study rests on. They hold no patient data beyond a day, a group of ages and what was examined.
type Facts struct {
	Tenant     string `json:"tenant"`
	StudyUID   string `json:"study_uid"`
	Generation int64  `json:"generation"`
	Role       Role   `json:"role,omitempty"` // "" is not known: then nothing is deleted

	StudyDay    Day       `json:"study_day"`  // zero: not known
	Arrived     time.Time `json:"arrived"`    // the first instance
	LastArrival time.Time `json:"last"`       // the last new instance
	LastAccess  time.Time `json:"accessed"`   // zero: never
	LastEvent   Day       `json:"last_event"` // last patient event (visit, discharge) that the keeper of records told us; zero: not known
	Patient     Patient   `json:"patient,omitempty"`
	Age         AgeGroup  `json:"age,omitempty"`
	Modalities  []string  `json:"modalities,omitempty"`
	BodyParts   []string  `json:"body_parts,omitempty"`
	Department  string    `json:"department,omitempty"`

	Artifacts []Artifact `json:"artifacts"`

	// Busy: an arrival waits or is worked on. Partial: received files are in quarantine.
	Busy    bool `json:"busy,omitempty"`
	Partial bool `json:"partial,omitempty"`
	// RegionState is that of the region record, "" if there is none; Settled says that it lets full images expire, by itself or with a
	// person's answer; KeepWhole that a person said that they stay until the results expire.
	RegionState string `json:"region_state,omitempty"`
	Settled     bool   `json:"settled,omitempty"`
	KeepWhole   bool   `json:"keep_whole,omitempty"`
	// NewEvidence: something says something about the study's lesions that its plan has not looked at.
	NewEvidence bool `json:"new_evidence,omitempty"`

	Holds        []Hold    `json:"holds,omitempty"`
	Appointments []Day     `json:"appointments,omitempty"`
	Proof        *Evidence `json:"proof,omitempty"` // of the primary copy, for a secondary one
}

// Artifact is what is kept of a study in one class and copy.
type Artifact struct {
	Class   catalog.Class `json:"class"`
	Copy    int           `json:"copy,omitempty"`
	Tier    string        `json:"tier"`
	Since   time.Time     `json:"since"` // on this tier
	Bytes   int64         `json:"bytes"`
	Objects int           `json:"objects"`
	Trashed time.Time     `json:"trashed,omitzero"` // zero: it is not in the trash
	// Restored is until when it stays where a restore brought it, zero: it was not restored.
	Restored time.Time `json:"restored,omitzero"`
}

// Hold forbids every deletion of a study.
type Hold struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  Day       `json:"until,omitzero"` // the last day of it; zero: until it is lifted
}

// Evidence is what the keeper of the primary copy showed.
type Evidence struct {
	Level ProofLevel `json:"level"`
	At    time.Time  `json:"at"`
	Same  bool       `json:"same"` // as this copy: the same instances, and where digests were given the same digests
	// Outdated: something came for the study since, of which it says nothing.
	Outdated bool `json:"outdated,omitempty"`
}

// Digest names the facts: a line of a plan holds for them only.
func (f *Facts) Digest() string {
	raw, err := json.Marshal(f)
	if err != nil {
		panic("policy: facts hold nothing that JSON cannot: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// anchor is the day that periods count from, zero if it is not known, and what it is, for people.
func (f *Facts) anchor(a Anchor, p *Policy) (Day, string) {
	study, arrived, last := f.StudyDay, DayOf(f.Arrived, p.Zone), DayOf(f.LastArrival, p.Zone)
	if study > arrived { // a clock was wrong: a study does not come before it is made
		study = 0
	}
	switch a {
	case FromStudy:
		if study == 0 {
			return arrived, "the first arrival, the study's date being unknown"
		}
		return study, "the study"
	case FromAccess:
		if read := DayOf(f.LastAccess, p.Zone); read > max(study, arrived, last) {
			return read, "the last access"
		}
	case FromEvent:
		return f.LastEvent, "the last patient event"
	}
	return max(study, arrived, last), "the last arrival"
}
