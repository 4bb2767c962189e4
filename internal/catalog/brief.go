package catalog

import (
	"encoding/json"
	"fmt"
	"time"
)

// Brief is all of a head manifest that a policy decides on. It is a column of the study's row, and short, because a province has hundreds
// of millions of rows.
type Brief struct {
	StudyDate   string        `json:"d,omitempty"` // YYYYMMDD
	Modalities  []string      `json:"m,omitempty"`
	BodyParts   []string      `json:"b,omitempty"`
	Department  string        `json:"o,omitempty"`
	Age         string        `json:"a,omitempty"`
	LastArrival int64         `json:"l,omitempty"` // ms since 1970; 0 not known
	Settled     bool          `json:"s,omitempty"` // what is known of its lesions lets full images expire by itself
	Custody     *Custody      `json:"c,omitempty"`
	Holds       []Hold        `json:"h,omitempty"` // those that were not lifted
	Holdings    []BriefObject `json:"x,omitempty"`
}

// BriefObject is a [Holding].
type BriefObject struct {
	Class   Class  `json:"c"`
	Tier    string `json:"t,omitempty"`
	Bytes   int64  `json:"b"`
	Objects int    `json:"n"`
	Since   int64  `json:"s"`           // ms since 1970
	Stays   int64  `json:"u,omitempty"` // until when it stays where it was restored to, ms since 1970; 0 it was not
	Trashed int64  `json:"z,omitempty"` // since when it is in the trash, ms since 1970; 0 it is not
}

// BriefOf is what a manifest's row says of it.
func BriefOf(m *Manifest) Brief {
	b := Brief{Custody: m.Custody}
	if a := m.About; a != nil {
		b.StudyDate, b.Modalities, b.BodyParts, b.Department, b.Age, b.LastArrival = a.StudyDate, a.Modalities, a.BodyParts, a.Department, a.Age, toMS(a.LastArrival)
	}
	b.Settled = m.Regions != nil && m.Regions.Settled()
	for _, h := range m.Holds {
		if h.Lifted == nil {
			b.Holds = append(b.Holds, h)
		}
	}
	for _, h := range HoldingsOf(m) {
		if h.Class != ClassHot { // lives as long as anything of the study
			o := BriefObject{Class: h.Class, Tier: h.Tier, Bytes: h.Bytes, Objects: h.Objects, Since: toMS(h.Since)}
			if t := m.InTrash(h.Class); t != nil {
				o.Trashed = toMS(t.Since)
			}
			if until := m.RestoredUntil(h.Class); !until.IsZero() {
				o.Stays = toMS(until)
			}
			b.Holdings = append(b.Holdings, o)
		}
	}
	return b
}

// Last is the time of LastArrival.
func (b *Brief) Last() time.Time { return fromMS(b.LastArrival) }

// Start is the time of Since.
func (o *BriefObject) Start() time.Time { return fromMS(o.Since) }

// RestoredUntil is the time of Stays, zero if it was not restored.
func (o *BriefObject) RestoredUntil() time.Time {
	if o.Stays == 0 {
		return time.Time{}
	}
	return fromMS(o.Stays)
}

// InTrash is the time of Trashed, zero if it is not in the trash.
func (o *BriefObject) InTrash() time.Time {
	if o.Trashed == 0 {
		return time.Time{}
	}
	return fromMS(o.Trashed)
}

func (b Brief) encode() (string, error) {
	raw, err := json.Marshal(b)
	return string(raw), err
}

func decodeBrief(text string) (b Brief, err error) {
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return b, fmt.Errorf("the facts of a study's row cannot be read: %w", err)
	}
	return b, nil
}
