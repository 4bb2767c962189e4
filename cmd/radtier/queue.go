package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/worker"
)

// redisOptions is the configured queue as the worker wants it.
func redisOptions(q config.Queue) worker.RedisOptions {
	kind := q.Kind
	if kind == "redis" {
		kind = worker.RedisSingle
	}
	return worker.RedisOptions{Kind: kind, Addresses: q.Addresses, MasterName: q.MasterName, Username: q.Username, Password: q.Password.Reveal(),
		SentinelUsername: q.SentinelUsername, SentinelPassword: q.SentinelPassword.Reveal(), DB: q.DB, TLS: q.TLS,
		CAFile: q.CAFile, CertFile: q.CertFile, KeyFile: q.KeyFile, ServerName: q.ServerName}
}

// useRedis connects a pool to the configured queue.
func useRedis(o *worker.PoolOptions, q config.Queue) (err error) {
	o.Redis, err = worker.Redis(redisOptions(q))
	return err
}

// checkQueue asks Redis.
func checkQueue(ctx context.Context, cfg *config.Config, e *examination) {
	if cfg.Queue.Kind == "embedded" {
		checkEmbedded(cfg, e)
		return
	}
	opt, err := worker.Redis(redisOptions(cfg.Queue))
	if err != nil {
		e.add(levelFail, "correct section queue of the configuration", "%v", err)
		return
	}
	type answer struct {
		report worker.RedisReport
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		r, err := worker.CheckRedis(ctx, opt)
		answered <- answer{r, err}
	}()
	select {
	case <-ctx.Done():
		e.add(levelFail, redisDown, "%s at %s does not answer within %s", cfg.Queue.Kind, strings.Join(cfg.Queue.Addresses, ", "), areaTime)
	case a := <-answered:
		judgeRedis(cfg, e, a.report, a.err)
	}
}

const redisDown = "start Redis, or correct queue.addresses and its passwords; jobs stay in the catalog meanwhile, and nothing is lost"

func judgeRedis(cfg *config.Config, e *examination, r worker.RedisReport, err error) {
	where := fmt.Sprintf("%s at %s", cfg.Queue.Kind, strings.Join(cfg.Queue.Addresses, ", "))
	var evicts *worker.EvictionError
	var role *worker.RoleError
	switch {
	case errors.As(err, &evicts):
		e.add(levelFail, "`redis-cli CONFIG SET maxmemory-policy noeviction`, and write it to redis.conf", "%s: maxmemory-policy is %s: tasks vanish when its memory is full", where, evicts.Policy)
	case errors.As(err, &role):
		e.add(levelFail, "connect to the master, or use queue.kind sentinel", "%s is a %s, which takes no writes", where, role.Role)
	case err != nil:
		e.add(levelFail, redisDown, "%s: %v", where, err)
		return
	default:
		what := fmt.Sprintf("%s: Redis %s, %s, %s used", where, or(r.Version, "of unknown version"), or(r.Role, "of unknown role"), bytesText(r.UsedBytes))
		if r.Masters > 1 {
			what += fmt.Sprintf(", %d masters", r.Masters)
		}
		e.add(levelOK, "", "%s; maxmemory-policy %s; %s waiting, %s listening", what, or(r.Policy, "not told"), plural(r.Waiting, "task"), plural(r.Workers, "worker process"))
	}
	if r.ClusterDown {
		e.add(levelFail, "`redis-cli cluster info` says which slots are not served", "the cluster is down")
	}
	if r.MaxBytes > 0 && r.UsedBytes > r.MaxBytes/10*9 {
		e.add(levelWarn, "give it more memory, or a smaller queue.window", "%s of %s are used: new tasks are refused when it is full", bytesText(r.UsedBytes), bytesText(r.MaxBytes))
	}
	if r.Version != "" && !r.AppendOnly {
		e.add(levelNote, "`appendonly yes` in redis.conf saves the minute that workers need to fill the queue anew after a restart", "Redis keeps nothing on disk; jobs are in the catalog all the same")
	}
	checkClock(e, "Redis server", r.Clock, "tasks that are retried or recovered come too early or too late")
}

// checkEmbedded says whether a worker has the embedded queue.
func checkEmbedded(cfg *config.Config, e *examination) {
	if _, err := os.Stat(lockPath(cfg)); errors.Is(err, os.ErrNotExist) {
		e.add(levelOK, "", "embedded; no worker has run here yet")
		return
	}
	lock, err := tryLock(lockPath(cfg))
	switch {
	case err != nil:
		e.add(levelFail, "run it as the user that owns the data directory", "%v", err)
	case lock == nil:
		e.add(levelOK, "", "embedded; a worker runs")
	default:
		e.add(levelOK, "", "embedded; no worker runs: `radtier worker` starts one")
		_ = lock.release()
	}
}
