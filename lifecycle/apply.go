package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle/policy"
)

// Why a plan is refused as a whole. Nothing of it was queued then.
var (
	ErrPlanPolicy    = errors.New("the plan was made by another policy, or another edition of it: make a new plan")
	ErrPlanOld       = errors.New("the plan is too old: make a new one")
	ErrPlanRehearsal = errors.New("the plan is a rehearsal for another day and cannot be applied")
	ErrPlanChanged   = errors.New("too much has changed since the plan was made: make a new one")
	ErrPlanPrices    = errors.New("the plan was made with other prices: make a new plan")
	ErrPlanLarge     = errors.New("the plan deletes more than the policy's breaker allows of one hospital within 24 hours")
)

// ApplyOptions says how a plan is applied.
type ApplyOptions struct {
	Policy *policy.Policy // must be the plan's
	Prices *Prices        // must be the plan's
	Hot    string         // name of the tier that manifests leave unnamed
	Now    time.Time
	// Queue: the moves are queued for workers; without it, it is only said what would be.
	Queue bool
	// MaxAge is how old a plan may be; default 7 days. MaxSkipped is the share of lines that may have changed; default 5 %.
	MaxAge     time.Duration
	MaxSkipped float64
	// By is who applies it: needed where something is deleted. Large, a reason, lets it delete more than the breaker of the policy allows.
	By, Large string
	Guard     Guard // asked before anything is queued that deletes
	// Progress, if set, is told now and then how many lines were looked at; each is looked at twice.
	Progress func(lines int64)
}

// Defaults of ApplyOptions.
const (
	DefaultMaxAge     = 7 * 24 * time.Hour
	DefaultMaxSkipped = 0.05
)

