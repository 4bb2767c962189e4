package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
)

// queueSmall queues n studies of one image each.
func (r *rig) queueSmall(n int) []catalog.Job {
	r.t.Helper()
	var files [][]byte
	for i := range n {
		uid := fmt.Sprintf("1.2.%d", i+1)
		files = append(files, small{study: uid, series: uid + ".1", sop: uid + ".1.1"}.bytes(r.t))
	}
	return r.queue("a", write(r.t, files...))
}

// checkDone waits for jobs and checks that each was done once.
func checkDone(t *testing.T, r *rig, jobs []catalog.Job) {
	t.Helper()
	for _, j := range jobs {
		until(t, "job done", func() bool { return r.state(j.ID) == catalog.JobDone })
	}
	events := map[string]int{}
	until(t, "events", func() bool { // of commits that are published
		if err := r.db.Events(context.Background(), func(e catalog.Event) error { events[e.Study]++; return nil }); err != nil {
			t.Fatal(err)
		}
		return len(events) >= len(jobs)
	})
	for _, j := range jobs {
		h, err := r.db.Head(context.Background(), j.StudyKey)
		if err != nil {
			t.Fatal(err)
		}
		if h.Generation != 1 || events[j.StudyKey.Hash()] != 1 {
			t.Errorf("study %s: generation %d and %d events, want 1 and 1", j.StudyKey.UID, h.Generation, events[j.StudyKey.Hash()])
		}
	}
}

// logged collects what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

func (l *logged) has(part string) bool { return strings.Contains(strings.Join(l.lines(), "\n"), part) }

