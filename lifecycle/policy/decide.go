package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Action is what happens to an artifact.
type Action string

const (
	Keep  Action = "keep"  // where it is
	Move  Action = "move"  // to another tier
	Trash Action = "trash" // it expired: hidden, and can be brought back
	Purge Action = "purge" // for good
)

// Decision is what a policy says of one artifact now.
type Decision struct {
	Class  catalog.Class `json:"class"`
	Copy   int           `json:"copy,omitempty"`
	Action Action        `json:"action"`
	Tier   string        `json:"tier,omitempty"` // where to, of a move
	Rule   string        `json:"rule"`           // that decides how long it is kept; of a move, the one whose tiers count
	// Through is the last day that the artifact is kept by the rules, zero for ever.
	Through Day `json:"through,omitzero"`
	// Blocked: it is due to be deleted, and something forbids that.
	Blocked bool     `json:"blocked,omitempty"`
	Reasons []Reason `json:"reasons"`
	// Next is the day on which the passing of time alone may change the answer, zero if it never does.
	Next Day `json:"next,omitzero"`
}

// Code is a reason's kind, for programs.
type Code string

const (
	CodeRetention   Code = "retention"    // a rule keeps it until a day
	CodeExpired     Code = "expired"      // no rule keeps it any more
	CodeTier        Code = "tier"         // a rule puts it on a tier
	CodeColder      Code = "colder"       // it lies below the tier that its rule names
	CodeForeign     Code = "foreign-tier" // it lies on a tier that the policy does not name
	CodeTrash       Code = "trash"        // it is in the trash until a day
	CodeRestored    Code = "restored"     // it was brought back from a colder tier, through a day
	CodeHold        Code = "hold"
	CodeFloor       Code = "floor"
	CodeRole        Code = "role"
	CodeProof       Code = "proof"
	CodeQuiet       Code = "quiet"
	CodeBusy        Code = "busy"
	CodePartial     Code = "partial"
	CodeAppointment Code = "appointment"
	CodeReview      Code = "review"
	CodeKeepWhole   Code = "keep-whole"
	CodeEvidence    Code = "new-evidence"
	CodeFull        Code = "full-images" // previews stay as long as these
)

// Reason is one thing that decided.
type Reason struct {
	Code Code   `json:"code"`
	Rule string `json:"rule,omitempty"`
	Day  Day    `json:"day,omitzero"` // through which, or from which on, it holds
	Text string `json:"text"`
}

// Decide says what becomes of each artifact of a study, in the order of the facts. It is a pure function: the same time, facts and policy give the same
// answer on every machine. What forbids a deletion is listed completely, so that nobody lifts one obstacle to meet the next.
func (p *Policy) Decide(now time.Time, f *Facts) []Decision {
	out := make([]Decision, 0, len(f.Artifacts))
	for i := range f.Artifacts {
		d := decision{p: p, f: f, a: &f.Artifacts[i], now: now, today: DayOf(now, p.Zone)}
		d.Class, d.Copy, d.Action = d.a.Class, d.a.Copy, Keep
		d.decide()
		out = append(out, d.Decision)
	}
	return out
}

// decision is a Decision under way.
type decision struct {
	Decision
	p     *Policy
	f     *Facts
	a     *Artifact
	now   time.Time
	today Day
}

func (d *decision) say(code Code, rule string, day Day, format string, args ...any) {
	d.Reasons = append(d.Reasons, Reason{code, rule, day, fmt.Sprintf(format, args...)})
}

// wake asks to be decided again on a day to come.
func (d *decision) wake(day Day) {
	if day > d.today && (d.Next == 0 || day < d.Next) {
		d.Next = day
	}
}

