package interleave

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/worker"
)

// fixture is what all schedules of a test share: received files, and an empty catalog to copy.
type fixture struct {
	dir     string // on a memory file system if there is one
	sources string
	catalog []byte
	images  []catalog.SourceFile
	report  []catalog.SourceFile
	sums    map[string][32]byte // by base name
	broken  atomic.Bool         // a schedule failed: the others need not go on
	forks   atomic.Int64        // schedules with a restored catalog that ended in a fork
}

const (
	tenant   = "a"
	studyUID = "1.2.3"
	lease    = time.Hour // longer than a test runs: only the scheduler's clock ends it
)

var studyKey = catalog.StudyKey{Tenant: tenant, UID: studyUID}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	dir := t.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "radtier-interleave-"); err == nil {
		dir = shm
		t.Cleanup(func() { os.RemoveAll(shm) })
	}
	f := &fixture{dir: dir, sources: filepath.Join(dir, "sources"), sums: map[string][32]byte{}}
	for _, sub := range []string{"images", "report"} {
		if err := os.MkdirAll(filepath.Join(f.sources, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		f.write(t, filepath.Join("images", fmt.Sprintf("i%d", i)), image(t, i))
	}
	f.write(t, filepath.Join("report", "sr"), report(t))
	path := filepath.Join(dir, "template.db")
	db, err := catalog.Open(t.Context(), catalog.Config{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if f.catalog, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.sources, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	f.sums[filepath.Base(name)] = sha256.Sum256(data)
}

func image(t testing.TB, n int) []byte {
	pix := make([]byte, 2*8*8)
	for i := range pix {
		pix[i] = byte(i*7+n*13) & 0x0f
	}
	raw, err := dcm.NewBuilder().
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.4").Text(0x00080018, fmt.Sprintf("1.2.3.4.%d", n)).Text(0x00080060, "MR").Text(0x00100020, "P1").
		Text(0x0020000D, studyUID).Text(0x0020000E, "1.2.3.4").Ints(0x00200013, n).Text(0x00280004, "MONOCHROME2").Ints(0x00280002, 1).
		Ints(0x00280010, 8).Ints(0x00280011, 8).Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 0).Native(pix).
		File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func report(t testing.TB) []byte {
	raw, err := dcm.NewBuilder().
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.88.33").Text(0x00080018, "1.2.3.9.1").Text(0x00080060, "SR").Text(0x00100020, "P1").
		Text(0x0020000D, studyUID).Text(0x0020000E, "1.2.3.9").Text(0x0040A040, "CONTAINER").File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// world is one run: store, catalog, source files, and what was acknowledged.
type world struct {
	*scheduler
	f         *fixture
	dir       string
	store     *mem.Store
	overwrite bool
	dsn       string
	closers   []func() error

	mu        sync.Mutex
	events    map[string]catalog.Event // delivered, by id
	removed   map[string]bool          // source files seen to be gone
	held      bool                     // somebody was told that the study is held
	amnesia   bool                     // the catalog was put back to an earlier moment: it may not know its events
	processes int
}

var runs struct {
	sync.Mutex
	n int
}

// newWorld links the sources into a folder of this run, so that they can be deleted, and copies the empty catalog.
func (f *fixture) newWorld(choose chooser) (*world, error) {
	runs.Lock()
	runs.n++
	dir := filepath.Join(f.dir, fmt.Sprintf("run%d", runs.n))
	runs.Unlock()
	w := &world{scheduler: newScheduler(choose), f: f, dir: dir, dsn: filepath.Join(dir, "catalog.db"), events: map[string]catalog.Event{}, removed: map[string]bool{}}
	var err error
	if w.store, err = mem.New(mem.Options{Clock: w.now}); err != nil {
		return nil, err
	}
	for name := range f.sums {
		sub := w.folder(name)
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
		if err := os.Link(filepath.Join(f.sources, sub, name), filepath.Join(dir, sub, name)); err != nil {
			return nil, err
		}
	}
	w.check = w.acknowledged
	return w, os.WriteFile(w.dsn, f.catalog, 0o600)
}

func (w *world) folder(name string) string {
	if name == "sr" {
		return "report"
	}
	return "images"
}

func (w *world) close() error {
	w.abandon()
	var errs []error
	for _, c := range w.closers {
		errs = append(errs, c())
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// process is what one simulated process has of its own.
type process struct {
	w     *world
	a     *actor
	db    *catalog.DB
	store objstore.Store
}

// start spawns an actor with its own connections.
func (w *world) start(name string, run func(context.Context, *process) error) error {
	on := new(bool)
	p := &process{w: w}
	var opened error
	w.processes++
	name = fmt.Sprintf("%s.%d", name, w.processes)
	ready := make(chan struct{})
	a := w.spawn(name, func(ctx context.Context, a *actor) error {
		<-ready
		return run(ctx, p)
	})
	p.a = a
	p.store = &gatedStore{w.store, a, w.overwrite}
	p.db, opened = catalog.Open(context.Background(), catalog.Config{DSN: w.dsn, Now: w.now, Open: gatedOpen(a, on)})
	close(ready)
	if opened != nil {
		return opened
	}
	*on = true
	w.closers = append(w.closers, p.db.Close)
	return nil
}

type tierless struct{ objstore.Store }

func (s tierless) Hot() objstore.Store                 { return s.Store }
func (s tierless) Tier(string) (objstore.Store, error) { return s.Store, nil }

// work is a worker process that looks for jobs a few times: it resumes what others left, derives what is due, delivers events.
func (p *process) work(ctx context.Context, rounds int) error {
	pipe := worker.NewPipeline(worker.PipelineOptions{DB: p.db, Stores: tierless{p.store}, Tier: "hot", Set: all.Set(), Owner: p.a.name, Build: "test",
		Cores: 1, Readers: 1, Sequential: true, BudgetBytes: 8 << 20, Lease: lease, Now: p.w.now})
	defer pipe.Close()
	for range rounds {
		_ = catalog.Reconcile(ctx, p.db, p.store) // what fails is tried again in the next round
		jobs, _ := p.db.Claim(ctx, 10, 30*time.Second)
		for _, j := range jobs {
			_ = pipe.Run(ctx, j.ID) // what becomes of the job is in the catalog
		}
		_ = p.db.Events(ctx, p.w.delivered)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// enqueue queues the files of a folder that are still there, again if it is not clear whether it worked.
func (p *process) enqueue(ctx context.Context, sub, after string) error {
	found, err := worker.Discover(ctx, []string{filepath.Join(p.w.dir, sub)}, nil)
	if err != nil {
		return err
	}
	for range 3 {
		c := worker.Client{DB: p.db, Store: p.store}
		if _, err = c.Enqueue(ctx, found, filepath.Join(p.w.dir, sub), worker.EnqueueOptions{Tenant: tenant, After: after}); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// hold puts a hold on the study as soon as there is one.
func (p *process) hold(ctx context.Context) error {
	for range 4 {
		_, err := lifecycle.AddHold(ctx, p.db, p.store, studyKey, catalog.Hold{ID: holdID, Kind: catalog.HoldLegal, Owner: "office", Reason: "dispute", Since: p.w.now()})
		if err == nil {
			p.w.held = true
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// move queues a move of the full images, as soon as there are some; workers carry it out.
func (p *process) move(ctx context.Context) error {
	args := lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "warm"}
	for range 4 {
		if _, err := p.db.QueueSide(ctx, tenant, studyKey.Hash(), lifecycle.ActionMove, args.String()); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

const holdID = "case-1"

func isHeld(m *catalog.Manifest) bool {
	return slices.ContainsFunc(m.Holds, func(h catalog.Hold) bool { return h.ID == holdID })
}

func (p *process) sweep(ctx context.Context) error {
	_, err := lifecycle.Sweep(ctx, p.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: p.store}}, lifecycle.SweepOptions{Grace: time.Nanosecond, Now: p.w.now})
	return err
}

func (p *process) rebuild(ctx context.Context) error {
	_, err := catalog.Rebuild(ctx, p.db, p.store, catalog.RebuildOptions{})
	return err
}

// The processes that schedules are made of.
var roles = map[string]func(w *world) error{
	"worker": func(w *world) error {
		return w.start("worker", func(ctx context.Context, p *process) error { return p.work(ctx, 2) })
	},
	"late-sr": func(w *world) error {
		return w.start("late-sr", func(ctx context.Context, p *process) error { return p.enqueue(ctx, "report", catalog.AfterKeep) })
	},
	"sender": func(w *world) error { // sends the same files again, as senders do
		return w.start("sender", func(ctx context.Context, p *process) error { return p.enqueue(ctx, "images", catalog.AfterDelete) })
	},
	"sweep": func(w *world) error {
		return w.start("sweep", func(ctx context.Context, p *process) error { return p.sweep(ctx) })
	},
	"rebuild": func(w *world) error {
		return w.start("rebuild", func(ctx context.Context, p *process) error { return p.rebuild(ctx) })
	},
	"holder": func(w *world) error {
		return w.start("holder", func(ctx context.Context, p *process) error { return p.hold(ctx) })
	},
	"mover": func(w *world) error {
		return w.start("mover", func(ctx context.Context, p *process) error { return p.move(ctx) })
	},
	"restore": func(w *world) error {
		return w.start("restore", func(ctx context.Context, p *process) error { return p.restoreCatalog(ctx) })
	},
}
