package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// The head moves between reading it and deciding: the change is made again on the new head, no bytes are written again.
func testRebase(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	a := f.Work(f.Arrive(k, "b").ID)
	moved := false
	a.Input.Hooks = func(_ context.Context, step string) error {
		if step == catalog.StepManifestPut && !moved {
			moved = true
			f.Hold(k)
		}
		return nil
	}
	m, err := a.Commit()
	f.OK(err)
	if a.Calls != 2 || m.Generation != 3 || len(m.Packs) != 2 || len(m.Holds) != 1 {
		t.Fatalf("after %d changes: generation %d with %d packs and %d holds, want 2, 3, 2, 1", a.Calls, m.Generation, len(m.Packs), len(m.Holds))
	}
	f.Whole(k, 3, 2)
}

// Hold makes another process commit a generation that only adds a hold, to the
// same bucket but through a catalog of its own; the fixture's catalog then learns it from the bucket.
func (f *Fixture) Hold(k catalog.StudyKey) {
	f.T.Helper()
	f.publishHold(k)
	_, _, err := catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash())
	f.OK(err)
}

// publishHold is Hold before the fixture's catalog knows.
func (f *Fixture) publishHold(k catalog.StudyKey) {
	f.T.Helper()
	head, list, err := catalog.Heal(f.Ctx, f.DB, f.Store, k.Tenant, k.Hash())
	f.OK(err)
	if len(list) == 0 {
		f.T.Fatal("no manifests")
	}
	next := *head
	next.Parent = &catalog.Ref{Key: head.Key(), SHA256: f.Head(k).SHA256}
	next.Generation, next.Job, next.Action = head.Generation+1, "HOLDER", "hold"
	next.Holds = append(next.Holds, catalog.Hold{ID: "h1", Reason: "research", Since: f.Clock.Now()})
	raw, err := next.Encode()
	f.OK(err)
	for key, data := range map[string][]byte{next.Key(): raw, catalog.PublishedKey(next.Key()): {}} {
		_, err = f.Store.Store.Put(f.Ctx, key, bytes.NewReader(data), objstore.PutOptions{Size: int64(len(data))})
		f.OK(err)
	}
}

