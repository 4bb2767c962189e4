package lifecycle_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/lifecycle"
)

// TestTurn: in so many days every study has exactly one turn, about as many on each day.
func TestTurn(t *testing.T) {
	for _, turns := range []int64{1, 7, 100} {
		perDay := make([]int, turns)
		for n := range 2000 {
			hash, seen := catalogtest.Study(n).Hash(), 0
			for day := range turns {
				if lifecycle.Turn(hash, turns, 20_000+day) {
					seen++
					perDay[day]++
				}
			}
			if seen != 1 {
				t.Fatalf("study %d has %d turns in %d days", n, seen, turns)
			}
		}
		for day, n := range perDay {
			if want := 2000 / int(turns); n < want/3 || n > 3*want {
				t.Errorf("on day %d of %d it is the turn of %d studies, want about %d", day, turns, n, want)
			}
		}
	}
}

// damage flips a bit of an object, or removes it.
func (mv *mover) damage(store *catalogtest.Store, key string, remove bool) {
	mv.T.Helper()
	raw, err := objstore.ReadAll(mv.Ctx, store.Store, key, 1<<20)
	mv.OK(err)
	mv.OK(store.Store.Delete(mv.Ctx, key))
	if remove {
		return
	}
	raw[len(raw)/2] ^= 1
	_, err = store.Store.Put(mv.Ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw))})
	mv.OK(err)
}

func (mv *mover) scrub(tiers ...string) *lifecycle.ScrubReport {
	mv.T.Helper()
	r, err := lifecycle.Scrub(mv.Ctx, mv.DB, mv, lifecycle.ScrubOptions{Turns: 1, Tiers: tiers})
	mv.OK(err)
	return r
}

// repair does the open repairs, and returns the last error.
func (mv *mover) repair() (last error) {
	mv.T.Helper()
	var open []string
	mv.OK(mv.DB.Jobs(mv.Ctx, func(j catalog.Job) error { open = append(open, j.ID); return nil }, catalog.JobQueued))
	for _, id := range open {
		job, err := catalog.Begin(mv.Ctx, mv.DB, mv.Store, id, "worker", time.Minute)
		mv.OK(err)
		m := lifecycle.Mover{DB: mv.DB, Tiers: mv, Owner: "worker", Hooks: mv.hooks, Now: mv.Clock.Now}
		if _, err := m.Repair(mv.Ctx, job); err != nil {
			last = err
			mv.OK(mv.DB.Release(mv.Ctx, job.ID, job.Attempt, catalog.Drop(err.Error())))
		}
	}
	return last
}

// TestScrub: damage is found and listed; a pack of which another copy is there is made whole from it; one without stays named and is told.
func TestScrub(t *testing.T) {
	both(t, func(t *testing.T, mv *mover) {
		for n := range 3 {
			mv.Done(catalogtest.Study(n), "a")
			_, err := mv.attempt(mv.queue(catalogtest.Study(n), toWarm).ID)
			mv.OK(err)
		}
		if r := mv.scrub(); r.Studies != 3 || r.Objects != 6 || len(r.Damaged) != 0 {
			t.Fatalf("of sound studies: %+v", r)
		}
		for n, remove := range []bool{false, true} {
			k := catalogtest.Study(n)
			bad := mv.listed(k).Packs[0]
			mv.damage(mv.warm, bad.Key, remove)
			if r := mv.scrub(); len(r.Damaged) != 1 || r.Damaged[0].Key != bad.Key || r.Damaged[0].Queued || r.Damaged[0].Study != k.Hash() || r.Damaged[0].Tier != "warm" || r.Objects != 5 {
				t.Fatalf("of a damaged pack: %+v", r)
			}
			for range 2 { // the second finds the job
				if r := mv.scrub("hot", "warm"); len(r.Damaged) != 1 || !r.Damaged[0].Queued {
					t.Fatalf("queued: %+v", r)
				}
			}
			mv.OK(mv.repair())
			m := mv.listed(k)
			if p := m.Packs[0]; m.Action != lifecycle.ActionRepair || p.Key == bad.Key || p.Tier != "warm" || p.SHA256 != bad.SHA256 || len(m.Packs) != 1 {
				t.Fatalf("repaired is %+v", m)
			}
		}
		// The original is swept: there is no other copy.
		mv.Clock.Move(2 * grace)
		mv.sweep(false)
		k := catalogtest.Study(2)
		bad := mv.listed(k).Packs[0]
		mv.damage(mv.warm, bad.Key, false)
		if r := mv.scrub("hot", "warm"); len(r.Damaged) != 1 || !r.Damaged[0].Queued {
			t.Fatalf("queued: %+v", r)
		}
		if err := mv.repair(); !errors.Is(err, lifecycle.ErrNoCopy) {
			t.Fatalf("without another copy: %v", err)
		}
		if m, err := catalog.LoadHead(mv.Ctx, mv.DB, mv.Store, k); err != nil || m.Packs[0].Key != bad.Key || m.Generation != 2 {
			t.Fatalf("the manifest is %+v, %v", m, err)
		}
		// What lies in the hot tier is listed, too; a pack that is sound is left alone.
		hot := mv.listed(catalogtest.Study(0)).Hot.Key
		mv.damage(mv.Store, hot, false)
		if r := mv.scrub(); len(r.Damaged) != 2 {
			t.Fatalf("with a damaged hot bundle: %+v", r)
		}
		_, err := mv.DB.QueueSide(mv.Ctx, k.Tenant, catalogtest.Study(1).Hash(), lifecycle.ActionRepair, lifecycle.RepairArgs{Key: mv.listed(catalogtest.Study(1)).Packs[0].Key, Tiers: []string{"hot"}}.String())
		mv.OK(err)
		if err := mv.repair(); !errors.Is(err, lifecycle.ErrNotDue) {
			t.Fatalf("of a sound pack: %v", err)
		}
		away := awayTiers{mv, faultstore.New(mv.Store, faultstore.Rules(faultstore.Rule{Op: faultstore.Get, Fault: faultstore.Unavailable}))}
		if _, err := lifecycle.Scrub(mv.Ctx, mv.DB, away, lifecycle.ScrubOptions{Turns: 1}); !objstore.IsTransient(err) {
			t.Fatalf("of a store that is away: %v", err)
		}
	})
}

// awayTiers are tiers whose hot store answers no reads.
type awayTiers struct {
	*mover
	store objstore.Store
}

func (a awayTiers) Hot() objstore.Store { return a.store }
