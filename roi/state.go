package roi

import (
	"fmt"
	"slices"

	"github.com/radtier/radtier/roi/evidence"
)

// settle finds the state of a study. What must be looked at by a person wins over what could be kept; every reason is said.
func (r *Record) settle(s *Study, used []*evidence.Document, lesions []*lesion) {
	var unreadable, unresolved, open []string
	complete, negative, other := false, false, false
	state := map[*evidence.Document]SourceState{}
	for i, d := range s.Documents {
		state[d] = r.Sources[i].State
	}
	for _, d := range used {
		name := fmt.Sprintf("%s %s", d.Kind, d.SOPUID)
		switch state[d] {
		case SourceUnreadable:
			unreadable = append(unreadable, name+" cannot be read")
		case SourceUnresolved:
			unresolved = append(unresolved, name+" refers to what is not there")
		case SourceUsed:
			other = true
			complete = complete || d.Complete && !d.Machine
		}
		if d.NoLesion && d.Complete && !d.Machine {
			negative = true
		}
		for _, e := range d.Excluded {
			if e.Blocks {
				open = append(open, fmt.Sprintf("%s: %s", name, e.String()))
			}
		}
	}
	keyOnly := len(lesions) > 0
	for _, l := range lesions {
		keyOnly = keyOnly && len(l.bodies) == 0 && !slices.ContainsFunc(l.spots, func(q spot) bool { return !q.key })
		for _, why := range l.unsure() {
			open = append(open, "a finding that may be a lesion: "+why)
		}
	}
	if negative && len(lesions) > 0 {
		open = append(open, "a document says that there is no lesion, and others mark some")
	}
	slices.Sort(open)
	open = slices.Compact(open)
	switch {
	case len(unreadable) > 0:
		r.State, r.Why = StateUnreadable, unreadable
	case len(unresolved) > 0:
		r.State, r.Why = StateUnresolved, unresolved
	case len(s.Unreadable) > 0:
		r.State, r.Why = StatePartial, s.Unreadable
	case len(lesions) > 0 && complete && len(open) == 0 && keyOnly:
		r.State, r.Why = StateKeySlices, []string{"a document that names all lesions names slices"}
	case len(lesions) > 0 && complete && len(open) == 0:
		r.State, r.Why = StateExtracted, []string{"a document says that these are all lesions"}
	case len(lesions) > 0:
		r.State = StateExtractedOpen
		if r.Why = open; len(open) == 0 {
			r.Why = []string{"nobody says that these are all lesions"}
		}
	case negative && len(open) == 0 && !other:
		r.State, r.Why = StateNegative, []string{"a document says that there is no lesion"}
	default:
		r.State = StateNone
		if r.Why = open; len(open) == 0 {
			r.Why = []string{"nothing says where lesions are"}
		}
	}
	if r.Why = slices.Clone(r.Why); len(r.Why) > maxReasons {
		r.Why = append(r.Why[:maxReasons], fmt.Sprintf("and %d more", len(r.Why)-maxReasons))
	}
}

// Hear applies a person's answer if it was given for this very plan. Nobody can say that files without readable images show no lesion.
func (r *Record) Hear(a *Answer) {
	if a == nil || a.Plan != r.Plan {
		return
	}
	r.Review = a
	if a.Kind == AnswerNegative && r.State != StatePartial {
		r.State = StateNegative
		r.Why = []string{"a person looked at the study and says that there is no lesion"}
	}
}

// NeedsReview reports whether a person must look at the study before its full images may ever expire. Studies without any
// evidence are no work for a person: they stay whole.
func (r *Record) NeedsReview() bool {
	return r.Review == nil && !r.State.Expires() && r.State != StateNone
}
