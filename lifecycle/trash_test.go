package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// trashPolicy keeps full images for 90 days; a day's breaker is 3 studies, or a tenth.
const trashPolicy = `schema: radtier.policy/1
name: test
tiers: [hot, warm]
roles: {"*": secondary}
trash: P30D
quiet: P7D
proof: {level: attested, age: P30D}
breaker: {studies: 3, share: 10%}
rules:
  - name: full
    match: {class: full}
    keep: P90D
    from: arrival
    tiers: [{tier: hot, after: P0D}]
  - name: rest
    match: {class: [region, result, preview]}
    keep: P5Y
    from: arrival
`

// newExpiring is an installation in which n studies are expired, settled and proved.
func newExpiring(t *testing.T, n int) *applying {
	t.Helper()
	p, mv := newPlanner(t, trashPolicy), newMover(t, true)
	p.sweeper = mv.sweeper
	a := &applying{mv, p}
	for i := range n {
		a.mover.Plan(catalogtest.Study(i), "a", "extracted", "plan-1")
	}
	a.mover.Clock.Move(91 * day)
	for i := range n {
		a.prove(catalogtest.Study(i))
	}
	return a
}

// expire is one attempt at a job that puts something into the trash.
func (a *applying) expire(id string) (*catalog.Manifest, error) {
	f := a.mover
	job, err := catalog.Begin(f.Ctx, f.DB, f.Store, id, "worker", time.Minute)
	f.OK(err)
	x := lifecycle.Trasher{DB: f.DB, Store: f.Store, Hot: "hot", Owner: "worker", Hooks: f.hooks, Now: f.Clock.Now}
	return x.Trash(f.Ctx, job)
}

func byOps(o *lifecycle.ApplyOptions) { o.By = "ops" }

// TestTrash: what expired is hidden, whole, and comes back; it expires again, and is over when its time in the trash is.
func TestTrash(t *testing.T) {
	a := newExpiring(t, 3)
	f := a.mover
	_, digest, lines := a.plan(lifecycle.PlanOptions{})
	if len(lines) != 3 || lines[0].Steps[0].Action != policy.Trash || lines[0].Steps[0].Class != catalog.ClassFull || len(lines[0].Steps) != 1 {
		t.Fatalf("the plan says %+v", lines)
	}
	if r, err := a.apply(digest, nil); err == nil || r.Trash != 3 || len(a.jobs()) != 0 {
		t.Fatalf("without a name: %+v, %v, %d jobs", r, err, len(a.jobs()))
	}
	for range 2 { // the second finds its jobs
		if r, err := a.apply(digest, byOps); err != nil || r.Trash != 3 || r.Trashed != 3*700 || r.Moves+r.Purge+r.Skips != 0 || len(a.jobs()) != 3 {
			t.Fatalf("applied: %+v, %v, %d jobs", r, err, len(a.jobs()))
		}
	}
	before, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, catalogtest.Study(0))
	f.OK(err)
	for _, j := range a.jobs() {
		m, err := a.expire(j.ID)
		f.OK(err)
		mark := m.InTrash(catalog.ClassFull)
		if m.Action != lifecycle.ActionTrash || mark == nil || len(m.Trash) != 1 || mark.By != "ops" || mark.Rule != "full" || mark.Plan != digest || !mark.Since.Equal(f.Clock.Now()) || len(m.Intervals) != 0 {
			t.Fatalf("in the trash is %+v", m)
		}
		if f.Job(j.ID).State != catalog.JobDone {
			t.Fatalf("the job is %s", f.Job(j.ID).State)
		}
	}
	if m := f.listed(catalogtest.Study(0)); len(m.Packs) != len(before.Packs) || m.Totals != before.Totals {
		t.Fatalf("objects went: %+v", m)
	}
	f.Clock.Move(2 * day)
	f.sweep(false)
	f.listed(catalogtest.Study(0))
	if plan, _, _ := a.plan(lifecycle.PlanOptions{}); plan.Lines != 0 {
		t.Fatalf("two days later the plan is %+v", plan)
	}

	k := catalogtest.Study(1)
	m, err := lifecycle.Undelete(f.Ctx, f.DB, f.Store, k, []catalog.Class{catalog.ClassFull}, "reader", "wanted")
	f.OK(err)
	if len(m.Trash) != 0 || m.Action != lifecycle.ActionUndelete {
		t.Fatalf("brought back is %+v", m)
	}
	for _, classes := range [][]catalog.Class{nil, {catalog.ClassFull}} {
		if _, err := lifecycle.Undelete(f.Ctx, f.DB, f.Store, k, classes, "reader", "wanted"); !errors.Is(err, catalog.ErrNotTrashed) {
			t.Fatalf("brought back twice: %v", err)
		}
	}
	if plan, _, _ := a.plan(lifecycle.PlanOptions{}); plan.Lines != 1 || plan.Totals[0].Action != policy.Trash {
		t.Fatalf("what was brought back expires again, the plan is %+v", plan)
	}

	f.Clock.Move(31 * day)
	for i := range 3 {
		a.prove(catalogtest.Study(i))
	}
	plan, digest, _ := a.plan(lifecycle.PlanOptions{})
	purges := int64(0)
	for _, x := range plan.Totals {
		if x.Action == policy.Purge {
			purges += x.Studies
		}
	}
	if r, err := a.apply(digest, byOps); purges != 2 || err != nil || r.Purge != 2 || r.Trash != 1 {
		t.Fatalf("after its time in the trash: %d are over, %+v, %v", purges, r, err)
	}
}

