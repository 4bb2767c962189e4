package worker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/lifecycle"
)

// site is an installation on real servers: an S3 bucket, PostgreSQL, redis-server. A child process of the tests works there.
type site struct {
	Server testServer
	Bucket string
	DSN    string
	Redis  string
	Lease  time.Duration
	StopAt string // step at which the process stops itself with SIGSTOP, once
}

func (s site) store(ctx context.Context) (objstore.Store, error) {
	return s3.Open(ctx, s3.Options{Endpoint: s.Server.Endpoint, Region: s.Server.Region, AccessKey: s.Server.AccessKey, SecretKey: s.Server.SecretKey,
		Bucket: s.Bucket, Create: true})
}

func (s site) catalog(ctx context.Context) (*catalog.DB, error) {
	return catalog.Open(ctx, catalog.Config{Driver: "postgres", DSN: s.DSN})
}

// work is a worker process, until SIGTERM.
func (s site) work(ctx context.Context) error {
	store, err := s.store(ctx)
	if err != nil {
		return err
	}
	db, err := s.catalog(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	var once sync.Once
	p := NewPipeline(PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: strconv.Itoa(os.Getpid()), Build: "test", Lease: s.Lease, VolumeBytes: 200_000,
		Hooks: func(_ context.Context, step string) (err error) {
			if step == s.StopAt {
				once.Do(func() { err = syscall.Kill(os.Getpid(), syscall.SIGSTOP) })
			}
			return err
		}})
	defer p.Close()
	pool, err := StartPool(db, store, p, PoolOptions{Redis: asynq.RedisClientOpt{Addr: s.Redis}, Poll: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancelStop := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancelStop()
	return pool.Stop(stop)
}

// start starts a worker process.
func (s site) start(t *testing.T) *exec.Cmd {
	t.Helper()
	return spawn(t, s, os.Stderr)
}

// newSite makes an empty installation on the test servers, or skips the test.
func newSite(t *testing.T) (site, *rig) {
	t.Helper()
	server := rgwServer(t)
	admin := os.Getenv("RADTIER_TEST_POSTGRES")
	if admin == "" {
		t.Skip("RADTIER_TEST_POSTGRES is not set: ./scripts/test starts the server and sets it")
	}
	name := "radtier_" + strings.ToLower(rand.Text()[:12])
	ctx := context.Background()
	psql(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { psql(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	s := site{Server: server, Bucket: "k-" + strings.ToLower(rand.Text()[:16]),
		DSN: strings.Replace(admin, "/postgres?", "/"+name+"?", 1), Lease: time.Second}
	store, err := s.store(ctx)
	if err != nil {
		t.Fatal(err)
	}
	db, err := s.catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return s, &rig{t: t, dir: t.TempDir(), store: store, db: db}
}

// psql runs a command as the server's superuser.
func psql(t testing.TB, dsn, command string) {
	t.Helper()
	if out, err := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, dsn).CombinedOutput(); err != nil {
		t.Fatalf("psql %s: %v\n%s", command, err, out)
	}
}

// TestKillOnServers kills, stops and continues two real worker processes at
// random moments, over Ceph RGW, PostgreSQL and redis-server, while Redis is killed and
// started again and connections of PostgreSQL are cut, and sweeps without grace run in between. In the end every
// study is stored once, every file comes back, and a sweep leaves exactly what manifests name.
// RADTIER_KILLS says how many moments (default 40, with -short 6; `make soak` takes 200).
func TestKillOnServers(t *testing.T) {
	where, r := newSite(t)
	moments := 40
	if testing.Short() {
		moments = 6
	}
	if s := os.Getenv("RADTIER_KILLS"); s != "" {
		moments, _ = strconv.Atoi(s)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d moments", seed, moments)
	random := mathrand.New(mathrand.NewPCG(seed, 2))
	redis := startKillableRedis(t)
	where.Redis = redis.addr
	start := func() *exec.Cmd { return where.start(t) }
	ctx := context.Background()
	files := map[catalog.StudyKey][][]byte{}
	add := func() {
		n := len(files)
		uid := fmt.Sprintf("1.2.3.%d", n)
		var list [][]byte
		for i := range 20 {
			list = append(list, small{study: uid, series: uid + ".1", sop: fmt.Sprintf("%s.1.%d", uid, i), number: i, seed: n*100 + i, rows: 128, cols: 128}.bytes(t))
		}
		r.queueAgain(t, "a", write(t, list...))
		files[catalog.StudyKey{Tenant: "a", UID: uid}] = list
	}
	sweep := func() lifecycle.SweepReport {
		report, err := lifecycle.Sweep(ctx, r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
			lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return time.Now().Add(time.Hour) }})
		if err != nil && !objstore.IsTransient(err) {
			t.Fatal(err)
		}
		return report
	}
	workers := []*exec.Cmd{start(), start()}
	var kills, stops, redisKills, cuts int
	for moment := range moments {
		for r.openJobs(t) < 4 {
			add()
		}
		time.Sleep(time.Duration(50+random.IntN(500)) * time.Millisecond) // the moment is the point of this test
		victim := random.IntN(len(workers))
		if random.IntN(3) == 0 { // a zombie: it hangs longer than its lease, another one takes over, a sweep runs, it goes on
			stops++
			if err := workers[victim].Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
			sweep()
			if err := workers[victim].Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		} else {
			kills++
			_ = workers[victim].Process.Kill()
			_ = workers[victim].Wait()
			workers[victim] = start()
		}
		if moment%20 == 7 {
			redisKills++
			redis.restart(t)
		}
		if moment%10 == 3 {
			cuts++
			psql(t, where.DSN, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		}
	}
	deadline := time.Now().Add(5 * time.Minute)
	for r.openJobs(t) > 0 {
		if time.Now().After(deadline) {
			_ = r.db.Jobs(ctx, func(j catalog.Job) error {
				t.Logf("job %s: %s, attempt %d, lease until %v, ready at %v, last error %q", j.ID, j.State, j.Attempt, j.LeaseUntil, j.ReadyAt, j.LastError)
				return nil
			}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed)
			t.Fatal("studies are still open after five minutes of undisturbed work")
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, w := range workers {
		if err := w.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(); err != nil {
			t.Errorf("worker after SIGTERM: %v", err)
		}
	}
	if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
		t.Fatal(err)
	}
	r.checkStudies(files, true)
	report := sweep()
	r.checkStudies(files, false)
	r.nothingButNamed(files)
	t.Logf("%d studies; %d kills, %d stops, %d times Redis, %d times connections cut; the last sweep removed %d objects of %d bytes", len(files), kills, stops, redisKills, cuts, len(report.Objects), report.Bytes)
}

// TestZombieOnServers stops a worker process at a step of its way, lets
// another one finish the study, sweeps without grace, and lets the first one go on: it changes nothing.
func TestZombieOnServers(t *testing.T) {
	where, r := newSite(t)
	where.Redis = startKillableRedis(t).addr
	ctx := context.Background()
	files := map[catalog.StudyKey][][]byte{}
	for n, step := range []string{"owned", "written", catalog.StepChanged, catalog.StepManifestPut, catalog.StepDecided, catalog.StepOKPut} {
		uid := fmt.Sprintf("1.2.3.%d", n)
		list := [][]byte{small{study: uid, sop: uid + ".1"}.bytes(t), small{study: uid, sop: uid + ".2", seed: 1, number: 1}.bytes(t)}
		files[catalog.StudyKey{Tenant: "a", UID: uid}] = list
		r.queueAgain(t, "a", write(t, list...))
		where.StopAt = step
		zombie := where.start(t)
		until(t, step+": the first worker stops itself", func() bool { return stopped(t, zombie.Process.Pid) })
		where.StopAt = ""
		other := where.start(t)
		until(t, step+": the other worker finishes", func() bool {
			if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
				t.Fatal(err)
			}
			head, err := r.db.Head(ctx, catalog.StudyKey{Tenant: "a", UID: uid})
			return err == nil && head.Published && r.openJobs(t) == 0
		})
		if _, err := lifecycle.Sweep(ctx, r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
			lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return time.Now().Add(time.Hour) }}); err != nil {
			t.Fatal(err)
		}
		for _, w := range []*exec.Cmd{zombie, other} { // continued, the zombie has all the time it needs to end softly
			for _, sig := range []syscall.Signal{syscall.SIGCONT, syscall.SIGTERM} {
				if err := w.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Wait(); err != nil {
				t.Errorf("%s: worker: %v", step, err)
			}
		}
	}
	r.checkStudies(files, true)
	if _, err := lifecycle.Sweep(ctx, r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
		lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return time.Now().Add(time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	r.checkStudies(files, false)
	r.nothingButNamed(files)
}

// stopped reports whether a process has been stopped by a signal.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return strings.HasPrefix(rest, "T")
}

// queueAgain queues what is in dir, again if the server's connection was cut meanwhile.
func (r *rig) queueAgain(t *testing.T, tenant, dir string) {
	t.Helper()
	for try := 0; ; try++ {
		found, err := Discover(context.Background(), []string{dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := Client{DB: r.db, Store: r.store}
		if _, err = c.Enqueue(context.Background(), found, dir, EnqueueOptions{Tenant: tenant}); err == nil {
			return
		}
		if try == 10 {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// openJobs counts open jobs; one that was set aside because its worker was killed too often gets another chance, as a person would give it.
func (r *rig) openJobs(t *testing.T) (n int) {
	t.Helper()
	for try := 0; ; try++ {
		n = 0
		var failed []string
		err := r.db.Jobs(context.Background(), func(j catalog.Job) error {
			if j.State == catalog.JobFailed {
				failed = append(failed, j.ID)
			}
			n++
			return nil
		}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed)
		for _, id := range failed {
			if _, e := r.db.Reopen(context.Background(), id); e != nil && !errors.Is(e, catalog.ErrClosed) {
				err = errors.Join(err, e)
			}
		}
		if err == nil {
			return n
		}
		if try == 10 {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// checkStudies: every study has one generation, one event and all its files.
func (r *rig) checkStudies(files map[catalog.StudyKey][][]byte, decode bool) {
	r.t.Helper()
	events := map[string]int{}
	if decode { // events are delivered once
		if err := r.db.Events(context.Background(), func(e catalog.Event) error { events[e.Study]++; return nil }); err != nil {
			r.t.Fatal(err)
		}
	}
	for key, list := range files {
		s := r.open(key)
		if decode {
			verifyAll(r.t, s)
			if events[key.Hash()] != 1 {
				r.t.Errorf("study %s: %d events", key.UID, events[key.Hash()])
			}
		}
		got := originals(r.t, s)
		if len(s.Instances()) != len(list) || s.Manifest.Generation != 1 {
			r.t.Errorf("study %s: %d instances of %d, generation %d", key.UID, len(s.Instances()), len(list), s.Manifest.Generation)
		}
		for i, f := range list {
			if _, ok := got[sha256.Sum256(f)]; !ok {
				r.t.Errorf("study %s: file %d is lost", key.UID, i)
			}
		}
	}
}

// nothingButNamed: after a sweep the bucket holds what the manifests name, no less and no more.
func (r *rig) nothingButNamed(files map[catalog.StudyKey][][]byte) {
	r.t.Helper()
	named := map[string]bool{}
	for key := range files {
		m := r.open(key).Manifest
		named[m.Key()], named[catalog.PublishedKey(m.Key())] = true, true
		m.Objects(func(k string, _ catalog.Class, _ string, _ int64) { named[k] = true })
	}
	for info, err := range r.store.List(context.Background(), "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		if !named[info.Key] && !strings.HasPrefix(info.Key, "radtier-probe/") {
			r.t.Errorf("after the sweep there is still %s", info.Key)
		}
		delete(named, info.Key)
	}
	if len(named) > 0 {
		r.t.Errorf("named and not there: %v", named)
	}
}
