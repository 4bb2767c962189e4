// Package catalogtest is the conformance suite of the catalog. It runs the
// whole protocol on a database driver, with a store in memory, a clock that it
// moves itself, and crashes between any two steps.
package catalogtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Maker makes what the suite runs on.
type Maker struct {
	// Catalog returns where a new, empty database is; the suite opens it, also several times at once.
	Catalog func(t testing.TB) catalog.Config
	// Copy copies a catalog that nobody has open, as a backup; nil if there is no way.
	Copy func(t testing.TB, from catalog.Config) catalog.Config
	// Store returns a new, empty store that goes by a clock.
	Store func(t testing.TB, now func() time.Time) objstore.Store
}

// Run runs the suite.
func Run(t *testing.T, fresh Maker) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *Fixture)
	}{
		{"Crash", testCrash}, {"CrashEverywhere", testCrashEverywhere}, {"Zombie", testZombie}, {"Fork", testFork}, {"ForkBelow", testForkBelow}, {"ForkUnpublished", testForkUnpublished}, {"Begin", testBegin}, {"OlderCatalog", testOlderCatalog},
		{"BucketBehind", testBucketBehind}, {"Rebase", testRebase}, {"Racers", testRacers}, {"NothingToDo", testNothingToDo}, {"Holds", testHolds}, {"Aside", testAside}, {"AsideCrash", testAsideCrash}, {"AsideRace", testAsideRace}, {"HoldEnds", testHoldEnds}, {"CheckDue", testCheckDue}, {"Deletions", testDeletions}, {"QuietCommit", testQuietCommit}, {"Watermark", testWatermark}, {"Audit", testAudit}, {"AuditCrash", testAuditCrash}, {"AuditLost", testAuditLost}, {"AuditTampered", testAuditTampered},
		{"Access", testAccess}, {"Ledger", testLedger}, {"LedgerRebuilt", testLedgerRebuilt}, {"LedgerFoldRace", testLedgerFoldRace}, {"TornStore", testTornStore}, {"Removal", testRemoval},
		{"Enqueue", testEnqueue}, {"WantDone", testWantDone}, {"Quiet", testQuiet}, {"Lease", testLease}, {"Expired", testExpired}, {"Absolve", testAbsolve}, {"Poison", testPoison}, {"Release", testRelease},
		{"Due", testDue}, {"OddNames", testOddNames},
		{"Events", testEvents}, {"Cleanup", testCleanup},
		{"LostReplies", testLostReplies}, {"LostRepliesCaller", testLostRepliesCaller},
		{"Claim", testClaim}, {"ClaimRace", testClaimRace}, {"SharedWork", testSharedWork}, {"Prune", testPrune}, {"ShardFilter", testShardFilter}, {"Pairs", testPairs}, {"Restore", testRestore},
		{"Rebuild", testRebuild}, {"RebuildInUse", testRebuildInUse}, {"RebuildDecided", testRebuildDecided}, {"RebuildShards", testRebuildShards}, {"RebuildResumed", testRebuildResumed}, {"RebuildMissing", testRebuildMissing}, {"Reads", testReads}, {"Quarantine", testQuarantine},
		{"Citations", testCitations}, {"CitationRace", testCitationRace}, {"CitationsMutual", testCitationsMutual}, {"CitationCrash", testCitationCrash}, {"Review", testReview}, {"ReviewRace", testReviewRace}, {"Health", testHealth},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, New(t, fresh))
		})
	}
}

// Fixture is one catalog with a store and a clock.
type Fixture struct {
	T     *testing.T
	Ctx   context.Context
	DB    *catalog.DB
	Store *Store
	Clock *Clock
	fresh Maker
	cfg   catalog.Config
}

// New opens an empty catalog and an empty store.
func New(t *testing.T, fresh Maker) *Fixture {
	t.Helper()
	clock := &Clock{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	f := &Fixture{T: t, Ctx: t.Context(), Store: &Store{Store: fresh.Store(t, clock.Now)}, Clock: clock, fresh: fresh}
	f.Drop()
	return f
}

// Drop replaces the catalog by an empty one: the disk of the database is lost.
func (f *Fixture) Drop() {
	f.T.Helper()
	f.cfg = f.fresh.Catalog(f.T)
	f.cfg.Now = f.Clock.Now
	f.DB = f.Again()
}

// Config is where the catalog is.
func (f *Fixture) Config() catalog.Config { return f.cfg }

// Again opens the same catalog a second time, as another process would.
func (f *Fixture) Again() *catalog.DB {
	f.T.Helper()
	db, err := catalog.Open(f.Ctx, f.cfg)
	f.OK(err)
	f.T.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.T.Error(err)
		}
	})
	return db
}

