package catalogtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
)

// race runs functions at once and returns their errors, by their order.
func race(fs ...func() error) []error {
	errs := make([]error, len(fs))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Go(func() {
			<-start
			errs[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// only fails the test if err is neither nil nor one of those.
func (f *Fixture) only(what string, err error, allowed ...error) {
	f.T.Helper()
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	if err != nil {
		f.T.Fatalf("%s: %v", what, err)
	}
}

// openJobs returns the open jobs of a study.
func (f *Fixture) openJobs(k catalog.StudyKey) (list []catalog.Job) {
	f.T.Helper()
	f.OK(f.DB.Jobs(f.Ctx, func(j catalog.Job) error {
		if j.StudyKey == k {
			list = append(list, j)
		}
		return nil
	}, catalog.JobQueued, catalog.JobRunning, catalog.JobHeld))
	return list
}

// testPairs races every two transactions that decide about the same rows,
// through connections of their own. SQLite's writers come one by one; elsewhere locks must do it.
func testPairs(t *testing.T, f *Fixture) {
	const rounds = 25
	other, third := f.Again(), f.Again()
	enqueue := func(db *catalog.DB, k catalog.StudyKey, name string) func() error {
		return func() error {
			_, err := db.Enqueue(f.Ctx, catalog.Arrival{StudyKey: k, Source: "/in", Files: files(f.Clock.Now(), name), Complete: true}, 0)
			return err
		}
	}
	key := func(name string, n int) catalog.StudyKey {
		return catalog.StudyKey{Tenant: "north", UID: fmt.Sprint(name, n)}
	}
	for n := range rounds {
		// A new study is queued by three at once, two of them with the same batch.
		k := key("new", n)
		for _, err := range race(enqueue(f.DB, k, "a"), enqueue(other, k, "a"), enqueue(third, k, "b")) {
			f.only("enqueue a new study", err)
		}
		open := f.openJobs(k)
		if len(open) != 1 || open[0].Want != 2 {
			t.Fatalf("round %d: after three enqueues: %+v, want one job that wants 2", n, open)
		}

		// A late arrival against the commit of the ones before.
		a := f.Work(open[0].ID)
		errs := race(func() error { _, err := a.Commit(); return err }, enqueue(other, k, "late"))
		f.only("commit", errs[0])
		f.only("enqueue", errs[1])
		if open = f.openJobs(k); len(open) != 1 || open[0].State != catalog.JobQueued || open[0].Want != 3 || open[0].Done != 2 {
			t.Fatalf("round %d: an arrival raced a commit: open jobs are %+v, want one that is queued, wants 3, done 2", n, open)
		}

		// A failed job is opened again while a new arrival opens one, and while a sweep asks for its objects.
		b := f.Work(open[0].ID)
		f.OK(f.DB.Release(f.Ctx, b.Job.ID, b.Job.Attempt, catalog.Fail("no")))
		orphan := catalog.Removal{Key: catalog.PackKey(k, b.Job.ID, b.Job.Attempt, 1), Tier: "hot", Bytes: 700, Reason: "orphan"}
		var granted []catalog.Removal
		head := f.Head(k).Key
		errs = race(
			func() error { _, err := f.DB.Reopen(f.Ctx, b.Job.ID); return err },
			enqueue(other, k, "later"),
			func() (err error) {
				granted, err = third.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), head, []catalog.Removal{orphan})
				return err
			})
		f.only("reopen", errs[0], catalog.ErrClosed)
		f.only("enqueue", errs[1])
		f.only("mark deleting", errs[2], catalog.ErrStale)
		if open = f.openJobs(k); len(open) != 1 {
			t.Fatalf("round %d: open jobs are %+v, want one", n, open)
		}
		// Whoever works now adopts the object, if it is his: it was granted, or it is committed, never both.
		c := f.Work(open[0].ID)
		if open[0].ID == b.Job.ID {
			adopt := b.Input.Change
			c.Input.Change = adopt
		}
		_, err := c.Commit()
		f.only("adopt", err, catalog.ErrRemoved)
		if (err != nil) != (len(granted) > 0 && open[0].ID == b.Job.ID) {
			t.Fatalf("round %d: commit of the job %s (failed was %s) got %v, granted was %v", n, open[0].ID, b.Job.ID, err, granted)
		}

		// A sweep asks while the commit runs that adopts: the job is over for the sweep until it is opened again.
		k = key("sweep", n)
		d := f.Work(f.Arrive(k, "a").ID)
		f.OK(f.DB.Release(f.Ctx, d.Job.ID, d.Job.Attempt, catalog.Fail("no")))
		orphan.Key = catalog.PackKey(k, d.Job.ID, d.Job.Attempt, 1)
		errs = race(
			func() error {
				if _, err := f.DB.Reopen(f.Ctx, d.Job.ID); err != nil {
					return err
				}
				job, err := f.DB.Own(f.Ctx, d.Job.ID, "w", lease)
				if err != nil {
					return err
				}
				in := d.Input
				in.Attempt, in.Token = job.Attempt, job.Token
				_, err = catalog.Commit(f.Ctx, f.DB, f.Store, in)
				return err
			},
			func() (err error) {
				granted, err = third.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), "", []catalog.Removal{orphan})
				return err
			})
		f.only("commit", errs[0], catalog.ErrRemoved)
		f.only("mark deleting", errs[1], catalog.ErrStale)
		if (errs[0] == nil) == (errs[1] == nil && len(granted) > 0) {
			t.Fatalf("round %d: commit got %v, the sweep got %v, %v: one must win", n, errs[0], granted, errs[1])
		}

		// An orphan of a study without a row, while the row is made.
		k = key("unknown", n)
		orphan.Key = catalog.PackKey(k, "GONE", 1, 1)
		errs = race(enqueue(f.DB, k, "a"), func() error {
			_, err := other.MarkDeleting(f.Ctx, k.Tenant, k.Hash(), "", []catalog.Removal{orphan})
			return err
		})
		f.only("enqueue", errs[0])
		f.only("mark deleting", errs[1])

		// Two studies with the same quarantined files, in opposite order; one of them is healed by a third at the same time.
		e, g := f.Work(f.Arrive(key("e", n), "a").ID), f.Work(f.Arrive(key("g", n), "a").ID)
		bad := make([]catalog.Quarantined, 6)
		for i := range bad {
			sum := fmt.Sprintf("%064x", n*100+i)
			bad[i] = catalog.Quarantined{SHA256: sum, Size: 1, Key: catalog.QuarantineKey("north", sum), Reason: "no"}
		}
		with := func(a *Attempt, reverse bool) {
			own := a.Input.Change
			a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
				m, err := own(m)
				for i := range bad {
					if reverse {
						i = len(bad) - 1 - i
					}
					m.Quarantined = append(m.Quarantined, bad[i])
				}
				m.Status = catalog.StatusPartial
				return m, err
			}
		}
		with(e, false)
		with(g, true)
		errs = race(
			func() error { _, err := catalog.Commit(f.Ctx, f.DB, f.Store, e.Input); return err },
			func() error { _, err := catalog.Commit(f.Ctx, other, f.Store, g.Input); return err },
			func() error {
				_, _, err := catalog.Heal(f.Ctx, third, f.Store, "north", key("e", n).Hash())
				return err
			},
			func() error { return catalog.Reconcile(f.Ctx, third, f.Store) })
		for _, err := range errs {
			f.only("commits with the same quarantine", err)
		}

		// Two owners, one gives back what the other waits for; the reconciler looks at the lease meanwhile.
		h := f.Own(f.Arrive(key("h", n), "a").ID)
		f.Clock.Move(2 * lease)
		var won [2]catalog.Job
		errs = race(
			func() (err error) { won[0], err = f.DB.Own(f.Ctx, h.ID, "x", lease); return err },
			func() (err error) { won[1], err = other.Own(f.Ctx, h.ID, "y", lease); return err },
			func() error { return third.Release(f.Ctx, h.ID, h.Attempt, catalog.Requeue("late")) },
			func() error { _, err := third.Claim(f.Ctx, 3, 1e6); return err })
		f.only("own", errs[0], catalog.ErrLeased)
		f.only("own", errs[1], catalog.ErrLeased)
		f.only("release", errs[2], catalog.ErrStale)
		f.only("claim", errs[3])
		if (errs[0] == nil) == (errs[1] == nil) || won[0].Attempt+won[1].Attempt != h.Attempt+1 {
			t.Fatalf("round %d: attempts %d and %d were owned with %v and %v: one must win", n, won[0].Attempt, won[1].Attempt, errs[0], errs[1])
		}
	}
}
