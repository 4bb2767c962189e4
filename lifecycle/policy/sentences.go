package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/catalog"
)

// Sentences says in words what a policy does, one thing a line.
func (p *Policy) Sentences() []string {
	out := []string{
		fmt.Sprintf("Policy %s counts days in %s. Tiers, hot to cold: %s.", p.Name, p.Zone, strings.Join(p.Tiers, ", ")),
		fmt.Sprintf("Nothing is deleted under a hold; of a primary copy before %s (outpatients) or %s (inpatients, and who is not known) from the last patient event, or if that day is not known; of a secondary copy without a proof of the primary one (%s, at most %s old).",
			p.Floors.Outpatient.Words(), p.Floors.Inpatient.Words(), p.Proof.Level, p.Proof.Age.Words()),
		fmt.Sprintf("Nor within %s of anything new, or of an appointment within %s; nor full images while a person has to look at the study's lesions.", p.Quiet.Words(), p.Appointments.Words()),
		fmt.Sprintf("What expired stays in the trash for %s. Of one tenant at most %d studies, or %.3g %% if that is more, are deleted within 24 hours.", p.Trash.Words(), p.Breaker.Studies, 100*p.Breaker.Share),
	}
	for _, tenant := range slices.Sorted(maps.Keys(p.Roles)) {
		who := tenant
		if tenant == "*" {
			who = "every other tenant"
		}
		out = append(out, fmt.Sprintf("What is kept of %s is the %s copy.", who, p.Roles[tenant]))
	}
	if len(p.Roles) == 0 {
		out = append(out, "It does not say whose copies these are (roles): of studies whose manifest does not say it either nothing is deleted.")
	}
	if len(p.Floors.ApprovedBy) > 0 {
		out = append(out, "The floors were approved by "+strings.Join(p.Floors.ApprovedBy, " and ")+".")
	}
	for _, c := range Classes {
		var rules []*Rule
		for _, r := range p.Rules {
			if shares(r.Match.Classes, []catalog.Class{c}) {
				rules = append(rules, r)
			}
		}
		for _, r := range rules {
			out = append(out, r.sentence(c, len(rules) > 1))
		}
	}
	return out
}

func (r *Rule) sentence(c catalog.Class, ranked bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s: kept ", className(c), r.Match.words())
	if r.Keep.Forever {
		b.WriteString("for ever")
	} else {
		fmt.Fprintf(&b, "%s from %s", r.Keep.Words(), r.From.words())
	}
	for i, s := range r.Steps {
		if i == 0 {
			b.WriteString("; ")
		} else {
			b.WriteString(", then ")
		}
		fmt.Fprintf(&b, "on %s", s.Tier)
		if !s.After.IsZero() {
			fmt.Fprintf(&b, " after %s from %s", s.After.Words(), s.From.words())
		}
	}
	fmt.Fprintf(&b, ". (rule %s, line %d", r.Name, r.Line)
	if ranked {
		fmt.Fprintf(&b, ", priority %d: of several that match the longest keeps, the highest priority names the tiers", r.Priority)
	}
	b.WriteString(")")
	return b.String()
}

func className(c catalog.Class) string {
	switch c {
	case catalog.ClassFull:
		return "Full images"
	case catalog.ClassRegion:
		return "Lesion regions"
	case catalog.ClassResult:
		return "Results"
	}
	return "Previews"
}

func (a Anchor) words() string {
	switch a {
	case FromStudy:
		return "the study's date"
	case FromAccess:
		return "the last access"
	case FromEvent:
		return "the last patient event"
	}
	return "the last arrival"
}

func (m *Match) words() string {
	var parts []string
	add := func(format, list string) {
		if list != "" {
			parts = append(parts, fmt.Sprintf(format, list))
		}
	}
	either := func(list []string) string { return strings.Join(list, " or ") }
	add("%s copies", either(words(m.Roles)))
	add("of %s", either(m.Tenants))
	add("with %s", either(m.Modalities))
	add("of the %s", either(m.BodyParts))
	add("ordered by %s", either(m.Departments))
	add("of patients who are %s", either(words(m.Ages)))
	add("of %ss", either(words(m.Patients)))
	if !m.OlderThan.IsZero() {
		add("older than %s", m.OlderThan.Words())
	}
	if m.MinBytes > 0 {
		add("of at least %s", fmt.Sprint(m.MinBytes, " bytes"))
	}
	if m.MaxBytes > 0 {
		add("of at most %s", fmt.Sprint(m.MaxBytes, " bytes"))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

func words[T ~string](list []T) (out []string) {
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}
