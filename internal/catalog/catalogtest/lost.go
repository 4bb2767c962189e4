package catalogtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// The reply of any one COMMIT is lost, or the connection is cut before it
// arrives, in everything that a study goes through. The catalog repeats by itself: nobody notices.
func testLostReplies(t *testing.T, f *Fixture) { f.lostReplies(30 * time.Second) }

// The same with a catalog that has no patience: the caller gets an error that may pass, and repeats the call.
func testLostRepliesCaller(t *testing.T, f *Fixture) { f.lostReplies(-1) }

func (f *Fixture) lostReplies(patience time.Duration) {
	var r Replies
	f.cfg.Open, f.cfg.Patience = r.Open, patience
	f.DB = f.Again()
	study := 0
	for _, mode := range []Fault{ReplyLost, CutBefore} {
		for n := 1; ; n++ {
			study++
			r.Break(n, mode)
			l := life{f: f, t: f.T, k: Study(study), silent: patience > 0, name: fmt.Sprintf("%s at commit %d", mode, n)}
			l.run()
			if f.T.Failed() {
				f.T.Fatalf("failed with %s", l.name)
			}
			if sent := r.Commits(); sent < n {
				if n < 20 {
					f.T.Fatalf("only %d commits were sent: the test does not do its work", sent)
				}
				break
			}
		}
	}
}

// life is everything that a study may go through.
type life struct {
	f      *Fixture
	t      *testing.T
	k      catalog.StudyKey
	silent bool // the catalog repeats by itself
	errs   int
	name   string
}

// try calls f until it succeeds. An error must be one that may pass, and is seen once at most.
func (l *life) try(what string, f func() error) error {
	l.t.Helper()
	err := f()
	if err == nil {
		return nil
	}
	if !objstore.IsTransient(err) {
		return err
	}
	var u *catalog.UnavailableError
	if l.errs++; l.silent || l.errs > 1 || !errors.As(err, &u) {
		l.t.Fatalf("%s: %s: got error %v (the %d. of this run)", l.name, what, err, l.errs)
	}
	return f()
}

func (l *life) must(what string, f func() error) {
	l.t.Helper()
	if err := l.try(what, f); err != nil {
		l.t.Fatalf("%s: %s: %v", l.name, what, err)
	}
}

func (l *life) enqueue(file string) (job catalog.Job) {
	l.t.Helper()
	a := catalog.Arrival{StudyKey: l.k, Source: "/in", Files: []catalog.SourceFile{{Path: "/no/such/" + file, Size: 1}}, After: catalog.AfterDelete, Complete: true}
	l.must("enqueue "+file, func() (err error) { job, err = l.f.DB.Enqueue(l.f.Ctx, a, 0); return err })
	return job
}

// own owns the job, if it must be after the lease of an attempt that nobody knows it has.
func (l *life) own(id string) catalog.Job {
	l.t.Helper()
	before := l.errs
	var job catalog.Job
	begin := func() (err error) {
		job, err = catalog.Begin(l.f.Ctx, l.f.DB, l.f.Store, id, "worker", lease)
		return err
	}
	err := l.try("own", begin)
	if errors.Is(err, catalog.ErrLeased) && l.errs > before {
		l.f.Clock.Move(2 * lease)
		err = begin()
	}
	if err != nil || job.State != catalog.JobRunning || job.Token == "" {
		l.t.Fatalf("%s: own: job %+v, %v", l.name, job, err)
	}
	return job
}

func (l *life) commit(job catalog.Job) {
	l.t.Helper()
	f := l.f
	before := l.errs
	for range 3 {
		_, want, err := f.DB.Arrivals(f.Ctx, job.ID)
		f.OK(err)
		a := &Attempt{f: f, Job: job}
		a.prepare(want)
		a.Input.Token = job.Token
		_, err = a.Commit()
		if err == nil {
			return
		}
		if l.errs++; l.silent || l.errs > 1 || !objstore.IsTransient(err) {
			l.t.Fatalf("%s: commit: %v", l.name, err)
		}
		if now := f.Job(job.ID); now.State != catalog.JobRunning {
			break
		}
		f.Clock.Move(2 * lease)
		job = l.own(job.ID)
	}
	if l.errs == before {
		l.t.Fatalf("%s: commit gave up without an error", l.name)
	}
	l.must("reconcile", func() error { return catalog.Reconcile(f.Ctx, f.DB, f.Store) })
}

