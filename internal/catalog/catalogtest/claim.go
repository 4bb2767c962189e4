package catalogtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Claim marks what it hands out, in the order of Due, and the mark goes with the hold, or when the job's state changes.
func testClaim(t *testing.T, f *Fixture) {
	const hold = 10 * time.Minute
	name := map[string]string{}
	add := func(tenant string, n int) (ids []string) {
		for i := range n {
			job := f.Arrive(catalog.StudyKey{Tenant: tenant, UID: fmt.Sprint(i)}, "a")
			name[job.ID] = fmt.Sprint(tenant, i)
			ids = append(ids, job.ID)
			f.Clock.Move(time.Second)
		}
		return ids
	}
	big := add("big", 4)
	mid := add("mid", 2)
	claim := func(db *catalog.DB, limit int, want string) {
		t.Helper()
		list, err := db.Claim(f.Ctx, limit, hold)
		f.OK(err)
		got := ""
		for _, j := range list {
			got += name[j.ID] + " "
			if !j.ClaimedUntil.Equal(f.Clock.Now().Add(hold)) || !f.Job(j.ID).ClaimedUntil.Equal(j.ClaimedUntil) {
				t.Errorf("job %s is claimed until %v, want %v", name[j.ID], j.ClaimedUntil, f.Clock.Now().Add(hold))
			}
		}
		if got != want {
			t.Fatalf("claimed %q, want %q", got, want)
		}
	}
	claim(f.DB, 0, "")
	claim(f.DB, 3, "big0 mid0 big1 ")
	other := f.Again()
	claim(other, 10, "big2 mid1 big3 ")
	claim(other, 10, "")
	if due, err := f.DB.Due(f.Ctx, 10); err != nil || len(due) != 6 {
		t.Fatalf("due are %d jobs, %v; want all 6: Due looks past claims", len(due), err)
	}
	// Owned, given back, failed and opened again: each ends the mark.
	job := f.Own(big[0])
	if job.ClaimedUntil != (time.Time{}) {
		t.Fatalf("an owned job is claimed until %v", job.ClaimedUntil)
	}
	claim(f.DB, 10, "")
	f.OK(f.DB.Release(f.Ctx, big[0], job.Attempt, catalog.Requeue("stop")))
	claim(f.DB, 10, "big0 ")
	job = f.Own(big[0])
	f.OK(f.DB.Release(f.Ctx, big[0], job.Attempt, catalog.Fail("no")))
	claim(f.DB, 10, "")
	_, err := f.DB.Reopen(f.Ctx, big[0])
	f.OK(err)
	claim(f.DB, 10, "big0 ")
	// A commit queues the job again for a late arrival.
	a := f.Work(mid[0])
	f.Arrive(a.Job.StudyKey, "late")
	_, err = a.Commit()
	f.OK(err)
	claim(f.DB, 10, "mid0 ")
	// A new arrival that moves a claimed job: whoever holds its old task finds it not ready, so it is claimed again when it is.
	_, err = f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: f.Job(mid[1]).StudyKey, Source: "/in", Files: files(f.Clock.Now(), "more")}, time.Minute)
	f.OK(err)
	claim(f.DB, 10, "")
	f.Clock.Move(time.Minute)
	claim(f.DB, 10, "mid1 ")
	// The queue lost them: when the hold is over they are claimed again, those whose lease is over too.
	f.Own(big[1])
	f.Clock.Move(hold - time.Second)
	claim(f.DB, 1, "big1 ") // its lease ran out
	f.Clock.Move(time.Second)
	list, err := f.DB.Claim(f.Ctx, 10, hold)
	f.OK(err)
	if len(list) != 5 {
		t.Fatalf("after the hold %d jobs were claimed, want 5", len(list))
	}
	f.Clock.Move(hold)
	if list, err = other.Claim(f.Ctx, 10, hold); err != nil || len(list) != 6 {
		t.Fatalf("after the next hold %d jobs were claimed, %v; want 6", len(list), err)
	}
	if _, err := f.DB.Claim(f.Ctx, 1, 0); err == nil {
		t.Error("claimed for no time")
	}
}