func startLoggedPool(t *testing.T, r *rig, o PoolOptions) (*Pool, *logged) {
	t.Helper()
	var l logged
	o.Log = slog.New(slog.NewTextHandler(&l, nil))
	pool, err := StartPool(r.db, r.store, r.p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	return pool, &l
}

func redisOpt(t *testing.T, o RedisOptions) asynq.RedisConnOpt {
	t.Helper()
	opt, err := Redis(o)
	if err != nil {
		t.Fatal(err)
	}
	return opt
}

// TestRedisKinds: each kind of installation reports itself rightly and carries a pool's work.
func TestRedisKinds(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	for _, tc := range []struct {
		name  string
		start func(t *testing.T) RedisOptions
		want  RedisReport
	}{
		{"single", func(t *testing.T) RedisOptions {
			return RedisOptions{Addresses: []string{startRedisProcess(t, nil).addr}, DB: 3}
		}, RedisReport{Masters: 1}},
		{"password", func(t *testing.T) RedisOptions {
			return RedisOptions{Addresses: []string{startRedisProcess(t, nil, "--requirepass", "a b").addr}, Password: "a b"}
		}, RedisReport{Masters: 1}},
		{"user", func(t *testing.T) RedisOptions {
			s := startRedisProcess(t, nil, "--appendonly", "yes", "--maxmemory", "100mb")
			s.do(t, "ACL", "SETUSER", "radtier", "on", ">pw", "~asynq:*", "&asynq:*", "+@all")
			return RedisOptions{Addresses: []string{s.addr}, Username: "radtier", Password: "pw"}
		}, RedisReport{Masters: 1, AppendOnly: true, MaxBytes: 100 << 20}},
		{"unix socket", func(t *testing.T) RedisOptions {
			socket := filepath.Join(t.TempDir(), "s")
			startRedisProcess(t, nil, "--unixsocket", socket)
			return RedisOptions{Addresses: []string{socket}}
		}, RedisReport{Masters: 1}},
		{"TLS by address", func(t *testing.T) RedisOptions {
			s := startRedisProcess(t, ca.config, "--tls-cert-file", ca.serverCert, "--tls-key-file", ca.serverKey, "--tls-ca-cert-file", ca.caFile)
			return RedisOptions{Addresses: []string{s.addr}, TLS: true, CAFile: ca.caFile, CertFile: ca.certFile, KeyFile: ca.keyFile}
		}, RedisReport{Masters: 1}},
		{"TLS by name", func(t *testing.T) RedisOptions {
			s := startRedisProcess(t, ca.config, "--tls-cert-file", ca.serverCert, "--tls-key-file", ca.serverKey, "--tls-ca-cert-file", ca.caFile, "--requirepass", "pw")
			return RedisOptions{Addresses: []string{s.addr}, Password: "pw", TLS: true, CAFile: ca.caFile, ServerName: "redis.test", CertFile: ca.certFile, KeyFile: ca.keyFile}
		}, RedisReport{Masters: 1}},
		{"sentinels", func(t *testing.T) RedisOptions { return startSentinelSet(t).options }, RedisReport{Masters: 1, AppendOnly: true}},
		{"cluster", func(t *testing.T) RedisOptions { return startRedisCluster(t, 3) }, RedisReport{Masters: 3, AppendOnly: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opt := redisOpt(t, tc.start(t))
			r := newRig(t, nil)
			jobs := r.queueSmall(10)
			q, err := newQueue(opt)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			for _, j := range jobs[:4] {
				if err := q.Dispatch(t.Context(), j); err != nil {
					t.Fatal(err)
				}
			}
			check := func(waiting, workers int) {
				t.Helper()
				got, err := CheckRedis(t.Context(), opt)
				if err != nil {
					t.Fatal(err)
				}
				if got.Clock.Abs() > time.Second || got.UsedBytes == 0 || got.Version == "" {
					t.Errorf("clock %v, %d bytes used, version %q: want the same clock, some, any", got.Clock, got.UsedBytes, got.Version)
				}
				want := tc.want
				want.Role, want.Policy, want.Waiting, want.Workers = "master", "noeviction", waiting, workers
				want.Clock, want.UsedBytes, want.Version = got.Clock, got.UsedBytes, got.Version
				if got != want {
					t.Errorf("report\n got %+v\nwant %+v", got, want)
				}
			}
			check(4, 0)
			startPool(t, r, opt)
			checkDone(t, r, jobs)
			until(t, "the worker is known", func() bool {
				s, err := q.inspector.Servers()
				return err == nil && len(s) == 1
			})
			check(0, 1)
		})
	}
}

// TestRedisRefuses: what cannot be spoken with is said by CheckRedis, without the password.
func TestRedisRefuses(t *testing.T) {
	ca, other := newTestCA(t), newTestCA(t)
	locked := startRedisProcess(t, nil, "--requirepass", "right")
	secure := startRedisProcess(t, ca.config, "--tls-cert-file", ca.serverCert, "--tls-key-file", ca.serverKey, "--tls-ca-cert-file", ca.caFile)
	tlsTo := func(change func(*RedisOptions)) RedisOptions {
		o := RedisOptions{Addresses: []string{secure.addr}, TLS: true, CAFile: ca.caFile, CertFile: ca.certFile, KeyFile: ca.keyFile}
		change(&o)
		return o
	}
	for _, tc := range []struct {
		name string
		o    RedisOptions
		want string
	}{
		{"no password", RedisOptions{Addresses: []string{locked.addr}}, "NOAUTH"},
		{"wrong password", RedisOptions{Addresses: []string{locked.addr}, Password: "hunter2"}, "WRONGPASS"},
		{"no database of that number", RedisOptions{Addresses: []string{startRedisProcess(t, nil).addr}, DB: 99}, "DB index is out of range"},
		{"nobody there", RedisOptions{Addresses: []string{"127.0.0.1:" + freePort(t)}}, "connection refused"},
		{"plain to TLS", RedisOptions{Addresses: []string{secure.addr}}, ""},
		{"another CA", tlsTo(func(o *RedisOptions) { o.CAFile = other.caFile }), "certificate signed by unknown authority"},
		{"another name", tlsTo(func(o *RedisOptions) { o.ServerName = "elsewhere.test" }), "not elsewhere.test"},
		// In TLS 1.3 the server refuses after the handshake; its reason may be lost to the reset of the connection.
		{"no client certificate", tlsTo(func(o *RedisOptions) { o.CertFile, o.KeyFile = "", "" }), ""},
		{"sentinels away", RedisOptions{Kind: RedisSentinel, MasterName: "m", Addresses: []string{"127.0.0.1:" + freePort(t)}}, "sentinels"},
	} {
		_, err := CheckRedis(t.Context(), redisOpt(t, tc.o))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || unsafeRedis(err) {
			t.Errorf("%s: %v, want an error of the connection with %q and no password", tc.name, err, tc.want)
		}
	}
}

// TestRedisUnsafe: a pool does not start where tasks could vanish or cannot be written, and says so while it runs.
func TestRedisUnsafe(t *testing.T) {
	t.Parallel()
	master := startRedisProcess(t, nil)
	host, port, _ := strings.Cut(master.addr, ":")
	replica := startRedisProcess(t, nil, "--replicaof", host+" "+port)
	evicting := startRedisProcess(t, nil, "--maxmemory-policy", "allkeys-lru")
	r := newRig(t, nil)
	start := func(addr string) error {
		pool, err := StartPool(r.db, r.store, r.p, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{addr}})})
		if pool != nil {
			_ = pool.Stop(t.Context())
		}
		return err
	}
	var eviction *EvictionError
	if err := start(evicting.addr); !errors.As(err, &eviction) || eviction.Policy != "allkeys-lru" || !strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction") {
		t.Errorf("on a server that evicts: %v, want an *EvictionError that says what to do", err)
	}
	var role *RoleError
	if err := start(replica.addr); !errors.As(err, &role) || role.Role != "slave" {
		t.Errorf("on a replica: %v, want a *RoleError", err)
	}
	report, err := CheckRedis(t.Context(), redisOpt(t, RedisOptions{Addresses: []string{evicting.addr}}))
	if !errors.As(err, &eviction) || report.Policy != "allkeys-lru" || report.Masters != 1 {
		t.Errorf("report %+v, error %v: want both", report, err)
	}

	_, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{master.addr}})})
	jobs := r.queueSmall(2)
	checkDone(t, r, jobs)
	if log.has("level=ERROR") {
		t.Errorf("errors are logged before there is one:\n%s", strings.Join(log.lines(), "\n"))
	}
	master.do(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	until(t, "the new policy is logged as an error", func() bool { return log.has("level=ERROR") && log.has("volatile-ttl") })
}

