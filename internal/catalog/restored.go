package catalog

import (
	"errors"
	"slices"
	"time"
)

// Restored says that a class was brought back to a warmer tier because somebody wants to read it: until then no policy moves it down.
type Restored struct {
	Class  Class     `json:"class"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// RestoredUntil is until when a class stays where it was restored to, zero if it was not.
func (m *Manifest) RestoredUntil(c Class) (until time.Time) {
	for _, r := range m.Restored {
		if r.Class == c {
			until = r.Until
		}
	}
	return until
}

// KeepRestored notes that a class was restored; of two wishes the one that lasts longer holds. It reports whether anything changed.
func (m *Manifest) KeepRestored(r Restored) bool {
	i := slices.IndexFunc(m.Restored, func(o Restored) bool { return o.Class == r.Class })
	switch {
	case i < 0:
		m.Restored = append(m.Restored, r)
	case m.Restored[i].Until.Before(r.Until):
		m.Restored[i] = r
	default:
		return false
	}
	return true
}

// check reports why a mark cannot be recorded.
func (r *Restored) check() error {
	if r.Class == "" || r.Until.IsZero() || !reviewText(r.By) || !reviewText(r.Reason) {
		return errors.New("its class or time is missing, or who wants it and why")
	}
	return nil
}

func (v *validator) restored(m *Manifest) {
	seen := map[Class]bool{}
	for i := range m.Restored {
		r := &m.Restored[i]
		err := r.check()
		v.check(err == nil && !seen[r.Class], "restored %d: class %.40q: %v", i, r.Class, err)
		seen[r.Class] = true
	}
}
