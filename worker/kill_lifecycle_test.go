package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
	"github.com/radtier/radtier/roi"
)

// moveAndExpire moves full images after 30 days and regions after 60, and lets full images expire after 90.
const moveAndExpire = `schema: radtier.policy/1
name: test
tiers: [hot, cold]
roles: {"*": secondary}
trash: P30D
quiet: P7D
proof: {level: attested, age: P30D}
breaker: {studies: 1000, share: 100%}
rules:
  - name: full
    match: {class: full}
    keep: P90D
    from: arrival
    tiers: [{tier: hot, after: P0D}, {tier: cold, after: P30D, from: arrival}]
  - name: regions
    match: {class: region}
    keep: P5Y
    from: arrival
    tiers: [{tier: hot, after: P0D}, {tier: cold, after: P60D, from: arrival}]
  - name: rest
    match: {class: [result, preview]}
    keep: P5Y
    from: arrival
`

// reaper is a process that carries out a policy: it plans, applies the plan, does what is queued, and sweeps, until there is nothing left to do.
type reaper struct {
	Dir         string // of the catalog and both stores; "": on servers
	Server      testServer
	Bucket, DSN string        // the cold bucket's name ends with -cold
	Later       time.Duration // how far its clock is ahead
	Seed        uint64        // of the faults of its stores; 0: there are none
	Faults      string        // file to which a byte is appended for each
}

func (v reaper) open(ctx context.Context, later func() time.Duration) (db *catalog.DB, s twoStores, err error) {
	c := catalog.Config{Driver: "postgres", DSN: v.DSN}
	bucket := func(suffix string) (objstore.Store, error) {
		return s3.Open(ctx, s3.Options{Endpoint: v.Server.Endpoint, Region: v.Server.Region, AccessKey: v.Server.AccessKey, SecretKey: v.Server.SecretKey, Bucket: v.Bucket + suffix, Create: true})
	}
	if v.Dir != "" {
		c = catalog.Config{DSN: filepath.Join(v.Dir, "catalog.db")}
		bucket = func(suffix string) (objstore.Store, error) {
			return file.Open(filepath.Join(v.Dir, "objects"+suffix), file.Options{})
		}
	}
	c.Now = func() time.Time { return time.Now().Add(later()) }
	if s.hot, err = bucket(""); err == nil {
		s.cold, err = bucket("-cold")
	}
	if err == nil {
		db, err = catalog.Open(ctx, c)
	}
	return db, s, err
}

// faulty makes a store fail now and then, in every way that a store of ours may.
func (v reaper) faulty(s objstore.Store) objstore.Store {
	if v.Seed == 0 {
		return s
	}
	reads := faultstore.Seeded(v.Seed, 0.05, faultstore.Unavailable, faultstore.BitFlip, faultstore.ShortRead, faultstore.BrokenRead)
	writes := faultstore.Seeded(v.Seed, 0.25, faultstore.Unavailable, faultstore.LostReply, faultstore.TornPut, faultstore.TruncatedPut, faultstore.Phantom)
	return faultstore.New(s, func(c faultstore.Call) faultstore.Fault {
		f := faultstore.None
		switch c.Op {
		case faultstore.Put, faultstore.Copy:
			f = writes(c)
		case faultstore.Delete: // one that only seems to be done leaves an object that no sweep looks for
		default:
			f = reads(c)
		}
		if f != faultstore.None {
			if log, err := os.OpenFile(v.Faults, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
				_, _ = log.WriteString(".")
				log.Close()
			}
		}
		return f
	})
}

func (v reaper) work(ctx context.Context) error {
	db, s, err := v.open(ctx, func() time.Duration { return v.Later })
	if err != nil {
		return err
	}
	defer db.Close()
	s = twoStores{v.faulty(s.hot), v.faulty(s.cold)}
	now := func() time.Time { return time.Now().Add(v.Later) }
	p := NewPipeline(PipelineOptions{DB: db, Stores: s, Tier: "hot", Set: all.Set(), Owner: strconv.Itoa(os.Getpid()), Build: "test", Lease: 400 * time.Millisecond, Now: now})
	defer p.Close()
	rules, err := policy.Load("policy.yaml", []byte(moveAndExpire))
	if err != nil {
		return err
	}
	var last error
	for start := time.Now(); time.Since(start) < 5*time.Minute; {
		left, err := v.round(ctx, db, s, p, rules, now)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil && left == 0 {
			return nil
		}
		last = err
		time.Sleep(10 * time.Millisecond)
	}
	_ = db.Jobs(ctx, func(j catalog.Job) error {
		last = errors.Join(last, fmt.Errorf("job %s: %s %s %s, attempt %d, %d failures, %d crashes: %s", j.ID, j.Kind, j.Args, j.State, j.Attempt, j.Failures, j.Crashes, j.LastError))
		return nil
	}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed)
	return fmt.Errorf("not done after five minutes: %w", last)
}