// Many feeders at once: no job goes to two, none is forgotten.
func testClaimRace(t *testing.T, f *Fixture) {
	const jobs, feeders, tenants = 240, 6, 5
	for i := range jobs {
		f.Arrive(catalog.StudyKey{Tenant: fmt.Sprint("t", i%tenants), UID: fmt.Sprint(i)}, "a")
	}
	for round := range 3 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for i := range feeders {
			db := f.DB
			if i%2 == 1 {
				db = f.Again()
			}
			wg.Go(func() {
				for {
					list, err := db.Claim(f.Ctx, 3+i, time.Hour)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, j := range list {
						got[j.ID]++
					}
					done := len(got) == jobs
					mu.Unlock()
					if len(list) == 0 && done || f.Ctx.Err() != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		for id, n := range got {
			if n != 1 {
				t.Errorf("round %d: job %s was claimed %d times", round, id, n)
			}
		}
		f.Clock.Move(2 * time.Hour)
	}
}

// Events and clean-ups are taken by several processes at once: each by one.
func testSharedWork(t *testing.T, f *Fixture) {
	const studies = 12
	for n := range studies {
		f.Done(Study(n), "a")
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 4 {
		db := f.Again()
		wg.Go(func() {
			if err := db.Events(f.Ctx, func(e catalog.Event) error {
				mu.Lock()
				defer mu.Unlock()
				got[e.ID]++
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.Clock.Move(time.Hour)
	for _, e := range f.Events() {
		got[e.ID]++
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("event %s was delivered %d times", id, n)
		}
	}
	if len(got) != studies {
		t.Errorf("%d events were delivered, want %d", len(got), studies)
	}
}

// Done jobs and delivered events go, everything else stays.
func testPrune(t *testing.T, f *Fixture) {
	f.Done(Study(1), "a")
	f.Events()
	failed := f.Own(f.Arrive(Study(2), "a").ID)
	f.OK(f.DB.Release(f.Ctx, failed.ID, failed.Attempt, catalog.Fail("no")))
	f.Done(Study(3), "a") // its event is not delivered
	f.Clock.Move(time.Hour)
	cut := f.Clock.Now()
	f.Clock.Move(time.Hour)
	young := f.Work(f.Arrive(Study(4), "a").ID)
	_, err := young.Commit()
	f.OK(err)
	queued := f.Arrive(Study(5), "a")
	for _, want := range []catalog.Pruned{{Jobs: 2, Events: 1}, {}} {
		got, err := f.DB.Prune(f.Ctx, cut)
		f.OK(err)
		if got != want {
			t.Fatalf("pruned %+v, want %+v", got, want)
		}
	}
	var left []string
	f.OK(f.DB.Jobs(f.Ctx, func(j catalog.Job) error { left = append(left, j.ID); return nil }))
	if len(left) != 3 || !contains(left, failed.ID) || !contains(left, young.Job.ID) || !contains(left, queued.ID) {
		t.Fatalf("left are jobs %v, want the failed, the young and the queued one", left)
	}
	if e := f.Events(); len(e) != 2 {
		t.Fatalf("events %+v, want the 2 that were not delivered", e)
	}
	open, err := f.DB.JobOpen(f.Ctx, "GONE")
	if err != nil || open {
		t.Fatalf("a job that is gone is open: %v, %v", open, err)
	}
	_, err = f.DB.Own(f.Ctx, "GONE", "w", lease)
	f.wantErr(err, catalog.ErrNoJob)
	f.Done(Study(1), "b") // its next generation does not need the job of the first
	if h := f.Head(Study(1)); h.Generation != 2 {
		t.Fatalf("head is %+v", h)
	}
	if !errors.Is(f.DB.Renew(f.Ctx, "GONE", 1, lease), catalog.ErrStale) {
		t.Fatal("a pruned job can be renewed")
	}
}
