// Package tiers emulates what providers do with storage classes: minimum
// durations (only reported, nobody is billed here) and archive classes, whose
// objects can be read only after a restore has run its delay, and only for
// some days. It holds the rules and no state; file and mem keep the state.
package tiers

import (
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

const day = 24 * time.Hour

// Class is one storage class of an emulated store.
type Class struct {
	Name objstore.Class
	// MinDays is the minimum storage duration in days that a provider would bill; 0 is none.
	MinDays int
	// Archive classes need a restore before reading.
	Archive bool
	// RestoreDelay is the time a restore takes; only of archive classes.
	RestoreDelay time.Duration
}

// MinimumUntil returns the time before which deleting an object put at that time would still be billed.
func (c Class) MinimumUntil(put time.Time) time.Time { return put.Add(time.Duration(c.MinDays) * day) }

// Classes is an ordered set of classes, hot to cold; the first is the default.
type Classes []Class

// Check reports the first mistake in a configured list of classes.
func (list Classes) Check() error {
	if len(list) == 0 {
		return fmt.Errorf("no storage classes: name at least one")
	}
	seen := make(map[objstore.Class]bool)
	for _, c := range list {
		switch {
		case !objstore.ValidPart(string(c.Name)) || c.Name[0] == '.' || len(c.Name) > 64:
			return fmt.Errorf("storage class %q: a name has 1 to 64 letters, digits and ._=+- and does not begin with a dot", c.Name)
		case seen[c.Name]:
			return fmt.Errorf("storage class %q is listed twice", c.Name)
		case c.MinDays < 0 || c.RestoreDelay < 0:
			return fmt.Errorf("storage class %q: minimum days and restore delay cannot be negative", c.Name)
		case !c.Archive && c.RestoreDelay != 0:
			return fmt.Errorf("storage class %q: only archive classes have a restore delay", c.Name)
		}
		seen[c.Name] = true
	}
	if list[0].Archive {
		return fmt.Errorf("storage class %q: the first class is the default and cannot be an archive", list[0].Name)
	}
	return nil
}

// Index returns the position of a class, 0 for the empty name (the default), or an ErrUnsupported.
func (list Classes) Index(name objstore.Class) (int, error) {
	if name == "" {
		return 0, nil
	}
	for i, c := range list {
		if c.Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("storage class %q: %w", name, objstore.ErrUnsupported)
}

// Names returns the names in order.
func (list Classes) Names() []objstore.Class {
	names := make([]objstore.Class, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names
}

// HasArchive reports whether any class needs restores.
func (list Classes) HasArchive() bool {
	for _, c := range list {
		if c.Archive {
			return true
		}
	}
	return false
}

// Restore is what must be remembered of the last restore of one object. The zero value means there was none.
type Restore struct {
	Ready time.Time `json:"ready"` // the temporary copy exists from then on
	Until time.Time `json:"until"` // and is gone from then on
}

// Ask returns the record after a restore for that many days was asked for:
// unchanged while one is under way, prolonged while the copy can be read, else begun anew.
func (r Restore) Ask(now time.Time, c Class, days int) Restore {
	span := time.Duration(days) * day
	switch {
	case now.Before(r.Ready):
		return r
	case now.Before(r.Until):
		if until := now.Add(span); until.After(r.Until) {
			r.Until = until
		}
		return r
	}
	ready := now.Add(c.RestoreDelay)
	return Restore{Ready: ready, Until: ready.Add(span)}
}

// State returns what an object of class c with this record shows at that time.
func (r Restore) State(now time.Time, c Class) objstore.RestoreState {
	s := objstore.RestoreState{Archived: c.Archive}
	switch {
	case !c.Archive:
	case now.Before(r.Ready):
		s.Ongoing = true
	case now.Before(r.Until):
		s.Until = r.Until
	}
	return s
}

// CheckDays reports an error for a number of days that no restore can have.
func CheckDays(days int) error {
	if days < 1 || days > 3650 {
		return fmt.Errorf("restore for %d days: must be 1 to 3650", days)
	}
	return nil
}
