package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// hold is a change that adds a hold.
func (f *Fixture) hold(k catalog.StudyKey, id string, until time.Time) catalog.Aside {
	h := catalog.Hold{ID: id, Kind: catalog.HoldLegal, Owner: "legal office", Reason: "dispute", Since: f.Clock.Now(), Until: until}
	return catalog.Aside{Key: k, Action: "hold", By: "legal office", Note: "dispute", Change: func(m *catalog.Manifest) error { return m.AddHold(h, f.Clock.Now()) }}
}

func (f *Fixture) lift(k catalog.StudyKey, id string) catalog.Aside {
	l := catalog.Lift{By: "legal office", Reason: "settled", At: f.Clock.Now()}
	return catalog.Aside{Key: k, Action: "lift", By: "legal office", Note: "settled", Change: func(m *catalog.Manifest) error { return m.LiftHold(id, l) }}
}

func (f *Fixture) aside(a catalog.Aside) *catalog.Manifest {
	f.T.Helper()
	m, err := catalog.CommitAside(f.Ctx, f.DB, f.Store, a)
	f.OK(err)
	return m
}

// testAside: what is said of a study is recorded at once, whatever is going on with its images, and who works on these rebases.
func testAside(t *testing.T, f *Fixture) {
	k := Study(1)
	_, err := catalog.CommitAside(f.Ctx, f.DB, f.Store, f.hold(k, "early", time.Time{}))
	f.wantErr(err, catalog.ErrNoStudy)
	f.Done(k, "a")
	a := f.Work(f.Arrive(k, "b").ID)
	f.Arrive(k, "c") // waits for the attempt to end
	m := f.aside(f.hold(k, "h1", time.Time{}))
	if m.Generation != 2 || m.Action != "hold" || len(m.Holds) != 1 || len(m.Packs) != 1 || m.Arrivals != 1 {
		t.Fatalf("held is %+v", m)
	}
	if j := f.Job(a.Job.ID); j.State != catalog.JobRunning || j.Want != 3 || j.Done != 1 || j.Side {
		t.Fatalf("the job under way is %+v", j)
	}
	if j := f.Job(m.Job); j.State != catalog.JobDone || !j.Side || j.Kind != "hold" {
		t.Fatalf("the side job is %+v", j)
	}
	m, err = a.Commit()
	f.OK(err)
	if a.Calls != 1 || m.Generation != 3 || len(m.Packs) != 2 || len(m.Holds) != 1 || m.Arrivals != 2 {
		t.Fatalf("after %d changes: %+v", a.Calls, m)
	}
	if j := f.Job(a.Job.ID); j.State != catalog.JobQueued {
		t.Fatalf("the job is %+v, want it queued for what came meanwhile", j)
	}
	if s, err := f.DB.FindStudy(f.Ctx, k.Tenant, k.UID); err != nil || s.Holds != 1 || s.Want != 3 || s.Done != 2 {
		t.Fatalf("row is %+v, %v", s, err)
	}
	_, err = f.Work(a.Job.ID).Commit()
	f.OK(err)
	again := f.hold(k, "h1", time.Time{})
	if m := f.aside(again); m.Generation != 4 {
		t.Fatalf("the same hold again made generation %d", m.Generation)
	}
	_, err = catalog.CommitAside(f.Ctx, f.DB, f.Store, f.hold(k, "h1", f.Clock.Now().Add(time.Hour)))
	f.wantErr(err, catalog.ErrHoldExists)
	_, err = catalog.CommitAside(f.Ctx, f.DB, f.Store, f.lift(k, "h2"))
	f.wantErr(err, catalog.ErrNoHold)
	if _, err = catalog.CommitAside(f.Ctx, f.DB, f.Store, catalog.Aside{Key: k, Action: "hold", By: "x", Note: "x", Change: func(m *catalog.Manifest) error { m.Packs = nil; return nil }}); err == nil {
		t.Fatal("a change of the objects was taken")
	}
	f.Clock.Move(time.Minute)
	m = f.aside(f.lift(k, "h1"))
	if m.HeldAt(f.Clock.Now()) || len(m.Holds) != 1 || m.Holds[0].Lifted == nil {
		t.Fatalf("lifted is %+v", m.Holds)
	}
	if m := f.aside(f.lift(k, "h1")); m.Generation != 5 {
		t.Fatalf("lifted again made generation %d", m.Generation)
	}
	f.Whole(k, 5, 3)
}