// TestRedisForbidsInfo: a user who may not ask for what the check wants works all the same.
func TestRedisForbidsInfo(t *testing.T) {
	s := startRedisProcess(t, nil)
	s.do(t, "ACL", "SETUSER", "radtier", "on", ">pw", "~asynq:*", "&asynq:*", "+@all", "-@admin", "-@dangerous", "-info", "-time", "-config")
	opt := redisOpt(t, RedisOptions{Addresses: []string{s.addr}, Username: "radtier", Password: "pw"})
	got, err := CheckRedis(t.Context(), opt)
	if want := (RedisReport{Masters: 1}); err != nil || got != want {
		t.Errorf("got %+v and %v, want %+v and no error", got, err, want)
	}
	r := newRig(t, nil)
	jobs := r.queueSmall(10)
	_, log := startLoggedPool(t, r, PoolOptions{Redis: opt, Poll: 20 * time.Millisecond})
	checkDone(t, r, jobs)
	if log.has("NOPERM") {
		t.Errorf("the pool complains:\n%s", strings.Join(log.lines(), "\n"))
	}
}

// TestRedisLater: a pool may be started before its Redis.
func TestRedisLater(t *testing.T) {
	s := startRedisProcess(t, nil)
	s.kill()
	r := newRig(t, nil)
	jobs := r.queueSmall(10)
	_, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{s.addr}}), Poll: 20 * time.Millisecond})
	until(t, "the pool says that it waits", func() bool { return log.has("Redis cannot be reached") && log.has("queue not filled") })
	s.start(t)
	checkDone(t, r, jobs)
}

// A pool does not wait for a Redis that refuses its password: that does not mend itself.
func TestPoolRefusedPassword(t *testing.T) {
	locked := startRedisProcess(t, nil, "--requirepass", "secret")
	r := newRig(t, nil)
	for _, password := range []string{"", "wrong"} {
		p, err := StartPool(r.db, r.store, idle{r.db}, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{locked.addr}, Password: password})})
		if err == nil {
			t.Errorf("password %q: the pool started", password)
			_ = p.Stop(t.Context())
		} else if !strings.Contains(err.Error(), "queue.password") || strings.Contains(err.Error(), "secret") {
			t.Errorf("password %q: got error %q, want one that says what to correct", password, err)
		}
	}
}