// Applied is what became of a plan.
type Applied struct {
	Plan    string    `json:"plan"` // digest
	Queued  bool      `json:"queued"`
	Lines   int64     `json:"lines"`
	Moves   int64     `json:"moves"` // queued, or that would be
	Bytes   int64     `json:"bytes"` // of the moves
	Trash   int64     `json:"trash"` // classes of studies that go into the trash
	Trashed int64     `json:"trash_bytes"`
	Purge   int64     `json:"purge"` // classes of studies that go for good
	Purged  int64     `json:"purge_bytes"`
	Skips   int64     `json:"skips"` // lines of studies that have changed
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Apply carries a plan out. Every line is decided again, as of now and for what is there now: a line holds only for the generation and the facts that it
// names, and if the policy still says the same; others are skipped and listed. A plan is refused as a whole, before anything is queued, if the policy is
// another one, if it is too old or a rehearsal, if too many lines were skipped, or if it deletes more of a tenant than the breaker allows within 24 hours, what other
// plans have queued included. Moves and what goes into the trash become side jobs; applying a plan twice queues nothing twice that
// is not done yet, and what is done already is skipped.
func Apply(ctx context.Context, db *catalog.DB, store objstore.Store, name string, o ApplyOptions) (*Applied, error) {
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.MaxSkipped == 0 {
		o.MaxSkipped = DefaultMaxSkipped
	}
	plan, digest, err := LoadPlan(ctx, store, name)
	if err != nil {
		return nil, err
	}
	switch age := o.Now.Sub(plan.At); {
	case plan.Rehearsal:
		err = ErrPlanRehearsal
	case plan.PolicySHA256 != o.Policy.Digest:
		err = ErrPlanPolicy
	case plan.Prices != o.Prices.ID():
		err = fmt.Errorf("%w (it has %q, in force is %q)", ErrPlanPrices, plan.Prices, o.Prices.ID())
	case age > o.MaxAge || age < -time.Minute:
		err = fmt.Errorf("%w (it was made %s, and it is %s)", ErrPlanOld, plan.At.Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return nil, fmt.Errorf("plan %.16s: %w", digest, err)
	}
	a := &applier{db: db, store: store, o: o, plan: plan, digest: digest, tenants: map[string]*deletions{}}
	sure, err := a.pass(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("plan %.16s: %w", digest, err)
	}
	if sure.Skips > int64(o.MaxSkipped*float64(plan.Lines)) {
		return sure, fmt.Errorf("plan %.16s: %w (%d of %d studies, at most %.0f %%)", digest, ErrPlanChanged, sure.Skips, plan.Lines, 100*o.MaxSkipped)
	}
	if err := a.breaker(ctx); err != nil {
		return sure, fmt.Errorf("plan %.16s: %w", digest, err)
	}
	if !o.Queue {
		return sure, nil
	}
	if sure.Trash+sure.Purge > 0 && strings.TrimSpace(o.By) == "" {
		return sure, fmt.Errorf("plan %.16s: it deletes something, so it must be said who applies it", digest)
	}
	if sure.Trash+sure.Purge > 0 {
		if err := o.Guard.ask(ctx); err != nil {
			return sure, fmt.Errorf("plan %.16s: %w", digest, err)
		}
	}
	done, err := a.pass(ctx, true)
	if err != nil {
		return done, fmt.Errorf("plan %.16s: %w: apply it again, nothing is done twice", digest, err)
	}
	return done, nil
}

type applier struct {
	db      *catalog.DB
	store   objstore.Store
	o       ApplyOptions
	plan    *Plan
	digest  string
	seen    int64
	tenants map[string]*deletions
}

// deletions of one tenant.
type deletions struct {
	studies int64 // that the plan deletes something of
	most    int64 // within 24 hours, by all plans
}

// deleting notes, in the first pass, that the plan deletes something of a study.
func (a *applier) deleting(ctx context.Context, tenant string) error {
	d := a.tenants[tenant]
	if d == nil {
		all, err := a.db.CountStudies(ctx, tenant)
		if err != nil {
			return err
		}
		b := a.o.Policy.Breaker
		d = &deletions{most: max(int64(b.Studies), int64(b.Share*float64(all)))}
		if a.o.Large != "" {
			d.most = math.MaxInt64
		}
		a.tenants[tenant] = d
	}
	d.studies++
	return nil
}

// breaker refuses the plan if it deletes too much of any tenant.
func (a *applier) breaker(ctx context.Context) error {
	for _, tenant := range slices.Sorted(maps.Keys(a.tenants)) {
		d := a.tenants[tenant]
		have, err := a.db.Deletions(ctx, tenant)
		if err != nil {
			return err
		}
		if have+d.studies > d.most {
			return fmt.Errorf("%w: %d studies of %s, %d were queued before, at most %d", ErrPlanLarge, d.studies, tenant, have, d.most)
		}
	}
	return nil
}

// pass looks at every line, and queues what it is to do.
func (a *applier) pass(ctx context.Context, queue bool) (*Applied, error) {
	r := &Applied{Plan: a.digest, Queued: queue}
	for l, err := range a.plan.Read(ctx, a.store) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return r, err
		}
		r.Lines++
		why, err := a.changed(ctx, &l)
		if err != nil {
			return r, err
		}
		if why != "" {
			if r.Skips++; len(r.Skipped) < maxSkipped {
				r.Skipped = append(r.Skipped, Skipped{l.Study, why})
			}
		} else if err := a.line(ctx, &l, r, queue); err != nil {
			return r, err
		}
		if a.seen++; a.o.Progress != nil {
			a.o.Progress(a.seen)
		}
	}
	return r, nil
}

