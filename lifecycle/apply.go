package lifecycle

import (
	"context"
	"errors"
	"fmt"
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
)

// ApplyOptions says how a plan is applied.
type ApplyOptions struct {
	Policy *policy.Policy // must be the plan's
	Hot    string         // name of the tier that manifests leave unnamed
	Now    time.Time
	// Queue: the moves are queued for workers; without it, it is only said what would be.
	Queue bool
	// MaxAge is how old a plan may be; default 7 days. MaxSkipped is the share of lines that may have changed; default 5 %.
	MaxAge     time.Duration
	MaxSkipped float64
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
	Left    int64     `json:"left"`  // steps that delete something: this version carries out none
	Skips   int64     `json:"skips"` // lines of studies that have changed
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Apply carries a plan out. Every line is decided again, as of now and for what is there now: a line holds only for the generation and the facts that it
// names, and if the policy still says the same; others are skipped and listed. A plan is refused as a whole, before anything is queued, if the policy is
// another one, if it is too old or a rehearsal, or if too many lines were skipped. Moves become side jobs; applying a plan twice queues nothing twice that
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
	case age > o.MaxAge || age < -time.Minute:
		err = fmt.Errorf("%w (it was made %s, and it is %s)", ErrPlanOld, plan.At.Format(time.RFC3339), o.Now.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return nil, fmt.Errorf("plan %.16s: %w", digest, err)
	}
	a := &applier{db: db, store: store, o: o, plan: plan, digest: digest}
	sure, err := a.pass(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("plan %.16s: %w", digest, err)
	}
	if sure.Skips > int64(o.MaxSkipped*float64(plan.Lines)) {
		return sure, fmt.Errorf("plan %.16s: %w (%d of %d studies, at most %.0f %%)", digest, ErrPlanChanged, sure.Skips, plan.Lines, 100*o.MaxSkipped)
	}
	if !o.Queue {
		return sure, nil
	}
	done, err := a.pass(ctx, true)
	if err != nil {
		return done, fmt.Errorf("plan %.16s: %w: apply it again, nothing is done twice", digest, err)
	}
	return done, nil
}

type applier struct {
	db     *catalog.DB
	store  objstore.Store
	o      ApplyOptions
	plan   *Plan
	digest string
	seen   int64
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
			same = same || f.Artifacts[i].Class == s.Class && f.Artifacts[i].Tier == s.Tier && d.Action == s.Action && d.Tier == s.To
		}
		if !same {
			return fmt.Sprintf("the policy does not say %s of %s on %s any more", s.Action, s.Class, s.Tier), nil
		}
	}
	return "", nil
}

// line does what a line says.
func (a *applier) line(ctx context.Context, l *Line, r *Applied, queue bool) error {
	for _, s := range l.Steps {
		if s.Action != policy.Move {
			r.Left++
			continue
		}
		r.Moves, r.Bytes = r.Moves+1, r.Bytes+s.Bytes
		if !queue {
			continue
		}
		args := MoveArgs{Class: s.Class, From: s.Tier, To: s.To, Plan: a.digest, Line: l.Number}
		if _, err := a.db.QueueSide(ctx, l.Tenant, l.Study, ActionMove, args.String()); err != nil {
			return err
		}
	}
	return nil
}
