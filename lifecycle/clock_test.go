package lifecycle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/lifecycle"
)

// TestClock: a day is normal, more needs a name, back never goes, and clocks that differ let nothing pass.
func TestClock(t *testing.T) {
	s := newSweeper(t)
	theirs := time.Duration(0)
	store, err := mem.New(mem.Options{Clock: func() time.Time { return s.Clock.Now().Add(theirs) }})
	s.OK(err)
	ahead := time.Duration(0)
	check := func() error {
		c := lifecycle.Clock{DB: s.DB, Store: store, Now: func() time.Time { return s.Clock.Now().Add(ahead) }}
		return c.Check(s.Ctx)
	}
	approve := func() error {
		c := lifecycle.Clock{DB: s.DB, Store: store, Now: func() time.Time { return s.Clock.Now().Add(ahead) }}
		return c.Approve(s.Ctx, "ops", "it was switched off")
	}
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Fatalf("%s: got %v, want %v", what, err, want)
		}
	}
	want("at first", check(), nil)
	s.Clock.Move(23 * time.Hour)
	want("a day later", check(), nil)
	s.Clock.Move(24*time.Hour + time.Minute)
	want("more than a day later", check(), lifecycle.ErrClockForward)
	want("still", check(), lifecycle.ErrClockForward)
	ahead = 2 * time.Minute
	want("this clock is ahead, approved", approve(), lifecycle.ErrClocksDiffer)
	ahead = 0
	want("approved", approve(), nil)
	want("after it", check(), nil)
	s.Clock.Move(-2 * time.Minute)
	want("back", check(), lifecycle.ErrClockBack)
	want("back, approved", approve(), lifecycle.ErrClockBack)
	s.Clock.Move(2 * time.Minute)
	for _, d := range []time.Duration{-61 * time.Second, 61 * time.Second} {
		theirs = d
		want("the store's is another", check(), lifecycle.ErrClocksDiffer)
	}
	theirs = 50 * time.Second
	want("nearly", check(), nil)
	for info, err := range store.List(s.Ctx, "", "") {
		t.Errorf("%s is left, %v", info.Key, err)
	}
}

// TestClockGuards: whatever removes asks first.
func TestClockGuards(t *testing.T) {
	a := newExpiring(t, 1)
	f := a.mover
	no := func(o *lifecycle.ApplyOptions) { byOps(o); o.Guard = guard }
	_, digest, _ := a.plan(lifecycle.PlanOptions{})
	if _, err := a.apply(digest, no); !errors.Is(err, lifecycle.ErrClockBack) || len(a.jobs()) != 0 {
		t.Fatalf("apply: %v, %d jobs", err, len(a.jobs()))
	}
	_, err := a.apply(digest, byOps)
	f.OK(err)
	id := a.jobs()[0].ID
	job, err := catalog.Begin(f.Ctx, f.DB, f.Store, id, "worker", time.Hour)
	f.OK(err)
	x := lifecycle.Purger{Trasher: lifecycle.Trasher{DB: f.DB, Store: f.Store, Hot: "hot", Owner: "w", Now: f.Clock.Now, Guard: guard}, Tiers: f}
	if _, err := x.Trash(f.Ctx, job); !errors.Is(err, lifecycle.ErrClockBack) {
		t.Fatalf("trash: %v", err)
	}
	if _, err := x.Purge(f.Ctx, job); !errors.Is(err, lifecycle.ErrClockBack) {
		t.Fatalf("purge: %v", err)
	}
	before := len(f.Keys(""))
	f.Done(catalogtest.Study(0), "b") // supersedes a hot bundle
	f.Clock.Move(100 * time.Hour)
	after := len(f.Keys(""))
	_, err = lifecycle.Sweep(f.Ctx, f.DB, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: f.Store}}, lifecycle.SweepOptions{Guard: guard, Now: f.Clock.Now})
	if !errors.Is(err, lifecycle.ErrClockBack) || len(f.Keys("")) != after || after <= before {
		t.Fatalf("sweep: %v", err)
	}
}

func guard(context.Context) error { return lifecycle.ErrClockBack }
