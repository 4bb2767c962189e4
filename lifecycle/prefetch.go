package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle/cost"
)

// PrefetchOptions says what is warmed. Zero values have defaults.
type PrefetchOptions struct {
	Tenant string
	Hot    string // name of the first tier: where studies are brought to
	Now    time.Time
	Within time.Duration // appointments that begin within; default 36 hours
	Priors int           // of each group and appointment, the last by their study date; default 3
	Budget int64         // bytes; 0: no limit
	Keep   time.Duration // after the appointment; default 48 hours
	Prices *Prices       // nil: costs are not known
	DryRun bool
}

// Defaults of PrefetchOptions.
const (
	DefaultPrefetchWithin = 36 * time.Hour
	DefaultPriors         = 3
	DefaultPrefetchKeep   = 48 * time.Hour
)

// byPrefetch is who wishes what is warmed.
const byPrefetch = "prefetch"

// Warmed is a study that is brought back for an appointment.
type Warmed struct {
	Study       string          `json:"study"` // hash
	Appointment time.Time       `json:"appointment"`
	Bytes       int64           `json:"bytes"`
	Objects     int64           `json:"objects"`
	Tier        string          `json:"tier"` // where it lies; the coldest, if on several
	Job         string          `json:"job,omitempty"`
	Cost        decimal.Decimal `json:"cost,omitzero"`
}

// Prefetched is what became of a list of appointments.
type Prefetched struct {
	Appointments int             `json:"appointments"`
	Warmed       []Warmed        `json:"warmed"`
	Bytes        int64           `json:"bytes"`
	Cost         decimal.Decimal `json:"cost,omitzero"`
	Currency     string          `json:"currency,omitempty"`
	// What was not: by reason.
	Skipped map[string]int `json:"skipped"`
}

// Reasons of Prefetched.Skipped.
const (
	SkipTime    = "not within the time"
	SkipUnknown = "not stored here"
	SkipPrior   = "not among the last priors"
	SkipHot     = "hot already"
	SkipGone    = "nothing to be brought back: in the trash, or purged"
	SkipBudget  = "beyond the budget"
	SkipDone    = "warmed for this appointment already"
)

// prior is a study that may be warmed.
type prior struct {
	Appointment
	c        catalog.Checkable
	day      string // of the study
	from     map[string]catalog.BriefObject
	bytes    int64
	objects  int64
	coldest  string
	restored time.Time
}

// PrefetchFor warms the last priors of the patients who come: those full images that lie on colder tiers are queued to be restored, in the order of the appointments, until the budget
// is used up. The same list again changes nothing. What is warmed goes down again by itself.
func PrefetchFor(ctx context.Context, db *catalog.DB, list []Appointment, o PrefetchOptions) (*Prefetched, error) {
	o.Within, o.Priors, o.Keep = cmp.Or(o.Within, DefaultPrefetchWithin), cmp.Or(o.Priors, DefaultPriors), cmp.Or(o.Keep, DefaultPrefetchKeep)
	r := &Prefetched{Appointments: len(list), Warmed: []Warmed{}, Skipped: map[string]int{}}
	if o.Prices != nil {
		r.Currency = o.Prices.Currency()
	}
	type visit struct {
		group string
		at    time.Time
	}
	groups := map[visit][]*prior{}
	seen := map[visit]map[string]bool{}
	for _, a := range list {
		v := visit{a.Group, a.At}
		if a.Group == "" {
			v.group = "\x00" + a.StudyUID
		}
		switch {
		case a.At.Before(o.Now) || a.At.After(o.Now.Add(o.Within)):
			r.Skipped[SkipTime]++
			continue
		case seen[v][a.StudyUID]:
			continue
		}
		if seen[v] == nil {
			seen[v] = map[string]bool{}
		}
		seen[v][a.StudyUID] = true
		k := catalog.StudyKey{Tenant: o.Tenant, UID: a.StudyUID}
		c, err := db.Check(ctx, o.Tenant, k.Hash())
		if errors.Is(err, catalog.ErrNoStudy) {
			r.Skipped[SkipUnknown]++
			continue
		} else if err != nil {
			return r, err
		}
		p := &prior{Appointment: a, c: c}
		if c.Brief != nil {
			p.day = c.Brief.StudyDate
		}
		groups[v] = append(groups[v], p)
	}
	var all []*prior
	for _, g := range groups {
		slices.SortFunc(g, func(a, b *prior) int { return cmp.Or(cmp.Compare(b.day, a.day), cmp.Compare(a.StudyUID, b.StudyUID)) })
		r.Skipped[SkipPrior] += max(len(g)-o.Priors, 0)
		all = append(all, g[:min(len(g), o.Priors)]...)
	}
	slices.SortFunc(all, func(a, b *prior) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Priority, a.Priority), cmp.Compare(b.day, a.day), cmp.Compare(a.StudyUID, b.StudyUID))
	})
	for _, p := range all {
		if why := p.look(o.Hot); why != "" {
			r.Skipped[why]++
			continue
		}
		if o.Budget > 0 && r.Bytes+p.bytes > o.Budget {
			r.Skipped[SkipBudget]++
			continue
		}
		w, why, err := p.warm(ctx, db, o)
		if err != nil {
			return r, err
		}
		if why != "" {
			r.Skipped[why]++
			continue
		}
		r.Warmed, r.Bytes, r.Cost = append(r.Warmed, w), r.Bytes+w.Bytes, r.Cost.Add(w.Cost)
	}
	for why, n := range r.Skipped {
		if n == 0 {
			delete(r.Skipped, why)
		}
	}
	return r, nil
}