// TestTrashAsksAgain: whatever came between the plan and its job keeps a study out of the trash, up to the transaction that decides.
func TestTrashAsksAgain(t *testing.T) {
	hold := func(f *mover, k catalog.StudyKey) error {
		_, err := lifecycle.AddHold(f.Ctx, f.DB, f.Store, k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: f.Clock.Now()})
		return err
	}
	for name, c := range map[string]struct {
		between func(f *mover, k catalog.StudyKey) error
		want    error
	}{
		"a hold":               {hold, lifecycle.ErrNotDue},
		"an arrival, waiting":  {func(f *mover, k catalog.StudyKey) error { f.Arrive(k, "late"); return nil }, catalog.ErrBusy},
		"new images":           {func(f *mover, k catalog.StudyKey) error { f.Done(k, "late"); return nil }, lifecycle.ErrNotDue},
		"evidence, unsettled":  {func(f *mover, k catalog.StudyKey) error { f.Plan(k, "late", "partial", "plan-2"); return nil }, lifecycle.ErrNotDue},
		"it is the record now": {func(f *mover, k catalog.StudyKey) error { return custody(f, k, lifecycle.Told{Role: "primary"}) }, lifecycle.ErrNotDue},
		"proofs grew old":      {func(f *mover, _ catalog.StudyKey) error { f.Clock.Move(31 * day); return nil }, lifecycle.ErrNotDue},
	} {
		for _, step := range []string{"", catalog.StepChanged, catalog.StepManifestPut} { // before the job, or in the middle of it
			if step != "" && name == "proofs grew old" {
				continue // the moment of the decision is that of the job's beginning
			}
			t.Run(fmt.Sprint(name, " ", step), func(t *testing.T) {
				t.Parallel()
				a := newExpiring(t, 1)
				f, k := a.mover, catalogtest.Study(0)
				_, digest, _ := a.plan(lifecycle.PlanOptions{})
				_, err := a.apply(digest, byOps)
				f.OK(err)
				id := a.jobs()[0].ID
				if step == "" {
					f.OK(c.between(f, k))
				} else {
					done := false
					f.hooks = func(_ context.Context, name string) (err error) {
						if name == step && !done {
							done = true
							err = c.between(f, k)
						}
						return err
					}
				}
				if _, err := a.expire(id); !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				if m := f.listed(k); len(m.Trash) != 0 {
					t.Fatalf("it is in the trash: %+v", m.Trash)
				}
			})
		}
	}
}

