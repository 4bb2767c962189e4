package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/mem"
)

// idler is a worker process without work: a fifth of its jobs fails.
type idler struct{ Dir, Redis string }

func (v idler) work(ctx context.Context) error {
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(v.Dir, "catalog.db")})
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := mem.New(mem.Options{})
	if err != nil {
		return err
	}
	work := idle{db}
	pool, err := StartPool(db, store, work, PoolOptions{Redis: asynq.RedisClientOpt{Addr: v.Redis}, Poll: 20 * time.Millisecond, Hold: 2 * time.Second})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancelStop := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelStop()
	return pool.Stop(stop)
}

// idle owns each job and sets it aside. Every fifth is given back first, to be tried again, and every fiftieth panics first.
type idle struct{ db *catalog.DB }

func (w idle) Run(ctx context.Context, id string) error {
	job, err := w.db.Own(ctx, id, "test", 300*time.Millisecond)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(job.UID[strings.LastIndexByte(job.UID, '.')+1:])
	if n%50 == 7 && job.Crashes == 0 {
		panic("as work must not: Asynq archives the task, and the lease runs out")
	}
	if n%5 == 0 && job.Failures == 0 {
		return w.db.Release(ctx, id, job.Attempt, catalog.Retry(10*time.Millisecond, "as planned"))
	}
	return w.db.Release(ctx, id, job.Attempt, catalog.Fail("no work"))
}

// TestNothingLeftInRedis: after 2,000 jobs, of which some failed and were tried again and some lost their worker,
// Redis holds none of their tasks, and no more memory than after the first half.
func TestNothingLeftInRedis(t *testing.T) {
	jobs, kills := 2000, 10
	if testing.Short() {
		jobs, kills = 200, 2
	}
	ctx := context.Background()
	r := newRig(t, nil)
	addr := startKillableRedis(t).addr
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	start := func() *exec.Cmd { return spawn(t, idler{r.dir, addr}, os.Stderr) }
	var left, leftArchived int
	// run queues and works off jobs, and returns the memory of Redis when all is over.
	run := func(from, to int) (used int64) {
		r.queueNothing("a", from, to)
		cmd := start()
		for range kills / 2 {
			n := r.count(catalog.JobFailed)
			until(t, "some jobs are over", func() bool {
				now := r.count(catalog.JobFailed)
				return now == to || now > n+(to-from)/kills/2
			})
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // the moment is the point
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			cmd = start()
		}
		// A job may be over and a task of it still be pending: that of an attempt that was counted as lost, for the next worker to find done.
		// A worker that stops gives back what it has not looked at yet, for the next one.
		pending := func() int64 { return client.LLen(ctx, queueKeys+"pending").Val() }
		for try := 0; ; try++ {
			until(t, "all jobs are over and no task is pending", func() bool { return r.count(catalog.JobFailed) == to && pending() == 0 })
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("worker after SIGTERM: %v", err)
			}
			if pending() == 0 {
				break
			}
			if try == 10 {
				t.Fatalf("%d tasks are pending after %d workers", pending(), try)
			}
			cmd = start()
		}
		before, err := client.Keys(ctx, queueKeys+"t:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		archived, err := client.ZCard(ctx, queueKeys+"archived").Result()
		if err != nil {
			t.Fatal(err)
		}
		// The workers that were killed are long dead for Redis, too.
		leases, err := client.ZRange(ctx, queueKeys+"lease", 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range leases {
			if err := client.ZAdd(ctx, queueKeys+"lease", redis.Z{Score: 1, Member: id}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		q, err := newQueue(asynq.RedisClientOpt{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if err := q.tidy(ctx); err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"t:*", "lease", "active", "pending", "archived", "retry", "scheduled", "completed"} {
			keys, err := client.Keys(ctx, queueKeys+what).Result()
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) > 0 {
				t.Errorf("after %d jobs Redis still has %d keys %s: %q", to, len(keys), what, keys[:min(len(keys), 3)])
			}
		}
		for line := range strings.Lines(client.Info(ctx, "memory").Val()) {
			if s, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
				used, _ = strconv.ParseInt(s, 10, 64)
			}
		}
		t.Logf("%d jobs: %d tasks were left before they were tidied up, %d of them archived; Redis uses %d bytes afterwards", to-from, len(before), archived, used)
		left, leftArchived = left+len(before), leftArchived+int(archived)
		return used
	}
	first := run(0, jobs/2)
	second := run(jobs/2, jobs)
	if !testing.Short() && (leftArchived == 0 || left == leftArchived) {
		t.Errorf("%d tasks were left and %d of them archived: not both kinds were tried", left, leftArchived)
	}
	// What stays is the same for any number of jobs: counters of the day, scripts, buffers of connections.
	if grown := second - first; grown > 64<<10 {
		t.Errorf("the second half of the jobs left %d bytes in Redis", grown)
	}
	crashes := 0
	if err := r.db.Jobs(ctx, func(j catalog.Job) error {
		crashes += j.Crashes
		var n int
		fmt.Sscanf(j.UID, "1.2.%d", &n)
		if poison := j.Crashes >= catalog.MaxCrashes; !poison && j.Failures != 1+boolInt(n%5 == 0) {
			t.Errorf("job of study %s: %d failures, %d crashes", j.UID, j.Failures, j.Crashes)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d attempts ended with their worker", crashes)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// count is the number of jobs in a state.
func (r *rig) count(s catalog.JobState) int {
	r.t.Helper()
	c, err := r.db.Counts(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return c.Jobs[s]
}

// TestLeaseLost: a worker that hangs longer than its lease costs the job a crash in the catalog and no failure; another one does the
// work, and what the first does when it goes on changes nothing.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, nil)
	v := poisoned{Dir: r.dir, Redis: startKillableRedis(t).addr, UID: "1.2.3", Signal: syscall.SIGSTOP}
	job := r.queue("a", write(t, small{}.bytes(t)))[0]
	hung, _ := v.start(t)
	until(t, "the first worker stops itself", func() bool { return stopped(t, hung.Process.Pid) })
	v.UID = ""
	other, _ := v.start(t)
	until(t, "the other worker does the work", func() bool { return r.state(job.ID) == catalog.JobDone })
	for _, cmd := range []*exec.Cmd{hung, other} {
		for _, sig := range []syscall.Signal{syscall.SIGCONT, syscall.SIGTERM} {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("worker after SIGTERM: %v", err)
		}
	}
	got, err := r.db.Job(ctx, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != catalog.JobDone || got.Crashes != 1 || got.Failures != 0 || got.Tries() != 2 {
		t.Errorf("the job is %s with %d crashes, %d failures, %d attempts; want done, 1, 0, 2", got.State, got.Crashes, got.Failures, got.Tries())
	}
	if m := r.open(job.StudyKey).Manifest; m.Generation != 1 || m.Attempt>>32 != 2 {
		t.Errorf("generation %d of attempt %d is stored, want 1 of 2", m.Generation, m.Attempt>>32)
	}
}
