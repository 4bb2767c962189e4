package worker

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/file"
)

// poisoned is a worker process that kills itself when it works on one study.
type poisoned struct {
	Dir, Redis string
	UID        string         // of the study that kills; "" is none
	Signal     syscall.Signal // that it sends itself; default SIGKILL
	Beside     int            // the first time it kills when so many others are under way, which wait for it; 0: at once
}

// marked is in the context of the work on the study that kills.
type marked struct{}

// poisonedWork tells the hooks of a pipeline which study they are in.
type poisonedWork struct {
	*Pipeline
	uid    string
	flight *atomic.Int64 // jobs under way
}

func (w poisonedWork) Run(ctx context.Context, id string) error {
	w.flight.Add(1)
	defer w.flight.Add(-1)
	if j, err := w.db.Job(ctx, id); err == nil && j.UID == w.uid {
		ctx = context.WithValue(ctx, marked{}, true)
	}
	return w.Pipeline.Run(ctx, id)
}

func (v poisoned) work(ctx context.Context) error {
	store, err := file.Open(filepath.Join(v.Dir, "objects"), file.Options{})
	if err != nil {
		return err
	}
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(v.Dir, "catalog.db")})
	if err != nil {
		return err
	}
	defer db.Close()
	var flight, waiting atomic.Int64
	p := NewPipeline(PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: fmt.Sprint(os.Getpid()), Build: "test", Lease: 5 * time.Second,
		Hooks: func(ctx context.Context, step string) error {
			if step != "written" || v.UID == "" {
				return nil
			}
			if ctx.Value(marked{}) != nil {
				for int(waiting.Load()) < v.Beside {
					time.Sleep(time.Millisecond)
				}
				fmt.Printf("killed with %d under way\n", flight.Load())
				if v.Signal == 0 {
					v.Signal = syscall.SIGKILL
				}
				if v.Signal == syscall.SIGSTOP {
					if err := v.betweenWrites(ctx); err != nil {
						return err
					}
				}
				return syscall.Kill(os.Getpid(), v.Signal)
			}
			if v.Beside > 0 {
				waiting.Add(1)
				<-ctx.Done()
			}
			return nil
		}})
	defer p.Close()
	pool, err := StartPool(db, store, poisonedWork{p, v.UID, &flight}, PoolOptions{Redis: asynq.RedisClientOpt{Addr: v.Redis}, Poll: 50 * time.Millisecond, Hold: 2 * time.Second})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancelStop := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelStop()
	return pool.Stop(stop)
}