func custody(f *mover, k catalog.StudyKey, told lifecycle.Told) error {
	told.By, told.Reason = "HIS", "list"
	_, err := lifecycle.Tell(f.Ctx, f.DB, f.Store, k, told)
	return err
}

// TestTrashCrash: stopped at any step, the study is whole, hidden or not; a later attempt hides it once.
func TestTrashCrash(t *testing.T) {
	steps := []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	a := newExpiring(t, len(steps))
	f := a.mover
	_, digest, _ := a.plan(lifecycle.PlanOptions{})
	_, err := a.apply(digest, func(o *lifecycle.ApplyOptions) { o.By, o.Large = "ops", "a test of all steps" })
	f.OK(err)
	for n, j := range a.jobs() {
		f.hooks = catalogtest.CrashAt(steps[n])
		if _, err := a.expire(j.ID); !errors.Is(err, catalogtest.ErrCrash) && steps[n] != catalog.StepDecideReply {
			t.Fatalf("%s: got %v, want a crash", steps[n], err)
		}
		f.hooks = nil
		f.listed(j.StudyKey)
		f.Clock.Move(2 * time.Hour)
		f.sweep(false)
		f.listed(j.StudyKey)
		f.Reconcile()
		for f.Job(j.ID).State != catalog.JobDone {
			_, err := a.expire(j.ID)
			f.OK(err)
		}
		if m := f.listed(j.StudyKey); len(m.Trash) != 1 || m.Generation != 3 {
			t.Fatalf("%s: in the end it is generation %d with %+v", steps[n], m.Generation, m.Trash)
		}
	}
}

// TestBreaker: many small plans do not delete more within a day than one large one may, a plan that was stopped on its way goes on, and a name with a reason overrides.
func TestBreaker(t *testing.T) {
	a := newExpiring(t, 9)
	f := a.mover
	small := func(n int) string { // of n studies; those that just went into the trash are looked at first
		for {
			if plan, digest, _ := a.plan(lifecycle.PlanOptions{Limit: n}); plan.Lines == int64(n) {
				return digest
			}
		}
	}
	run := func() {
		for _, j := range a.jobs() {
			_, err := a.expire(j.ID)
			f.OK(err)
		}
	}
	if r, err := a.apply(small(4), byOps); !errors.Is(err, lifecycle.ErrPlanLarge) || len(a.jobs()) != 0 {
		t.Fatalf("4 of 9 at once: %+v, %v", r, err)
	}
	for n := range 3 {
		if _, err := a.apply(small(1), byOps); err != nil {
			t.Fatalf("small plan %d: %v", n, err)
		}
		run()
	}
	one := small(1)
	if _, err := a.apply(one, byOps); !errors.Is(err, lifecycle.ErrPlanLarge) || len(a.jobs()) != 0 {
		t.Fatalf("a fourth study: %v", err)
	}
	if r, err := a.apply(one, func(o *lifecycle.ApplyOptions) { o.By, o.Large = "head of ops", "the store is full" }); err != nil || r.Trash != 1 || len(a.jobs()) != 1 {
		t.Fatalf("with a reason: %+v, %v", r, err)
	}
	m, err := a.expire(a.jobs()[0].ID)
	f.OK(err)
	if m.Trash[0].By != "head of ops" {
		t.Errorf("in the trash is %+v", m.Trash)
	}
	f.Clock.Move(23 * time.Hour)
	if _, err := a.apply(small(1), byOps); !errors.Is(err, lifecycle.ErrPlanLarge) {
		t.Fatalf("23 hours later: %v", err)
	}
	f.Clock.Move(time.Hour + 11*time.Minute)
	three := small(3)
	if _, err := a.apply(three, byOps); err != nil {
		t.Fatalf("a day later: %v", err)
	}
	if r, err := a.apply(three, func(o *lifecycle.ApplyOptions) { o.By = "somebody else" }); err != nil || r.Trash != 3 || len(a.jobs()) != 3 {
		t.Fatalf("applied again: %+v, %v, %d jobs", r, err, len(a.jobs()))
	}
}
