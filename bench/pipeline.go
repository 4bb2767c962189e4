// Package bench measures whole scenarios and says what they cost: bytes per
// second, where the time went, peak memory. Numbers that are kept go to RESULTS.md with
// the machine, the Go version, the commit, the corpus and the command.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

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

// PipelineResult is one run of the derive pipeline over a folder.
type PipelineResult struct {
	Cores     int           `json:"cores"`
	Studies   int           `json:"studies"`
	Instances int           `json:"instances"`
	RawBytes  int64         `json:"raw_bytes"`
	Stored    int64         `json:"stored_bytes"`
	Wall      time.Duration `json:"wall_ns"`
	CPU       time.Duration `json:"cpu_ns"`         // user and system time of this process during the run
	PeakRSS   int64         `json:"peak_rss_bytes"` // of this process so far
	// Stage sums over all goroutines. Encode and Rebuild (decode and compare) are codecs; Hash is SHA-256.
	Read, Hash, Scan, Encode, Rebuild time.Duration
}

// MBps is raw megabytes (10^6 bytes) per second of wall time.
func (r PipelineResult) MBps() float64 { return float64(r.RawBytes) / 1e6 / r.Wall.Seconds() }

// Pipeline runs the derive pipeline over the DICOM files in dir, into a
// directory store and a SQLite catalog in a temporary folder, on so many
// cores and within that byte budget. Finding the files is not measured, committing is.
func Pipeline(ctx context.Context, dir string, cores int, budget int64) (PipelineResult, error) {
	before := runtime.GOMAXPROCS(cores)
	defer runtime.GOMAXPROCS(before)
	found, err := worker.Discover(ctx, []string{dir}, nil)
	if err != nil {
		return PipelineResult{}, err
	}
	if len(found.Studies) == 0 {
		return PipelineResult{}, fmt.Errorf("no DICOM instances in %s", dir)
	}
	tmp, err := os.MkdirTemp("", "radtier-bench-")
	if err != nil {
		return PipelineResult{}, err
	}
	defer os.RemoveAll(tmp)
	store, err := file.Open(filepath.Join(tmp, "objects"), file.Options{})
	if err != nil {
		return PipelineResult{}, err
	}
	db, err := catalog.Open(ctx, catalog.Config{Driver: "sqlite", DSN: filepath.Join(tmp, "catalog.db")})
	if err != nil {
		return PipelineResult{}, err
	}
	defer db.Close()
	client := worker.Client{DB: db, Store: store}
	jobs, err := client.Enqueue(ctx, found, "bench", worker.EnqueueOptions{Tenant: "bench"})
	if err != nil {
		return PipelineResult{}, err
	}
	set := all.Set()
	p := worker.NewPipeline(worker.PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: set, Owner: "bench", Build: "bench", Cores: cores, BudgetBytes: budget})
	defer p.Close()

	start, cpu := time.Now(), processCPU()
	for _, j := range jobs {
		if err := p.Run(ctx, j.ID); err != nil {
			return PipelineResult{}, err
		}
	}
	r := PipelineResult{Cores: cores, Studies: len(jobs), Wall: time.Since(start), CPU: processCPU() - cpu, PeakRSS: peakRSS()}
	t := p.Times()
	r.Read, r.Hash, r.Scan = time.Duration(t.Read.Load()), time.Duration(t.Hash.Load()), time.Duration(t.Scan.Load())
	r.Encode, r.Rebuild = time.Duration(t.Encode.Load()), time.Duration(t.Rebuild.Load())
	for _, s := range found.Studies {
		r.Instances += len(s.Files)
		r.RawBytes += s.Bytes
		m, err := catalog.LoadHead(ctx, db, store, catalog.StudyKey{Tenant: "bench", UID: s.UID})
		if err != nil {
			return r, err
		}
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