// betweenWrites waits for a moment when nobody writes to the catalog: a process that is stopped with SQLite's lock stops all others, too.
func (v poisoned) betweenWrites(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(v.Dir, "catalog.db")+"?_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

func (v poisoned) start(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	return spawn(t, v, out), out
}

// TestPoison: one study kills its worker whenever it is worked on, the first time with six others under way,
// and somebody starts the worker again each time. The study is set aside, the others are stored and
// blamed for the first death only. A person lets the study try again, with a program that does not die of it.
func TestPoison(t *testing.T) {
	t.Parallel()
	const innocents = 6
	r := newRig(t, nil)
	ctx := context.Background()
	v := poisoned{Dir: r.dir, Redis: startKillableRedis(t).addr, UID: "1.2.3.0", Beside: innocents}
	var jobs []catalog.Job // the first is the one that kills
	for n := range innocents + 1 {
		uid := fmt.Sprintf("1.2.3.%d", n)
		jobs = append(jobs, r.queue("a", write(t, small{study: uid, sop: uid + ".1", seed: n}.bytes(t)))...)
	}
	var flights []int
	deadline := time.Now().Add(3 * time.Minute)
	for r.state(jobs[0].ID) != catalog.JobFailed {
		cmd, out := v.start(t)
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		v.Beside = 0
	alive:
		for {
			select {
			case <-exited:
				break alive
			case <-time.After(20 * time.Millisecond):
				if r.state(jobs[0].ID) == catalog.JobFailed || time.Now().After(deadline) {
					until(t, "the others are done", func() bool { return r.allDone(jobs[1:]) })
					_ = cmd.Process.Signal(syscall.SIGTERM)
					if err := <-exited; err != nil {
						t.Errorf("worker after SIGTERM: %v", err)
					}
					break alive
				}
			}
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "killed with %d under way", &n); err == nil {
				flights = append(flights, n)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the study that kills is not set aside after %d deaths", len(flights))
		}
	}
	if got, want := fmt.Sprint(flights), fmt.Sprint([]int{innocents + 1, 1, 1}); got != want {
		t.Errorf("studies under way when the worker died: %s, want %s", got, want)
	}
	bad, err := r.db.Job(ctx, jobs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if bad.Crashes != catalog.MaxCrashes || bad.Failures != 0 || !strings.Contains(bad.LastError, "the worker died or hung each time") {
		t.Errorf("the study that kills has %d crashes, %d failures, reason %q; want %d, 0 and that its worker died", bad.Crashes, bad.Failures, bad.LastError, catalog.MaxCrashes)
	}
	for _, j := range jobs[1:] {
		got, err := r.db.Job(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State != catalog.JobDone || got.Crashes > 1 || got.Failures != 0 {
			t.Errorf("study %s: %s with %d crashes and %d failures; want done, at most 1 and 0", got.UID, got.State, got.Crashes, got.Failures)
		}
		if n := len(originals(t, r.open(got.StudyKey))); n != 1 {
			t.Errorf("study %s: %d files come back, want 1", got.UID, n)
		}
	}

	if j, err := r.db.Reopen(ctx, bad.ID); err != nil || j.State != catalog.JobQueued || j.Crashes != 0 {
		t.Fatalf("reopened: %s with %d crashes, %v; want queued with none", j.State, j.Crashes, err)
	}
	v.UID = ""
	cmd, _ := v.start(t)
	until(t, "the study is stored after all", func() bool { return r.state(bad.ID) == catalog.JobDone })
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("worker after SIGTERM: %v", err)
	}
}

func (r *rig) allDone(jobs []catalog.Job) bool {
	for _, j := range jobs {
		if r.state(j.ID) != catalog.JobDone {
			return false
		}
	}
	return true
}

// TestPanic: a study on which the program panics is set aside at once; those beside it are stored.
func TestPanic(t *testing.T) {
	e, err := StartEmbedded(context.Background(), "none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	const innocents = 5
	var beside atomic.Int64
	together := make(chan struct{})
	r := newRig(t, func(o *PipelineOptions) {
		o.Hooks = func(ctx context.Context, step string) error {
			switch {
			case step != "written":
			case ctx.Value(marked{}) != nil:
				<-together
				panic("as a fault of the program would")
			default:
				if beside.Add(1) == innocents {
					close(together)
				}
				<-together
			}
			return nil
		}
	})
	var jobs []catalog.Job
	for n := range innocents + 1 {
		uid := fmt.Sprintf("1.2.3.%d", n)
		jobs = append(jobs, r.queue("a", write(t, small{study: uid, sop: uid + ".1", seed: n}.bytes(t)))...)
	}
	pool, err := StartPool(r.db, r.store, poisonedWork{r.p, jobs[0].UID, &atomic.Int64{}}, PoolOptions{Redis: e.Redis, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	until(t, "the study is set aside", func() bool { return r.state(jobs[0].ID) == catalog.JobFailed })
	until(t, "the others are stored", func() bool { return r.allDone(jobs[1:]) })
	for _, j := range jobs {
		got, err := r.db.Job(context.Background(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if j.ID == jobs[0].ID {
			want = 1
			if !strings.Contains(got.LastError, "panicked") {
				t.Errorf("reason %q, want that the program panicked", got.LastError)
			}
		}
		if got.Failures != want || got.Crashes != 0 || got.Tries() != 1 {
			t.Errorf("study %s: %d failures, %d crashes, %d attempts; want %d, 0, 1", got.UID, got.Failures, got.Crashes, got.Tries(), want)
		}
	}
}
