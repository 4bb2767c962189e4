package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// slowly makes each study take a moment, counts those that began, and calls at(n) when the n-th begins.
func slowly(pause time.Duration, at func(n int64)) func(*PipelineOptions) {
	var begun atomic.Int64
	return func(o *PipelineOptions) {
		o.Hooks = func(ctx context.Context, step string) error {
			if step != "written" {
				return nil
			}
			at(begun.Add(1))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			return nil
		}
	}
}

// TestRedisFailover: the master is killed in the middle of 60 studies; a replica takes over and each study is done once.
func TestRedisFailover(t *testing.T) {
	t.Parallel()
	s := startSentinelSet(t)
	killed := make(chan time.Time, 1)
	var after atomic.Int64 // when the first study began after the queue answered again
	r := newRig(t, slowly(200*time.Millisecond, func(n int64) {
		if n == 15 {
			s.master.kill()
			killed <- time.Now()
		}
	}))
	jobs := r.queueSmall(60)
	opt := redisOpt(t, s.options)
	pool, err := StartPool(r.db, r.store, r.p, PoolOptions{Redis: opt, Studies: 4, Poll: 20 * time.Millisecond, Hold: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	at := <-killed
	until(t, "the queue answers", func() bool {
		_, err := pool.queue.depth(t.Context())
		if err == nil {
			after.Store(int64(time.Since(at)))
		}
		return err == nil
	})
	checkDone(t, r, jobs)
	t.Logf("the queue answered %v after the master's death, all was done %v after it", time.Duration(after.Load()).Round(time.Millisecond), time.Since(at).Round(time.Millisecond))
	got, err := CheckRedis(t.Context(), opt)
	if err != nil || got.Role != "master" {
		t.Errorf("after the failover: %+v, %v", got, err)
	}
	if role := fmt.Sprint(s.replica.do(t, "ROLE")); role[:7] != "[master" {
		t.Errorf("the replica is %s, want the master", role)
	}
	nothingLeft(t, pool.queue)
}

// nothingLeft checks that no task stays in Redis for ever, in the queue of a pool that runs. A second task of a job that is done may still wait:
// it is taken and dropped. Leases of tasks whose acknowledgement was lost are ended, as time would.
func nothingLeft(t *testing.T, q *queue) {
	t.Helper()
	ctx := context.Background()
	until(t, "the waiting tasks are taken", func() bool {
		n, err := q.depth(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	var left []string
	defer func() {
		if len(left) != 0 {
			t.Logf("still in Redis: %v", left)
		}
	}()
	until(t, "an empty queue", func() bool {
		leases, err := q.redis.ZRange(ctx, queueKeys+"lease", 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range leases { // XX: a task that was acknowledged meanwhile has none
			if err := q.redis.ZAddXX(ctx, queueKeys+"lease", past(id)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.tidy(ctx); err != nil {
			t.Fatal(err)
		}
		if left, err = q.redis.Keys(ctx, queueKeys+"t:*").Result(); err != nil {
			t.Fatal(err)
		}
		for _, list := range []string{"pending", "active", "lease", "archived", "retry", "scheduled", "completed"} {
			n, err := q.redis.Exists(ctx, queueKeys+list).Result()
			if err != nil {
				t.Fatal(err)
			}
			if n != 0 {
				left = append(left, queueKeys+list)
			}
		}
		return len(left) == 0
	})
}

// TestRedisQueueGone: the master dies before its replica has anything: the new master is empty, and the jobs come back by themselves.
func TestRedisQueueGone(t *testing.T) {
	t.Parallel()
	first, second := startRedisProcess(t, nil), startRedisProcess(t, nil)
	var current atomic.Pointer[redisProcess]
	current.Store(first)
	door := relay(t, func() string { return current.Load().addr })
	gone := make(chan struct{})
	r := newRig(t, slowly(50*time.Millisecond, func(n int64) {
		if n == 10 {
			first.kill()
			current.Store(second)
			close(gone)
		}
	}))
	jobs := r.queueSmall(40)
	pool, err := StartPool(r.db, r.store, r.p, PoolOptions{Redis: redisOpt(t, RedisOptions{Addresses: []string{door.addr}}), Studies: 2, Window: 30,
		Poll: 20 * time.Millisecond, Hold: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	<-gone
	checkDone(t, r, jobs)
	// The window still counts what waits, though Asynq's client believes that the new server knows the queue.
	if err := pool.queue.inspector.PauseQueue(queueName); err != nil {
		t.Fatal(err)
	}
	if err := pool.queue.Dispatch(t.Context(), jobs[0]); err != nil {
		t.Fatal(err)
	}
	if n, err := pool.queue.depth(t.Context()); n != 1 || err != nil {
		t.Errorf("depth %d, %v; want 1", n, err)
	}
	if err := pool.queue.inspector.UnpauseQueue(queueName); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, pool.queue)
}

// TestRedisOrphans: tasks that are active without a lease (asynq issues 1144 and 1051) neither stop their jobs nor stay.
func TestRedisOrphans(t *testing.T) {
	s := startRedisProcess(t, nil)
	opt := redisOpt(t, RedisOptions{Addresses: []string{s.addr}})
	r := newRig(t, nil)
	jobs := r.queueSmall(3)
	q, err := newQueue(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	claimed, err := r.db.Claim(t.Context(), 10, 500*time.Millisecond)
	if err != nil || len(claimed) != len(jobs) {
		t.Fatalf("%d claimed, %v", len(claimed), err)
	}
	for _, j := range claimed {
		if err := q.Dispatch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(s.do(t, "LMOVE", queueKeys+"pending", queueKeys+"active", "RIGHT", "LEFT"))
		s.do(t, "HSET", queueKeys+"t:"+id, "state", "active")
	}
	pool, err := StartPool(r.db, r.store, r.p, PoolOptions{Redis: opt, Poll: 20 * time.Millisecond, Hold: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Stop(context.Background()) })
	checkDone(t, r, jobs)
	nothingLeft(t, q)
}

// TestTidyKeepsWork: tidying takes nothing that waits or is worked on.
func TestTidyKeepsWork(t *testing.T) {
	s := startRedisProcess(t, nil)
	q, err := newQueue(redisOpt(t, RedisOptions{Addresses: []string{s.addr}}))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, id := range []string{"waiting", "alive", "over", "orphan"} { // the queue is first in, first out
		if err := q.Dispatch(t.Context(), catalog.Job{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for id, lease := range map[string]time.Duration{"alive": -leaseSkew + 10*time.Second, "over": -leaseSkew - 10*time.Second, "orphan": 0} {
		s.do(t, "LREM", queueKeys+"pending", 1, id+".1")
		s.do(t, "LPUSH", queueKeys+"active", id+".1")
		if lease != 0 {
			s.do(t, "ZADD", queueKeys+"lease", time.Now().Add(lease).Unix(), id+".1")
		}
	}
	if err := q.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		id          string
		list, there int64
		key         string
	}{{"waiting", 1, 1, "pending"}, {"alive", 1, 1, "active"}, {"over", 0, 0, "active"}, {"orphan", 0, 0, "active"}} {
		in := int64(1)
		if s.do(t, "EVAL", `return redis.call("LPOS", KEYS[1], ARGV[1]) or -1`, 1, queueKeys+want.key, want.id+".1").(int64) < 0 {
			in = 0
		}
		there := s.do(t, "EXISTS", queueKeys+"t:"+want.id+".1").(int64)
		if in != want.list || there != want.there {
			t.Errorf("%s: in %s %d times and stored %d times, want %d and %d", want.id, want.key, in, there, want.list, want.there)
		}
	}
	if n := s.do(t, "ZCARD", queueKeys+"lease").(int64); n != 1 {
		t.Errorf("%d leases, want 1", n)
	}
}
