package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// afterCrash does what happens once the process is gone: the lease runs out,
// the reconciler runs, and whoever finds the job due works on it again.
func (f *Fixture) afterCrash(id string) {
	f.T.Helper()
	f.Clock.Move(2 * lease)
	f.Reconcile()
	due, err := f.DB.Due(f.Ctx, 10)
	f.OK(err)
	for _, j := range due {
		if j.ID != id {
			f.T.Fatalf("job %s is due, want only %s", j.ID, id)
		}
		_, err := f.Work(j.ID).Commit()
		f.OK(err)
	}
}

// testCrash has one test for every row of the crash table of the design.
func testCrash(t *testing.T, f *Fixture) {
	k := Study(1)
	for _, c := range []struct {
		name, step string
		published  bool // already when the process died
		attempts   int  // that the study needs
	}{
		{"after a or b", catalog.StepHealed, false, 2},
		{"before c", catalog.StepChanged, false, 2},
		{"after c", catalog.StepManifestPut, false, 2},
		{"in d", catalog.StepInDecide, false, 2},
		{"after d", catalog.StepDecided, false, 1},
		{"in e", catalog.StepOKPut, false, 1},
		{"after e", catalog.StepPublished, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := New(t, f.fresh)
			a := f.Work(f.Arrive(k, "a").ID)
			before := f.Keys("")
			a.Input.Hooks = CrashAt(c.step)
			_, err := a.Commit()
			f.wantErr(err, ErrCrash)
			h, err := f.DB.Head(f.Ctx, k)
			if decided := c.attempts == 1; decided != (err == nil) || decided && h.Published != c.published {
				t.Fatalf("after the crash the head is %+v, %v", h, err)
			}
			if !c.published {
				if e := f.Events(); len(e) != 0 {
					t.Fatalf("events %v before publication", e)
				}
			}
			f.afterCrash(a.Job.ID)
			if got := f.Job(a.Job.ID); got.Attempt != c.attempts || got.State != catalog.JobDone {
				t.Fatalf("job is %+v, want done at attempt %d", got, c.attempts)
			}
			left := f.Keys("")
			for _, key := range before { // nothing of the first attempt is deleted by anybody but a sweep
				if !contains(left, key) {
					t.Errorf("object %s is gone", key)
				}
			}
			f.Whole(k, 1, 1)
		})
	}
	t.Run("d ambiguous, committed", func(t *testing.T) {
		f := New(t, f.fresh)
		a := f.Work(f.Arrive(k, "a").ID)
		a.Input.Hooks = CrashAt(catalog.StepDecideReply)
		m, err := a.Commit()
		f.OK(err)
		if m.Attempt != a.Job.Attempt || a.Calls != 1 {
			t.Fatalf("manifest is of attempt %d after %d changes, want %d after 1", m.Attempt, a.Calls, a.Job.Attempt)
		}
		f.Whole(k, 1, 1)
	})
	t.Run("d ambiguous, committed and superseded", func(t *testing.T) {
		f := New(t, f.fresh)
		a := f.Work(f.Arrive(k, "a").ID)
		a.Input.Hooks = func(_ context.Context, step string) error {
			if step != catalog.StepDecideReply {
				return nil
			}
			f.Done(k, "b") // publishes generation 1 and commits generation 2 on top
			return ErrCrash
		}
		m, err := a.Commit()
		f.OK(err)
		if m.Generation != 1 {
			t.Fatalf("got generation %d, want 1", m.Generation)
		}
		f.Whole(k, 2, 2)
	})
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// testCrashEverywhere kills a process at every step of two generations with a
// late arrival, then kills the one after it at every step too.
func testCrashEverywhere(t *testing.T, f *Fixture) {
	steps := []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	n := 0
	for _, first := range steps {
		for _, second := range steps {
			n++
			k := Study(n)
			f.Done(k, "a")
			f.Clock.Move(time.Hour)
			a := f.Work(f.Arrive(k, "b").ID)
			a.Input.Hooks = CrashAt(first)
			if _, err := a.Commit(); !errors.Is(err, ErrCrash) && first != catalog.StepDecideReply {
				t.Fatalf("%s: got %v, want a crash", first, err)
			}
			f.Clock.Move(2 * lease)
			if j := f.Job(a.Job.ID); j.State == catalog.JobRunning {
				b := f.Work(a.Job.ID)
				b.Input.Hooks = CrashAt(second)
				if _, err := b.Commit(); !errors.Is(err, ErrCrash) && second != catalog.StepDecideReply {
					t.Fatalf("%s, %s: got %v, want a crash", first, second, err)
				}
			}
			f.afterCrash(a.Job.ID)
			f.Whole(k, 2, 2)
		}
	}
}