// Many processes work on many studies at once, through connections of their own.
func testRacers(t *testing.T, f *Fixture) {
	const racers, studies = 4, 6
	var jobs []string
	for n := range studies {
		jobs = append(jobs, f.Arrive(Study(n), "a").ID)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	errs := make(chan error, racers*studies)
	for range racers {
		db := f.Again()
		wg.Go(func() {
			for _, id := range jobs {
				job, err := db.Own(f.Ctx, id, "racer", lease)
				if errors.Is(err, catalog.ErrLeased) || errors.Is(err, catalog.ErrClosed) {
					continue
				}
				if err != nil {
					errs <- err
					continue
				}
				_, err = catalog.Commit(f.Ctx, db, f.Store, catalog.CommitInput{Job: id, Attempt: job.Attempt, Key: job.StudyKey, Owner: "racer", Action: "derive", Done: 1,
					Change: func(*catalog.Manifest) (*catalog.Manifest, error) {
						return &catalog.Manifest{Status: catalog.StatusStored}, nil
					}})
				if err != nil {
					errs <- err
				}
				mu.Lock()
				won[id]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	for _, id := range jobs {
		if won[id] != 1 || f.Job(id).State != catalog.JobDone {
			t.Errorf("job %s was won %d times and is %s, want once and done", id, won[id], f.Job(id).State)
		}
	}
	if n := len(f.Events()); n != studies {
		t.Errorf("got %d events, want %d", n, studies)
	}
}

func testNothingToDo(t *testing.T, f *Fixture) {
	k := Study(1)
	m := f.Done(k, "a")
	f.Events()
	a := f.Work(f.Arrive(k, "a2").ID)
	nothing := func(*catalog.Manifest) (*catalog.Manifest, error) { return nil, catalog.ErrNothingToDo }
	a.Input.Change = nothing
	got, err := a.Commit()
	f.OK(err)
	if got.Key() != m.Key() || f.Job(a.Job.ID).State != catalog.JobDone {
		t.Fatalf("got %s and a job that is %s", got.Key(), f.Job(a.Job.ID).State)
	}
	if e := f.Events(); len(e) != 1 || e[0].Changed || e[0].Generation != 1 {
		t.Fatalf("events are %+v, want one that says unchanged", e)
	}
	f.Whole(k, 1, 1)
	b := f.Work(f.Arrive(Study(2), "a").ID)
	b.Input.Change = nothing
	if _, err := b.Commit(); err == nil || f.Job(b.Job.ID).State != catalog.JobRunning {
		t.Fatalf("nothing to do without a generation: got %v and a job that is %s", err, f.Job(b.Job.ID).State)
	}
	c := f.Work(f.Arrive(Study(3), "a").ID)
	boom := errors.New("boom")
	c.Input.Change = func(*catalog.Manifest) (*catalog.Manifest, error) { return nil, boom }
	_, err = c.Commit()
	f.wantErr(err, boom)
}

func testHolds(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	f.Hold(k)
	a := f.Work(f.Arrive(k, "b").ID)
	a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
		m.Packs, m.Hot, m.Holds = nil, nil, nil
		sum(m)
		return m, nil
	}
	_, err := a.Commit()
	f.wantErr(err, catalog.ErrHeld)
	if got := f.Keys(k.Prefix() + "m/"); len(got) != 4 {
		t.Fatalf("manifests are %v, want two and their marks", got)
	}
}

// A store that lies or loses replies does not make a wrong commit.
func testTornStore(t *testing.T, f *Fixture) {
	lost := errors.New("503")
	for i, c := range []struct {
		name  string
		match string
		onPut func([]byte) ([]byte, error)
		ok    bool
	}{
		{"manifest: success reported, nothing stored", ".json", func([]byte) ([]byte, error) { return nil, nil }, false},
		{"manifest: torn", ".json", func(b []byte) ([]byte, error) { return b[:len(b)/2], nil }, false},
		{"manifest: nothing stored, error", ".json", func([]byte) ([]byte, error) { return nil, lost }, false},
		{"manifest: stored, reply lost", ".json", func(b []byte) ([]byte, error) { return b, lost }, false},
		{"mark: success reported, nothing stored", ".ok", func([]byte) ([]byte, error) { return nil, nil }, false},
		{"mark: nothing stored, error", ".ok", func([]byte) ([]byte, error) { return nil, lost }, false},
	} {
		k := Study(i)
		a := f.Work(f.Arrive(k, "a").ID)
		f.Store.OnPut = func(key string, data []byte) ([]byte, error) {
			if strings.HasSuffix(key, c.match) {
				return c.onPut(data)
			}
			return data, nil
		}
		_, err := a.Commit()
		f.Store.OnPut = nil
		if (err == nil) != c.ok {
			t.Fatalf("%s: got %v", c.name, err)
		}
		f.afterCrash(a.Job.ID)
		f.Whole(k, 1, 1)
	}
}

// What a sweep removes cannot be committed, and what a commit may still take cannot be swept.
func testRemoval(t *testing.T, f *Fixture) {
	k := Study(1)
	a := f.Work(f.Arrive(k, "a").ID)
	pack := catalog.Removal{Key: catalog.PackKey(k, a.Job.ID, a.Job.Attempt, 1), Tier: "hot", Bytes: 700, Reason: "orphan"}
	grant := func(head string, r ...catalog.Removal) int {
		t.Helper()
		got, err := f.DB.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), head, r)
		f.OK(err)
		return len(got)
	}
	if n := grant("", pack); n != 0 {
		t.Fatal("an object of a running job was granted")
	}
	f.Clock.Move(2 * lease)
	if n := grant("", pack); n != 0 {
		t.Fatal("an object of a job with an expired lease was granted: its next attempt may adopt it")
	}
	f.OK(f.DB.Release(f.Ctx, a.Job.ID, a.Job.Attempt, catalog.Fail("no")))
	if n := grant("", pack); n != 1 {
		t.Fatal("an orphan of a failed job was not granted")
	}
	_, err := f.DB.Reopen(f.Ctx, a.Job.ID)
	f.OK(err)
	b := f.Work(a.Job.ID)
	b.Input.Change = a.Input.Change // adopts the pack of the first attempt
	_, err = b.Commit()
	f.wantErr(err, catalog.ErrRemoved)
	f.OK(f.DB.Release(f.Ctx, b.Job.ID, b.Job.Attempt, catalog.Requeue("again")))
	m, err := f.Work(a.Job.ID).Commit()
	f.OK(err)

	// Superseded objects: the head must be the one that was looked at, and no hold may stand.
	f.Clock.Move(time.Hour)
	f.Done(k, "b")
	old := catalog.Removal{Key: m.Hot.Key, Tier: "hot", Bytes: m.Hot.Size, Reason: "superseded", Superseded: true}
	_, err = f.DB.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), m.Key(), []catalog.Removal{old})
	f.wantErr(err, catalog.ErrStale)
	head := f.Head(k).Key
	f.Hold(k)
	if _, err = f.DB.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), head, []catalog.Removal{old}); !errors.Is(err, catalog.ErrStale) {
		t.Fatalf("got %v, want stale", err)
	}
	if n := grant(f.Head(k).Key, old); n != 0 {
		t.Fatal("a superseded object of a held study was granted")
	}
	// A head that is decided and not published may still be lost with the catalog: its parent's objects stay.
	c := f.Work(f.Arrive(k, "c").ID)
	c.Input.Hooks = CrashAt(catalog.StepDecided)
	_, err = c.Commit()
	f.wantErr(err, ErrCrash)
	_, err = f.DB.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), f.Head(k).Key, []catalog.Removal{old})
	f.wantErr(err, catalog.ErrStale)
	open, err := f.DB.Removals(f.Ctx)
	f.OK(err)
	if len(open) != 1 || open[0].Key != pack.Key {
		t.Fatalf("open removals are %+v, want that of %s", open, pack.Key)
	}
	f.OK(f.DB.MarkDeleted(f.Ctx, pack.Key))
	if open, err = f.DB.Removals(f.Ctx); err != nil || len(open) != 0 {
		t.Fatalf("open removals are %+v, %v", open, err)
	}
}
