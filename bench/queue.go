package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/worker"
)

// QueueOptions is what a run of the queue works on.
type QueueOptions struct {
	Studies int    // queued in each run; default 10,000
	Redis   string // host:port of a server without other work; default an embedded one
	DSN     string // PostgreSQL: an empty database of its own, which stays full; "" leaves it out
}

// QueueRun is one time that studies were queued and worked off without work: each job is claimed in the catalog, put into Redis,
// taken by a worker, owned, and given back. Nothing is derived or committed.
type QueueRun struct {
	Catalog string        `json:"catalog"` // the database and its version
	Studies int           `json:"studies"`
	Senders int           `json:"senders"`           // who queued at once
	Enqueue time.Duration `json:"enqueue_ns"`        // of all studies
	Window  int           `json:"window"`            // tasks in Redis
	Ready   int           `json:"ready,omitempty"`   // tasks that waited in Redis when the work began
	AtOnce  int           `json:"studies_at_once"`   // in the one worker
	Handle  time.Duration `json:"handle_ns"`         // of all studies
	Memory  []QueueMemory `json:"memory,omitempty"`  // of Redis, before the work began
	Skipped string        `json:"skipped,omitempty"` // why Memory is empty where it was asked for
}

// QueueMemory is what waiting tasks cost in Redis.
type QueueMemory struct {
	Waiting int   `json:"waiting"`
	Bytes   int64 `json:"bytes"` // used_memory above that of an empty queue with the same connections, whose buffers vary by some 100 KB
	// Dispatched is how many of them were put there last, Dispatch how long that took, from the claim in the catalog on.
	Dispatched int           `json:"dispatched"`
	Dispatch   time.Duration `json:"dispatch_ns"`
}

// PerTask is bytes for each waiting task.
func (m QueueMemory) PerTask() float64 { return float64(m.Bytes) / float64(max(m.Waiting, 1)) }

// EnqueueRate and HandleRate are studies per second.
func (r QueueRun) EnqueueRate() float64 { return float64(r.Studies) / r.Enqueue.Seconds() }
func (r QueueRun) HandleRate() float64  { return float64(r.Studies) / r.Handle.Seconds() }

const (
	queueAtOnce  = 16
	queueWindow  = 4 * queueAtOnce // the pool's default
	wideWindow   = 1000
	queueTenants = 20
	manySenders  = 8
)

