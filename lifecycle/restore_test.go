package lifecycle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/internal/objstore/tiers"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// countingRestores counts what is asked of a provider.
type countingRestores struct {
	objstore.Store
	asked  map[string]int
	speeds map[objstore.Speed]int
}

func (c countingRestores) Restore(ctx context.Context, key string, days int, speed objstore.Speed) error {
	c.asked[key]++
	c.speeds[speed]++
	return c.Store.Restore(ctx, key, days, speed)
}

// archive is a mover with a third tier, of an archive class that takes five hours.
type archive struct {
	*mover
	cold countingRestores
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	mv := newMover(t, false)
	store, err := mem.New(mem.Options{Clock: mv.Clock.Now, Classes: tiers.Classes{{Name: "STANDARD"}, {Name: "GLACIER", Archive: true, RestoreDelay: 5 * time.Hour}}})
	mv.OK(err)
	return &archive{mv, countingRestores{store, map[string]int{}, map[objstore.Speed]int{}}}
}

func (a *archive) Tier(name string) (objstore.Store, error) {
	if name == "cold" {
		return a.cold, nil
	}
	return a.mover.Tier(name)
}

func (a *archive) Shared(from, to string) (bool, objstore.Class) {
	if to == "cold" {
		return false, "GLACIER"
	}
	return a.mover.Shared(from, to)
}

func (a *archive) worker() lifecycle.Mover {
	return lifecycle.Mover{DB: a.DB, Tiers: a, Owner: "worker", Hooks: a.hooks, Now: a.Clock.Now}
}

// side queues a side job, once.
func (a *archive) side(k catalog.StudyKey, kind, args string) catalog.Job {
	a.T.Helper()
	job, err := a.DB.QueueSide(a.Ctx, k.Tenant, k.Hash(), kind, args)
	a.OK(err)
	return job
}

// try is one attempt at a restore; one that must wait is given back, as a worker does.
func (a *archive) try(id string) (*catalog.Manifest, error) {
	a.T.Helper()
	job, err := catalog.Begin(a.Ctx, a.DB, a.Store, id, "worker", time.Minute)
	a.OK(err)
	mv := a.worker()
	m, err := mv.Restore(a.Ctx, job)
	if errors.Is(err, objstore.ErrArchived) {
		a.OK(a.DB.Release(a.Ctx, job.ID, job.Attempt, catalog.Snooze(time.Minute, "archived")))
		a.Clock.Move(time.Minute)
	}
	return m, err
}

// archived makes a study with two packs in the archive.
func (a *archive) archived(n int) catalog.StudyKey {
	a.T.Helper()
	k := catalogtest.Study(n)
	a.Done(k, "a")
	a.Done(k, "b")
	job := a.side(k, lifecycle.ActionMove, lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "cold"}.String())
	job, err := catalog.Begin(a.Ctx, a.DB, a.Store, job.ID, "worker", time.Minute)
	a.OK(err)
	mv := a.worker()
	_, err = mv.Move(a.Ctx, job)
	a.OK(err)
	return k
}

func (a *archive) wish(d time.Duration) lifecycle.RestoreArgs {
	return lifecycle.RestoreArgs{Class: catalog.ClassFull, To: "hot", Until: a.Clock.Now().Add(d), By: "reader", Reason: "comparison"}
}

// on counts the full packs of a study by tier.
func (a *archive) on(k catalog.StudyKey) map[string]int {
	a.T.Helper()
	m, err := catalog.LoadHead(a.Ctx, a.DB, a.Store, k)
	a.OK(err)
	out := map[string]int{}
	for _, p := range m.Packs {
		store, err := a.Tier(p.Tier)
		a.OK(err)
		if info, err := store.Head(a.Ctx, p.Key); err != nil || info.Size != p.Size {
			a.T.Fatalf("%s on %s: %+v, %v", p.Key, p.Tier, info, err)
		}
		out[p.Tier]++
	}
	return out
}

