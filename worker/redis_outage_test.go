package worker

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// awayFor is how long Redis is away in these tests: more than a message may be kept back.
const awayFor = 12 * time.Second

// busy is the processor time of this process.
func busy(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The bounds for one process while Redis is of no use, whatever the number of studies at once.
const (
	mostAttempts = 20  // connections or scripts a second
	spinning     = 0.9 // of one core, all the time: other tests of this process keep it busy now and then
)

// watchOutage measures what a pool does for a while. count says how often it has turned to Redis so far.
func watchOutage(t *testing.T, log *logged, count func() int64) {
	t.Helper()
	lines, attempts, at, quietest := len(log.lines()), count(), time.Now(), 1.0
	for time.Since(at) < awayFor {
		cpu, from := busy(t), time.Now()
		time.Sleep(awayFor / 48) // nothing to wait for: this is the outage
		quietest = min(quietest, float64(busy(t)-cpu)/float64(time.Since(from)))
	}
	took := time.Since(at)
	rate := float64(count()-attempts) / took.Seconds()
	said := log.lines()[lines:]
	t.Logf("%v: %.1f attempts a second, %.1f %% of a core at the quietest, %d lines logged", took.Round(time.Second), rate, 100*quietest, len(said))
	if rate > mostAttempts {
		t.Errorf("%.1f attempts a second, at most %d", rate, mostAttempts)
	}
	if quietest > spinning {
		t.Errorf("at least %.0f %% of a core is busy all the time", 100*quietest)
	}
	kinds := map[string]int{}
	message := regexp.MustCompile(`msg=("[^"]{0,24}|\S+)`)
	for _, line := range said {
		kinds[message.FindString(line)]++
	}
	for kind, n := range kinds {
		if most := int(took/repeatAfter) + 1; n > most {
			t.Errorf("%s is logged %d times in %v, at most %d\n%s", kind, n, took, most, strings.Join(said, "\n"))
		}
	}
}

// TestRedisAway: Redis goes away in the middle of 16 studies. They are finished without it, nothing storms or spins, and the rest follows when it is back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	s := startRedisProcess(t, nil)
	door := relay(t, func() string { return s.addr })
	let := make(chan struct{})
	var begun atomic.Int64
	r := newRig(t, func(o *PipelineOptions) {
		o.Hooks = func(_ context.Context, step string) error {
			if step == "written" {
				begun.Add(1)
				<-let
			}
			return nil
		}
	})
	jobs := r.queueSmall(40)
	pool, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{door.addr}}), Studies: 16, Hold: 5 * time.Second})
	until(t, "16 studies are under way", func() bool { return begun.Load() == 16 })
	door.closed.Store(true)
	door.cutAll()
	close(let)
	until(t, "they are done without Redis", func() bool {
		n := 0
		for _, j := range jobs {
			if r.state(j.ID) == catalog.JobDone {
				n++
			}
		}
		return n == 16
	})
	watchOutage(t, log, door.accepted.Load)
	if n := begun.Load(); n != 16 {
		t.Fatalf("%d studies were begun without Redis", n)
	}
	door.closed.Store(false)
	back := time.Now()
	until(t, "the next study", func() bool { return begun.Load() > 16 })
	t.Logf("the next study began %v after Redis was back", time.Since(back).Round(time.Millisecond))
	checkDone(t, r, jobs)
	nothingLeft(t, pool.queue)
}

// TestRedisDown is the same with nobody listening, and with a pool that is stopped meanwhile.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	s := startRedisProcess(t, nil, "--appendonly", "yes")
	r := newRig(t, nil)
	pool, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{s.addr}}), Hold: 5 * time.Second})
	checkDone(t, r, r.queueSmall(3))
	s.kill()
	watchOutage(t, log, func() int64 { return 0 })
	s.start(t)
	jobs := r.queue("b", write(t, small{study: "1.9"}.bytes(t)))
	back := time.Now()
	until(t, "the next study", func() bool { return r.state(jobs[0].ID) == catalog.JobDone })
	t.Logf("the next study was done %v after Redis was back", time.Since(back).Round(time.Millisecond))
	s.kill()
	stopping := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := pool.Stop(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("the pool stopped within %v without Redis", time.Since(stopping).Round(time.Millisecond))
}