// OK ends the test if err is one.
func (f *Fixture) OK(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

func (f *Fixture) wantErr(err, want error) {
	f.T.Helper()
	if !errors.Is(err, want) {
		f.T.Fatalf("got error %v, want %v", err, want)
	}
}

// Clock is a clock that only tests move.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Move moves the clock on.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Store counts puts and fails when it is told to.
type Store struct {
	objstore.Store
	OnPut    func(key string, data []byte) ([]byte, error) // what is really stored, and what the caller is told
	OnDelete func(key string) error                        // an error: nothing is deleted
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if s.OnDelete != nil {
		if err := s.OnDelete(key); err != nil {
			return err
		}
	}
	return s.Store.Delete(ctx, key)
}

// Put implements objstore.Store. With a nil body from OnPut nothing is stored.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	if s.OnPut == nil {
		return s.Store.Put(ctx, key, body, opts)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return objstore.Info{}, err
	}
	data, tell := s.OnPut(key, data)
	info := objstore.Info{Key: key}
	if data != nil {
		info, err = s.Store.Put(ctx, key, bytes.NewReader(data), objstore.PutOptions{Size: int64(len(data))})
	}
	return info, errors.Join(err, tell)
}

// Keys lists the keys that begin with prefix.
func (f *Fixture) Keys(prefix string) []string {
	f.T.Helper()
	var keys []string
	for info, err := range f.Store.List(f.Ctx, prefix, "") {
		f.OK(err)
		keys = append(keys, info.Key)
	}
	return keys
}

// lease is what attempts of the fixture own their jobs for.
const lease = time.Minute

// Study is a key of the test tenant.
func Study(n int) catalog.StudyKey {
	return catalog.StudyKey{Tenant: "north", UID: fmt.Sprintf("1.2.3.%d", n)}
}

// Arrive queues a complete batch of one file and returns its job.
func (f *Fixture) Arrive(k catalog.StudyKey, file string) catalog.Job {
	f.T.Helper()
	job, err := f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: k, Source: "/in", Files: []catalog.SourceFile{{Path: "/in/" + file, Size: 1000, ModTime: f.Clock.Now()}}, Complete: true}, 0)
	f.OK(err)
	return job
}

// Own begins an attempt.
func (f *Fixture) Own(id string) catalog.Job {
	f.T.Helper()
	job, err := f.DB.Own(f.Ctx, id, "worker", lease)
	f.OK(err)
	return job
}

// Attempt is one attempt that wrote its packs.
type Attempt struct {
	f     *Fixture
	Job   catalog.Job
	Input catalog.CommitInput
	Calls int // of Change
}

// Work owns a job and does steps (a) and (b): one pack and a hot bundle under the keys of the attempt.
func (f *Fixture) Work(id string) *Attempt {
	f.T.Helper()
	a := &Attempt{f: f, Job: f.Own(id)}
	_, want, err := f.DB.Arrivals(f.Ctx, id)
	f.OK(err)
	a.prepare(want)
	return a
}

// prepare does step (b) for arrivals up to want.
func (a *Attempt) prepare(want int64) {
	f, id := a.f, a.Job.ID
	f.T.Helper()
	pack := a.put(catalog.PackKey(a.Job.StudyKey, id, a.Job.Attempt, 1), 700)
	hot := a.put(catalog.HotKey(a.Job.StudyKey, id, a.Job.Attempt), 90)
	a.Input = catalog.CommitInput{Job: id, Attempt: a.Job.Attempt, Key: a.Job.StudyKey, Owner: "worker", Action: "derive", Done: want,
		Change: func(head *catalog.Manifest) (*catalog.Manifest, error) {
			a.Calls++
			m := head
			if m == nil {
				m = &catalog.Manifest{}
			}
			m.Status, m.About = catalog.StatusStored, &catalog.About{LastArrival: f.Clock.Now()}
			if len(m.Quarantined) > 0 {
				m.Status = catalog.StatusPartial
			}
			m.Packs = append(m.Packs, catalog.Pack{Key: pack.key, Class: catalog.ClassFull, Tier: "hot", Size: pack.size, SHA256: pack.sum, Instances: 1, Frames: 1, RawBytes: 1000, Since: f.Clock.Now()})
			m.Hot = &catalog.Bundle{Key: hot.key, Size: hot.size, SHA256: hot.sum, Since: f.Clock.Now(), Parts: make([]catalog.BundlePart, len(m.Packs))}
			sum(m)
			return m, nil
		}}
}