// A zombie lost its lease and goes on: it leaves orphans, nothing else.
func testZombie(t *testing.T, f *Fixture) {
	k := Study(1)
	zombie := f.Work(f.Arrive(k, "a").ID)
	f.Clock.Move(2 * lease)
	live := f.Work(zombie.Job.ID)
	f.wantErr(f.DB.Renew(f.Ctx, zombie.Job.ID, zombie.Job.Attempt, lease), catalog.ErrStale)
	_, err := zombie.Commit()
	f.wantErr(err, catalog.ErrStale)
	_, err = live.Commit()
	f.OK(err)
	_, err = zombie.Commit()
	f.wantErr(err, catalog.ErrStale)
	f.wantErr(f.DB.Release(f.Ctx, zombie.Job.ID, zombie.Job.Attempt, catalog.Fail("zombie")), catalog.ErrStale)
	f.Whole(k, 1, 1)
	if h := f.Head(k); h.Key != live.manifestKey(1) {
		t.Fatalf("head is %s, want that of attempt %d", h.Key, live.Job.Attempt)
	}
	// the zombie wakes up between (c) and (d)
	zombie = f.Work(f.Arrive(k, "b").ID)
	zombie.Input.Hooks = func(_ context.Context, step string) error {
		if step == catalog.StepManifestPut {
			zombie.Input.Hooks = nil
			f.Clock.Move(2 * lease)
			_, err := f.Work(zombie.Job.ID).Commit()
			f.OK(err)
		}
		return nil
	}
	_, err = zombie.Commit()
	f.wantErr(err, catalog.ErrStale)
	f.Whole(k, 2, 2)
}

func (a *Attempt) manifestKey(generation int64) string {
	return catalog.ManifestKey(a.Job.StudyKey, generation, a.Job.ID, a.Job.Attempt)
}

// Two published manifests of one generation stop the study; nothing is deleted and others go on.
func testFork(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	other := New(t, f.fresh) // a second catalog, wrongly on the same bucket
	other.Store = f.Store
	a, b := f.Work(f.Arrive(k, "b").ID), other.Work(other.Arrive(k, "b").ID)
	b.Input.Hooks = func(_ context.Context, step string) error {
		if step == catalog.StepManifestPut {
			_, err := a.Commit()
			f.OK(err)
		}
		return nil
	}
	_, err := b.Commit()
	f.wantErr(err, catalog.ErrFork) // it looks before it publishes
	_, err = f.Store.Put(f.Ctx, catalog.PublishedKey(b.manifestKey(2)), strings.NewReader(""), objstore.PutOptions{})
	f.OK(err) // as if its mark had been on the way already
	before := f.Keys("")

	for name, x := range map[string]*Fixture{"first": f, "second": other} {
		c := x.Work(x.Arrive(k, "c").ID)
		_, err = c.Commit()
		f.wantErr(err, catalog.ErrFork)
		s, err := x.DB.FindStudy(f.Ctx, "", k.UID)
		f.OK(err)
		if s.Status != catalog.StatusFork {
			t.Fatalf("%s catalog: study has status %q, want %q", name, s.Status, catalog.StatusFork)
		}
	}
	third := New(t, f.fresh)
	rep, err := catalog.Rebuild(f.Ctx, third.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if len(rep.Forks) != 1 || rep.Studies != 0 || rep.Forks[0].Generation != 2 {
		t.Fatalf("rebuild reports %+v, want one fork at generation 2", rep)
	}
	if s, err := third.DB.FindStudy(f.Ctx, "", k.UID); err != nil || s.Status != catalog.StatusFork {
		t.Fatalf("after rebuild the study is %+v, %v, want it listed as a fork", s, err)
	}
	f.Done(Study(2), "a")
	after := f.Keys("")
	for _, key := range before {
		if !contains(after, key) {
			t.Errorf("object %s is gone", key)
		}
	}
	// a person decides: the mark of one of them goes
	f.OK(f.Store.Delete(f.Ctx, catalog.PublishedKey(b.manifestKey(2))))
	rep, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if h := f.Head(k); len(rep.Forks) != 0 || h.Status != catalog.StatusStored || h.Key != a.manifestKey(2) {
		t.Fatalf("after the fork was resolved: %+v, head %+v", rep, h)
	}
}

// A fork may lie below the head: its parent counts as published, whether its mark is there or not.
func testForkBelow(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	parent := f.Done(k, "b")
	f.Done(k, "c")
	f.OK(f.Store.Delete(f.Ctx, catalog.PublishedKey(parent.Key())))
	if _, _, err := catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash()); err != nil {
		t.Fatal(err)
	}
	other := *parent
	other.Job = "OTHER"
	raw, err := other.Encode()
	f.OK(err)
	for _, o := range []struct{ key, data string }{{other.Key(), string(raw)}, {catalog.PublishedKey(other.Key()), ""}} {
		_, err := f.Store.Put(f.Ctx, o.key, strings.NewReader(o.data), objstore.PutOptions{Size: int64(len(o.data))})
		f.OK(err)
	}
	_, _, err = catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash())
	f.wantErr(err, catalog.ErrFork)
}

