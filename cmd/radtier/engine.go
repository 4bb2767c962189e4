package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/worker"
)

// engine is a pool with all it needs, running in this process.
type engine struct {
	*app
	lock     *workerLock
	embedded *worker.Embedded
	pipeline *worker.Pipeline
	pool     *worker.Pool
	progress studyProgress
}

// errWorkerRuns says that another process works on the data directory.
var errWorkerRuns = errors.New("another radtier process works on this data directory")

// startEngine starts a pool. With an embedded queue only one process may have one; the other ones get errWorkerRuns.
func (a *app) startEngine(ctx context.Context) (*engine, error) {
	e := &engine{app: a, progress: studyProgress{now: map[string]worker.Progress{}}}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *engine) start(ctx context.Context) (err error) {
	cfg := e.cfg
	clock := e.clock()
	opts := worker.PoolOptions{Studies: cfg.Worker.Studies, Window: cfg.Queue.Window, Log: e.log, Guard: clock.Check}
	switch q := cfg.Queue; q.Kind {
	case "embedded":
		if e.lock, err = tryLock(lockPath(cfg)); err != nil {
			return err
		} else if e.lock == nil {
			return errWorkerRuns
		}
		if e.embedded, err = worker.StartEmbedded(ctx, q.Server); err != nil {
			return fmt.Errorf("embedded queue: %w", err)
		}
		opts.Redis = e.embedded.Redis
		e.log.Info("queue started", "server", e.embedded.Kind)
	default:
		if err = useRedis(&opts, q); err != nil {
			return fmt.Errorf("queue: %w", err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	e.pipeline = worker.NewPipeline(worker.PipelineOptions{
		DB: e.db, Stores: e.stores, Tier: e.stores.names[0], Class: e.stores.tiers[0].Class, Set: e.set, Log: e.log, Sources: e.sources,
		Owner: fmt.Sprintf("%s-%d", host, os.Getpid()), Build: version(),
		Codecs: cfg.Worker.Codec, Regions: cfg.Regions, Previews: worker.PreviewOptions{Off: cfg.Worker.PreviewSamples == 0, Limit: preview.Limit{Side: cfg.Worker.PreviewSamples, Share: cfg.Worker.PreviewShare / 100}},
		Cores: cfg.Worker.Cores, Readers: cfg.Worker.Readers, BudgetBytes: cfg.Worker.Memory, Lease: cfg.Worker.Lease,
		Progress: e.progress.note, Shared: e.stores.Shared, Guard: clock.Check, All: e.stores.sweep(), Restores: e.stores.restores,
	})
	e.pool, err = worker.StartPool(e.db, e.stores.Hot(), e.pipeline, opts)
	return err
}

// stop ends the pool: studies under way have worker.grace to finish, less if
// the user insists. It reports whether all of them could.
func (e *engine) stop(hard <-chan struct{}) (clean bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.Worker.Grace)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-hard:
			cancel()
		case <-done:
		}
	}()
	err = e.pool.Stop(ctx)
	return ctx.Err() == nil, errors.Join(err, e.close())
}

// close gives up what startEngine took, the pool excepted.
func (e *engine) close() error {
	var errs []error
	if e.pipeline != nil {
		e.pipeline.Close()
	}
	if e.embedded != nil {
		errs = append(errs, e.embedded.Close())
	}
	return errors.Join(append(errs, e.lock.release())...)
}

// studyProgress keeps how far each study is, by the hash of its key.
type studyProgress struct {
	mu  sync.Mutex
	now map[string]worker.Progress
}

func (s *studyProgress) note(p worker.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[p.Study] = p
}

func (s *studyProgress) of(study string) worker.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now[study]
}

func (s *studyProgress) forget(study string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.now, study)
}

// version is that of the build, as the Go tool knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