// look finds what of the full images is not hot, and why there is nothing to do.
func (p *prior) look(hot string) (why string) {
	if p.c.Brief == nil {
		return SkipGone
	}
	any := false
	p.from = map[string]catalog.BriefObject{}
	for _, h := range p.c.Brief.Holdings {
		if h.Class != catalog.ClassFull {
			continue
		}
		if !h.InTrash().IsZero() {
			return SkipGone
		}
		any = true
		if tier := cmp.Or(h.Tier, hot); tier != hot {
			p.bytes, p.objects, p.coldest = p.bytes+h.Bytes, p.objects+int64(h.Objects), max(p.coldest, tier)
			p.from[tier] = h
		}
	}
	switch {
	case !any:
		return SkipGone
	case p.bytes == 0:
		return SkipHot
	}
	return ""
}

// warm queues the restore, and remembers it.
func (p *prior) warm(ctx context.Context, db *catalog.DB, o PrefetchOptions) (w Warmed, why string, err error) {
	hash := p.c.Hash()
	w = Warmed{Study: hash, Appointment: p.At, Bytes: p.bytes, Objects: p.objects, Tier: p.coldest}
	if w.Cost, err = p.cost(o); err != nil {
		return w, "", fmt.Errorf("what it costs to warm study %s: %w", hash, err)
	}
	if o.DryRun {
		return w, "", nil
	}
	args := RestoreArgs{Class: catalog.ClassFull, To: o.Hot, Deadline: p.At, Until: p.At.Add(o.Keep), By: byPrefetch, Reason: "appointment"}
	job, err := db.QueueSide(ctx, o.Tenant, hash, ActionRestore, args.String())
	if err != nil {
		return w, "", err
	}
	w.Job = job.ID
	fresh, err := db.NotePrefetch(ctx, catalog.Prefetch{Tenant: o.Tenant, Hash: hash, Appointment: p.At, Job: job.ID, Bytes: p.bytes, Objects: p.objects, Tier: p.coldest})
	if err == nil && !fresh {
		return w, SkipDone, nil
	}
	return w, "", err
}

// cost is what warming it costs.
func (p *prior) cost(o PrefetchOptions) (decimal.Decimal, error) {
	from := map[string]cost.Objects{}
	for tier, h := range p.from {
		from[tier] = cost.Objects{Bytes: h.Bytes, Count: int64(h.Objects)}
	}
	return o.Prices.warming(o.Hot, from, p.At.Add(o.Keep).Sub(o.Now))
}

// warming is what it costs to read objects on colder tiers, to put them on the first, and to keep them there for a while; 0 without prices.
func (p *Prices) warming(hot string, from map[string]cost.Objects, keep time.Duration) (sum decimal.Decimal, err error) {
	if p == nil {
		return sum, nil
	}
	to, ok := p.Places[hot]
	if !ok {
		return sum, fmt.Errorf("tier %s: %w", hot, ErrNoPrices)
	}
	days := decimal.NewFromInt(int64(max(keep, 0)/time.Second)).DivRound(decimal.NewFromInt(86400), cost.Digits)
	for tier, objects := range from {
		at, ok := p.Places[tier]
		if !ok {
			return sum, fmt.Errorf("tier %s: %w", tier, ErrNoPrices)
		}
		read, err := at.Read(objects, decimal.NewFromInt(1), readAgain)
		if err != nil {
			return sum, err
		}
		put, err := to.Put(objects, p.PartBytes)
		if err != nil {
			return sum, err
		}
		kept, err := to.Days(objects, days)
		if err != nil {
			return sum, err
		}
		sum = sum.Add(read).Add(put).Add(kept)
	}
	return sum, nil
}

