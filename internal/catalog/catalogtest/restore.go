package catalogtest

import (
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// A backup of the catalog is restored while attempts are under way: nothing
// that a published head names is granted to a sweep, every head heals, and no attempt of before the restore commits
// in the name of one of after it.
func testRestore(t *testing.T, f *Fixture) {
	if f.fresh.Copy == nil {
		t.Skip("this database cannot be copied by the test")
	}
	const studies = 6
	for n := range studies {
		f.Done(Study(n), "before")
	}
	queued := f.Arrive(Study(100), "queued in the backup")
	running := f.Own(f.Arrive(Study(101), "running in the backup").ID)
	f.OK(f.DB.Close())
	backup := f.fresh.Copy(t, f.cfg)
	f.DB = f.Again()

	// What the backup does not know.
	f.Clock.Move(time.Hour)
	for n := range studies {
		for g := range n % 3 {
			f.Done(Study(n), string(rune('a'+g)))
			f.Clock.Move(time.Hour)
		}
	}
	f.Done(Study(50), "new study")
	_, err := f.Work(queued.ID).Commit()
	f.OK(err)
	_, err = f.Work(running.ID).Commit() // its lease had run out
	f.OK(err)
	crashed := f.Work(f.Arrive(Study(1), "decided, not published").ID)
	crashed.Input.Hooks = CrashAt(catalog.StepDecided)
	_, err = crashed.Commit()
	f.wantErr(err, ErrCrash)
	zombie := f.Work(f.Arrive(Study(51), "z").ID) // the restored catalog knows neither study nor job
	lateZombie := f.Work(f.Arrive(Study(2), "z").ID)

	f.OK(f.DB.Close())
	f.cfg = backup
	f.cfg.Now = f.Clock.Now
	f.DB = f.Again()
	for _, z := range []*Attempt{zombie, lateZombie} {
		_, err = z.Commit()
		f.wantErr(err, catalog.ErrStale)
	}
	// Backups do not know what was acknowledged after them: the job of the backup is owned under a number that was given already.
	again := f.Own(running.ID)
	_, err = catalog.Commit(f.Ctx, f.DB, f.Store, catalog.CommitInput{Job: again.ID, Attempt: again.Attempt, Token: "of an attempt before the restore", Key: again.StudyKey, Action: "derive", Done: 1,
		Change: func(m *catalog.Manifest) (*catalog.Manifest, error) { return m, nil }})
	f.wantErr(err, catalog.ErrStale)
	f.OK(f.DB.Release(f.Ctx, again.ID, again.Attempt, catalog.Requeue("restored")))

	granted := map[string]bool{}
	f.sweepEverything(granted)
	f.Reconcile()
	f.sweepEverything(granted)
	// Work goes on: what the backup had open is looked at again.
	for range 5 {
		due, err := f.DB.Claim(f.Ctx, 100, time.Minute)
		f.OK(err)
		for _, j := range due {
			job, err := catalog.Begin(f.Ctx, f.DB, f.Store, j.ID, "worker", lease)
			if errors.Is(err, catalog.ErrLeased) {
				continue
			}
			f.OK(err)
			_, want, err := f.DB.Arrivals(f.Ctx, j.ID)
			f.OK(err)
			a := &Attempt{f: f, Job: job}
			a.prepare(want)
			_, err = a.Commit()
			f.OK(err)
		}
		f.Clock.Move(2 * lease)
	}
	f.Done(Study(3), "after")
	f.sweepEverything(granted)
	if len(granted) == 0 {
		t.Fatal("no sweep granted anything: the test does not do its work")
	}
	for _, k := range []catalog.StudyKey{Study(0), Study(1), Study(2), Study(5), Study(50), Study(100), Study(101)} {
		h := f.Head(k)
		if !h.Published {
			t.Errorf("study %s: head %+v", k.UID, h)
		}
		m, err := catalog.LoadManifest(f.Ctx, f.Store, h.Ref)
		f.OK(err)
		m.Objects(func(key string, _ catalog.Class, _ string, _ int64) {
			if granted[key] {
				t.Errorf("%s was granted to a sweep, and the head of study %s names it", key, k.UID)
			}
		})
	}
	if c, err := f.DB.Counts(f.Ctx); err != nil || c.Arrivals != 0 || c.Jobs[catalog.JobQueued]+c.Jobs[catalog.JobRunning] != 0 {
		t.Errorf("work is left: %+v, %v", c, err)
	}
}

// sweepEverything does what a sweep with no grace does, without deleting: it
// heals each study and asks for every object that the healed head does not name. What is granted is added to
// granted, and none of it may be named by the highest generation that is published in the bucket.
func (f *Fixture) sweepEverything(granted map[string]bool) {
	f.T.Helper()
	studies := map[string][]string{}
	for _, key := range f.Keys("t/") {
		if o, ok := catalog.ParseKey(key); ok {
			studies[o.Prefix()] = append(studies[o.Prefix()], key)
		}
	}
	for prefix, keys := range studies {
		o, _ := catalog.ParseKey(keys[0])
		var infos []objstore.Info
		for info, err := range f.Store.List(f.Ctx, prefix+"m/", "") {
			f.OK(err)
			infos = append(infos, info)
		}
		list, err := catalog.ManifestsOf(infos)
		f.OK(err)
		top, err := catalog.PublishedHead(list)
		f.OK(err)
		truth := map[string]bool{}
		if top != nil {
			m, err := catalog.LoadManifest(f.Ctx, f.Store, catalog.Ref{Key: top.Key})
			f.OK(err)
			truth[top.Key] = true
			m.Objects(func(key string, _ catalog.Class, _ string, _ int64) { truth[key] = true })
		}
		head, _, err := catalog.Heal(f.Ctx, f.DB, f.Store, o.Tenant, o.Hash)
		f.OK(err)
		named, headKey := map[string]bool{}, ""
		if head != nil {
			headKey = head.Key()
			named[headKey] = true
			head.Objects(func(key string, _ catalog.Class, _ string, _ int64) { named[key] = true })
		}
		var ask []catalog.Removal
		for _, key := range keys {
			if o, _ := catalog.ParseKey(key); o.Kind != catalog.KindPublished && !named[key] {
				ask = append(ask, catalog.Removal{Tenant: o.Tenant, Hash: o.Hash, Key: key, Tier: "hot", Bytes: 1, Reason: "everything"})
			}
		}
		got, err := f.DB.MarkDeleting(f.Ctx, o.Tenant, o.Hash, headKey, ask)
		f.OK(err)
		for _, r := range got {
			if granted[r.Key] = true; truth[r.Key] {
				f.T.Fatalf("%s was granted, and the published head %s names it", r.Key, top.Key)
			}
		}
	}
}
