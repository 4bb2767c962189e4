package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
)

// rig is a whole installation in a temporary folder: directory store, SQLite, one pipeline, no queue.
type rig struct {
	t     testing.TB
	dir   string
	store objstore.Store
	db    *catalog.DB
	p     *Pipeline
	later atomic.Int64 // how far the catalog's clock is ahead, in nanoseconds
}

type oneStore struct{ objstore.Store }

func (s oneStore) Hot() objstore.Store                 { return s.Store }
func (s oneStore) Tier(string) (objstore.Store, error) { return s.Store, nil }

func newRig(t testing.TB, change func(*PipelineOptions)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	store, err := file.Open(filepath.Join(r.dir, "objects"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.store = store
	r.openCatalog()
	o := PipelineOptions{DB: r.db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: "test", Build: "test", Lease: time.Hour}
	if change != nil {
		change(&o)
	}
	r.p = NewPipeline(o)
	t.Cleanup(r.p.Close)
	return r
}

func (r *rig) openCatalog() {
	db, err := catalog.Open(context.Background(), catalog.Config{Driver: "sqlite", DSN: filepath.Join(r.dir, "catalog.db"),
		Now: func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db = db
	r.t.Cleanup(func() { db.Close() })
}

// queue discovers and queues what is in dir.
func (r *rig) queue(tenant string, dirs ...string) []catalog.Job {
	r.t.Helper()
	found, err := Discover(context.Background(), dirs, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := Client{DB: r.db, Store: r.store}
	jobs, err := c.Enqueue(context.Background(), found, dirs[0], EnqueueOptions{Tenant: tenant})
	if err != nil {
		r.t.Fatal(err)
	}
	return jobs
}

// ingest queues and derives what is in dir, and opens the studies.
func (r *rig) ingest(tenant string, dirs ...string) []*study.Study {
	r.t.Helper()
	var out []*study.Study
	for _, j := range r.queue(tenant, dirs...) {
		if err := r.p.Run(context.Background(), j.ID); err != nil {
			r.t.Fatalf("derive: %v", err)
		}
		out = append(out, r.open(j.StudyKey))
	}
	return out
}

func (r *rig) open(key catalog.StudyKey) *study.Study {
	r.t.Helper()
	m, err := catalog.LoadHead(context.Background(), r.db, r.store, key)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := study.Open(context.Background(), oneStore{r.store}, m, all.Set())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// originals rebuilds every stored instance, all versions, by digest of the received file.
func originals(t testing.TB, s *study.Study) map[[32]byte]study.Instance {
	t.Helper()
	out := map[[32]byte]study.Instance{}
	dec := s.NewDecoders()
	for _, in := range s.Instances() {
		var buf bytes.Buffer
		exact, err := s.WriteOriginal(context.Background(), dec, in, &buf)
		if err != nil {
			t.Errorf("rebuild %s: %v", in.SOPUID, err)
			continue
		}
		if sum := sha256.Sum256(buf.Bytes()); exact && sum != in.FileSHA256 {
			t.Errorf("%s: rebuilt file has another SHA-256 than the index says", in.SOPUID)
		}
		out[in.FileSHA256] = in
	}
	return out
}

// filesIn hashes all regular files below a folder.
func filesIn(t testing.TB, dir string) map[[32]byte]string {
	t.Helper()
	out := map[[32]byte]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[sha256.Sum256(b)] = path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// verifyAll checks every volume of a study down to the samples.
func verifyAll(t testing.TB, s *study.Study) {
	t.Helper()
	for n, v := range s.Volumes {
		if _, err := v.Verify(context.Background(), s.NewDecoders(), pack.VerifyOptions{Decode: true}); err != nil {
			t.Errorf("volume %d: %v", n, err)
		}
	}
}