func (d *decision) decide() {
	rules := d.matching()
	if len(rules) == 0 { // the role is not known, and there are rules for each role only
		d.say(CodeRole, "", 0, "no rule matches, since it is not known whether this is the primary copy")
		return
	}
	d.retention(rules)
	expired := d.Through != 0 && d.today > d.Through
	if !expired {
		d.wake(d.Through + 1)
	}
	if !d.a.Trashed.IsZero() {
		d.trashed(expired)
		return
	}
	if expired {
		d.Action = Trash
		d.gate()
		if len(d.Reasons) > 0 {
			d.Action, d.Blocked = Keep, true
		}
		// The reason for everything else comes first.
		d.Reasons = slices.Insert(d.Reasons, 0, Reason{CodeExpired, d.Rule, d.Through, fmt.Sprintf("rule %s kept it through %s", d.Rule, d.Through)})
		if !d.Blocked {
			return
		}
	}
	d.tier(rules)
}

// matching are the rules for the artifact, by priority.
func (d *decision) matching() (out []*Rule) {
	for _, r := range d.p.Rules {
		m := &r.Match
		if !slices.Contains(m.Classes, d.a.Class) || !has(m.Roles, d.f.Role) || !has(m.Tenants, d.f.Tenant) || !has(m.Departments, d.f.Department) ||
			!has(m.Ages, d.f.Age) || !has(m.Patients, d.f.Patient) || !anyOf(m.Modalities, d.f.Modalities) || !anyOf(m.BodyParts, d.f.BodyParts) ||
			d.a.Bytes < m.MinBytes || m.MaxBytes > 0 && d.a.Bytes > m.MaxBytes {
			continue
		}
		if !m.OlderThan.IsZero() {
			from, _ := d.f.anchor(FromStudy, d.p)
			if old := from.Add(m.OlderThan); d.today <= old {
				d.wake(old + 1)
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

func has[T comparable](list []T, x T) bool { return list == nil || slices.Contains(list, x) }

func anyOf(list, of []string) bool {
	return list == nil || slices.ContainsFunc(of, func(s string) bool { return slices.Contains(list, s) })
}

// retention is the longest of all rules; of equal ones that with the highest priority is named.
func (d *decision) retention(rules []*Rule) {
	var best *Rule
	var through Day
	var since string
	for _, r := range rules {
		from, what := d.f.anchor(r.From, d.p)
		until := from.Add(r.Keep)
		if r.Keep.Forever || from == 0 {
			until = 0
		}
		if best == nil || through != 0 && (until == 0 || until > through) {
			best, through, since = r, until, fmt.Sprintf("%s, %s", what, from)
		}
	}
	d.Rule, d.Through = best.Name, through
	switch {
	case best.Keep.Forever:
		d.say(CodeRetention, best.Name, 0, "rule %s keeps it for ever", best.Name)
	case through == 0:
		d.say(CodeRetention, best.Name, 0, "rule %s keeps it for %s from %s, and that day is not known", best.Name, best.Keep.Words(), best.From.words())
	case d.today <= through:
		d.say(CodeRetention, best.Name, through, "rule %s keeps it through %s: %s from %s", best.Name, through, best.Keep.Words(), since)
	}
}

// trashed decides about what is in the trash: it stays there until its time is over, and for as long as anything forbids a deletion.
func (d *decision) trashed(expired bool) {
	end := DayOf(d.a.Trashed, d.p.Zone).Add(d.p.Trash)
	if d.today <= end {
		d.say(CodeTrash, "", end, "in the trash through %s", end)
		d.wake(end + 1)
		return
	}
	before := len(d.Reasons)
	d.gate()
	if !expired || len(d.Reasons) > before {
		d.Blocked = true
		d.say(CodeTrash, "", end, "it stays in the trash: `radtier undelete` brings it back")
		return
	}
	d.Action = Purge
	d.say(CodeTrash, "", end, "in the trash since %s, expired through %s", DayOf(d.a.Trashed, d.p.Zone), d.Through)
}

// gate lists everything that forbids a deletion.
func (d *decision) gate() {
	f, p := d.f, d.p
	for _, h := range f.Holds {
		if h.Until != 0 && d.today > h.Until {
			continue
		}
		until := "until it is lifted"
		if h.Until != 0 {
			until = "through " + h.Until.String()
			d.wake(h.Until + 1)
		}
		d.say(CodeHold, "", h.Until, "%s hold %s, %s", h.Kind, h.ID, until)
	}
	d.keeper()
	if quiet := DayOf(f.LastArrival, p.Zone).Add(p.Quiet); d.today <= quiet {
		d.say(CodeQuiet, "", quiet, "something new came on %s: nothing is deleted through %s", DayOf(f.LastArrival, p.Zone), quiet)
		d.wake(quiet + 1)
	}
	if f.Busy {
		d.say(CodeBusy, "", 0, "an arrival of the study waits or is worked on")
	}
	if day := d.appointment(); day != 0 {
		d.say(CodeAppointment, "", day, "the patient has an appointment on %s", day)
		d.wake(day + 1)
	}
	if day := DayOf(d.a.Restored, p.Zone); !d.a.Restored.IsZero() && d.today <= day {
		d.say(CodeRestored, "", day, "somebody restored it to read it: it stays through %s", day)
		d.wake(day + 1)
	}
	if d.a.Class == catalog.ClassPreview && slices.ContainsFunc(f.Artifacts, func(a Artifact) bool { return a.Class == catalog.ClassFull && a.Trashed.IsZero() }) {
		d.say(CodeFull, "", 0, "the full images are still there")
	}
	if d.a.Class != catalog.ClassFull {
		return
	}
	if f.Partial {
		d.say(CodePartial, "", 0, "received files of the study are in quarantine: `radtier quarantine list`")
	}
	if f.KeepWhole {
		if !d.resultsExpired() {
			d.say(CodeKeepWhole, "", 0, "a person said that the full images stay until the results expire")
		}
	} else if !f.Settled {
		state := cmp.Or(f.RegionState, "none")
		d.say(CodeReview, "", 0, "it is not settled what the lesions are (state %s): `radtier review`", state)
	}
	if f.NewEvidence {
		d.say(CodeEvidence, "", 0, "new evidence about its lesions was not looked at yet")
	}
}

// keeper is the part of the gate that the role of the copy decides: the legal floor of a primary one, the proof that it exists for a secondary one.
func (d *decision) keeper() {
	f, p := d.f, d.p
	switch f.Role {
	case Primary:
		floor := p.Floors.Of(f.Patient)
		who := cmp.Or(f.Patient, "patient of unknown kind, who counts as an inpatient")
		switch {
		case f.LastEvent == 0:
			d.say(CodeFloor, "", 0, "this is the primary copy: it is kept for %s from the last patient event (%s), and that day is not known", floor.Words(), who)
		case floor.Forever:
			d.say(CodeFloor, "", 0, "this is the primary copy: the legal floor is for ever (%s)", who)
		default:
			if until := f.LastEvent.Add(floor); d.today <= until {
				d.say(CodeFloor, "", until, "this is the primary copy: the legal floor keeps it through %s, %s from the last patient event on %s (%s)", until, floor.Words(), f.LastEvent, who)
				d.wake(until + 1)
			}
		}
	case Secondary:
		if d.a.Class == catalog.ClassPreview { // nobody's record: made from the others
			return
		}
		switch x := f.Proof; {
		case x == nil:
			d.say(CodeProof, "", 0, "nothing proves that the primary copy exists: proof at the level %q is needed", p.Proof.Level)
		case !x.Same:
			d.say(CodeProof, "", 0, "the primary copy differs from this one")
		case x.Outdated:
			d.say(CodeProof, "", 0, "something came since the primary copy was proved on %s: it must be proved again", DayOf(x.At, p.Zone))
		case !x.Level.atLeast(p.Proof.Level):
			d.say(CodeProof, "", 0, "the primary copy is proved at the level %q, %q is needed", x.Level, p.Proof.Level)
		default:
			if until := DayOf(x.At, p.Zone).Add(p.Proof.Age); d.today > until {
				d.say(CodeProof, "", until, "the proof of the primary copy is of %s: it was good through %s", DayOf(x.At, p.Zone), until)
			} else {
				d.wake(until + 1)
			}
		}
	default:
		d.say(CodeRole, "", 0, "it is not known whether this is the primary copy")
	}
}

// appointment is the last one that is near enough to matter, zero if there is none.
func (d *decision) appointment() (near Day) {
	for _, day := range d.f.Appointments {
		if day < d.today {
			continue
		}
		if day <= d.today.Add(d.p.Appointments) {
			near = max(near, day)
		} else {
			for first := day - Day(d.p.Appointments.Days) - 31*Day(d.p.Appointments.Months) - 366*Day(d.p.Appointments.Years); first <= day; first++ {
				if first.Add(d.p.Appointments) >= day {
					d.wake(first)
					break
				}
			}
		}
	}
	return near
}

// resultsExpired reports whether all results of the study are over by the rules; if there are none, whether they would be.
func (d *decision) resultsExpired() bool {
	results := []*Artifact{}
	for i := range d.f.Artifacts {
		if a := &d.f.Artifacts[i]; a.Class == catalog.ClassResult {
			results = append(results, a)
		}
	}
	if len(results) == 0 {
		results = append(results, &Artifact{Class: catalog.ClassResult})
	}
	for _, a := range results {
		o := decision{p: d.p, f: d.f, a: a, now: d.now, today: d.today}
		rules := o.matching()
		if len(rules) == 0 {
			return false
		}
		o.retention(rules)
		if o.Through == 0 || d.today <= o.Through {
			d.wake(o.Through + 1)
			return false
		}
	}
	return true
}

// tier says on which tier the artifact should lie, by the rule with the highest priority that says anything of tiers. Nothing
// is moved up: restores do that.
func (d *decision) tier(rules []*Rule) {
	i := slices.IndexFunc(rules, func(r *Rule) bool { return r.Steps != nil })
	if i < 0 {
		return
	}
	r := rules[i]
	var at *Step
	var since Day
	for k := range r.Steps {
		s := &r.Steps[k]
		from, _ := d.f.anchor(s.From, d.p)
		if from == 0 {
			continue
		}
		// A tier changes when the period is over, like everything else; after P0D at once.
		due := from.Add(s.After)
		if !s.After.IsZero() {
			due++
		}
		if d.today < due {
			d.wake(due)
			continue
		}
		at, since = s, due
	}
	if at == nil || at.Tier == d.a.Tier {
		if at != nil {
			d.say(CodeTier, r.Name, since, "rule %s puts it on tier %s since %s", r.Name, at.Tier, since)
		}
		return
	}
	down, known := d.p.colder(d.a.Tier, at.Tier)
	switch {
	case !known:
		d.say(CodeForeign, r.Name, 0, "it lies on tier %q, which the policy does not name", d.a.Tier)
	case down < 0:
		d.say(CodeColder, r.Name, since, "it lies on %s, below %s, where rule %s puts it: nothing is moved up but by a restore", d.a.Tier, at.Tier, r.Name)
	default:
		if day := d.appointment(); day != 0 {
			d.say(CodeAppointment, r.Name, day, "rule %s puts it on tier %s since %s, but the patient has an appointment on %s", r.Name, at.Tier, since, day)
			d.wake(day + 1)
			return
		}
		if day := DayOf(d.a.Restored, d.p.Zone); !d.a.Restored.IsZero() && d.today <= day {
			d.say(CodeRestored, r.Name, day, "rule %s puts it on tier %s since %s, but it was restored and stays through %s", r.Name, at.Tier, since, day)
			d.wake(day + 1)
			return
		}
		d.Action, d.Tier = Move, at.Tier
		if !d.Blocked {
			d.Rule = r.Name
		}
		d.say(CodeTier, r.Name, since, "rule %s puts it on tier %s since %s", r.Name, at.Tier, since)
	}
}