// TestRestore: each pack is asked for once, however often it is looked at; then both are back, stay as long as was wished, and go down again.
func TestRestore(t *testing.T) {
	a := newArchive(t)
	k := a.archived(1)
	args := a.wish(7 * day)
	job := a.side(k, lifecycle.ActionRestore, args.String())
	for range 6 {
		if _, err := a.try(job.ID); !errors.Is(err, objstore.ErrArchived) {
			t.Fatalf("before it is there: %v", err)
		}
		if got := a.on(k); got["cold"] != 2 {
			t.Fatalf("packs are on %v", got)
		}
	}
	if len(a.cold.asked) != 2 {
		t.Fatalf("asked for are %v", a.cold.asked)
	}
	for key, n := range a.cold.asked {
		if n != 1 {
			t.Errorf("%s was asked for %d times", key, n)
		}
	}
	a.Clock.Move(5 * time.Hour)
	m, err := a.try(job.ID)
	a.OK(err)
	if m.Action != lifecycle.ActionRestore || len(m.Restored) != 1 || !m.RestoredUntil(catalog.ClassFull).Equal(args.Until) || a.on(k)["hot"] != 2 {
		t.Fatalf("restored is %+v, on %v", m.Restored, a.on(k))
	}
	again := a.side(k, lifecycle.ActionRestore, args.String())
	if m, err := a.try(again.ID); err != nil || m.Generation != 4 {
		t.Fatalf("the same wish again: %+v, %v", m, err)
	}
	longer := a.side(k, lifecycle.ActionRestore, a.wish(30*day).String())
	if m, err := a.try(longer.ID); err != nil || m.Generation != 5 || len(m.Restored) != 1 || len(m.Packs) != 2 {
		t.Fatalf("a longer wish: %+v, %v", m, err)
	}

	down := a.side(k, lifecycle.ActionMove, lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "cold"}.String()) // a plan that was applied before the wish
	claimed, err := catalog.Begin(a.Ctx, a.DB, a.Store, down.ID, "worker", time.Minute)
	a.OK(err)
	mv := a.worker()
	if _, err := mv.Move(a.Ctx, claimed); !errors.Is(err, lifecycle.ErrNotDue) {
		t.Fatalf("moved down while it is wished: %v", err)
	}

	p, err := policy.Load("policy.yaml", []byte(warmPolicy))
	a.OK(err)
	decide := func(after time.Duration) policy.Decision {
		m, err := catalog.LoadHead(a.Ctx, a.DB, a.Store, k)
		a.OK(err)
		return p.Decide(a.Clock.Now().Add(after), lifecycle.FactsOfManifest(p, m, "hot", time.Time{}))[0]
	}
	a.Clock.Move(0)
	if d := decide(31 * day); d.Action != policy.Move {
		t.Errorf("after its time it is %+v", d)
	}
	a.Clock.Move(40 * day) // from now on the rule says warm
	last := a.side(k, lifecycle.ActionRestore, a.wish(3*day).String())
	if m, err := a.try(last.ID); err != nil || m.Generation != 6 {
		t.Fatalf("wished once more: %v", err)
	}
	if d := decide(0); d.Action != policy.Keep || d.Reasons[len(d.Reasons)-1].Code != policy.CodeRestored || d.Next == 0 {
		t.Errorf("while it is wished it is %+v", d)
	}
	if d := decide(4 * day); d.Action != policy.Move || d.Tier != "warm" {
		t.Errorf("after that it is %+v", d)
	}
}

// TestRestoreExpires: a temporary copy that is over before it was copied is asked for again, and what is sent or trashed meanwhile counts.
func TestRestoreExpires(t *testing.T) {
	a := newArchive(t)
	k := a.archived(1)
	job := a.side(k, lifecycle.ActionRestore, a.wish(60*day).String())
	if _, err := a.try(job.ID); !errors.Is(err, objstore.ErrArchived) {
		t.Fatal(err)
	}
	a.Clock.Move(10 * day) // nobody looked
	if _, err := a.try(job.ID); !errors.Is(err, objstore.ErrArchived) {
		t.Fatalf("its copies are over: %v", err)
	}
	for key, n := range a.cold.asked {
		if n != 2 {
			t.Errorf("%s was asked for %d times, want 2", key, n)
		}
	}
	a.Done(k, "late")
	a.Clock.Move(6 * time.Hour)
	if _, err := a.try(job.ID); err != nil || a.on(k)["hot"] != 3 {
		t.Fatalf("with a late image: %v, packs on %v", err, a.on(k))
	}
	other := a.archived(2)
	_, err := catalog.CommitAside(a.Ctx, a.DB, a.Store, catalog.Aside{Key: other, Action: "trash", By: "o", Note: "n", Change: func(m *catalog.Manifest) error {
		return m.PutInTrash(catalog.Trashed{Class: catalog.ClassFull, Since: a.Clock.Now(), By: "o", Rule: "r"})
	}})
	a.OK(err)
	if _, err := a.try(a.side(other, lifecycle.ActionRestore, a.wish(day).String()).ID); !errors.Is(err, lifecycle.ErrNotDue) {
		t.Fatalf("of what is in the trash: %v", err)
	}
}

