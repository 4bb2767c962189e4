package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/pack"
)

// ActionRestore is the kind of side jobs that bring a class back to a warmer tier, and the action of their generations.
const ActionRestore = "restore"

// RestoreArgs say what is to be brought back. They are the args of its job.
type RestoreArgs struct {
	Class catalog.Class `json:"class"`
	To    string        `json:"to"` // tier
	// Series, if not empty, brings back only packs that hold something of it.
	Series string `json:"series,omitempty"`
	// Deadline is by when it should be readable: the cheapest speed that a provider offers for that is asked for; zero: the cheapest.
	Deadline time.Time `json:"deadline,omitzero"`
	Until    time.Time `json:"until"` // until then no policy moves it down again
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
}

// String is what a job's row keeps.
func (a RestoreArgs) String() string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("lifecycle: args of a restore hold nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// ParseRestore reads the args of a restore's job.
func ParseRestore(text string) (a RestoreArgs, err error) {
	if err = json.Unmarshal([]byte(text), &a); err == nil && (a.Class == "" || a.To == "" || a.Until.IsZero() || a.By == "" || a.Reason == "") {
		err = errors.New("class, to, until, by and reason are needed")
	}
	if err != nil {
		return a, fmt.Errorf("the job of a restore says %.200q: %w", text, err)
	}
	return a, nil
}

// readableDays is for how many days a provider is asked to keep its temporary copy: enough to copy it, also after an outage.
const readableDays = 3

// StepAsked is the step of a restore at which the provider was asked for one pack.
const StepAsked = "asked"

// Restore brings all packs of a class to a tier: those in archive classes are asked for first, once each, and until all can be read the attempt ends with
// objstore.ErrArchived, so that it holds no worker while the provider works. Then they are copied to new keys, verified, and named by a generation that also notes until when they stay.
// Temporary copies of the provider never change a manifest. What is there already is left alone; a longer wish prolongs the note.
//
// Errors: objstore.ErrArchived, ErrNotDue (there is nothing of the class, or it is in the trash), ErrVerify; those of catalog.Commit and of the stores.
func (mv *Mover) Restore(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	a, err := ParseRestore(job.Args)
	if err != nil {
		return nil, err
	}
	head, _, err := catalog.Heal(ctx, mv.DB, mv.Tiers.Hot(), job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("restore: %w", catalog.ErrNoStudy)
	}
	if head.Hidden(a.Class) {
		return nil, fmt.Errorf("%w: it is in the trash, or ordered to be erased", ErrNotDue)
	}
	var list []catalog.Pack
	n := 0
	for _, p := range head.Packs {
		if p.Class != a.Class {
			continue
		}
		if n++; p.Tier != a.To {
			list = append(list, p)
		}
	}
	if list, err = withSeries(ctx, mv.Tiers, head, list, a.Series); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the study has nothing of class %s", ErrNotDue, a.Class)
	}
	if err := mv.readable(ctx, list, a.Deadline); err != nil {
		return nil, err
	}
	copies := map[string]catalog.Pack{}
	for _, p := range list {
		to := p
		to.Key, to.Tier, to.Since = catalog.PackKey(job.StudyKey, job.ID, job.Attempt, len(copies)+1), a.To, mv.Now().UTC().Truncate(time.Millisecond)
		if err := mv.copy(ctx, p, to); err != nil {
			return nil, fmt.Errorf("restore %s to tier %s: %w", p.Key, a.To, err)
		}
		if err := mv.Hooks.Step(ctx, StepCopied); err != nil {
			return nil, err
		}
		copies[p.Key] = to
	}
	mark := catalog.Restored{Class: a.Class, Until: a.Until.UTC().Truncate(time.Millisecond), By: a.By, Reason: a.Reason}
	return catalog.Commit(ctx, mv.DB, mv.Tiers.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: mv.Owner, Action: ActionRestore,
		Note: fmt.Sprintf("%s to %s until %s, for %s: %s", a.Class, a.To, mark.Until.Format(time.RFC3339), a.By, a.Reason), Hooks: mv.Hooks,
		Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
			next, err := replace(m, copies)
			if err != nil && !errors.Is(err, catalog.ErrNothingToDo) {
				return nil, err
			}
			if !m.KeepRestored(mark) && errors.Is(err, catalog.ErrNothingToDo) {
				return nil, err
			}
			if next == nil {
				next = m
			}
			return next, nil
		}})
}

// readable asks for temporary copies of what is archived, each once, and fails with a ThawError until all of them are there.
func (mv *Mover) readable(ctx context.Context, list []catalog.Pack, deadline time.Time) error {
	wait := &ThawError{After: maxPoll}
	for _, p := range list {
		t, err := ThawOf(ctx, mv.Tiers, mv.Times, p, deadline, mv.Now())
		if err != nil {
			return fmt.Errorf("pack %s on tier %s: %w", p.Key, p.Tier, err)
		}
		if !t.Archived {
			continue
		}
		wait.Packs++
		wait.After = min(wait.After, pollAfter(t.Takes))
		if t.Ongoing {
			continue
		}
		store, err := mv.Tiers.Tier(p.Tier)
		if err != nil {
			return err
		}
		if err := store.Restore(ctx, p.Key, readableDays, t.Speed); err != nil {
			return fmt.Errorf("ask for %s, %s: %w", p.Key, t.Speed, err)
		}
		if err := mv.Hooks.Step(ctx, StepAsked); err != nil {
			return err
		}
	}
	if wait.Packs > 0 {
		return wait
	}
	return nil
}

// withSeries leaves only packs that hold something of a series; "" leaves all. ErrNotDue if the study has nothing of it.
func withSeries(ctx context.Context, tiers Places, m *catalog.Manifest, list []catalog.Pack, series string) (out []catalog.Pack, err error) {
	if series == "" {
		return list, nil
	}
	bundle, err := readBundle(ctx, tiers.Hot(), m.Hot)
	if err != nil {
		return nil, err
	}
	found := false
	for n, p := range m.Packs {
		if p.Class == catalog.ClassPreview {
			continue
		}
		part := catalog.BundlePart{}
		if m.Hot != nil && n < len(m.Hot.Parts) {
			part = m.Hot.Parts[n]
		}
		x, err := indexOf(ctx, tiers, p, bundle, part)
		if err != nil {
			return nil, fmt.Errorf("pack %s: its index: %w", p.Key, err)
		}
		if !slices.ContainsFunc(x.Instances, func(in pack.Instance) bool { return in.SeriesUID == series }) {
			continue
		}
		found = true
		if slices.ContainsFunc(list, func(q catalog.Pack) bool { return q.Key == p.Key }) {
			out = append(out, p)
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: it has nothing of this series", ErrNotDue)
	}
	return out, nil
}

// SeriesPacks are the packs of a class of a study that do not lie on a tier, those of one series if it is not empty.
func SeriesPacks(ctx context.Context, tiers Places, m *catalog.Manifest, class catalog.Class, to, series string) ([]catalog.Pack, error) {
	var list []catalog.Pack
	for _, p := range m.Packs {
		if p.Class == class && p.Tier != to {
			list = append(list, p)
		}
	}
	return withSeries(ctx, tiers, m, list, series)
}