// sum computes the totals of a manifest of one-instance packs.
func sum(m *catalog.Manifest) {
	m.Totals = catalog.Totals{Series: 1}
	for _, p := range m.Packs {
		m.Totals.Instances += p.Instances
		m.Totals.Frames += p.Frames
		m.Totals.RawBytes += p.RawBytes
	}
	m.Totals.StoredBytes = m.StoredBytes()
}

type object struct {
	key, sum string
	size     int64
}

func (a *Attempt) put(key string, n int) object {
	a.f.T.Helper()
	data := bytes.Repeat([]byte(key[len(key)-1:]), n)
	_, err := a.f.Store.Store.Put(a.f.Ctx, key, bytes.NewReader(data), objstore.PutOptions{Size: int64(n)})
	a.f.OK(err)
	sum := sha256.Sum256(data)
	return object{key, hex.EncodeToString(sum[:]), int64(n)}
}

// Commit runs the protocol on the fixture's catalog.
func (a *Attempt) Commit() (*catalog.Manifest, error) {
	return catalog.Commit(a.f.Ctx, a.f.DB, a.f.Store, a.Input)
}

// Done takes a new batch of a study all the way.
func (f *Fixture) Done(k catalog.StudyKey, file string) *catalog.Manifest {
	f.T.Helper()
	m, err := f.Work(f.Arrive(k, file).ID).Commit()
	f.OK(err)
	return m
}

// ErrCrash is the end of a process.
var ErrCrash = errors.New("crash")

// CrashAt is a hook that crashes at a step.
func CrashAt(step string) catalog.Hooks {
	return func(_ context.Context, name string) error {
		if name == step {
			return ErrCrash
		}
		return nil
	}
}

// Reconcile runs the reconciler.
func (f *Fixture) Reconcile() {
	f.T.Helper()
	f.OK(catalog.Reconcile(f.Ctx, f.DB, f.Store))
}

// Job reads a job.
func (f *Fixture) Job(id string) catalog.Job {
	f.T.Helper()
	job, err := f.DB.Job(f.Ctx, id)
	f.OK(err)
	return job
}

// Head reads the head of a study.
func (f *Fixture) Head(k catalog.StudyKey) catalog.Head {
	f.T.Helper()
	h, err := f.DB.Head(f.Ctx, k)
	f.OK(err)
	return *h
}

// Events delivers all events and returns them.
func (f *Fixture) Events() []catalog.Event {
	f.T.Helper()
	var list []catalog.Event
	f.OK(f.DB.Events(f.Ctx, func(e catalog.Event) error { list = append(list, e); return nil }))
	return list
}

// Whole checks that a study is stored once and completely: a published head of
// that generation and so many packs, one event for each commit, nothing left to do.
func (f *Fixture) Whole(k catalog.StudyKey, generation int64, packs int) {
	f.T.Helper()
	h := f.Head(k)
	if h.Generation != generation || !h.Published || h.Status != catalog.StatusStored {
		f.T.Fatalf("head is %+v, want generation %d, published and stored", h, generation)
	}
	m, err := catalog.LoadManifest(f.Ctx, f.Store, h.Ref)
	f.OK(err)
	if len(m.Packs) != packs {
		f.T.Fatalf("head has %d packs, want %d", len(m.Packs), packs)
	}
	m.Objects(func(key string, _ catalog.Class, _ string, size int64) {
		info, err := f.Store.Head(f.Ctx, key)
		f.OK(err)
		if info.Size != size {
			f.T.Fatalf("object %s has %d bytes, manifest says %d", key, info.Size, size)
		}
	})
	if _, err := f.Store.Head(f.Ctx, catalog.PublishedKey(h.Key)); err != nil {
		f.T.Fatalf("published mark: %v", err)
	}
	c, err := f.DB.Counts(f.Ctx)
	f.OK(err)
	if c.Arrivals != 0 || c.Jobs[catalog.JobQueued] != 0 || c.Jobs[catalog.JobRunning] != 0 || c.Jobs[catalog.JobFailed] != 0 {
		f.T.Fatalf("work is left: %+v", c)
	}
	s, err := f.DB.FindStudy(f.Ctx, k.Tenant, k.UID)
	f.OK(err)
	if s.Want != s.Done || s.Instances != packs || s.StoredBytes != m.Totals.StoredBytes {
		f.T.Fatalf("row is %+v, manifest has %+v", s, m.Totals)
	}
	seen := map[string]bool{}
	for _, e := range f.Events() {
		if e.StudyUID == k.UID && seen[fmt.Sprint(e.StudyUID, " ", e.Generation, e.Changed)] {
			f.T.Fatalf("two events of generation %d", e.Generation)
		}
		seen[fmt.Sprint(e.StudyUID, " ", e.Generation, e.Changed)] = true
	}
}