// round does everything once, and returns how much is left to do.
func (v reaper) round(ctx context.Context, db *catalog.DB, s twoStores, p *Pipeline, rules *policy.Policy, now func() time.Time) (left int, err error) {
	if err := catalog.Reconcile(ctx, db, s.hot); err != nil {
		return 0, err
	}
	plan, digest, err := lifecycle.MakePlan(ctx, db, s.hot, lifecycle.PlanOptions{Policy: rules, Hot: "hot", Now: now()})
	if err != nil {
		return 0, err
	}
	if _, err := lifecycle.Apply(ctx, db, s.hot, digest, lifecycle.ApplyOptions{Policy: rules, Hot: "hot", Now: now(), Queue: true, By: "ops", MaxSkipped: 1}); err != nil {
		return 0, err
	}
	var open []string
	if err := db.Jobs(ctx, func(j catalog.Job) error {
		open = append(open, j.ID)
		return nil
	}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed); err != nil {
		return 0, err
	}
	for _, id := range open {
		if _, err := db.Reopen(ctx, id); err != nil && !errors.Is(err, catalog.ErrClosed) { // one that was killed too often gets another chance
			return 0, err
		}
		if err := p.Run(ctx, id); err != nil && !errors.Is(err, catalog.ErrLeased) {
			p.log.Info("job", "id", id, "err", err)
		}
	}
	_, err = lifecycle.Sweep(ctx, db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: s.hot}, Others: []lifecycle.Tier{{Name: "cold", Store: s.cold}}}, lifecycle.SweepOptions{Grace: time.Hour, Now: now})
	return len(open) + int(plan.Lines), err
}

// What is known of a study decides what may become of it.
const (
	goes     = iota // proved
	held            // proved, and under a hold
	unproved        // nobody shows the primary copy
	primary         // it is the record
	kinds
)

// estate is an installation with studies of each kind, whose policy processes carry out.
type estate struct {
	t     *testing.T
	at    reaper
	db    *catalog.DB
	s     twoStores
	later time.Duration
	list  []catalog.StudyKey
	had   map[catalog.StudyKey]map[catalog.Class][]string // digests of packs
}

