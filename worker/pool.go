package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle"
)

// Pool takes jobs from the queue and runs them, and keeps the queue filled
// from the catalog. Any number of pools may work on one catalog.
type Pool struct {
	db     *catalog.DB
	store  objstore.Store
	work   Work
	queue  *queue
	server *asynq.Server
	log    *slog.Logger
	said   *queueLog // for what would be said again and again
	opts   PoolOptions

	base   context.Context // of every job; ends at the hard stop
	kill   context.CancelCauseFunc
	mu     sync.Mutex
	flight map[string]bool     // jobs under way in this process
	places *semaphore.Weighted // studies worked on at once, also when Asynq has given up on some of them
	begin  context.Context     // in which studies are begun and the queue is filled; ends at the soft stop
	stop   context.CancelFunc
	feeder sync.WaitGroup
	nudge  chan struct{}
	once   sync.Once
	err    error
}

// Work is what a pool does: it takes a job to its end and records what became of it in the catalog.
type Work interface {
	Run(ctx context.Context, jobID string) error
}

// PoolOptions is what a pool needs beside its work. Zero values have defaults.
type PoolOptions struct {
	// Guard is asked now and then: it notes the time, and its error is logged long before somebody wants to remove something. See lifecycle.Clock.
	Guard   lifecycle.Guard
	Redis   asynq.RedisConnOpt
	Studies int // studies worked on at once; default 16: while some wait for the store, others have the cores
	// Window is how many tasks wait in Redis; default 4 for each study at once. A short queue is a fair one:
	// tenants take turns where the catalog chooses what goes into it, and inside it is first come, first served.
	Window int
	// Hold is after what time a job that was put into the queue and not begun is put there again; default 30 s. It may be less than
	// a task waits: then the task is found to be there still. It is how long a job is delayed that a failover of Redis lost;
	// when Redis has lost everything, all of it is put there again at the next poll.
	Hold time.Duration
	Poll time.Duration // how often the catalog is asked for due jobs; default 1 s
	Log  *slog.Logger
}

// defaultStudies is how many studies are under way at once. Memory is not theirs to bound: the Budget does that.
const defaultStudies = 16

// errShutdown is the cause of work that a hard stop cancelled.
var errShutdown = errors.New("worker is shutting down")

