package catalog

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Hold forbids deletion, of whatever a study has, for as long as it stands. It beats every rule.
type Hold struct {
	ID     string    `json:"id"`
	Kind   HoldKind  `json:"kind,omitempty"`  // "" in manifests of versions that knew one kind: legal
	Owner  string    `json:"owner,omitempty"` // who answers for it; "" a document of the study asks for it
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Until is the moment from which it does not stand any more, zero: it stands until it is lifted.
	Until time.Time `json:"until,omitzero"`
	// Lifted is set when a person lifted it. It stays in the list, so that the document that asked for it does not put it there again.
	Lifted *Lift `json:"lifted,omitempty"`
}

// HoldKind says why something is held.
type HoldKind string

const (
	HoldLegal       HoldKind = "legal"       // a dispute, a demand of an authority
	HoldResearch    HoldKind = "research"    // it is in a collection
	HoldAppointment HoldKind = "appointment" // the patient comes back
)

// Lift is how a hold ended before its time.
type Lift struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// MaxHolds is how many holds a study may have, those that were lifted or are over included.
const MaxHolds = 256

// maxHoldID bounds the name of a hold, in bytes.
const maxHoldID = 64

// StandsAt reports whether the hold forbids deletions at a moment.
func (h *Hold) StandsAt(now time.Time) bool {
	return h.Lifted == nil && (h.Until.IsZero() || h.Until.After(now))
}

// HeldAt reports whether any hold stands at a moment.
func (m *Manifest) HeldAt(now time.Time) bool {
	return slices.ContainsFunc(m.Holds, func(h Hold) bool { return h.StandsAt(now) })
}

// heldUntil is the column hold_until of a study's row: when the last of its holds ends.
func (m *Manifest) heldUntil() (ms int64) {
	for i := range m.Holds {
		switch h := &m.Holds[i]; {
		case h.Lifted != nil:
		case h.Until.IsZero():
			return math.MaxInt64
		default:
			ms = max(ms, toMS(h.Until))
		}
	}
	return ms
}

// standing counts the holds that were not lifted.
func (m *Manifest) standing() (n int) {
	for _, h := range m.Holds {
		if h.Lifted == nil {
			n++
		}
	}
	return n
}

// AddHold adds a hold. The same hold again is ErrNothingToDo; another one of its id, ErrHoldExists. When the list is full, the oldest hold is
// forgotten that was lifted or is over, unless a document asked for it.
func (m *Manifest) AddHold(h Hold, now time.Time) error {
	if err := h.check(); err != nil {
		return err
	}
	if i := slices.IndexFunc(m.Holds, func(o Hold) bool { return o.ID == h.ID }); i >= 0 {
		if o := m.Holds[i]; o.Lifted == nil && o.Kind == h.Kind && o.Owner == h.Owner && o.Reason == h.Reason && o.Until.Equal(h.Until) {
			return ErrNothingToDo
		}
		return fmt.Errorf("hold %s: %w", h.ID, ErrHoldExists)
	}
	if len(m.Holds) >= MaxHolds {
		i := slices.IndexFunc(m.Holds, func(o Hold) bool { return o.Owner != "" && !o.StandsAt(now) })
		if i < 0 {
			return fmt.Errorf("the study has %d holds, the most there can be: lift one first", len(m.Holds))
		}
		m.Holds = slices.Delete(m.Holds, i, i+1)
	}
	m.Holds = append(m.Holds, h)
	return nil
}

// LiftHold ends a hold. One that is lifted already by the same person for the same reason is ErrNothingToDo; ErrNoHold if there is none that is not lifted.
func (m *Manifest) LiftHold(id string, l Lift) error {
	if !reviewText(l.By) || !reviewText(l.Reason) {
		return fmt.Errorf("lifting a hold: who and why are both needed, each UTF-8 of 1 to %d bytes without control characters", MaxReviewText)
	}
	for i := range m.Holds {
		h := &m.Holds[i]
		switch {
		case h.ID != id:
		case h.Lifted == nil:
			h.Lifted = &l
			return nil
		case h.Lifted.By == l.By && h.Lifted.Reason == l.Reason:
			return ErrNothingToDo
		}
	}
	return fmt.Errorf("hold %s: %w", id, ErrNoHold)
}

// check reports why a hold cannot be added.
func (h *Hold) check() error {
	switch {
	case h.ID == "" || len(h.ID) > maxHoldID || !reviewText(h.ID):
		return fmt.Errorf("hold: its id is %.80q, must have 1 to %d bytes without control characters", h.ID, maxHoldID)
	case h.Kind != HoldLegal && h.Kind != HoldResearch && h.Kind != HoldAppointment:
		return fmt.Errorf("hold %s: kind %.40q is not known: use %s, %s or %s", h.ID, h.Kind, HoldLegal, HoldResearch, HoldAppointment)
	case !reviewText(h.Owner) || !reviewText(h.Reason):
		return fmt.Errorf("hold %s: owner and reason are both needed, each UTF-8 of 1 to %d bytes without control characters", h.ID, MaxReviewText)
	case h.Since.IsZero() || !h.Until.IsZero() && !h.Until.After(h.Since):
		return fmt.Errorf("hold %s: it must have a time, and end after it", h.ID)
	}
	return nil
}

// holds checks the holds of a manifest.
func (v *validator) holds(m *Manifest) {
	seen := map[string]bool{}
	v.check(len(m.Holds) <= MaxHolds, "%d holds, the most is %d", len(m.Holds), MaxHolds)
	for i, h := range m.Holds {
		v.check(h.ID != "" && !seen[h.ID] && !h.Since.IsZero(), "hold %d: id %.80q is missing or double, or its time is missing", i, h.ID)
		v.check(h.Until.IsZero() || h.Until.After(h.Since), "hold %d: it ends before it begins", i)
		v.check(h.Lifted == nil || h.Lifted.By != "" && !h.Lifted.At.IsZero(), "hold %d: it was lifted, and by whom or when is missing", i)
		seen[h.ID] = true
	}
}