// TestRedisTurnsAway: a server that is there and refuses, because the password changed or its memory is full, is not asked in a spin either.
func TestRedisTurnsAway(t *testing.T) {
	t.Parallel()
	counter := func(s *redisProcess, section string, fields ...string) func() int64 {
		c := s.client()
		t.Cleanup(func() { c.Close() })
		return func() (n int64) {
			info, err := c.Info(context.Background(), section).Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fields {
				if _, rest, ok := strings.Cut(info, "\r\n"+f); ok {
					v, _ := strconv.ParseInt(regexp.MustCompile(`^\d+`).FindString(rest), 10, 64)
					n += v
				}
			}
			return n
		}
	}
	for _, tc := range []struct {
		name        string
		section     string
		fields      []string
		refuse, let [][]any
		says        string
	}{
		{"another password", "stats", []string{"total_connections_received:"},
			[][]any{{"CONFIG", "SET", "requirepass", "new"}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, {"CLIENT", "KILL", "TYPE", "pubsub"}}, [][]any{{"CONFIG", "SET", "requirepass", "old"}}, "WRONGPASS"},
		{"memory full", "commandstats", []string{"cmdstat_evalsha:calls=", "cmdstat_eval:calls="},
			[][]any{{"CONFIG", "SET", "maxmemory", "1"}}, [][]any{{"CONFIG", "SET", "maxmemory", "0"}}, "OOM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := startRedisProcess(t, nil, "--requirepass", "old")
			r := newRig(t, nil)
			_, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{s.addr}, Password: "old"}), Hold: 5 * time.Second})
			checkDone(t, r, r.queueSmall(3))
			c := s.client()
			defer c.Close()
			if err := c.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			count := counter(s, tc.section, tc.fields...)
			count() // its connection is made with the old password
			for _, args := range tc.refuse {
				if err := c.Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
				if args[0] == "CONFIG" && args[2] == "requirepass" {
					s.user[1] = "new"
				}
			}
			count = counter(s, tc.section, tc.fields...)
			watchOutage(t, log, count)
			if !log.has(tc.says) {
				t.Errorf("the log does not say %s:\n%s", tc.says, strings.Join(log.lines(), "\n"))
			}
			for _, args := range tc.let {
				s.do(t, args...)
			}
			jobs := r.queue("b", write(t, small{study: "1.9"}.bytes(t)))
			back := time.Now()
			until(t, "the next study", func() bool { return r.state(jobs[0].ID) == catalog.JobDone })
			t.Logf("the next study was done %v after it", time.Since(back).Round(time.Millisecond))
		})
	}
}

// TestRedisCutAtAck: the connection is lost exactly when a task is acknowledged, before the server saw it or before its reply came.
func TestRedisCutAtAck(t *testing.T) {
	for _, lose := range []bool{true, false} {
		t.Run(fmt.Sprintf("lose=%v", lose), func(t *testing.T) {
			s := startRedisProcess(t, nil)
			door := relay(t, func() string { return s.addr })
			// The key of the day's count is in acknowledgements and in nothing else that a pool asks.
			acknowledgement := []byte(queueKeys + "processed:")
			var cut atomic.Bool
			r := newRig(t, func(o *PipelineOptions) {
				o.Hooks = func(_ context.Context, step string) error {
					if step == "written" && cut.CompareAndSwap(true, false) {
						door.cutAt(acknowledgement, 8, lose)
					}
					return nil
				}
			})
			pool, log := startLoggedPool(t, r, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{door.addr}}), Poll: 20 * time.Millisecond, Hold: time.Second})
			jobs := r.queueSmall(1) // Redis learns the script from it
			until(t, "a first acknowledgement", func() bool { return s.do(t, "EXISTS", queueKeys+"processed").(int64) == 1 })
			cut.Store(true)
			jobs = append(jobs, r.queue("c", write(t, small{study: "1.8"}.bytes(t)))...)
			until(t, "acknowledgements are cut", func() bool { door.mu.Lock(); defer door.mu.Unlock(); return door.cuts > 0 })
			until(t, "the pool gives up acknowledging", func() bool { return log.has("Could not remove task") })
			door.cutAt(nil, 0, false)
			more := r.queue("b", write(t, small{study: "1.9"}.bytes(t))) // the queue goes on
			checkDone(t, r, append(jobs, more...))
			nothingLeft(t, pool.queue)
		})
	}
}