// StartPool starts working on the jobs of a catalog, whose head manifests are
// in store. Stop ends it. It fails if Redis may drop tasks (*EvictionError), takes no writes or refuses the password; a
// Redis that cannot be reached yet is waited for.
func StartPool(db *catalog.DB, store objstore.Store, work Work, o PoolOptions) (*Pool, error) {
	if o.Studies == 0 {
		o.Studies = defaultStudies
	}
	if o.Window == 0 {
		o.Window = 4 * o.Studies
	}
	if o.Hold == 0 {
		o.Hold = 30 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	quiet := &queueLog{log: o.Log}
	conn := calmly(o.Redis)
	check, cancel := context.WithTimeout(context.Background(), 2*dialTimeout)
	defer cancel()
	if _, err := CheckRedis(check, conn); unsafeRedis(err) {
		return nil, err
	} else if redisRefuses(err) {
		return nil, fmt.Errorf("%w: correct user and password of the queue (queue.password)", err)
	} else if err != nil {
		o.Log.Warn("Redis cannot be reached; waiting for it", "err", err)
	}
	queue, err := newQueue(conn)
	if err != nil {
		return nil, err
	}
	base, kill := context.WithCancelCause(context.Background())
	begin, stop := context.WithCancel(base)
	w := &Pool{db: db, store: store, work: work, queue: queue, log: o.Log, said: quiet, opts: o, base: base, kill: kill, begin: begin, stop: stop, flight: map[string]bool{},
		places: semaphore.NewWeighted(int64(o.Studies)), nudge: make(chan struct{}, 1)}
	w.server = asynq.NewServer(conn, asynq.Config{
		Concurrency: o.Studies, Queues: map[string]int{queueName: 1}, TaskCheckInterval: 100 * time.Millisecond,
		ShutdownTimeout: time.Second, LogLevel: asynq.WarnLevel, Logger: quiet,
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc(taskDerive, w.handle)
	if err := w.server.Start(mux); err != nil {
		kill(errShutdown)
		return nil, errors.Join(fmt.Errorf("queue: %w", err), w.queue.Close())
	}
	w.feeder.Add(1)
	go w.feed()
	return w, nil
}

// redisRefuses tells a wrong password from a Redis that is away: waiting does not mend it.
func redisRefuses(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && slices.ContainsFunc([]string{"WRONGPASS", "NOAUTH", "NOPERM"}, func(code string) bool { return strings.HasPrefix(reply.Error(), code) })
}

// unsafeRedis tells a Redis that must not be used from one that is away.
func unsafeRedis(err error) bool {
	var eviction *EvictionError
	var role *RoleError
	return errors.As(err, &eviction) || errors.As(err, &role)
}

// handle runs one task. Whatever happens is in the catalog when it returns, so
// Asynq is always told that the task is done: what is to be tried again comes as a new task. Asynq's own context is not
// used: that it lost sight of a task says nothing of the job, whose lease is in the catalog.
func (w *Pool) handle(_ context.Context, t *asynq.Task) error {
	var p taskPayload
	if err := json.Unmarshal(t.Payload(), &p); err != nil || p.Job == "" {
		w.log.Error("task without a job id dropped", "bytes", len(t.Payload()))
		return nil
	}
	if !w.enter(p.Job) {
		return nil // Asynq may deliver twice; once is enough
	}
	defer w.leave(p.Job)
	defer w.Nudge() // a place in the window is free
	need, err := w.placesFor(p.Job)
	if err == nil {
		err = w.places.Acquire(w.begin, need)
	}
	if err != nil {
		if w.begin.Err() == nil {
			w.log.Warn("job not begun; it is queued again", "job", p.Job, "err", err)
		}
		w.handBack(p.Job)
		return nil
	}
	defer w.places.Release(need)
	_ = w.work.Run(w.base, p.Job) // said in the log and recorded in the catalog
	return nil
}

// handBack puts a job that was not begun back into the queue, for another worker. If that fails it is there again after the hold.
func (w *Pool) handBack(job string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.base), time.Second/2)
	defer cancel()
	if err := w.queue.again(ctx, job); err != nil {
		w.log.Debug("job not put back into the queue; it comes again", "job", job, "err", err)
	}
}

// placesFor is one for an ordinary job. A job whose worker died is run alone:
// if it is what kills workers, nobody dies and is blamed with it again. If it
// is innocent, it succeeds.
func (w *Pool) placesFor(job string) (int64, error) {
	j, err := w.db.Job(w.begin, job)
	if errors.Is(err, catalog.ErrNoJob) {
		return 1, nil // closed and forgotten: Run finds out
	}
	if err != nil {
		return 0, err
	}
	if j.Crashes > 0 || j.State == catalog.JobRunning && j.LeaseUntil.Before(time.Now()) {
		return int64(w.opts.Studies), nil
	}
	return 1, nil
}

func (w *Pool) enter(job string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flight[job] {
		return false
	}
	w.flight[job] = true
	return true
}

func (w *Pool) leave(job string) {
	w.mu.Lock()
	delete(w.flight, job)
	w.mu.Unlock()
}

// Nudge makes the pool look for due jobs now instead of at its next poll.
func (w *Pool) Nudge() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// feed is the reconciler: it puts jobs that are due (new, ready again, or
// with an expired lease) into the window of the queue, publishes what was
// decided but not published, and resumes clean-up.
func (w *Pool) feed() {
	defer w.feeder.Done()
	ctx := w.begin
	tick := time.NewTicker(w.opts.Poll)
	defer tick.Stop()
	var reconciled, pruned, guarded, folded time.Time
	sealed := time.Now()
	for {
		if err := w.fill(ctx); err != nil && ctx.Err() == nil {
			w.said.problem("queue not filled; trying again", err)
			select { // a queue that is away is not asked more often for being nudged
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		if time.Since(reconciled) > reconcileEvery {
			reconciled = time.Now()
			if err := catalog.Reconcile(ctx, w.db, w.store); err != nil && ctx.Err() == nil {
				w.said.problem("reconcile failed; trying again", err)
			}
			if err := w.queue.tidy(ctx); err != nil && ctx.Err() == nil {
				w.said.problem("finished tasks not removed from the queue; trying again", err)
			}
			if r, err := askRedis(ctx, w.queue.redis); err == nil && r.danger() != nil {
				w.log.Error("tasks are not safe in Redis any more; the catalog has them all", "err", r.danger())
			}
		}
		if w.opts.Guard != nil && time.Since(guarded) > guardEvery {
			guarded = time.Now()
			if err := w.opts.Guard(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("nothing can be removed now", "err", err)
			}
		}
		if time.Since(folded) > foldEvery {
			folded = time.Now()
			if _, err := catalog.FoldLedger(ctx, w.db); err != nil && ctx.Err() == nil {
				w.log.Warn("the ledger is not added up; trying again", "err", err)
			}
		}
		if time.Since(sealed) > sealEvery {
			sealed = time.Now()
			if _, err := catalog.SealAudit(ctx, w.db, w.store, nil); err != nil && ctx.Err() == nil {
				w.log.Warn("the audit log is not sealed; trying again", "err", err)
			}
		}
		if time.Since(pruned) > pruneEvery {
			pruned = time.Now()
			if _, err := w.db.Prune(ctx, time.Now().Add(-keepDone)); err != nil && ctx.Err() == nil {
				w.log.Warn("old jobs not removed from the catalog; trying again", "err", err)
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

const (
	guardEvery     = 10 * time.Minute
	foldEvery      = time.Minute // the ledger is added up
	sealEvery      = 5 * time.Minute
	reconcileEvery = 15 * time.Second
	pruneEvery     = time.Hour
	keepDone       = 30 * 24 * time.Hour // how long a job that is done can be looked up
)

// fill tops the window up, if it is half empty and no other pool does. Jobs are claimed in the catalog first: each is put into the queue by one pool.
func (w *Pool) fill(ctx context.Context) error {
	for {
		depth, filled, err := w.queue.state(ctx)
		if err != nil || filled && depth > w.opts.Window/2 {
			return err
		}
		end, mine, err := w.queue.filling(ctx)
		if err != nil || !mine {
			return err
		}
		more, err := w.fillOnce(ctx)
		end()
		if err != nil || !more {
			return err
		}
	}
}

// fillOnce fills the window and reports whether there may be more to claim. No other pool does so at this time, as a rule.
func (w *Pool) fillOnce(ctx context.Context) (more bool, err error) {
	depth, filled, err := w.queue.state(ctx)
	if err != nil {
		return false, err
	}
	if !filled { // it is new, or has lost what it had: what was claimed for it may not be there
		if err := w.db.Unclaim(ctx); err != nil {
			return false, err
		}
		if err := w.queue.markFilled(ctx); err != nil {
			return false, err
		}
	}
	free := w.opts.Window - depth
	jobs, err := w.db.Claim(ctx, free, w.opts.Hold)
	if err != nil {
		return false, err
	}
	for _, j := range jobs {
		if err := w.queue.Dispatch(ctx, j); err != nil {
			return false, err // those that are claimed and not in the queue are due again after the hold
		}
	}
	return len(jobs) == free && free > 0, nil
}

// Stop ends the pool. Softly first: no new study is begun, and those under
// way have until ctx ends to finish. Then hard: their work is cancelled and
// their jobs are given back, ready for another worker. It may be called twice.
func (w *Pool) Stop(ctx context.Context) error {
	w.once.Do(func() { w.err = w.end(ctx) })
	return w.err
}

func (w *Pool) end(ctx context.Context) error {
	w.stop() // who waits for a place hands its job back
	w.server.Stop()
	all := int64(w.opts.Studies)
	if w.places.Acquire(ctx, all) != nil {
		w.kill(errShutdown)
		_ = w.places.Acquire(context.Background(), all)
	}
	w.server.Shutdown()
	w.kill(errShutdown)
	w.feeder.Wait()
	return w.queue.Close()
}
