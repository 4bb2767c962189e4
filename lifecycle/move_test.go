package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/internal/objstore/tiers"
	"github.com/radtier/radtier/lifecycle"
)

// mover is a sweeper with a second tier: a place of its own, or a class of the first one's.
type mover struct {
	*sweeper
	warm   *catalogtest.Store
	shared bool
	hooks  catalog.Hooks
}

func newMover(t *testing.T, shared bool) *mover {
	t.Helper()
	mv := &mover{sweeper: newSweeper(t), shared: shared}
	store, err := mem.New(mem.Options{Clock: mv.Clock.Now, Classes: tiers.Classes{{Name: "STANDARD"}, {Name: "IA"}}})
	mv.OK(err)
	mv.warm = &catalogtest.Store{Store: store}
	if shared {
		mv.Store.Store, mv.warm = store, mv.Store
	} else {
		mv.others = []lifecycle.Tier{{Name: "warm", Store: mv.warm}}
	}
	return mv
}

func (mv *mover) Hot() objstore.Store { return mv.Store }

func (mv *mover) Tier(name string) (objstore.Store, error) {
	switch name {
	case "hot":
		return mv.Store, nil
	case "warm":
		return mv.warm, nil
	}
	return nil, fmt.Errorf("no tier %s", name)
}

func (mv *mover) Shared(_, to string) (bool, objstore.Class) {
	if to == "warm" {
		return mv.shared, "IA"
	}
	return mv.shared, "STANDARD"
}

// both runs a test with each kind of second tier.
func both(t *testing.T, run func(*testing.T, *mover)) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			t.Parallel()
			run(t, newMover(t, shared))
		})
	}
}

var toWarm = lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "warm", Plan: "0123456789abcdef0123", Line: 7}

// queue queues a move.
func (mv *mover) queue(k catalog.StudyKey, a lifecycle.MoveArgs) catalog.Job {
	mv.T.Helper()
	job, err := mv.DB.QueueSide(mv.Ctx, k.Tenant, k.Hash(), lifecycle.ActionMove, a.String())
	mv.OK(err)
	return job
}

// attempt owns a move's job and does it.
func (mv *mover) attempt(id string) (*catalog.Manifest, error) {
	job, err := catalog.Begin(mv.Ctx, mv.DB, mv.Store, id, "worker", time.Minute)
	mv.OK(err)
	m := lifecycle.Mover{DB: mv.DB, Tiers: mv, Owner: "worker", Hooks: mv.hooks, Now: mv.Clock.Now}
	return m.Move(mv.Ctx, job)
}

// listed checks that every object that the head names is there, whole, on its tier. It is the invariant of every moment.
func (mv *mover) listed(k catalog.StudyKey) *catalog.Manifest {
	mv.T.Helper()
	m, err := catalog.LoadHead(mv.Ctx, mv.DB, mv.Store, k)
	mv.OK(err)
	m.Objects(func(key string, class catalog.Class, tier string, size int64) {
		store := objstore.Store(mv.Store)
		if tier == "warm" {
			store = mv.warm
		}
		raw, err := objstore.ReadAll(mv.Ctx, store, key, 1<<20)
		if err != nil || int64(len(raw)) != size {
			mv.T.Fatalf("%s on %s: %d bytes, %v", key, tier, len(raw), err)
		}
		if tier == "warm" {
			if info, err := store.Head(mv.Ctx, key); err != nil || info.Class != "IA" {
				mv.T.Fatalf("%s is in class %q, %v", key, info.Class, err)
			}
		}
	})
	return m
}

// end lets a healthy worker do what is left, sweeps, and checks what is there: two packs on the warm tier, and nothing but what is named.
func (mv *mover) end(k catalog.StudyKey, id string) {
	mv.T.Helper()
	mv.hooks = nil
	mv.Clock.Move(2 * time.Minute)
	mv.Reconcile()
	for mv.Job(id).State != catalog.JobDone {
		if mv.Job(id).State == catalog.JobFailed {
			_, err := mv.DB.Reopen(mv.Ctx, id)
			mv.OK(err)
		}
		_, err := mv.attempt(id)
		mv.OK(err)
	}
	m := mv.listed(k)
	for _, p := range m.Packs {
		if p.Class == catalog.ClassFull && p.Tier != "warm" {
			mv.T.Fatalf("pack %s is on %s", p.Key, p.Tier)
		}
	}
	mv.Clock.Move(2 * grace)
	mv.sweep(false)
	m = mv.listed(k)
	named := map[string]bool{}
	m.Objects(func(key string, _ catalog.Class, _ string, _ int64) { named[key] = true })
	for _, store := range []objstore.Store{mv.Store, mv.warm} {
		for info, err := range store.List(mv.Ctx, k.Prefix(), "") {
			mv.OK(err)
			if o, _ := catalog.ParseKey(info.Key); o.Kind != catalog.KindManifest && o.Kind != catalog.KindPublished && !named[info.Key] {
				mv.T.Fatalf("%s is left", info.Key)
			}
		}
	}
	if again := mv.sweep(false); len(again.Objects)+len(again.Skipped) != 0 {
		mv.T.Fatalf("a second sweep did %+v", again)
	}
}

