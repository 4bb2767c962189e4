package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
)

// Pool takes jobs from the queue and runs them, and keeps the queue filled
// from the catalog. Any number of pools may work on one catalog.
type Pool struct {
	pipeline *Pipeline
	queue    *queue
	server   *asynq.Server
	log      *slog.Logger
	opts     PoolOptions

	base   context.Context // of every job; ends at the hard stop
	kill   context.CancelCauseFunc
	mu     sync.Mutex
	flight map[string]bool // jobs under way in this process
	jobs   sync.WaitGroup
	feeder sync.WaitGroup
	nudge  chan struct{}
	stop   context.CancelFunc
	once   sync.Once
	err    error
}

// PoolOptions is what a pool needs beside its pipeline. Zero values have defaults.
type PoolOptions struct {
	Redis   asynq.RedisConnOpt
	Studies int           // studies worked on at once; default 2
	Window  int           // tasks kept waiting in Redis; default 1,000
	Poll    time.Duration // how often the catalog is asked for due jobs; default 1 s
	Log     *slog.Logger
}

// errShutdown is the cause of work that a hard stop cancelled.
var errShutdown = errors.New("worker is shutting down")

// StartPool starts working. Stop ends it.
func StartPool(p *Pipeline, o PoolOptions) (*Pool, error) {
	if o.Studies == 0 {
		o.Studies = 2
	}
	if o.Window == 0 {
		o.Window = 1000
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	base, kill := context.WithCancelCause(context.Background())
	feed, stop := context.WithCancel(base)
	w := &Pool{pipeline: p, queue: newQueue(o.Redis), log: o.Log, opts: o, base: base, kill: kill, flight: map[string]bool{}, nudge: make(chan struct{}, 1), stop: stop}
	w.server = asynq.NewServer(o.Redis, asynq.Config{
		Concurrency: o.Studies, Queues: map[string]int{queueName: 1}, TaskCheckInterval: 100 * time.Millisecond,
		BaseContext: func() context.Context { return base }, ShutdownTimeout: time.Second, LogLevel: asynq.WarnLevel, Logger: asynqLog{o.Log},
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc(taskDerive, w.handle)
	if err := w.server.Start(mux); err != nil {
		kill(errShutdown)
		return nil, errors.Join(fmt.Errorf("queue: %w", err), w.queue.Close())
	}
	w.feeder.Add(1)
	go w.feed(feed)
	return w, nil
}

// Dispatch hands a job to the queue at once, without waiting for the feeder.
func (w *Pool) Dispatch(ctx context.Context, job catalog.Job) error {
	return w.queue.Dispatch(ctx, job)
}

// handle runs one task. Whatever happens is in the catalog when it returns;
// Asynq is told of failures only so that they can be seen there.
func (w *Pool) handle(_ context.Context, t *asynq.Task) error {
	var p taskPayload
	if err := json.Unmarshal(t.Payload(), &p); err != nil || p.Job == "" {
		return fmt.Errorf("task without a job id: %w", asynq.SkipRetry)
	}
	if !w.enter(p.Job) {
		return nil // Asynq may deliver twice; once is enough
	}
	defer w.leave(p.Job)
	err := w.pipeline.Run(w.base, p.Job)
	select {
	case w.nudge <- struct{}{}: // a place in the window is free
	default:
	}
	switch OutcomeOf(err, 1).Kind {
	case OutcomeDone, OutcomeStale, OutcomeSnooze, OutcomeRequeue:
		return nil
	}
	return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
}

func (w *Pool) enter(job string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flight[job] || w.base.Err() != nil {
		return false
	}
	w.flight[job] = true
	w.jobs.Add(1)
	return true
}

func (w *Pool) leave(job string) {
	w.mu.Lock()
	delete(w.flight, job)
	w.mu.Unlock()
	w.jobs.Done()
}

// feed is the reconciler: it puts jobs that are due (new, ready again, or
// with an expired lease) into the window of the queue, publishes what was
// decided but not published, and resumes clean-up.
func (w *Pool) feed(ctx context.Context) {
	defer w.feeder.Done()
	tick := time.NewTicker(w.opts.Poll)
	defer tick.Stop()
	var reconciled time.Time
	for {
		if err := w.fill(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("queue not filled; trying again", "err", err)
		}
		if time.Since(reconciled) > reconcileEvery {
			reconciled = time.Now()
			if err := catalog.Reconcile(ctx, w.pipeline.db, w.pipeline.stores.Hot()); err != nil && ctx.Err() == nil {
				w.log.Warn("reconcile failed; trying again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.nudge:
		}
	}
}

const reconcileEvery = 15 * time.Second

func (w *Pool) fill(ctx context.Context) error {
	depth, err := w.queue.depth()
	if err != nil {
		return err
	}
	if depth > w.opts.Window/2 {
		return nil
	}
	jobs, err := w.pipeline.db.Due(ctx, w.opts.Window) // those in the queue already among them: dispatching again changes nothing
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := w.queue.Dispatch(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the pool. Softly first: no new study is begun, and those under
// way have until ctx ends to finish. Then hard: their work is cancelled and
// their jobs are given back, ready for another worker. It may be called twice.
func (w *Pool) Stop(ctx context.Context) error {
	w.once.Do(func() { w.err = w.end(ctx) })
	return w.err
}

func (w *Pool) end(ctx context.Context) error {
	w.stop()
	w.server.Stop()
	done := make(chan struct{})
	go func() { w.jobs.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		w.kill(errShutdown)
		<-done
	}
	w.server.Shutdown()
	w.kill(errShutdown)
	w.feeder.Wait()
	return w.queue.Close()
}

// asynqLog passes Asynq's warnings on.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Info(args ...any)  { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Error(args ...any) { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
