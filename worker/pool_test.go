package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit"
)

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited three minutes for: %s", what)
		}
	}
}

func (r *rig) state(id string) catalog.JobState {
	r.t.Helper()
	j, err := r.db.Job(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return j.State
}

func startPool(t *testing.T, r *rig, redis asynq.RedisConnOpt) *Pool {
	t.Helper()
	pool, err := StartPool(r.db, r.store, r.p, PoolOptions{Redis: redis, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	return pool
}

// TestEmbeddedQueues: both kinds of embedded server do the work; with miniredis nothing needs to be installed.
func TestEmbeddedQueues(t *testing.T) {
	for _, server := range []string{"none", "redis-server"} {
		t.Run(server, func(t *testing.T) {
			if server != "none" {
				testkit.Tool(t, server)
			}
			e, err := StartEmbedded(context.Background(), server)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			r := newRig(t, nil)
			var jobs []catalog.Job
			for i := range 5 {
				uid := "1.2." + string(rune('1'+i))
				jobs = append(jobs, r.queue("a", write(t, small{study: uid}.bytes(t)))...)
			}
			startPool(t, r, e.Redis)
			for _, j := range jobs {
				until(t, "job done", func() bool { return r.state(j.ID) == catalog.JobDone })
			}
		})
	}
}

// TestStopSoftThenHard: a soft stop lets the study under way finish; a hard one gives its job back, ready and not blamed.
func TestStopSoftThenHard(t *testing.T) {
	for _, hard := range []bool{false, true} {
		t.Run(map[bool]string{false: "soft", true: "hard"}[hard], func(t *testing.T) {
			e, err := StartEmbedded(context.Background(), "none")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			reached, let := make(chan struct{}), make(chan struct{})
			r := newRig(t, func(o *PipelineOptions) {
				o.Hooks = func(ctx context.Context, step string) error {
					if step != "written" {
						return nil
					}
					close(reached)
					select {
					case <-let:
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
			})
			job := r.queue("a", write(t, small{}.bytes(t)))[0]
			pool := startPool(t, r, e.Redis)
			<-reached
			ctx, cancel := context.WithCancel(context.Background())
			stopped := make(chan error, 1)
			go func() { stopped <- pool.Stop(ctx) }()
			if hard {
				cancel()
			} else {
				close(let)
			}
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}
			cancel()
			j, err := r.db.Job(context.Background(), job.ID)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !hard && j.State != catalog.JobDone:
				t.Errorf("after a soft stop the job is %s, want done", j.State)
			case hard && (j.State != catalog.JobQueued || j.Failures != 0 || j.Crashes != 0):
				t.Errorf("after a hard stop the job is %s with %d failures and %d crashes; want queued and none", j.State, j.Failures, j.Crashes)
			}
			if err := pool.Stop(context.Background()); err != nil {
				t.Errorf("second Stop: %v", err)
			}
		})
	}
}

// TestQueueLost: Redis forgets everything while work is queued; the catalog fills it again.
func TestQueueLost(t *testing.T) {
	e, err := StartEmbedded(context.Background(), "none")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	q, err := newQueue(e.Redis)
	if err != nil {
		t.Fatal(err)
	}
	job := r.queue("a", write(t, small{}.bytes(t)))[0]
	if err := q.Dispatch(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Close(), e.Close()); err != nil { // with the task in it
		t.Fatal(err)
	}
	fresh, err := StartEmbedded(context.Background(), "none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fresh.Close() })
	startPool(t, r, fresh.Redis)
	until(t, "job done", func() bool { return r.state(job.ID) == catalog.JobDone })
}

// TestArrivalWhileWorking: a file that comes while its study is worked on is in the next generation, without anybody asking again.
func TestArrivalWhileWorking(t *testing.T) {
	e, err := StartEmbedded(context.Background(), "none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	reached, let := make(chan struct{}), make(chan struct{})
	first := true
	r := newRig(t, func(o *PipelineOptions) {
		o.Hooks = func(_ context.Context, step string) error {
			if step == "written" && first {
				first = false
				close(reached)
				<-let
			}
			return nil
		}
	})
	job := r.queue("a", write(t, small{sop: "1.1"}.bytes(t)))[0]
	startPool(t, r, e.Redis)
	<-reached
	r.queue("a", write(t, small{sop: "1.2"}.bytes(t)))
	close(let)
	until(t, "second generation", func() bool {
		h, err := r.db.Head(context.Background(), job.StudyKey)
		return err == nil && h.Generation == 2 && h.Published
	})
	if got := originals(t, r.open(job.StudyKey)); len(got) != 2 {
		t.Errorf("%d files come back, want 2", len(got))
	}
}
