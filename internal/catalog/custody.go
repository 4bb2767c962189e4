package catalog

import (
	"fmt"
	"time"
)

// Custody is what others told about a study and its images do not show: whose record it is, and since when the law's years run. It holds no patient
// data beyond a day.
type Custody struct {
	Role    string `json:"role,omitempty"`    // RolePrimary or RoleSecondary; "" as the policy says of the tenant
	Patient string `json:"patient,omitempty"` // "outpatient", "inpatient"; "" not known
	// LastEvent is the day of the last visit or discharge that the keeper of records told, YYYYMMDD; "" not known.
	LastEvent string `json:"last_event,omitempty"`
	// Proof is what was seen of the primary copy, for a secondary one.
	Proof *Proof `json:"proof,omitempty"`
}

// What a copy of a study is: the one that the law is about, or another one.
const (
	RolePrimary   = "primary"
	RoleSecondary = "secondary"
)

// Proof is what the keeper of the primary copy showed.
type Proof struct {
	Level  string    `json:"level"` // listed, sampled or attested
	At     time.Time `json:"at"`
	Same   bool      `json:"same"`             // as this copy: the same instances, and where digests were given the same digests
	Keeper string    `json:"keeper"`           // who showed it
	SHA256 string    `json:"sha256,omitempty"` // of the inventory that it delivered, or of what its archive listed
	// Arrivals is how many arrivals of the study what was compared had: it says nothing of what came later. 0: a version that did not write it.
	Arrivals int64  `json:"arrivals,omitempty"`
	Note     string `json:"note,omitempty"` // what differs; of a proof by query also what was looked at
}

// Check reports why what is told of a study cannot be recorded.
func (c *Custody) Check() error {
	switch c.Role {
	case "", RolePrimary, RoleSecondary:
	default:
		return fmt.Errorf("role %.40q is not known: use %s or %s", c.Role, RolePrimary, RoleSecondary)
	}
	switch c.Patient {
	case "", "outpatient", "inpatient":
	default:
		return fmt.Errorf("patient %.40q is not known: use outpatient or inpatient", c.Patient)
	}
	if _, err := time.Parse("20060102", c.LastEvent); c.LastEvent != "" && err != nil {
		return fmt.Errorf("last patient event %.40q is not a day, YYYYMMDD", c.LastEvent)
	}
	if p := c.Proof; p != nil {
		switch p.Level {
		case "listed", "sampled", "attested":
		default:
			return fmt.Errorf("proof: level %.40q is not known: use listed, sampled or attested", p.Level)
		}
		if p.At.IsZero() || !reviewText(p.Keeper) || p.SHA256 != "" && !isHex(p.SHA256, 64) || len(p.Note) > MaxReviewText {
			return fmt.Errorf("proof: its time or keeper is missing, or its digest is none")
		}
	}
	return nil
}

func (v *validator) custody(m *Manifest) {
	if m.Custody == nil {
		return
	}
	if err := m.Custody.Check(); err != nil {
		v.add(fmt.Errorf("custody: %w", err))
	}
}
