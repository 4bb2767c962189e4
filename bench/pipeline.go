// Package bench measures whole scenarios and says what they cost: bytes per
// second, where the time went, peak memory. Numbers that are kept go to RESULTS.md with
// the machine, the Go version, the commit, the corpus and the command.
package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/worker"
)

// Machine says where a number was measured.
type Machine struct {
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	GoVersion string `json:"go"`
}

// ThisMachine describes the machine that this process runs on.
func ThisMachine() Machine {
	return Machine{CPU: cpuName(), Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, GoVersion: runtime.Version()}
}

// PipelineOptions is what a run of the pipeline works on.
type PipelineOptions struct {
	Dir     string // DICOM files
	Copies  int    // how often every study is queued, each time for another tenant; default 1
	Cores   int
	Studies int            // worked on at once; default 1
	Budget  int64          // bytes
	Store   objstore.Store // default: directories in a temporary folder
	Delay   time.Duration  // added to every request to the store
}

// On is the same run on so many cores.
func (o PipelineOptions) On(cores int) PipelineOptions {
	o.Cores = cores
	return o
}

// PipelineResult is one run of the derive pipeline over a folder.
type PipelineResult struct {
	Cores     int           `json:"cores"`
	AtOnce    int           `json:"studies_at_once"`
	Delay     time.Duration `json:"delay_ns"`
	Studies   int           `json:"studies"`
	Instances int           `json:"instances"`
	RawBytes  int64         `json:"raw_bytes"`
	Stored    int64         `json:"stored_bytes"`
	Requests  int64         `json:"requests"` // to the store
	Wall      time.Duration `json:"wall_ns"`
	CPU       time.Duration `json:"cpu_ns"`         // user and system time of this process during the run
	PeakRSS   int64         `json:"peak_rss_bytes"` // of this process so far
	// Stage sums over all goroutines, see worker.Times. Encode and Rebuild (decode and compare) are codecs; Hash is SHA-256.
	Read, Hash, Scan, Encode, Rebuild time.Duration
	// Busy is how long the cores worked on frames, summed over them.
	Busy time.Duration
	// Waiting: files for the byte budget; studies for the store, their hot bundle, their commit.
	WaitBudget, WaitStored, WaitBundle, WaitCommit time.Duration
}

// MBps is raw megabytes (10^6 bytes) per second of wall time.
func (r PipelineResult) MBps() float64 { return float64(r.RawBytes) / 1e6 / r.Wall.Seconds() }

// CoresBusy is the share of the cores' time in which they worked on frames.
func (r PipelineResult) CoresBusy() float64 {
	return float64(r.Busy) / float64(r.Wall) / float64(r.Cores)
}

// Pipeline runs the derive pipeline over the DICOM files in a folder, into a
// store and a SQLite catalog in a temporary folder. Finding the files is not measured, committing is.
func Pipeline(ctx context.Context, o PipelineOptions) (PipelineResult, error) {
	before := runtime.GOMAXPROCS(o.Cores)
	defer runtime.GOMAXPROCS(before)
	limit := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(limit)
	worker.LimitMemory(o.Budget) // as a worker process does
	found, err := worker.Discover(ctx, []string{o.Dir}, nil)
	if err != nil {
		return PipelineResult{}, err
	}
	if len(found.Studies) == 0 {
		return PipelineResult{}, fmt.Errorf("no DICOM instances in %s", o.Dir)
	}
	tmp, err := os.MkdirTemp("", "radtier-bench-")
	if err != nil {
		return PipelineResult{}, err
	}
	defer os.RemoveAll(tmp)
	if o.Store == nil {
		if o.Store, err = file.Open(filepath.Join(tmp, "objects"), file.Options{}); err != nil {
			return PipelineResult{}, err
		}
	}
	store := &slowStore{Store: o.Store, delay: o.Delay}
	db, err := catalog.Open(ctx, catalog.Config{Driver: "sqlite", DSN: filepath.Join(tmp, "catalog.db")})
	if err != nil {
		return PipelineResult{}, err
	}
	defer db.Close()
	client := worker.Client{DB: db, Store: o.Store}
	var jobs []catalog.Job
	run := rand.Text()[:8] // a bucket may hold other runs
	for n := range max(o.Copies, 1) {
		list, err := client.Enqueue(ctx, found, "bench", worker.EnqueueOptions{Tenant: fmt.Sprintf("bench-%s-%d", run, n)})
		if err != nil {
			return PipelineResult{}, err
		}
		jobs = append(jobs, list...)
	}
	p := worker.NewPipeline(worker.PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: "bench", Build: "bench", Cores: o.Cores, BudgetBytes: o.Budget})
	defer p.Close()

	t := p.Times()
	start, cpu := time.Now(), processCPU()
	g, runCtx := errgroup.WithContext(ctx)
	g.SetLimit(max(o.Studies, 1))
	for _, j := range jobs {
		g.Go(func() error { return p.Run(runCtx, j.ID) })
	}
	if err := g.Wait(); err != nil {
		return PipelineResult{}, err
	}
	r := PipelineResult{Cores: o.Cores, AtOnce: max(o.Studies, 1), Delay: o.Delay, Studies: len(jobs), Wall: time.Since(start), CPU: processCPU() - cpu,
		PeakRSS: peakRSS(), Requests: store.requests.Load()}
	for to, from := range map[*time.Duration]int64{&r.Read: t.Read.Load(), &r.Hash: t.Hash.Load(), &r.Scan: t.Scan.Load(), &r.Encode: t.Encode.Load(), &r.Rebuild: t.Rebuild.Load(),
		&r.Busy: t.Busy.Load(), &r.WaitBudget: t.Budget.Load(), &r.WaitStored: t.Stored.Load(), &r.WaitBundle: t.Bundle.Load(), &r.WaitCommit: t.Commit.Load()} {
		*to = time.Duration(from)
	}
	for _, j := range jobs {
		m, err := catalog.LoadHead(ctx, db, o.Store, j.StudyKey)
		if err != nil {
			return r, err
		}
		r.Instances += m.Totals.Instances
		r.RawBytes += m.Totals.RawBytes
		r.Stored += m.Totals.StoredBytes
	}
	return r, nil
}

// oneStore is a single tier.
type oneStore struct{ objstore.Store }

func (s oneStore) Hot() objstore.Store { return s.Store }

func (s oneStore) Tier(name string) (objstore.Store, error) {
	if name != "hot" {
		return nil, errors.New("no tier " + name)
	}
	return s.Store, nil
}

// slowStore counts requests and delays each, as a store far away does.
type slowStore struct {
	objstore.Store
	delay    time.Duration
	requests atomic.Int64
}

func (s *slowStore) wait(ctx context.Context) error {
	s.requests.Add(1)
	if s.delay == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(s.delay):
		return nil
	}
}

func (s *slowStore) Put(ctx context.Context, key string, body io.Reader, o objstore.PutOptions) (objstore.Info, error) {
	if err := s.wait(ctx); err != nil {
		return objstore.Info{}, err
	}
	return s.Store.Put(ctx, key, body, o)
}

func (s *slowStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	if err := s.wait(ctx); err != nil {
		return nil, objstore.Info{}, err
	}
	return s.Store.Get(ctx, key, offset, length)
}

func (s *slowStore) Head(ctx context.Context, key string) (objstore.Info, error) {
	if err := s.wait(ctx); err != nil {
		return objstore.Info{}, err
	}
	return s.Store.Head(ctx, key)
}

func (s *slowStore) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		if err := s.wait(ctx); err != nil {
			yield(objstore.Info{}, err)
			return
		}
		s.Store.List(ctx, prefix, after)(yield)
	}
}