// Queue measures catalog and queue without work, on SQLite and, with a DSN, on
// PostgreSQL. The Redis must have no tasks and no workers, and the database no studies: they would be mixed with those of the run.
func Queue(ctx context.Context, o QueueOptions) ([]QueueRun, error) {
	if o.Studies == 0 {
		o.Studies = 10_000
	}
	if o.Studies < 1 {
		return nil, fmt.Errorf("queue: %d studies: at least 1 is needed", o.Studies)
	}
	tmp, err := os.MkdirTemp("", "radtier-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	b := queueBench{studies: o.Studies, tmp: tmp}
	if o.Redis == "" {
		e, err := worker.StartEmbedded(ctx, "")
		if err != nil {
			return nil, err
		}
		defer e.Close()
		b.pool.Redis = e.Redis
	} else if b.pool.Redis, err = worker.Redis(worker.RedisOptions{Addresses: []string{o.Redis}}); err != nil {
		return nil, err
	}
	if r, err := worker.CheckRedis(ctx, b.pool.Redis); err != nil {
		return nil, err
	} else if r.Waiting > 0 || r.Workers > 0 {
		return nil, fmt.Errorf("queue: the Redis has %d waiting tasks and %d workers: give one without other work", r.Waiting, r.Workers)
	}
	if b.store, err = mem.New(mem.Options{}); err != nil {
		return nil, err
	}
	runs, err := b.catalog(ctx, catalog.Config{DSN: filepath.Join(tmp, "catalog.db")}, true)
	if err != nil || o.DSN == "" {
		return runs, err
	}
	more, err := b.catalog(ctx, catalog.Config{Driver: "postgres", DSN: o.DSN}, false)
	return append(runs, more...), err
}

type queueBench struct {
	studies int
	tmp     string
	pool    worker.PoolOptions // Redis
	store   objstore.Store
}

// catalog does the runs on one database.
func (b *queueBench) catalog(ctx context.Context, c catalog.Config, memory bool) ([]QueueRun, error) {
	db, err := catalog.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	h, err := db.Health(ctx)
	if err != nil {
		return nil, err
	}
	if n, err := db.Counts(ctx); err != nil {
		return nil, err
	} else if len(n.Studies) > 0 {
		return nil, fmt.Errorf("queue: the database holds studies: give an empty one")
	}
	list := []QueueRun{{Senders: 1, Window: queueWindow}, {Senders: manySenders, Window: wideWindow}}
	if memory {
		list = append(list, QueueRun{Senders: manySenders, Window: b.studies})
	}
	for n := range list {
		r := &list[n]
		r.Catalog, r.Studies, r.AtOnce = h.Server, b.studies, queueAtOnce
		if err := b.enqueue(ctx, db, n, r); err != nil {
			return list, err
		}
		if n == 2 {
			if err := b.measureMemory(ctx, db, r); err != nil {
				return list, err
			}
		}
		if err := b.handle(ctx, db, r); err != nil {
			return list, err
		}
	}
	return list, nil
}

func (b *queueBench) enqueue(ctx context.Context, db *catalog.DB, run int, r *QueueRun) error {
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for s := range r.Senders {
		g.Go(func() error {
			for n := s; n < b.studies; n += r.Senders {
				a := catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: fmt.Sprint("bench-", n%queueTenants), UID: fmt.Sprintf("1.2.%d.%d", run, n)},
					Source: "bench", Files: []catalog.SourceFile{{Path: "none", Size: 1}}, Complete: true}
				if _, err := db.Enqueue(ctx, a, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	r.Enqueue = time.Since(start)
	return err
}

// handle works off all that is queued.
func (b *queueBench) handle(ctx context.Context, db *catalog.DB, r *QueueRun) error {
	work := &noWork{db: db, want: int64(b.studies), all: make(chan struct{})}
	o := b.pool
	o.Studies, o.Window = queueAtOnce, r.Window
	start := time.Now()
	pool, err := worker.StartPool(db, b.store, work, o)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-work.all:
	}
	r.Handle = time.Since(start)
	if stopped := pool.Stop(context.WithoutCancel(ctx)); err == nil {
		err = stopped
	}
	if n := work.failed.Load(); err == nil && n > 0 {
		err = fmt.Errorf("queue: %d jobs were not handled", n)
	}
	return err
}

// noWork owns each job and gives it back, set aside.
type noWork struct {
	db           *catalog.DB
	done, failed atomic.Int64
	want         int64
	all          chan struct{}
}

func (w *noWork) Run(ctx context.Context, id string) error {
	job, err := w.db.Own(ctx, id, "bench", time.Minute)
	if err == nil {
		err = w.db.Release(ctx, id, job.Attempt, catalog.Fail("nothing to do"))
	}
	switch {
	case errors.Is(err, catalog.ErrClosed), errors.Is(err, catalog.ErrLeased): // a second task of one job
		return nil
	case err != nil:
		w.failed.Add(1)
	}
	if w.done.Add(1) == w.want {
		close(w.all)
	}
	return err
}

// measureMemory fills windows of growing size while nothing is worked on. The tasks stay in Redis.
func (b *queueBench) measureMemory(ctx context.Context, db *catalog.DB, r *QueueRun) error {
	empty, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(b.tmp, "empty.db")})
	if err != nil {
		return err
	}
	defer empty.Close()
	base, _, err := b.fill(ctx, empty, 1, 0)
	if err != nil {
		return err
	}
	if base.UsedBytes == 0 {
		r.Skipped = "the embedded queue server does not tell its memory"
		return nil
	}
	for _, window := range []int{queueWindow, wideWindow, b.studies} {
		if window > b.studies {
			continue
		}
		want := window - 1 - len(r.Memory) // each holder has taken one
		full, took, err := b.fill(ctx, db, window, min(want, b.studies-1-len(r.Memory)))
		if err != nil {
			return err
		}
		r.Memory = append(r.Memory, QueueMemory{full.Waiting, full.UsedBytes - base.UsedBytes, full.Waiting - r.Ready, took})
		r.Ready = full.Waiting
	}
	return nil
}

// fill runs a pool that works on nothing until so many tasks wait in Redis.
func (b *queueBench) fill(ctx context.Context, db *catalog.DB, window, waiting int) (r worker.RedisReport, took time.Duration, err error) {
	o := b.pool
	o.Studies, o.Window, o.Hold = 1, window, time.Hour
	start := time.Now()
	pool, err := worker.StartPool(db, b.store, holder{db}, o)
	if err != nil {
		return r, 0, err
	}
	defer func() {
		hard, cancel := context.WithCancel(ctx)
		cancel()
		if stopped := pool.Stop(hard); err == nil {
			err = stopped
		}
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for settled := 0; ; {
		if r, err = worker.CheckRedis(ctx, b.pool.Redis); err != nil {
			return r, 0, err
		}
		if r.Waiting >= waiting && r.Workers > 0 {
			if settled == 0 {
				took = time.Since(start)
			}
			if settled++; settled > 10 { // the server has given back what connections needed to begin
				return r, took, nil
			}
		}
		select {
		case <-ctx.Done():
			return r, 0, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// holder keeps a job until its worker stops, then gives it back.
type holder struct{ db *catalog.DB }

func (h holder) Run(ctx context.Context, id string) error {
	<-ctx.Done()
	ctx = context.WithoutCancel(ctx)
	job, err := h.db.Own(ctx, id, "bench", time.Minute)
	if err != nil {
		return err
	}
	return h.db.Release(ctx, id, job.Attempt, catalog.Requeue("the window is measured"))
}