// PrefetchReport says how well warming worked for the appointments between two moments.
type PrefetchReport struct {
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Warmed   int             `json:"warmed"` // studies and appointments
	Bytes    int64           `json:"bytes"`
	Hits     int             `json:"hits"`   // warmed, and read around the appointment
	Unused   int             `json:"unused"` // warmed, and not read until it was over
	Open     int             `json:"open"`   // warmed for an appointment that is not over
	Late     int             `json:"late"`   // warmed, and not ready when the appointment began
	LateMost int64           `json:"late_most_seconds"`
	Failed   int             `json:"failed"`        // whose restore ended without being done
	Cost     decimal.Decimal `json:"cost,omitzero"` // of all that was warmed, where prices are known
	Currency string          `json:"currency,omitempty"`
	Misses   int             `json:"misses"` // studies that were read on a colder tier, and were not warmed then, a day each
}

// HitRate is the share of warmed studies that were read, of those whose appointment is over; false if there are none.
func (r *PrefetchReport) HitRate() (float64, bool) {
	if r.Hits+r.Unused == 0 {
		return 0, false
	}
	return float64(r.Hits) / float64(r.Hits+r.Unused), true
}

// ReportPrefetch compares what was warmed with what was read. prices may be nil; hot names the first tier.
func ReportPrefetch(ctx context.Context, db *catalog.DB, from, to, now time.Time, prices *Prices, hot string) (*PrefetchReport, error) {
	r := &PrefetchReport{From: from.UTC(), To: to.UTC()}
	if prices != nil {
		r.Currency = prices.Currency()
	}
	type name struct{ tenant, hash string }
	reads := map[name][]catalog.Access{}
	if err := db.Accesses(ctx, from.AddDate(0, 0, -1), to.AddDate(0, 0, 2), func(a catalog.Access) error {
		reads[name{a.Tenant, a.Hash}] = append(reads[name{a.Tenant, a.Hash}], a)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("prefetch report: %w", err)
	}
	warm := map[name][]catalog.Prefetch{}
	err := db.Prefetches(ctx, from, to, func(p catalog.Prefetch) error {
		id := name{p.Tenant, p.Hash}
		warm[id] = append(warm[id], p)
		r.Warmed++
		r.Bytes += p.Bytes
		sum, err := prices.warming(hot, map[string]cost.Objects{p.Tier: {Bytes: p.Bytes, Count: p.Objects}}, p.Appointment.Add(DefaultPrefetchKeep).Sub(p.At))
		if err != nil {
			return err
		}
		r.Cost = r.Cost.Add(sum)
		ready := p.State == catalog.JobDone || p.State == "" // jobs that are done are forgotten after a while
		switch late := p.Ended.Sub(p.Appointment); {
		case p.State == catalog.JobFailed:
			r.Failed++
		case ready && late > 0 && p.State != "", !ready && now.After(p.Appointment):
			if !ready {
				late = now.Sub(p.Appointment)
			}
			r.Late++
			r.LateMost = max(r.LateMost, int64(late/time.Second))
		}
		begin, end := window(p.Appointment)
		used := slices.ContainsFunc(reads[id], func(a catalog.Access) bool { return !a.Day.Before(begin) && a.Day.Before(end) })
		switch {
		case used:
			r.Hits++
		case now.Before(end):
			r.Open++
		default:
			r.Unused++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("prefetch report: %w", err)
	}
	for id, list := range reads {
		for _, a := range list {
			if a.Cold == 0 || a.Day.Before(from.Truncate(24*time.Hour)) || !a.Day.Before(to) {
				continue
			}
			if !slices.ContainsFunc(warm[id], func(p catalog.Prefetch) bool {
				begin, end := window(p.Appointment)
				return !a.Day.Before(begin) && a.Day.Before(end)
			}) {
				r.Misses++
			}
		}
	}
	return r, nil
}

// window is when a read belongs to an appointment: from the day before it to the end of the day after, in days of UTC.
func window(at time.Time) (begin, end time.Time) {
	day := at.UTC().Truncate(24 * time.Hour)
	return day.AddDate(0, 0, -1), day.AddDate(0, 0, 2)
}
