package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// RedisReport is what a Redis installation says of itself. Of a cluster it is the worst of its masters.
type RedisReport struct {
	Version     string        `json:"version"`
	Masters     int           `json:"masters"`
	Role        string        `json:"role"`   // "master" is right
	Policy      string        `json:"policy"` // maxmemory-policy; "" if the server does not tell
	AppendOnly  bool          `json:"append_only"`
	UsedBytes   int64         `json:"used_bytes"`
	MaxBytes    int64         `json:"max_bytes"` // 0: no limit
	Clock       time.Duration `json:"clock_ns"`  // the server's clock minus this machine's
	Waiting     int           `json:"waiting"`   // tasks in the queue
	Workers     int           `json:"workers"`   // processes that take tasks
	ClusterDown bool          `json:"cluster_down"`
}

// EvictionError says that a server may drop tasks when its memory is full.
type EvictionError struct{ Policy string }

func (e *EvictionError) Error() string {
	return fmt.Sprintf("redis: maxmemory-policy is %q, so tasks could vanish when memory is full: run `redis-cli CONFIG SET maxmemory-policy noeviction` and write it to redis.conf", e.Policy)
}

// RoleError says that a server does not take writes.
type RoleError struct{ Role string }

func (e *RoleError) Error() string {
	return fmt.Sprintf("redis: the server is a %s, which takes no writes: connect to the master, or use sentinels", e.Role)
}

// CheckRedis asks Redis about itself. An *EvictionError or *RoleError says
// that it must not be used as it is; then the report is there as well. Other errors are those of the connection.
func CheckRedis(ctx context.Context, opt asynq.RedisConnOpt) (RedisReport, error) {
	q, err := newQueue(opt)
	if err != nil {
		return RedisReport{}, err
	}
	defer q.Close()
	r, err := askRedis(ctx, q.redis)
	if err != nil {
		return r, err
	}
	if r.Waiting, err = q.depth(ctx); err != nil {
		return r, fmt.Errorf("redis: %w", err)
	}
	if err := r.danger(); err != nil {
		return r, err // a replica would refuse the next question
	}
	servers, err := q.inspector.Servers()
	if err != nil {
		return r, fmt.Errorf("redis: %w", err)
	}
	r.Workers = len(servers)
	return r, nil
}

// danger is an *EvictionError or *RoleError, or nil.
func (r RedisReport) danger() error {
	switch {
	case r.Role != "" && r.Role != "master":
		return &RoleError{r.Role}
	case r.Policy != "" && r.Policy != "noeviction":
		return &EvictionError{r.Policy}
	}
	return nil
}

// askRedis asks the servers; the queue is not looked at.
func askRedis(ctx context.Context, client redis.UniversalClient) (r RedisReport, err error) {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		var mu sync.Mutex
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			one, err := checkServer(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			r.add(one)
			return err
		})
		if err == nil {
			var info string
			info, err = cluster.ClusterInfo(ctx).Result()
			r.ClusterDown = !strings.Contains(info, "cluster_state:ok")
		}
	} else {
		var one RedisReport
		one, err = checkServer(ctx, client)
		r.add(one)
	}
	if err != nil {
		return r, fmt.Errorf("redis: %w", err)
	}
	return r, nil
}

// add takes the worse of two servers.
func (r *RedisReport) add(x RedisReport) {
	first := r.Masters == 0
	r.Masters++
	r.UsedBytes += x.UsedBytes
	r.MaxBytes += x.MaxBytes
	if first {
		r.Version, r.Role, r.Policy, r.AppendOnly, r.Clock = x.Version, x.Role, x.Policy, x.AppendOnly, x.Clock
		return
	}
	if r.Policy == "noeviction" {
		r.Policy = x.Policy
	}
	if r.Role == "master" {
		r.Role = x.Role
	}
	r.AppendOnly = r.AppendOnly && x.AppendOnly
	if x.Clock.Abs() > r.Clock.Abs() {
		r.Clock = x.Clock
	}
}

func checkServer(ctx context.Context, c redis.UniversalClient) (r RedisReport, err error) {
	before := time.Now()
	at, err := c.Time(ctx).Result()
	switch {
	case err == nil:
		r.Clock = at.Sub(before.Add(time.Since(before) / 2)).Round(time.Millisecond)
	case !forbidden(err):
		return r, err
	}
	raw, err := c.Info(ctx).Result()
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		return r, err
	}
	info := map[string]string{} // empty where INFO is forbidden, or where only a part of Redis is emulated
	for line := range strings.Lines(raw) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	r.Version, r.Role, r.Policy, r.AppendOnly = info["redis_version"], info["role"], info["maxmemory_policy"], info["aof_enabled"] == "1"
	r.UsedBytes, _ = strconv.ParseInt(info["used_memory"], 10, 64)
	r.MaxBytes, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	return r, nil
}

// forbidden tells a command that this user may not use from other errors.
func forbidden(err error) bool { return strings.HasPrefix(err.Error(), "NOPERM") }