// TestMove: a class goes to another tier, under new keys, in one generation; the old objects stay for the grace period, and all of it is told.
func TestMove(t *testing.T) {
	both(t, func(t *testing.T, mv *mover) {
		k := catalogtest.Study(1)
		mv.Done(k, "a")
		before := mv.Done(k, "b")
		job := mv.queue(k, toWarm)
		if again := mv.queue(k, toWarm); again.ID != job.ID {
			t.Fatalf("the same move was queued twice: %s, %s", job.ID, again.ID)
		}
		mv.Clock.Move(time.Hour)
		m, err := mv.attempt(job.ID)
		mv.OK(err)
		if m.Generation != 3 || m.Action != lifecycle.ActionMove || len(m.Packs) != 2 || len(m.Intervals) != 2 || m.Totals != before.Totals || m.Arrivals != before.Arrivals || m.Hot.Key != before.Hot.Key {
			t.Fatalf("moved is %+v", m)
		}
		for i, p := range m.Packs {
			old := before.Packs[i]
			if p.Key == old.Key || p.Tier != "warm" || p.SHA256 != old.SHA256 || !p.Since.Equal(mv.Clock.Now()) || m.Intervals[i].Key != old.Key || m.Intervals[i].Tier != "hot" {
				t.Errorf("pack %d is %+v, was %+v, interval %+v", i, p, old, m.Intervals[i])
			}
		}
		if j := mv.Job(job.ID); j.State != catalog.JobDone {
			t.Fatalf("the job is %s", j.State)
		}
		for _, p := range before.Packs {
			if _, err := mv.Store.Head(mv.Ctx, p.Key); err != nil {
				t.Errorf("the original is gone before its time: %v", err)
			}
		}
		again := mv.queue(k, toWarm)
		if again.ID == job.ID {
			t.Fatal("a job that is done was queued again")
		}
		if m, err := mv.attempt(again.ID); err != nil || m.Generation != 3 {
			t.Fatalf("a move of nothing made %+v, %v", m, err)
		}
		mv.end(k, again.ID)
		for _, p := range before.Packs {
			if _, err := mv.Store.Head(mv.Ctx, p.Key); !errors.Is(err, objstore.ErrNotFound) {
				t.Errorf("the original is there after the sweep: %v", err)
			}
		}
		back := lifecycle.MoveArgs{Class: catalog.ClassFull, From: "warm", To: "hot"}
		if m, err := mv.attempt(mv.queue(k, back).ID); err != nil || m.Packs[0].Tier != "hot" {
			t.Fatalf("moved back is %+v, %v", m, err)
		}
		mv.listed(k)
	})
}