// TestRestoreCrash: stopped at any step, every pack is where the manifest says; a later attempt ends with the same state.
func TestRestoreCrash(t *testing.T) {
	a := newArchive(t)
	for n, step := range []string{lifecycle.StepCopied, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished} {
		k := a.archived(n)
		job := a.side(k, lifecycle.ActionRestore, a.wish(7*day).String())
		if _, err := a.try(job.ID); !errors.Is(err, objstore.ErrArchived) {
			t.Fatal(err)
		}
		a.Clock.Move(6 * time.Hour)
		a.hooks = catalogtest.CrashAt(step)
		if _, err := a.try(job.ID); !errors.Is(err, catalogtest.ErrCrash) && step != catalog.StepDecideReply {
			t.Fatalf("%s: got %v, want a crash", step, err)
		}
		a.hooks = nil
		a.on(k)
		a.Clock.Move(2 * time.Minute)
		a.Reconcile()
		for a.Job(job.ID).State != catalog.JobDone {
			_, err := a.try(job.ID)
			a.OK(err)
		}
		if got := a.on(k); got["hot"] != 2 || len(got) != 1 {
			t.Fatalf("%s: in the end packs are on %v", step, got)
		}
	}
}

// TestRestoreSpeed: the cheapest speed is asked for that is over by the deadline; the fastest if none is.
func TestRestoreSpeed(t *testing.T) {
	for _, c := range []struct {
		left time.Duration // 0: no deadline
		want objstore.Speed
		ok   bool
	}{{0, objstore.Bulk, true}, {13 * time.Hour, objstore.Bulk, true}, {12 * time.Hour, objstore.Bulk, true}, {11 * time.Hour, objstore.Standard, true}, {time.Hour, objstore.Expedited, true}, {time.Minute, objstore.Expedited, false}} {
		a := newArchive(t)
		k := a.archived(1)
		wish := a.wish(100 * time.Hour)
		if c.left > 0 {
			wish.Deadline = a.Clock.Now().Add(c.left)
		}
		m, err := catalog.LoadHead(a.Ctx, a.DB, a.Store, k)
		a.OK(err)
		for _, p := range m.Packs {
			if p.Class != catalog.ClassFull {
				continue
			}
			if x, err := lifecycle.ThawOf(a.Ctx, a, nil, p, wish.Deadline, a.Clock.Now()); err != nil || !x.Archived || x.Ongoing || x.Speed != c.want || x.InTime != c.ok {
				t.Errorf("within %s: %+v, %v; want %s, in time %v", c.left, x, err, c.want, c.ok)
			}
		}
		var thaw *lifecycle.ThawError
		if _, err := a.try(a.side(k, lifecycle.ActionRestore, wish.String()).ID); !errors.As(err, &thaw) || thaw.Packs != 2 || thaw.After < time.Minute || thaw.After > 30*time.Minute {
			t.Errorf("within %s: %v", c.left, err)
		}
		if len(a.cold.speeds) != 1 || a.cold.speeds[c.want] != 2 {
			t.Errorf("within %s the provider was asked %v, want %s for two packs", c.left, a.cold.speeds, c.want)
		}
	}
	if _, _, ok := lifecycle.RetrievalOf("NOBODY-KNOWS", nil).Choose(47 * time.Hour); ok {
		t.Error("a class that nobody knows is in time")
	}
}
