package worker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/mem"
)

// noWork owns a job and sets it aside: two transactions, no study.
type noWork struct {
	db    *catalog.DB
	pause time.Duration // between them
	owned func(catalog.Job) catalog.Release
}

func (w *noWork) Run(ctx context.Context, id string) error {
	job, err := w.db.Own(ctx, id, "test", time.Minute)
	if err != nil {
		return err
	}
	release := w.owned(job)
	if w.pause > 0 {
		time.Sleep(w.pause)
	}
	return w.db.Release(ctx, id, job.Attempt, release)
}

// queueNothing queues studies that have no files worth reading.
func (r *rig) queueNothing(tenant string, from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		k := catalog.StudyKey{Tenant: tenant, UID: fmt.Sprintf("1.2.%d", n)}
		if _, err := r.db.Enqueue(context.Background(), catalog.Arrival{StudyKey: k, Files: []catalog.SourceFile{{Path: "x", Size: 1}}, Complete: true}, 0); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestFairness: one tenant has 1,000 studies waiting when another one queues 5. Those wait for
// what is in Redis already, not for the backlog; with one pool, and with three that share a Redis.
func TestFairness(t *testing.T) {
	for _, pools := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d pools", pools), func(t *testing.T) {
			const studies, backlog, few = 4, 1000, 5
			r := newRig(t, nil)
			store, err := mem.New(mem.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r.queueNothing("a", 0, backlog)
			redis := startKillableRedis(t).addr

			var mu sync.Mutex
			var begun []string // tenants, in order
			times := map[string]int{}
			count := func() int { mu.Lock(); defer mu.Unlock(); return len(begun) }
			work := &noWork{db: r.db, owned: func(j catalog.Job) catalog.Release {
				mu.Lock()
				defer mu.Unlock()
				begun = append(begun, j.Tenant)
				times[j.ID]++
				return catalog.Fail("no work")
			}}
			window := 0
			for range pools {
				pool, err := StartPool(r.db, store, work, PoolOptions{Redis: asynq.RedisClientOpt{Addr: redis}, Studies: studies, Poll: 20 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				window = pool.opts.Window
				t.Cleanup(func() { _ = pool.Stop(context.Background()) })
			}
			until(t, "a's studies are worked on", func() bool { return count() > 100 })
			r.queueNothing("b", 0, few)
			after := count() // a's studies that were begun while b's last was being queued do not count against it
			until(t, "the few are begun", func() bool {
				mu.Lock()
				defer mu.Unlock()
				n := 0
				for _, tenant := range begun {
					if tenant == "b" {
						n++
					}
				}
				return n == few
			})
			mu.Lock()
			defer mu.Unlock()

			last, before := -1, 0 // of b's; how many of a's came before it
			for n, tenant := range begun {
				if tenant == "b" {
					last = n
				}
			}
			for n, tenant := range begun[:last] {
				if n >= after && tenant == "a" {
					before++
				}
			}
			// One pool at a time fills the window. Then there is what is under way, and a's turns between b's.
			most := window + pools*studies + 2*few
			t.Logf("%d studies of the other tenant were begun before the last of the few; the window is %d", before, window)
			if before > most {
				t.Errorf("%d of a's studies were begun before the last of b's, want at most %d", before, most)
			}
			for id, n := range times {
				if n != 1 {
					t.Errorf("job %s was begun %d times", id, n)
				}
			}
		})
	}
}