func (l *life) run() {
	f, t, ctx := l.f, l.t, l.f.Ctx
	t.Helper()
	id := l.enqueue("a").ID
	var claimed []catalog.Job
	before := l.errs
	l.must("claim", func() (err error) { claimed, err = f.DB.Claim(ctx, 5, time.Minute); return err })
	if len(claimed) == 0 && l.errs > before { // claimed, and nobody knows: free again after the hold
		f.Clock.Move(time.Minute)
		l.must("claim", func() (err error) { claimed, err = f.DB.Claim(ctx, 5, time.Minute); return err })
	}
	if len(claimed) != 1 || claimed[0].ID != id {
		t.Fatalf("%s: claimed %+v, want job %s", l.name, claimed, id)
	}
	forgotten := &Attempt{f: f}
	forgotten.put(catalog.PackKey(l.k, id, 7<<32, 1), 3)
	job := l.own(id)
	if n := job.Tries(); n < 8 || n > 8 && l.silent {
		t.Fatalf("%s: began try %d, want 8 or, not silent, more", l.name, job.Tries())
	}
	l.must("renew", func() error { return f.DB.Renew(ctx, id, job.Attempt, lease) })
	l.enqueue("b")
	before = l.errs
	if err := l.try("release", func() error { return f.DB.Release(ctx, id, job.Attempt, catalog.Fail("no")) }); err != nil && !(errors.Is(err, catalog.ErrStale) && l.errs > before) {
		t.Fatalf("%s: release: %v", l.name, err)
	}
	if got := f.Job(id); got.State != catalog.JobFailed || got.Failures != 1 {
		t.Fatalf("%s: released job is %+v", l.name, got)
	}
	before = l.errs
	if err := l.try("reopen", func() error { _, err := f.DB.Reopen(ctx, id); return err }); err != nil && !(errors.Is(err, catalog.ErrClosed) && l.errs > before) {
		t.Fatalf("%s: reopen: %v", l.name, err)
	}
	job = l.own(id)
	if job.Crashes != 0 && l.silent {
		t.Fatalf("%s: a lost reply counts as a crash: %+v", l.name, job)
	}
	l.commit(job)
	bad := fmt.Sprintf("%064x", len(l.name)*1000+int(job.Want)+studyNumber(l.k)*100000)
	l.must("quarantine", func() error {
		return f.DB.QuarantineAdd(ctx, catalog.QuarantineEntry{Tenant: l.k.Tenant, Quarantined: catalog.Quarantined{SHA256: bad, Size: 3, Key: catalog.QuarantineKey(l.k.Tenant, bad), Reason: "no"}})
	})
	var entry string
	f.OK(f.DB.QuarantineList(ctx, l.k.Tenant, func(q catalog.QuarantineEntry) error {
		if q.SHA256 == bad {
			entry = q.ID
		}
		return nil
	}))
	l.must("quarantine retry", func() error { return f.DB.QuarantineRetry(ctx, entry) })
	before = l.errs
	if err := l.try("quarantine remove", func() error { return f.DB.QuarantineRemove(ctx, entry) }); err != nil && !(errors.Is(err, catalog.ErrNoEntry) && l.errs > before) {
		t.Fatalf("%s: quarantine remove: %v", l.name, err)
	}
	l.commit(l.own(l.enqueue("c").ID))
	orphan := catalog.Removal{Key: catalog.PackKey(l.k, id, 7, 1), Tier: "hot", Bytes: 3, Reason: "orphan"}
	l.must("mark deleting", func() error {
		got, err := f.DB.MarkDeleting(ctx, l.k.Tenant, l.k.Hash(), f.Head(l.k).Key, []catalog.Removal{orphan})
		if err == nil && len(got) != 1 {
			err = fmt.Errorf("granted %v", got)
		}
		return err
	})
	l.must("mark deleted", func() error { return f.DB.MarkDeleted(ctx, orphan.Key) })
	f.publishHold(l.k)
	l.must("heal", func() error { _, _, err := catalog.Heal(ctx, f.DB, f.Store, l.k.Tenant, l.k.Hash()); return err })
	f.Clock.Move(time.Hour) // whatever was claimed and never done is due again
	l.must("reconcile", func() error { return catalog.Reconcile(ctx, f.DB, f.Store) })
	ids := map[string]bool{}
	deliver := func() error {
		return f.DB.Events(ctx, func(e catalog.Event) error { ids[e.ID] = true; return nil })
	}
	l.must("events", deliver)
	f.Clock.Move(time.Hour)
	l.must("events", deliver)
	if len(ids) != 2 {
		t.Fatalf("%s: events are %v, want one for each of 2 commits", l.name, ids)
	}
	l.must("prune", func() error { _, err := f.DB.Prune(ctx, f.Clock.Now().Add(time.Hour)); return err })
	f.Whole(l.k, 3, 2)
}

func studyNumber(k catalog.StudyKey) (n int) {
	_, _ = fmt.Sscanf(k.UID, "1.2.3.%d", &n)
	return n
}
