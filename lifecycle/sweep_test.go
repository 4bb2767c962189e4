package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/lifecycle"
)

var maker = catalogtest.Maker{
	Catalog: func(t testing.TB) catalog.Config {
		return catalog.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "catalog.db")}
	},
	Store: newStore,
}

func newStore(t testing.TB, now func() time.Time) objstore.Store {
	store, err := mem.New(mem.Options{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

const grace = 24 * time.Hour

// sweeper runs sweeps on a fixture.
type sweeper struct {
	*catalogtest.Fixture
	others []lifecycle.Tier
}

func newSweeper(t *testing.T) *sweeper { return &sweeper{Fixture: catalogtest.New(t, maker)} }

func (s *sweeper) sweep(dry bool) lifecycle.SweepReport {
	s.T.Helper()
	rep, err := lifecycle.Sweep(s.Ctx, s.DB, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: s.Store}, Others: s.others},
		lifecycle.SweepOptions{Grace: grace, DryRun: dry, Now: s.Clock.Now})
	s.OK(err)
	return rep
}

func keys(rep lifecycle.SweepReport) []string {
	var list []string
	for _, o := range rep.Objects {
		list = append(list, o.Key)
	}
	return list
}

// removes checks that a dry run lists exactly these objects and changes
// nothing, and that a sweep then removes them and nothing else, in this order.
func (s *sweeper) removes(want ...string) lifecycle.SweepReport {
	s.T.Helper()
	before := s.Keys("")
	if got := keys(s.sweep(true)); !slices.Equal(got, want) {
		s.T.Fatalf("dry run lists\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
	if now := s.Keys(""); !slices.Equal(now, before) {
		s.T.Fatalf("a dry run changed the bucket: %v, was %v", now, before)
	}
	rep := s.sweep(false)
	if got := keys(rep); !slices.Equal(got, want) {
		s.T.Fatalf("sweep removed\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
	left := slices.DeleteFunc(before, func(key string) bool { return slices.Contains(want, key) })
	if now := s.Keys(""); !slices.Equal(now, left) {
		s.T.Fatalf("after the sweep the bucket has\n %s\nwant\n %s", strings.Join(now, "\n "), strings.Join(left, "\n "))
	}
	if again := s.sweep(false); len(again.Objects) != 0 {
		s.T.Fatalf("a second sweep removed %v", keys(again))
	}
	return rep
}

func pack(a *catalogtest.Attempt) string {
	return catalog.PackKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt, 1)
}

func hot(a *catalogtest.Attempt) string {
	return catalog.HotKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt)
}

func manifest(a *catalogtest.Attempt, generation int64) string {
	return catalog.ManifestKey(a.Job.StudyKey, generation, a.Job.ID, a.Job.Attempt)
}

func TestSweepOrphans(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	a := s.Work(s.Arrive(k, "a").ID)
	a.Input.Hooks = catalogtest.CrashAt(catalog.StepManifestPut)
	if _, err := a.Commit(); !errors.Is(err, catalogtest.ErrCrash) {
		t.Fatal(err)
	}
	s.Clock.Move(2 * grace)
	if rep := s.sweep(false); len(rep.Objects) != 0 || rep.Open != 3 {
		t.Fatalf("with the lease expired and the job open: %+v; want 3 objects left for the next attempt to adopt", rep)
	}
	b := s.Work(a.Job.ID)
	s.Clock.Move(2 * grace) // it is slow; its lease has expired and nobody took the job
	if rep := s.sweep(false); len(rep.Objects) != 0 || rep.Open != 5 {
		t.Fatalf("while attempt 2 works: %+v; want 5 open objects", rep)
	}
	if _, err := b.Commit(); !errors.Is(err, catalog.ErrStale) {
		t.Fatalf("a commit under a lease that is over: %v, want ErrStale", err)
	}
	c := s.Work(a.Job.ID)
	if _, err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Clock.Move(2 * grace)
	rep := s.removes(manifest(a, 1), manifest(b, 1), pack(a), pack(b), hot(a), hot(b))
	if rep.Bytes < 700 || rep.Studies != 1 || rep.Objects[0].Reason == "" {
		t.Fatalf("report is %+v", rep)
	}
	s.Whole(k, 1, 1)
}

func TestSweepYoung(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	a := s.Work(s.Arrive(k, "a").ID)
	s.OK(s.DB.Release(s.Ctx, a.Job.ID, a.Job.Attempt, catalog.Fail("malformed")))
	for _, c := range []struct {
		move time.Duration
		want int
	}{{0, 0}, {grace, 0}, {time.Second, 2}} {
		s.Clock.Move(c.move)
		if rep := s.sweep(true); len(rep.Objects) != c.want {
			t.Fatalf("after %v more: %+v, want %d objects", c.move, rep, c.want)
		}
	}
	s.removes(pack(a), hot(a))
}

func TestSweepSuperseded(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	first := s.Done(k, "a")
	s.Clock.Move(100 * grace)
	s.Done(k, "b") // takes the first bundle's place now
	if rep := s.sweep(false); len(rep.Objects) != 0 || rep.Young != 1 {
		t.Fatalf("right after it was superseded: %+v, want one young object", rep)
	}
	superseded := s.Clock.Now()
	s.Clock.Move(2 * grace)
	s.removes(first.Hot.Key)
	list, err := s.DB.Intervals(s.Ctx, k)
	s.OK(err)
	want := catalog.StorageInterval{Closed: true, Interval: catalog.Interval{Key: first.Hot.Key, Class: catalog.ClassHot, Bytes: first.Hot.Size, From: first.Hot.Since, To: superseded.Add(2 * grace)}}
	if len(list) != 1 || list[0] != want {
		t.Fatalf("intervals are %+v, want %+v", list, want)
	}
	s.Whole(k, 2, 2)
	// a hold protects what the next generation supersedes
	second, err := catalog.LoadHead(s.Ctx, s.DB, s.Store, k)
	s.OK(err)
	s.Hold(k)
	s.Done(k, "c")
	s.Clock.Move(2 * grace)
	if rep := s.sweep(false); len(rep.Objects) != 0 || rep.Held != 1 {
		t.Fatalf("under a hold: %+v, want the bundle %s held", rep, second.Hot.Key)
	}
}

// The grace period of a superseded object begins when the last generation that
// names it is superseded, however old the earlier ones are.
func TestSweepSupersededLate(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	first := s.Done(k, "a")
	s.Clock.Move(10 * grace)
	s.Done(k, "b") // names the first pack as well
	s.Clock.Move(10 * grace)
	a := s.Work(s.Arrive(k, "c").ID)
	own := a.Input.Change
	a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
		m.Packs = m.Packs[1:]
		return own(m)
	}
	third, err := a.Commit()
	s.OK(err)
	dropped := first.Packs[0].Key
	if len(third.Packs) != 2 || slices.Contains(keys(s.sweep(false)), dropped) {
		t.Fatalf("%s was removed as soon as it was superseded", dropped)
	}
	s.Clock.Move(2 * grace)
	if rep := s.sweep(false); !slices.Contains(keys(rep), dropped) {
		t.Fatalf("removed %v, want %s", keys(rep), dropped)
	}
}

// A decided head is published by the sweep, never taken for an orphan; neither is anything of a chain.
func TestSweepHealsFirst(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	m1 := s.Done(k, "a")
	a := s.Work(s.Arrive(k, "b").ID)
	a.Input.Hooks = catalogtest.CrashAt(catalog.StepDecided)
	if _, err := a.Commit(); !errors.Is(err, catalogtest.ErrCrash) {
		t.Fatal(err)
	}
	s.OK(s.Store.Delete(s.Ctx, catalog.PublishedKey(m1.Key()))) // its child names it, that is enough
	s.Clock.Move(2 * grace)
	if rep := s.sweep(false); !slices.Equal(keys(rep), []string{m1.Hot.Key}) {
		t.Fatalf("removed %v, want only the superseded bundle", keys(rep))
	}
	s.Whole(k, 2, 2)
}

// The catalog is lost or of a backup: what the bucket's manifests name stays.
func TestSweepWithEmptyCatalog(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	s.Done(k, "a")
	s.Clock.Move(time.Hour)
	m2 := s.Done(k, "b")
	orphan := s.Work(s.Arrive(k, "c").ID)
	s.Clock.Move(2 * grace)
	s.Drop()
	rep := s.sweep(false)
	if len(rep.Objects) != 3 || rep.Objects[0].Key != pack(orphan) {
		t.Fatalf("removed %v, want the orphans and the superseded bundle", keys(rep))
	}
	if h, err := s.DB.Head(s.Ctx, k); err != nil || h.Key != m2.Key() {
		t.Fatalf("head is %+v, %v; want it healed to %s", h, err, m2.Key())
	}
	s.Whole(k, 2, 2)
}

// Studies that are not sound are left alone and listed.
func TestSweepSkips(t *testing.T) {
	s := newSweeper(t)
	forked, damaged := catalogtest.Study(1), catalogtest.Study(2)
	s.Done(damaged, "a")
	m := s.Done(forked, "a")
	other := *m
	other.Job = "OTHER"
	raw, err := other.Encode()
	s.OK(err)
	put := func(key, data string) {
		t.Helper()
		_, err := s.Store.Put(s.Ctx, key, strings.NewReader(data), objstore.PutOptions{Size: int64(len(data))})
		s.OK(err)
	}
	put(other.Key(), string(raw))
	put(catalog.PublishedKey(other.Key()), "")
	put(forked.Prefix()+"p/ORPHAN.1-01.zip", "x")
	put(catalog.PublishedKey(catalog.ManifestKey(damaged, 2, "LOST", 1)), "")
	put(damaged.Prefix()+"p/ORPHAN.1-01.zip", "x")
	put(catalogtest.Study(3).Prefix()+"x/unknown", "x")
	put("t/north/notes/mine", "x")
	s.Clock.Move(2 * grace)
	before := s.Keys("")
	rep := s.sweep(false)
	if len(rep.Objects) != 0 || len(rep.Skipped) != 2 || rep.Unknown != 1 || rep.Studies != 3 {
		t.Fatalf("report is %+v, want nothing removed, two studies skipped, one unknown key", rep)
	}
	if now := s.Keys(""); !slices.Equal(now, before) {
		t.Fatalf("the bucket changed: %v, was %v", now, before)
	}
}

// A sweep that is stopped between two objects is finished by the next one.
func TestSweepResumes(t *testing.T) {
	s := newSweeper(t)
	a := s.Work(s.Arrive(catalogtest.Study(1), "a").ID)
	s.OK(s.DB.Release(s.Ctx, a.Job.ID, a.Job.Attempt, catalog.Fail("malformed")))
	s.Clock.Move(2 * grace)
	s.Store.OnDelete = func(key string) error {
		if key == hot(a) {
			return errors.New("503")
		}
		return nil
	}
	if rep := s.sweep(false); len(rep.Skipped) != 1 || !slices.Equal(keys(rep), []string{pack(a)}) {
		t.Fatalf("first sweep: %+v, want the pack removed and a failure", rep)
	}
	s.Store.OnDelete = nil
	if _, err := s.DB.Reopen(s.Ctx, a.Job.ID); err != nil { // too late for its bundle
		t.Fatal(err)
	}
	if rep := s.sweep(false); len(rep.Skipped) != 0 || !slices.Equal(keys(rep), []string{hot(a)}) {
		t.Fatalf("second sweep: %+v, want the bundle removed", rep)
	}
	if open, err := s.DB.Removals(s.Ctx); err != nil || len(open) != 0 {
		t.Fatalf("open removals: %v, %v", open, err)
	}
}

// Packs may be in any tier; each is swept where it is.
func TestSweepTiers(t *testing.T) {
	s := newSweeper(t)
	cleaned := 0
	cold := newStore(t, s.Clock.Now)
	s.others = []lifecycle.Tier{{Name: "cold", Store: cold, Clean: func(_ context.Context, olderThan time.Duration) (int, error) {
		cleaned++
		if olderThan != grace {
			t.Errorf("clean is called for what is older than %v, want %v", olderThan, grace)
		}
		return 4, nil
	}}}
	var want []string
	for n := range 3 { // studies that are in one tier, in the other, in both
		k := catalogtest.Study(n)
		if n > 0 {
			key := k.Prefix() + "p/GONE.1-01.zip"
			_, err := cold.Put(s.Ctx, key, strings.NewReader("x"), objstore.PutOptions{Size: 1})
			s.OK(err)
			want = append(want, key)
		}
		if n != 1 {
			s.Done(k, "a")
		}
	}
	slices.Sort(want)
	s.Clock.Move(2 * grace)
	rep := s.sweep(false)
	if got := keys(rep); !slices.Equal(got, want) || rep.Objects[0].Tier != "cold" || rep.Studies != 3 || rep.Unfinished != 4 || cleaned != 1 {
		t.Fatalf("report is %+v after %d cleanings, want %v removed from cold", rep, cleaned, want)
	}
	for info, err := range cold.List(s.Ctx, "", "") {
		t.Errorf("left in cold: %s, %v", info.Key, err)
	}
}

// Whatever is crashed, renewed, taken over, committed, held and swept in any order:
// what the head names is there, and what an open job wrote is there.
func TestSweepNeverDeletesWhatIsNeeded(t *testing.T) {
	steps := []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := newSweeper(t)
		written := map[string]*catalogtest.Attempt{} // by object
		swept := 0
		for n := range 60 {
			k := catalogtest.Study(rnd.IntN(3))
			job := s.Arrive(k, fmt.Sprint("f", n))
			s.Clock.Move(time.Duration(rnd.IntN(int(grace / 4))))
			if rnd.IntN(4) == 0 {
				s.Reconcile()
			}
			job, err := s.DB.Job(s.Ctx, job.ID)
			s.OK(err)
			if job.State == catalog.JobQueued && !job.ReadyAt.After(s.Clock.Now()) {
				a := s.Work(job.ID)
				written[pack(a)], written[hot(a)] = a, a
				if rnd.IntN(2) == 0 {
					a.Input.Hooks = catalogtest.CrashAt(steps[rnd.IntN(len(steps))])
				}
				if rnd.IntN(5) > 0 {
					if _, err := a.Commit(); err != nil && !errors.Is(err, catalogtest.ErrCrash) {
						t.Fatalf("seed %d, step %d: %v", seed, n, err)
					}
				}
			}
			rep := s.sweep(false)
			swept += len(rep.Objects)
			if len(rep.Skipped) > 0 {
				t.Fatalf("seed %d, step %d: skipped %+v", seed, n, rep.Skipped)
			}
			left := s.Keys("")
			was := map[string]bool{} // named by any generation
			for _, key := range left {
				if o, ok := catalog.ParseKey(key); ok && o.Kind == catalog.KindManifest {
					m, err := catalog.LoadManifest(s.Ctx, s.Store, catalog.Ref{Key: key})
					s.OK(err)
					m.Objects(func(key string, _ catalog.Class, _ string, _ int64) { was[key] = true })
				}
			}
			for n := range 3 {
				m, _, err := catalog.Heal(s.Ctx, s.DB, s.Store, "north", catalogtest.Study(n).Hash())
				s.OK(err)
				if m == nil {
					continue
				}
				m.Objects(func(key string, _ catalog.Class, _ string, _ int64) {
					if !slices.Contains(left, key) {
						t.Fatalf("seed %d, step %d: %s is named by the head and gone", seed, n, key)
					}
				})
			}
			for key, a := range written {
				open, err := s.DB.JobOpen(s.Ctx, a.Job.ID)
				s.OK(err)
				if !open {
					delete(written, key)
				} else if !slices.Contains(left, key) && !was[key] {
					t.Fatalf("seed %d, step %d: %s of an open job is gone", seed, n, key)
				}
			}
		}
		if swept == 0 {
			t.Errorf("seed %d: nothing was ever swept, so nothing was tested", seed)
		}
	}
}

func TestSweepOptions(t *testing.T) {
	s := newSweeper(t)
	for _, o := range []lifecycle.SweepOptions{{Grace: -1}, {Tenant: "../x"}} {
		if _, err := lifecycle.Sweep(s.Ctx, s.DB, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: s.Store}}, o); err == nil {
			t.Errorf("options %+v were taken", o)
		}
	}
}