// newEstate stores the study in dir for n tenants.
func newEstate(t *testing.T, at reaper, dir string, n int) *estate {
	e := &estate{t: t, at: at, had: map[catalog.StudyKey]map[catalog.Class][]string{}}
	var err error
	if e.db, e.s, err = at.open(t.Context(), func() time.Duration { return e.later }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.db.Close() })
	p := NewPipeline(PipelineOptions{DB: e.db, Stores: e.s, Tier: "hot", Set: all.Set(), Owner: "test", Build: "test"})
	defer p.Close()
	r := &rig{t: t, store: e.s.hot, db: e.db, p: p}
	for i := range n {
		k := r.ingest(fmt.Sprint("t", i), dir)[0].Manifest.Study()
		e.list = append(e.list, k)
		m := e.head(k)
		if m.Regions == nil || m.Regions.State != string(roi.StateExtracted) {
			t.Fatalf("regions of the study are %+v", m.Regions)
		}
		e.had[k] = packsOf(m)
		switch i % kinds {
		case held:
			_, err = lifecycle.AddHold(t.Context(), e.db, e.s.hot, k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: time.Now()})
		case primary:
			_, err = lifecycle.Tell(t.Context(), e.db, e.s.hot, k, lifecycle.Told{Role: "primary", By: "HIS", Reason: "list"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func packsOf(m *catalog.Manifest) map[catalog.Class][]string {
	out := map[catalog.Class][]string{}
	for _, p := range m.Packs {
		out[p.Class] = append(out[p.Class], p.SHA256)
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

func (e *estate) head(k catalog.StudyKey) *catalog.Manifest {
	e.t.Helper()
	m, err := catalog.LoadHead(context.Background(), e.db, e.s.hot, k)
	if err != nil {
		e.t.Fatal(err)
	}
	return m
}

// wait puts all clocks forward, and the hospital proves what it can.
func (e *estate) wait(d time.Duration) {
	e.t.Helper()
	e.later += d
	for i, k := range e.list {
		if i%kinds == unproved {
			continue
		}
		if _, err := lifecycle.RecordProof(e.t.Context(), e.db, e.s.hot, k, catalog.Proof{Level: "attested", At: time.Now().Add(e.later), Same: true, Keeper: "hospital"}, "ops"); err != nil {
			e.t.Fatal(err)
		}
	}
}

// check is the invariant of every moment: whatever a study had is complete, with its very bytes, in the place that its manifest names, unless it was lawful to
// delete it, and then a certificate says so.
func (e *estate) check() {
	e.t.Helper()
	for i, k := range e.list {
		m := e.head(k)
		e.objects(m)
		now := packsOf(m)
		for class, sums := range e.had[k] {
			if class == catalog.ClassFull && len(now[class]) == 0 && i%kinds == goes && e.later > 120*day && m.Purged(class) != nil {
				continue
			}
			if !slices.Equal(now[class], sums) {
				e.t.Fatalf("study %d, generation %d: of class %s there are %v, had been %v", i, m.Generation, class, now[class], sums)
			}
		}
		if mark := m.InTrash(catalog.ClassFull); mark != nil && i%kinds != goes {
			e.t.Fatalf("study %d is in the trash: %+v", i, mark)
		}
	}
}

// objects reads every object that a manifest names.
func (e *estate) objects(m *catalog.Manifest) {
	e.t.Helper()
	see := func(tier, key, sum string, size int64) {
		store, _ := e.s.Tier(tier)
		n, err := digestOf(context.Background(), store, key)
		if err != nil || n.Size != size || fmt.Sprintf("%x", n.SHA256[:]) != sum {
			e.t.Fatalf("%s on %q, named by generation %d: %d bytes with %x, %v; want %d with %s", key, tier, m.Generation, n.Size, n.SHA256[:], err, size, sum)
		}
	}
	for _, p := range m.Packs {
		see(p.Tier, p.Key, p.SHA256, p.Size)
	}
	if m.Hot != nil {
		see("hot", m.Hot.Key, m.Hot.SHA256, m.Hot.Size)
	}
	if r := m.Regions; r != nil {
		see("hot", r.Key, r.SHA256, r.Size)
		if r.Picture != nil {
			see("hot", r.Picture.Key, r.Picture.SHA256, r.Picture.Size)
		}
	}
	for _, c := range m.Certificates {
		see("hot", c.Key, c.SHA256, c.Size)
	}
}

// end checks what is there when everything was done: each study as its kind must end, proved down to the samples, and nothing that no manifest names.
func (e *estate) end() {
	e.t.Helper()
	e.check()
	for i, k := range e.list { // until then the sweep leaves also what was moved
		if i%kinds == held {
			if _, err := lifecycle.LiftHold(e.t.Context(), e.db, e.s.hot, k, "h", "o", "over"); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	e.later += 100 * time.Hour
	now := func() time.Time { return time.Now().Add(e.later) }
	stores := lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: e.s.hot}, Others: []lifecycle.Tier{{Name: "cold", Store: e.s.cold}}}
	if _, err := lifecycle.Sweep(e.t.Context(), e.db, stores, lifecycle.SweepOptions{Now: now}); err != nil {
		e.t.Fatal(err)
	}
	e.check()
	named := map[string]bool{}
	for i, k := range e.list {
		m := e.head(k)
		m.Objects(func(key string, _ catalog.Class, _ string, _ int64) { named[key] = true })
		full, certificates := 1, 0
		if i%kinds == goes {
			full, certificates = 0, 1
		}
		if len(packsOf(m)[catalog.ClassFull]) != full || len(m.Certificates) != certificates || len(m.Trash) != 0 {
			e.t.Errorf("study %d ends at generation %d with %v, %d certificates, in the trash %+v", i, m.Generation, packsOf(m), len(m.Certificates), m.Trash)
		}
		for _, p := range m.Packs {
			if (p.Class == catalog.ClassFull || p.Class == catalog.ClassRegion) != (p.Tier == "cold") {
				e.t.Errorf("study %d ends with %s on %s", i, p.Class, p.Tier)
			}
		}
		v, err := study.Verify(e.t.Context(), e.s, m, all.Set(), nil)
		if err != nil || len(v.Damage) > 0 {
			e.t.Errorf("study %d: %v, %+v", i, err, v.Damage)
		}
	}
	for _, store := range []objstore.Store{e.s.hot, e.s.cold} {
		for info, err := range store.List(e.t.Context(), "t/", "") {
			if err != nil {
				e.t.Fatal(err)
			}
			if o, _ := catalog.ParseKey(info.Key); o.Kind != catalog.KindManifest && o.Kind != catalog.KindPublished && !named[info.Key] {
				e.t.Errorf("after the sweep there is still %s", info.Key)
			}
		}
	}
}

// reap lets processes carry out the policy until there is nothing to do. Up to kills times one of them is killed, or stopped for longer than its
// lease and continued; after each the invariant is checked.
func (e *estate) reap(random *mathrand.Rand, kills int) (killed, stopped int) {
	e.t.Helper()
	e.at.Later = e.later
	start := func(faults bool) *exec.Cmd {
		v := e.at
		if faults {
			v.Seed = random.Uint64() | 1
		}
		return spawn(e.t, v, os.Stderr)
	}
	for killed+stopped < kills {
		workers := []*exec.Cmd{start(random.IntN(2) == 0), start(random.IntN(2) == 0)}
		moment := 160
		if e.at.Dir == "" {
			moment = 800
		}
		time.Sleep(time.Duration(random.IntN(moment)) * time.Millisecond) // the moment is the point of this test
		if random.IntN(4) == 0 {
			_ = workers[0].Process.Signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(200+random.IntN(500)) * time.Millisecond)
			e.check()
			_ = workers[0].Process.Signal(syscall.SIGCONT)
			time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond)
			stopped++
		}
		for _, w := range workers {
			_ = w.Process.Kill()
			_ = w.Wait()
		}
		killed++
		e.check()
	}
	if err := start(false).Wait(); err != nil {
		e.t.Fatalf("undisturbed, the rest was not done: %v", err)
	}
	e.check()
	return killed, stopped
}

// killLifecycle takes estates from their first day to the last, with that many kills.
func killLifecycle(t *testing.T, fresh func() reaper, kills int) {
	dir := t.TempDir()
	slab := axialSlab(1)
	slab.n, slab.rows, slab.columns = 5, 256, 256
	slab.write(t, dir)
	writeObjects(t, dir, map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", slab.uid(2), 100, 120, 112, 120)))})
	seed := uint64(time.Now().UnixNano())
	random := mathrand.New(mathrand.NewPCG(seed, 3))
	log := filepath.Join(t.TempDir(), "faults")
	killed, stopped, estates := 0, 0, 0
	for killed < kills {
		at := fresh()
		at.Faults = log
		e := newEstate(t, at, dir, 2*kinds)
		for _, wait := range []time.Duration{31 * day, 60 * day, 31 * day} { // moves; what expires; what is over in the trash
			e.wait(wait)
			k, s := e.reap(random, min(max(kills/6, 2), 8))
			killed, stopped = killed+k, stopped+s
		}
		e.end()
		estates++
		e.db.Close()
	}
	st, _ := os.Stat(log)
	faults := int64(0)
	if st != nil {
		faults = st.Size()
	}
	t.Logf("seed %d: %d processes killed, two at a time, %d stopped and continued, %d faults of stores, %d installations of %d studies", seed, 2*killed, stopped, faults, estates, 2*kinds)
}

// lifecycleKills is how often TestKillLifecycle kills two processes: RADTIER_KILLS, or 12, with -short 6.
func lifecycleKills() int {
	kills := 12
	if testing.Short() {
		kills = 6
	}
	if s := os.Getenv("RADTIER_KILLS"); s != "" {
		kills, _ = strconv.Atoi(s)
	}
	return kills
}

// TestKillLifecycle kills two processes that move, trash, purge and sweep by a policy, at random moments and with stores that fail in every way, over directories and SQLite.
func TestKillLifecycle(t *testing.T) {
	killLifecycle(t, func() reaper { return reaper{Dir: t.TempDir()} }, lifecycleKills())
}

// TestKillLifecycleOnServers is TestKillLifecycle over Ceph RGW and PostgreSQL.
func TestKillLifecycleOnServers(t *testing.T) {
	killLifecycle(t, func() reaper {
		s, _ := newSite(t)
		return reaper{Server: s.Server, DSN: s.DSN, Bucket: "l-" + strings.ToLower(rand.Text()[:16])}
	}, lifecycleKills())
}