// TestMoveCrash: stopped at any step, all that the head names is there and whole; a later attempt ends with the same state.
func TestMoveCrash(t *testing.T) {
	steps := []string{lifecycle.StepCopied, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	both(t, func(t *testing.T, mv *mover) {
		for n, step := range steps {
			for skip := range 2 { // at the first pack, or the second; other steps come once
				k := catalogtest.Study(2*n + skip)
				mv.Done(k, "a")
				mv.Done(k, "b")
				job, seen := mv.queue(k, toWarm), 0
				mv.hooks = func(_ context.Context, name string) error {
					if name == step {
						if seen++; seen > skip || step != lifecycle.StepCopied {
							return catalogtest.ErrCrash
						}
					}
					return nil
				}
				if _, err := mv.attempt(job.ID); !errors.Is(err, catalogtest.ErrCrash) && step != catalog.StepDecideReply {
					t.Fatalf("%s: got %v, want a crash", step, err)
				}
				mv.listed(k)
				mv.Clock.Move(2 * grace)
				mv.sweep(false) // before anybody resumes
				mv.listed(k)
				mv.end(k, job.ID)
			}
		}
	})
}

// TestMoveStoreLies: a copy that is torn, altered, not stored or said to have failed is never named; the move is done when the store is well.
func TestMoveStoreLies(t *testing.T) {
	lost := errors.New("503")
	for name, lie := range map[string]func([]byte) ([]byte, error){
		"torn":                         func(b []byte) ([]byte, error) { return b[:len(b)/2], nil },
		"altered":                      func(b []byte) ([]byte, error) { c := slices.Clone(b); c[len(c)/2] ^= 1; return c, nil },
		"nothing stored, and success":  func([]byte) ([]byte, error) { return nil, nil },
		"nothing stored, and an error": func([]byte) ([]byte, error) { return nil, lost },
		"stored, and an error":         func(b []byte) ([]byte, error) { return b, lost },
	} {
		lies := func(t *testing.T, vouches bool) {
			mv := newMover(t, false)
			if !vouches {
				mv.warm.Store = silent{mv.warm.Store}
			}
			k := catalogtest.Study(1)
			mv.Done(k, "a")
			mv.Done(k, "b")
			job := mv.queue(k, toWarm)
			puts := 0
			mv.warm.OnPut = func(_ string, b []byte) ([]byte, error) {
				if puts++; puts == 2 {
					return lie(b)
				}
				return b, nil
			}
			if _, err := mv.attempt(job.ID); err == nil {
				t.Fatal("the move was done")
			}
			mv.warm.OnPut = nil
			if m := mv.listed(k); m.Generation != 2 {
				t.Fatalf("generation %d was made", m.Generation)
			}
			mv.end(k, job.ID)
		}
		t.Run(name, func(t *testing.T) { lies(t, true) })
		t.Run(name+", by a store that vouches for nothing", func(t *testing.T) { lies(t, false) })
	}
}

// silent is a store that knows no digests of its objects, as buckets do.
type silent struct{ objstore.Store }

func (s silent) Capabilities() objstore.Capabilities {
	c := s.Store.Capabilities()
	c.Checksum = false
	return c
}

func (s silent) Head(ctx context.Context, key string) (objstore.Info, error) {
	info, err := s.Store.Head(ctx, key)
	info.SHA256 = [32]byte{}
	return info, err
}

// TestMoveDamagedOriginal: what is damaged already is not spread: the move fails, the manifest goes on naming the original.
func TestMoveDamagedOriginal(t *testing.T) {
	both(t, func(t *testing.T, mv *mover) {
		k := catalogtest.Study(1)
		p := mv.Done(k, "a").Packs[0]
		mv.OK(mv.Store.Store.Delete(mv.Ctx, p.Key))
		_, err := mv.Store.Store.Put(mv.Ctx, p.Key, bytes.NewReader(make([]byte, p.Size)), objstore.PutOptions{Size: p.Size})
		mv.OK(err)
		job := mv.queue(k, toWarm)
		var sum *objstore.ChecksumError
		if _, err := mv.attempt(job.ID); !errors.Is(err, lifecycle.ErrVerify) && !errors.As(err, &sum) {
			t.Fatalf("got %v", err)
		}
		if h := mv.Head(k); h.Generation != 1 {
			t.Fatalf("generation %d was made", h.Generation)
		}
		mv.OK(mv.Store.Store.Delete(mv.Ctx, p.Key))
		if err := mv.DB.Release(mv.Ctx, job.ID, mv.Job(job.ID).Attempt, catalog.Requeue("again")); err != nil {
			t.Fatal(err)
		}
		if _, err := mv.attempt(job.ID); !errors.Is(err, objstore.ErrNotFound) {
			t.Fatalf("of an original that is not there: %v", err)
		}
	})
}

// TestMoveBeside: new images and a hold that come while a class is moved are all there in the end; a held original stays until the hold ends.
func TestMoveBeside(t *testing.T) {
	both(t, func(t *testing.T, mv *mover) {
		k := catalogtest.Study(1)
		old := mv.Done(k, "a").Packs[0]
		job := mv.queue(k, toWarm)
		done := false
		mv.hooks = func(_ context.Context, step string) error {
			if step == catalog.StepManifestPut && !done {
				done = true
				mv.Done(k, "b")
				_, err := lifecycle.AddHold(mv.Ctx, mv.DB, mv.Store, k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: mv.Clock.Now()})
				return err
			}
			return nil
		}
		m, err := mv.attempt(job.ID)
		mv.OK(err)
		if m.Generation != 4 || len(m.Packs) != 2 || m.Packs[0].Tier != "warm" || m.Packs[1].Tier != "hot" || len(m.Holds) != 1 {
			t.Fatalf("moved is generation %d with %+v", m.Generation, m.Packs)
		}
		mv.hooks = nil
		mv.listed(k)
		mv.Clock.Move(2 * grace)
		mv.sweep(false)
		if _, err := mv.Store.Head(mv.Ctx, old.Key); err != nil {
			t.Fatalf("the original of a held study is gone: %v", err)
		}
		_, err = lifecycle.LiftHold(mv.Ctx, mv.DB, mv.Store, k, "h", "o", "over")
		mv.OK(err)
		mv.end(k, mv.queue(k, toWarm).ID)
	})
}

// TestMoveArgs: what no job of a move says is refused.
func TestMoveArgs(t *testing.T) {
	for _, text := range []string{"", "{}", `{"class":"full","from":"hot","to":"hot"}`, `{"class":"full","from":"hot"}`, "x"} {
		if _, err := lifecycle.ParseMove(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if a, err := lifecycle.ParseMove(toWarm.String()); err != nil || a != toWarm {
		t.Errorf("%+v came back as %+v, %v", toWarm, a, err)
	}
}
