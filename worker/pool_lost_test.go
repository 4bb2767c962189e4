package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
)

// blockedWork takes a job and waits until it may go on, then closes it.
type blockedWork struct {
	db    *catalog.DB
	let   chan struct{}
	mu    sync.Mutex
	begun []string
}

func (w *blockedWork) Run(ctx context.Context, id string) error {
	job, err := w.db.Own(ctx, id, "test", time.Hour)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.begun = append(w.begun, id)
	w.mu.Unlock()
	select {
	case <-w.let:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), w.db.Release(context.WithoutCancel(ctx), id, job.Attempt, catalog.Requeue("stop")))
	}
	return w.db.Release(ctx, id, job.Attempt, catalog.Fail("closed"))
}

func (w *blockedWork) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.begun)
}

// TestRedisForgets: what was handed to a Redis that has lost all is handed out
// again at the next poll, long before the hold is over: also when the process that handed it out is gone, as with an embedded queue.
func TestRedisForgets(t *testing.T) {
	for _, how := range []string{"FLUSHALL", "restart of server and pool"} {
		t.Run(how, func(t *testing.T) {
			const jobs, studies = 20, 2
			r := newRig(t, nil)
			r.queueNothing("a", 0, jobs)
			redis := startKillableRedis(t)
			w := &blockedWork{db: r.db, let: make(chan struct{})}
			start := func() *Pool {
				pool, err := StartPool(r.db, r.store, w, PoolOptions{Redis: asynq.RedisClientOpt{Addr: redis.addr}, Studies: studies, Window: jobs, Hold: time.Hour, Poll: 20 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = pool.Stop(context.Background()) })
				return pool
			}
			pool := start()
			q, err := newQueue(asynq.RedisClientOpt{Addr: redis.addr})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			until(t, "all are handed out", func() bool {
				depth, _, err := q.state(context.Background())
				return err == nil && depth == jobs-studies && w.count() == studies
			})
			if how == "FLUSHALL" {
				if err := q.redis.FlushAll(context.Background()).Err(); err != nil {
					t.Fatal(err)
				}
			} else {
				stop, cancel := context.WithCancel(context.Background())
				cancel()
				if err := pool.Stop(stop); err != nil {
					t.Fatal(err)
				}
				if err := q.redis.FlushAll(context.Background()).Err(); err != nil {
					t.Fatal(err)
				}
				start()
			}
			close(w.let)
			until(t, "all jobs are closed", func() bool {
				c, err := r.db.Counts(context.Background())
				return err == nil && c.Jobs[catalog.JobFailed] == jobs
			})
			if _, err := q.inspector.GetTaskInfo(queueName, "x"); !errors.Is(err, asynq.ErrTaskNotFound) {
				t.Errorf("the queue is not known after the loss: %v", err)
			}
		})
	}
}

// TestStopHandsBack: jobs that a pool took and did not begin, because one that must be alone is before
// them, are in the queue for other pools as soon as it stops, not only after the hold.
func TestStopHandsBack(t *testing.T) {
	r := newRig(t, nil)
	redis := asynq.RedisClientOpt{Addr: startKillableRedis(t).addr}
	r.queueNothing("a", 0, 1)
	suspect, err := r.db.Due(context.Background(), 1)
	if err != nil || len(suspect) != 1 {
		t.Fatal(suspect, err)
	}
	if _, err := r.db.Own(context.Background(), suspect[0].ID, "dead", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	until(t, "its lease is over", func() bool {
		due, err := r.db.Due(context.Background(), 1)
		return err == nil && len(due) == 1
	})
	first := &blockedWork{db: r.db, let: make(chan struct{})}
	finish := sync.OnceFunc(func() { close(first.let) })
	start := func(w Work) *Pool {
		pool, err := StartPool(r.db, r.store, w, PoolOptions{Redis: redis, Studies: 3, Window: 8, Hold: time.Hour, Poll: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Stop(context.Background()) })
		return pool
	}
	pool := start(first)
	t.Cleanup(finish) // before the pools are stopped, also when the test fails
	until(t, "the suspect is begun", func() bool { return first.count() == 1 })
	r.queueNothing("a", 1, 3)
	q, err := newQueue(redis)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	until(t, "two others are taken and wait behind it", func() bool {
		n, err := q.redis.LLen(context.Background(), queueKeys+"active").Result()
		return err == nil && n == 3
	})
	if n := first.count(); n != 1 {
		t.Fatalf("%d jobs are under way, want the suspect alone", n)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- pool.Stop(context.Background()) }() // softly: the suspect may take its time
	second := &blockedWork{db: r.db, let: make(chan struct{})}
	close(second.let)
	start(second)
	until(t, "another pool does the two others meanwhile", func() bool {
		c, err := r.db.Counts(context.Background())
		return err == nil && c.Jobs[catalog.JobFailed] == 2
	})
	finish()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if n := first.count(); n != 1 {
		t.Errorf("the pool that was stopped began %d jobs, want 1", n)
	}
}