// changed says why a line does not hold any more, "" if it does.
func (a *applier) changed(ctx context.Context, l *Line) (why string, err error) {
	c, err := a.db.Check(ctx, l.Tenant, l.Study)
	if errors.Is(err, catalog.ErrNoStudy) {
		return "the catalog does not know it any more", nil
	}
	if err != nil {
		return "", err
	}
	switch {
	case c.Status == catalog.StatusFork:
		return catalog.ErrFork.Error(), nil
	case c.Generation != l.Generation:
		return fmt.Sprintf("it is at generation %d, the plan is for %d", c.Generation, l.Generation), nil
	}
	f, err := facts(ctx, a.db, a.store, a.o.Policy, &c, a.o.Hot)
	if err != nil {
		return "", err
	}
	if f.Digest() != l.Facts {
		return "what is known of it has changed", nil
	}
	decisions := a.o.Policy.Decide(a.o.Now, f)
	for _, s := range l.Steps {
		same := false
		for i, d := range decisions {
			if f.Artifacts[i].Class != s.Class || f.Artifacts[i].Tier != s.Tier || d.Action != s.Action || d.Tier != s.To {
				continue
			}
			same = true
			if s.Action != policy.Move || a.o.Prices == nil || a.plan.Forced {
				continue
			}
			v, err := a.o.Prices.judge(a.o.Now, a.o.Policy.Zone, f, &f.Artifacts[i], &d)
			if err != nil {
				return "", err
			}
			if !v.Worth() {
				return fmt.Sprintf("the move of %s to %s is not worth it any more: %s", s.Class, s.To, v), nil
			}
		}
		if !same {
			return fmt.Sprintf("the policy does not say %s of %s on %s any more", s.Action, s.Class, s.Tier), nil
		}
	}
	return "", nil
}

// line does what a line says, or counts it.
func (a *applier) line(ctx context.Context, l *Line, r *Applied, queue bool) error {
	counted := false
	for _, s := range l.Steps {
		switch s.Action {
		case policy.Move:
			r.Moves, r.Bytes = r.Moves+1, r.Bytes+s.Bytes
			if !queue {
				continue
			}
			args := MoveArgs{Class: s.Class, From: s.Tier, To: s.To, Plan: a.digest, Line: l.Number}
			if _, err := a.db.QueueSide(ctx, l.Tenant, l.Study, ActionMove, args.String()); err != nil {
				return err
			}
		case policy.Trash, policy.Purge:
			if err := a.remove(ctx, l, s, r, queue, &counted); err != nil {
				return err
			}
		}
	}
	return nil
}

// queued reports whether an open job deletes the class already, as this plan says: it was applied before and stopped on its way.
func (a *applier) queued(ctx context.Context, l *Line, kind string, class catalog.Class) (bool, error) {
	open, err := a.db.OpenSides(ctx, l.Tenant, l.Study, kind)
	if err != nil {
		return false, err
	}
	for _, args := range open {
		if b, err := ParseTrash(args); err == nil && b.Class == class && b.Plan == a.digest {
			return true, nil
		}
	}
	return false, nil
}

// remove puts a class into the trash, or purges it. What a study has of it on several tiers goes together; the study is counted once.
func (a *applier) remove(ctx context.Context, l *Line, s Step, r *Applied, queue bool, counted *bool) error {
	kind, classes, sum := ActionTrash, &r.Trash, &r.Trashed
	if s.Action == policy.Purge {
		kind, classes, sum = ActionPurge, &r.Purge, &r.Purged
	}
	*sum += s.Bytes
	if i := slices.IndexFunc(l.Steps, func(o Step) bool { return o.Class == s.Class }); l.Steps[i].Tier != s.Tier {
		return nil
	}
	*classes++
	if is, err := a.queued(ctx, l, kind, s.Class); is || err != nil {
		return err
	}
	if !queue {
		if *counted {
			return nil
		}
		*counted = true
		return a.deleting(ctx, l.Tenant)
	}
	if a.tenants[l.Tenant] == nil { // in the first pass its jobs were open; it is not asked twice
		return nil
	}
	args := TrashArgs{Class: s.Class, Policy: a.plan.PolicySHA256, Rules: policyKey(a.plan.ID), Plan: a.digest, Line: l.Number, By: a.o.By, Large: a.o.Large}
	_, err := a.db.QueueDeletion(ctx, l.Tenant, l.Study, kind, args.String(), a.tenants[l.Tenant].most, !*counted)
	*counted = true
	return err
}