// testAsideCrash: stopped anywhere, a change is recorded whole or not at all; asked for again it is recorded once.
func testAsideCrash(t *testing.T, f *Fixture) {
	for n, step := range []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished} {
		k := Study(n)
		f.Done(k, "a")
		a := f.hold(k, "h1", time.Time{})
		a.Hooks = CrashAt(step)
		if _, err := catalog.CommitAside(f.Ctx, f.DB, f.Store, a); !errors.Is(err, ErrCrash) && step != catalog.StepDecideReply {
			t.Fatalf("%s: got %v, want a crash", step, err)
		}
		f.Clock.Move(2 * lease)
		f.Reconcile()
		m := f.aside(f.hold(k, "h1", time.Time{}))
		if m.Generation != 2 || len(m.Holds) != 1 {
			t.Fatalf("%s: generation %d with holds %+v", step, m.Generation, m.Holds)
		}
		f.Whole(k, 2, 1)
	}
	// A process that dies cannot give its job back: a worker is handed it when the lease is over.
	k := Study(100)
	f.Done(k, "a")
	ctx, kill := context.WithCancel(f.Ctx)
	a := f.hold(k, "h1", time.Time{})
	db := f.Again()
	a.Hooks = func(_ context.Context, step string) error {
		if step == catalog.StepChanged {
			kill()
			f.OK(db.Close())
			return ErrCrash
		}
		return nil
	}
	_, err := catalog.CommitAside(ctx, db, f.Store, a)
	f.wantErr(err, ErrCrash)
	f.Clock.Move(2 * lease)
	f.Reconcile()
	due, err := f.DB.Due(f.Ctx, 10)
	f.OK(err)
	if len(due) != 1 || !due[0].Side || due[0].StudyKey != k {
		t.Fatalf("due are %+v, want the side job", due)
	}
	j := f.Own(due[0].ID)
	f.OK(f.DB.Release(f.Ctx, j.ID, j.Attempt, catalog.Drop("nobody waits for it")))
	f.Whole(k, 1, 1)
	if j := f.Job(j.ID); j.State != catalog.JobDone {
		t.Fatalf("dropped is %+v", j)
	}
}

// testAsideRace: many say something of one study at the same time, and new images come: all of it is recorded.
func testAsideRace(t *testing.T, f *Fixture) {
	const racers, each = 4, 4
	k := Study(1)
	f.Done(k, "a")
	var wg sync.WaitGroup
	errs := make(chan error, racers*each+each)
	for r := range racers {
		db := f.Again()
		wg.Go(func() {
			for n := range each {
				_, err := catalog.CommitAside(f.Ctx, db, f.Store, f.hold(k, fmt.Sprint("h", r, n), time.Time{}))
				errs <- err
			}
		})
	}
	for n := range each {
		_, err := f.Work(f.Arrive(k, fmt.Sprint("b", n)).ID).Commit()
		errs <- err
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		f.OK(err)
	}
	f.Whole(k, 1+racers*each+each, 1+each)
	m, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, k)
	f.OK(err)
	if len(m.Holds) != racers*each {
		t.Fatalf("%d holds, want %d", len(m.Holds), racers*each)
	}
}

// testHoldEnds: a hold forbids to drop and to sweep, until it ends or is lifted; a catalog that is rebuilt knows it.
func testHoldEnds(t *testing.T, f *Fixture) {
	for n, c := range []struct {
		name    string
		until   time.Duration // 0: none
		rebuild bool
	}{{"until it is lifted", 0, false}, {"for an hour", time.Hour, false}, {"for an hour, rebuilt", time.Hour, true}, {"until it is lifted, rebuilt", 0, true}} {
		k := Study(n)
		old := f.Done(k, "a").Hot
		f.Clock.Move(time.Hour)
		f.Done(k, "b")
		var until time.Time
		if c.until > 0 {
			until = f.Clock.Now().Add(c.until)
		}
		f.aside(f.hold(k, "h1", until))
		f.aside(f.hold(k, "short", f.Clock.Now().Add(time.Minute)))
		if c.rebuild {
			f.Drop()
			_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
			f.OK(err)
		}
		granted := func() int {
			t.Helper()
			list, err := f.DB.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), f.Head(k).Key, []catalog.Removal{{Key: old.Key, Tier: "hot", Bytes: old.Size, Reason: "superseded", Superseded: true}})
			f.OK(err)
			return len(list)
		}
		drop := func() error {
			a := f.Work(f.Arrive(k, fmt.Sprint("c", f.Clock.Now())).ID)
			a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
				m.Packs, m.Hot.Parts = m.Packs[1:], m.Hot.Parts[1:]
				sum(m)
				return m, nil
			}
			_, err := a.Commit()
			if err != nil {
				f.OK(f.DB.Release(f.Ctx, a.Job.ID, a.Job.Attempt, catalog.Fail("held")))
			}
			return err
		}
		f.Clock.Move(59 * time.Minute)
		if n := granted(); n != 0 {
			t.Fatalf("%s: %d objects were granted", c.name, n)
		}
		f.wantErr(drop(), catalog.ErrHeld)
		f.Clock.Move(time.Minute)
		if c.until == 0 {
			if n := granted(); n != 0 {
				t.Fatalf("%s: %d objects were granted", c.name, n)
			}
			f.wantErr(drop(), catalog.ErrHeld)
			f.aside(f.lift(k, "h1"))
		}
		if n := granted(); n != 1 {
			t.Fatalf("%s: %d objects were granted after it", c.name, n)
		}
		f.OK(drop())
	}
}