// A fork of which one side was decided and never published: the catalog's head
// is not among what the bucket published, and is not silently forgotten.
func testForkUnpublished(t *testing.T, f *Fixture) {
	for generations := range 2 { // of the other catalog, beyond the one that is forked
		k := Study(generations)
		f.Done(k, "a")
		other := New(t, f.fresh)
		other.Store = f.Store
		a := f.Work(f.Arrive(k, "b").ID)
		a.Input.Hooks = func(_ context.Context, step string) error {
			if step == catalog.StepManifestPut {
				for n := range generations + 1 {
					other.Done(k, fmt.Sprint("other", n))
				}
			}
			if step == catalog.StepDecided {
				return ErrCrash
			}
			return nil
		}
		_, err := a.Commit()
		f.wantErr(err, ErrCrash)
		_, _, err = catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash())
		f.wantErr(err, catalog.ErrFork)
		if h := f.Head(k); h.Key != a.manifestKey(2) || h.Status != catalog.StatusFork {
			t.Fatalf("head is %+v, want it unchanged and stopped", h)
		}
	}
}

// A backup was restored: it counts attempts from where it was, and the keys of
// the attempts it forgot are taken, or will be: no number of an attempt is given twice.
func testBegin(t *testing.T, f *Fixture) {
	k := Study(1)
	id := f.Arrive(k, "a").ID
	given := map[int]bool{}
	begin := func(tries int) catalog.Job {
		t.Helper()
		job, err := catalog.Begin(f.Ctx, f.DB, f.Store, id, "worker", lease)
		f.OK(err)
		if job.Tries() != tries || f.Job(id).Attempt != job.Attempt || given[job.Attempt] {
			t.Fatalf("began attempt %d, try %d, the catalog says %d; want try %d and a number that was not given before", job.Attempt, job.Tries(), f.Job(id).Attempt, tries)
		}
		given[job.Attempt] = true
		f.OK(f.DB.Renew(f.Ctx, id, job.Attempt, lease))
		return job
	}
	forgotten := &Attempt{f: f}
	for _, n := range []int{2<<32 | 7, 5<<32 | (1<<32 - 1)} {
		forgotten.put(catalog.PackKey(k, id, n, 1), 3)
	}
	forgotten.put(catalog.HotKey(k, "OTHER", 99), 3)
	job := begin(1 + 5)
	f.OK(f.DB.Release(f.Ctx, id, job.Attempt, catalog.Requeue("stop")))
	job = begin(7)
	_, err := catalog.Begin(f.Ctx, f.DB, f.Store, id, "second", lease)
	f.wantErr(err, catalog.ErrLeased)
	f.OK(f.DB.Release(f.Ctx, id, job.Attempt, catalog.Requeue("stop")))
	_, err = f.Work(id).Commit()
	f.OK(err)
	_, err = catalog.Begin(f.Ctx, f.DB, f.Store, id, "late", lease)
	f.wantErr(err, catalog.ErrClosed)
}

// A backup of the catalog was restored: the bucket knows better, and what the catalog has open is not lost.
func testOlderCatalog(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	f.Clock.Move(time.Hour)
	f.Done(k, "b")
	m3 := f.Done(k, "c")
	f.Drop()
	old := f.Work(f.Arrive(k, "d").ID) // the restored catalog knows nothing of generations 1 to 3
	m, err := old.Commit()
	f.OK(err)
	if m.Arrivals != 3 {
		t.Fatalf("the new generation covers %d arrivals, want the 3 of its parent", m.Arrivals)
	}
	if m.Generation != 4 || m.Parent == nil || m.Parent.Key != m3.Key() || len(m.Packs) != 4 {
		t.Fatalf("committed generation %d on %+v with %d packs, want 4 on %s with 4", m.Generation, m.Parent, len(m.Packs), m3.Key())
	}
	f.Reconcile()
	for range 2 { // the arrival came, for all the catalog knows, after those of generation 3: it is looked at again
		due, err := f.DB.Due(f.Ctx, 5)
		f.OK(err)
		for _, j := range due {
			a := f.Work(j.ID)
			a.Input.Change = func(*catalog.Manifest) (*catalog.Manifest, error) { return nil, catalog.ErrNothingToDo }
			_, err := a.Commit()
			f.OK(err)
		}
	}
	f.Whole(k, 4, 4)

	// Heal alone, without a commit.
	f.Drop()
	got, _, err := catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash())
	f.OK(err)
	if got == nil || got.Generation != 4 || f.Head(k).Key != got.Key() {
		t.Fatalf("healed to %+v", got)
	}
}

// The catalog names a manifest that is not in the bucket: nothing is decided.
func testBucketBehind(t *testing.T, f *Fixture) {
	k := Study(1)
	m := f.Done(k, "a")
	f.OK(f.Store.Delete(f.Ctx, catalog.PublishedKey(m.Key())))
	f.OK(f.Store.Delete(f.Ctx, m.Key()))
	a := f.Work(f.Arrive(k, "b").ID)
	_, err := a.Commit()
	f.wantErr(err, catalog.ErrBucketBehind)
	if a.Calls != 0 {
		t.Fatalf("the change was called %d times", a.Calls)
	}
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if len(rep.Missing) != 1 || rep.Missing[0] != k {
		t.Fatalf("rebuild reports %+v, want the study as missing", rep)
	}
}
