package catalog

import (
	"errors"
	"slices"
	"time"
)

// Trashed says that what a study has of a class has expired and is hidden: readers do not show it, and it can be brought back
// whole, because nothing of it was deleted.
type Trashed struct {
	Class Class     `json:"class"`
	Since time.Time `json:"since"`
	By    string    `json:"by"`   // who applied the plan
	Rule  string    `json:"rule"` // of the policy that let it expire
	Plan  string    `json:"plan"` // digest
}

// ErrNotTrashed: nothing of the study is in the trash, or not that.
var ErrNotTrashed = errors.New("it is not in the trash")

// InTrash returns the mark of a class, nil if it is not in the trash.
func (m *Manifest) InTrash(c Class) *Trashed {
	for i := range m.Trash {
		if m.Trash[i].Class == c {
			return &m.Trash[i]
		}
	}
	return nil
}

// PutInTrash hides a class. ErrNothingToDo if it is there already.
func (m *Manifest) PutInTrash(t Trashed) error {
	if m.InTrash(t.Class) != nil {
		return ErrNothingToDo
	}
	m.Trash = append(m.Trash, t)
	return nil
}

// TakeFromTrash shows classes again, all of them if none is named. ErrNotTrashed if one of them is not in the trash.
func (m *Manifest) TakeFromTrash(classes ...Class) error {
	if len(m.Trash) == 0 {
		return ErrNotTrashed
	}
	for _, c := range classes {
		if m.InTrash(c) == nil {
			return ErrNotTrashed
		}
	}
	m.Trash = slices.DeleteFunc(m.Trash, func(t Trashed) bool { return len(classes) == 0 || slices.Contains(classes, t.Class) })
	return nil
}

// trash checks the marks of a manifest.
func (v *validator) trash(m *Manifest) {
	seen := map[Class]bool{}
	for i, t := range m.Trash {
		switch t.Class {
		case ClassFull, ClassRegion, ClassResult, ClassPreview:
		default:
			v.check(false, "trash %d: class is %.40q", i, t.Class)
		}
		v.check(!seen[t.Class], "trash %d: class %s is there twice", i, t.Class)
		seen[t.Class] = true
		v.check(!t.Since.IsZero() && t.By != "", "trash %d: its time is missing, or who put it there", i)
	}
}
