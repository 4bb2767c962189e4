package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit"
	"github.com/radtier/radtier/lifecycle"
)

// victim is the configuration of a worker process that TestKill kills.
type victim struct{ Dir, Redis string }

// work is a worker process: directory store, SQLite, Redis, until SIGTERM.
func (v victim) work(ctx context.Context) error {
	store, err := file.Open(filepath.Join(v.Dir, "objects"), file.Options{})
	if err != nil {
		return err
	}
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(v.Dir, "catalog.db")})
	if err != nil {
		return err
	}
	defer db.Close()
	p := NewPipeline(PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: strconv.Itoa(os.Getpid()), Build: "test",
		Lease: 400 * time.Millisecond, VolumeBytes: 200_000})
	defer p.Close()
	pool, err := StartPool(db, store, p, PoolOptions{Redis: asynq.RedisClientOpt{Addr: v.Redis}, Poll: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancelStop := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelStop()
	return pool.Stop(stop)
}

// TestKill sends SIGKILL to a real worker process at random moments, over a
// directory store, SQLite and redis-server. In the end every study is stored
// once, every file comes back, and a sweep leaves exactly what manifests name.
// RADTIER_KILLS says how often (default 100, with -short 8).
func TestKill(t *testing.T) {
	redisServer := testkit.Tool(t, "redis-server")
	kills := 100
	if testing.Short() {
		kills = 8
	}
	if s := os.Getenv("RADTIER_KILLS"); s != "" {
		kills, _ = strconv.Atoi(s)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills", seed, kills)
	random := rand.New(rand.NewPCG(seed, 1))

	r := newRig(t, nil)
	redis := startTestRedis(t, redisServer)
	start := func() *exec.Cmd { return spawn(t, victim{r.dir, redis}, os.Stderr) }
	ctx := context.Background()
	files := map[catalog.StudyKey][][]byte{}
	add := func() {
		n := len(files)
		uid := fmt.Sprintf("1.2.3.%d", n)
		var list [][]byte
		for i := range 30 {
			list = append(list, small{study: uid, series: uid + ".1", sop: fmt.Sprintf("%s.1.%d", uid, i), number: i, seed: n*100 + i, rows: 256, cols: 256}.bytes(t))
		}
		r.queue("a", write(t, list...))
		files[catalog.StudyKey{Tenant: "a", UID: uid}] = list
	}
	open := func() (n int) {
		if err := r.db.Jobs(ctx, func(j catalog.Job) error {
			if j.State == catalog.JobFailed { // killed too often to be believed innocent: a person gives it another chance
				_, err := r.db.Reopen(ctx, j.ID)
				n++
				return err
			}
			n++
			return nil
		}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for killed := 0; killed < kills; killed++ {
		for open() < 4 {
			add()
		}
		cmd := start()
		time.Sleep(time.Duration(80+random.IntN(400)) * time.Millisecond) // the moment is the point of this test
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}

	last := start()
	deadline := time.Now().Add(3 * time.Minute)
	for open() > 0 {
		if time.Now().After(deadline) {
			_ = r.db.Jobs(ctx, func(j catalog.Job) error {
				t.Logf("job %s: %s, attempt %d, lease until %v, ready at %v, last error %q", j.ID, j.State, j.Attempt, j.LeaseUntil, j.ReadyAt, j.LastError)
				return nil
			}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed)
			t.Fatal("studies are still open after three minutes of undisturbed work")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := last.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := last.Wait(); err != nil {
		t.Errorf("worker after SIGTERM: %v", err)
	}

	if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	if err := r.db.Events(ctx, func(e catalog.Event) error { events[e.Study]++; return nil }); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		for key, list := range files {
			s := r.open(key)
			verifyAll(t, s)
			got := originals(t, s)
			if len(s.Instances()) != len(list) || s.Manifest.Generation != 1 || events[key.Hash()] != 1 {
				t.Errorf("%s: study %s: %d instances of %d, generation %d, %d events", when, key.UID, len(s.Instances()), len(list), s.Manifest.Generation, events[key.Hash()])
			}
			for i, f := range list {
				if _, ok := got[sha256.Sum256(f)]; !ok {
					t.Errorf("%s: study %s: file %d is lost", when, key.UID, i)
				}
			}
		}
	}
	check("after the kills")
	report, err := lifecycle.Sweep(ctx, r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
		lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	check("after the sweep")
	named := map[string]bool{}
	for key := range files {
		m := r.open(key).Manifest
		named[m.Key()], named[catalog.PublishedKey(m.Key())] = true, true
		m.Objects(func(k string, _ catalog.Class, _ string, _ int64) { named[k] = true })
	}
	for info, err := range r.store.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !named[info.Key] {
			t.Errorf("after the sweep there is still %s", info.Key)
		}
		delete(named, info.Key)
	}
	if len(named) > 0 {
		t.Errorf("named and not there: %v", named)
	}
	t.Logf("%d studies; the sweep removed %d objects of %d bytes; skipped %v", len(files), len(report.Objects), report.Bytes, report.Skipped)
}

// startTestRedis starts a redis-server on a free loopback port and stops it when the test ends.
func startTestRedis(t *testing.T, server string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	cmd := exec.Command(server, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal(errors.Join(errors.New("redis-server does not answer"), err))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
