package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// applying is a mover with a policy.
type applying struct {
	*mover
	*planner
}

func newApplying(t *testing.T) *applying {
	t.Helper()
	p, mv := newPlanner(t, warmPolicy), newMover(t, true)
	p.sweeper = mv.sweeper
	return &applying{mv, p}
}

func (a *applying) apply(digest string, change func(*lifecycle.ApplyOptions)) (*lifecycle.Applied, error) {
	o := lifecycle.ApplyOptions{Policy: a.policy, Hot: "hot", Now: a.mover.Clock.Now(), Queue: true}
	if change != nil {
		change(&o)
	}
	return lifecycle.Apply(a.mover.Ctx, a.mover.DB, a.mover.Store, digest, o)
}

// due makes studies that are to be moved, and a plan for them.
func (a *applying) due(n int) (digest string) {
	for i := range n {
		a.mover.Done(catalogtest.Study(i), "a")
	}
	a.mover.Clock.Move(40 * day)
	plan, digest, _ := a.plan(lifecycle.PlanOptions{})
	if plan.Lines != int64(n) {
		a.mover.T.Fatalf("the plan has %d lines, want %d", plan.Lines, n)
	}
	return digest
}

func (a *applying) jobs() (list []catalog.Job) {
	a.mover.T.Helper()
	a.mover.OK(a.mover.DB.Jobs(a.mover.Ctx, func(j catalog.Job) error {
		if j.Side {
			list = append(list, j)
		}
		return nil
	}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed))
	return list
}

// TestApply: every study of a plan is moved once, however often it is applied; what changed since is left alone and told.
func TestApply(t *testing.T) {
	a := newApplying(t)
	digest := a.due(5)
	dry, err := a.apply(digest, func(o *lifecycle.ApplyOptions) { o.Queue = false })
	if err != nil || dry.Moves != 5 || dry.Bytes != 5*700 || dry.Skips != 0 || dry.Queued || len(a.jobs()) != 0 {
		t.Fatalf("without --yes: %+v, %v, jobs %v", dry, err, a.jobs())
	}
	for range 2 {
		got, err := a.apply(digest[:16], nil)
		if err != nil || got.Moves != 5 || !got.Queued || got.Plan != digest || len(a.jobs()) != 5 {
			t.Fatalf("applied: %+v, %v, %d jobs", got, err, len(a.jobs()))
		}
	}
	for _, j := range a.jobs() {
		if _, err := a.attempt(j.ID); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		if m := a.listed(catalogtest.Study(n)); m.Generation != 2 || m.Packs[0].Tier != "warm" {
			t.Fatalf("study %d is at generation %d on %s", n, m.Generation, m.Packs[0].Tier)
		}
	}
	if plan, _, _ := a.plan(lifecycle.PlanOptions{}); plan.Studies != 5 || plan.Lines != 0 {
		t.Errorf("after it the plan is %+v", plan)
	}
	got, err := a.apply(digest, func(o *lifecycle.ApplyOptions) { o.MaxSkipped = 1 })
	if err != nil || got.Skips != 5 || got.Moves != 0 || len(a.jobs()) != 0 {
		t.Errorf("applied once more: %+v, %v", got, err)
	}
}

// TestApplySkips: a line holds for what it was made for and for nothing else.
func TestApplySkips(t *testing.T) {
	a := newApplying(t)
	digest := a.due(6)
	f := a.mover
	_, err := lifecycle.AddHold(f.Ctx, f.DB, f.Store, catalogtest.Study(0), catalog.Hold{ID: "h", Kind: catalog.HoldAppointment, Owner: "o", Reason: "r", Since: f.Clock.Now(), Until: f.Clock.Now().Add(3 * day)})
	f.OK(err)
	f.Done(catalogtest.Study(1), "late")
	f.Arrive(catalogtest.Study(2), "waits") // the study is busy: a fact
	if got, err := a.apply(digest, nil); !errors.Is(err, lifecycle.ErrPlanChanged) || got.Skips != 3 || len(a.jobs()) != 0 {
		t.Fatalf("half of it changed: %+v, %v, %d jobs", got, err, len(a.jobs()))
	}
	got, err := a.apply(digest, func(o *lifecycle.ApplyOptions) { o.MaxSkipped = 0.5 })
	if err != nil || got.Skips != 3 || got.Moves != 3 || len(got.Skipped) != 3 || len(a.jobs()) != 3 {
		t.Fatalf("with half allowed: %+v, %v, %d jobs", got, err, len(a.jobs()))
	}
}

// TestApplyRefuses: what was approved is what is applied, soon and by the same policy.
func TestApplyRefuses(t *testing.T) {
	a := newApplying(t)
	digest := a.due(2)
	other, err := policy.Load("policy.yaml", []byte(warmPolicy+"# another edition\n"))
	a.mover.OK(err)
	_, rehearsal, _ := a.plan(lifecycle.PlanOptions{Rehearse: true})
	for name, c := range map[string]struct {
		digest string
		change func(*lifecycle.ApplyOptions)
		want   error
	}{
		"another policy": {digest, func(o *lifecycle.ApplyOptions) { o.Policy = other }, lifecycle.ErrPlanPolicy},
		"old":            {digest, func(o *lifecycle.ApplyOptions) { o.Now = o.Now.Add(7*day + time.Hour) }, lifecycle.ErrPlanOld},
		"of the future":  {digest, func(o *lifecycle.ApplyOptions) { o.Now = o.Now.Add(-time.Hour) }, lifecycle.ErrPlanOld},
		"a rehearsal":    {rehearsal, nil, lifecycle.ErrPlanRehearsal},
		"unknown":        {"0123456789abcdef", nil, lifecycle.ErrNoPlan},
	} {
		if _, err := a.apply(c.digest, c.change); !errors.Is(err, c.want) || len(a.jobs()) != 0 {
			t.Errorf("%s: got %v, want %v; %d jobs", name, err, c.want, len(a.jobs()))
		}
	}
}
