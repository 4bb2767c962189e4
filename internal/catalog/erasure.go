package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Erasure is the order to erase instances of a study, or all of it: because they are of another patient, because a patient or an authority demands it. From
// the order on nobody is shown them. A worker then commits a generation that names nothing of them, and their bytes go at once.
type Erasure struct {
	SOPUIDs  []string  `json:"sop_uids,omitempty"` // sorted, each once; none: all of the study
	By       string    `json:"by"`
	Approved string    `json:"approved,omitempty"` // a second person
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	// Taken is when a generation was committed that names nothing of it any more; zero: not yet. The order goes when all bytes are gone, too.
	Taken time.Time `json:"taken,omitzero"`
	// Quarantined are received files whose bytes go, too, set with Taken.
	Quarantined []Quarantined `json:"quarantined,omitempty"`
}

// MaxErased is how many instances an order may name.
const MaxErased = 10000

var (
	// ErrErasing: another erasure of the study is under way.
	ErrErasing = errors.New("another erasure of this study is not done yet")
	// ErrNotErasing: there is no erasure, or it cannot be taken back any more.
	ErrNotErasing = errors.New("no erasure of this study can be taken back")
)

// Whole reports whether all of the study goes.
func (e *Erasure) Whole() bool { return len(e.SOPUIDs) == 0 }

// Erases reports whether an instance goes.
func (e *Erasure) Erases(sop string) bool {
	if e.Whole() {
		return true
	}
	_, ok := slices.BinarySearch(e.SOPUIDs, sop)
	return ok
}

// same reports whether two orders are about the same, for the same reason.
func (e *Erasure) same(o *Erasure) bool {
	return slices.Equal(e.SOPUIDs, o.SOPUIDs) && e.By == o.By && e.Approved == o.Approved && e.Reason == o.Reason
}

// OrderErasure puts an order into a manifest. The same one again is ErrNothingToDo, ErrErasing while there is another one, ErrHeld while a hold stands.
func (m *Manifest) OrderErasure(e Erasure, now time.Time) error {
	if err := e.check(); err != nil {
		return err
	}
	switch {
	case m.Erase != nil && m.Erase.Taken.IsZero() && m.Erase.same(&e):
		return ErrNothingToDo
	case m.Erase != nil:
		return ErrErasing
	case m.HeldAt(now):
		return ErrHeld
	}
	m.Erase = &e
	return nil
}

// CancelErasure takes an order back that nothing was done about yet.
func (m *Manifest) CancelErasure() error {
	if m.Erase == nil || !m.Erase.Taken.IsZero() {
		return ErrNotErasing
	}
	m.Erase = nil
	return nil
}

// Hidden reports whether readers are not shown what the study has of a class: it is in the trash, or may show what is ordered to be erased. Where
// only some instances of a class go, see [Manifest.Erasing].
func (m *Manifest) Hidden(c Class) bool {
	if m.InTrash(c) != nil {
		return true
	}
	e := m.Erase
	return e != nil && e.Taken.IsZero() && (e.Whole() || c == ClassRegion || c == ClassPreview)
}

// Erasing reports whether an instance is ordered to be erased and still there.
func (m *Manifest) Erasing(sop string) bool {
	return m.Erase != nil && m.Erase.Taken.IsZero() && m.Erase.Erases(sop)
}

func (e *Erasure) check() error {
	switch {
	case !reviewText(e.By) || !reviewText(e.Reason) || e.Approved != "" && !reviewText(e.Approved):
		return fmt.Errorf("erasure: who and why are both needed, each UTF-8 of 1 to %d bytes without control characters", MaxReviewText)
	case e.At.IsZero():
		return errors.New("erasure: its time is missing")
	case len(e.SOPUIDs) > MaxErased:
		return fmt.Errorf("erasure: names %d instances, the most is %d", len(e.SOPUIDs), MaxErased)
	}
	for i, uid := range e.SOPUIDs {
		if uid == "" || len(uid) > MaxUID || i > 0 && strings.Compare(e.SOPUIDs[i-1], uid) >= 0 {
			return fmt.Errorf("erasure: instance %d is empty, too long, or not in order", i)
		}
	}
	return nil
}

func (v *validator) erasure(m *Manifest) {
	if m.Erase == nil {
		return
	}
	if err := m.Erase.check(); err != nil {
		v.add(err)
	}
	for i, q := range m.Erase.Quarantined {
		v.check(isHex(q.SHA256, 64) && q.Key == QuarantineKey(m.Tenant, q.SHA256), "erasure: quarantined file %d: key %.200q is not that of its SHA-256", i, q.Key)
	}
}
