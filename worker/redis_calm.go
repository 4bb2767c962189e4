package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// calm makes clients that do not storm a Redis which is away or refuses.
// Asynq asks for the next task again at once when asking failed, and the client below it connects again
// for each try. All clients of one calm share a door: while nothing is answered, one connection is tried
// each dialSpacing, and a script that failed (Asynq asks by scripts) returns after failPause. The first answer opens the door for all.
type calm struct {
	opt  asynq.RedisConnOpt
	door *door
}

const (
	dialSpacing = 200 * time.Millisecond
	failPause   = 300 * time.Millisecond
	// redisConns bounds the connections of one client. The library's default is ten for each core.
	redisConns = 16
)

func calmly(opt asynq.RedisConnOpt) calm {
	if c, ok := opt.(calm); ok {
		return c
	}
	return calm{opt: opt, door: &door{answered: make(chan struct{})}}
}

// MakeRedisClient implements asynq.RedisConnOpt. A kind of connection that is not Asynq's own is made as it is.
func (c calm) MakeRedisClient() any {
	quietRedis()
	var client redis.UniversalClient
	switch o := c.opt.(type) {
	case asynq.RedisClientOpt:
		client = redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB,
			DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: orInt(o.PoolSize, redisConns),
			Dialer: c.door.dialer(o.DialTimeout, o.TLSConfig)})
	case asynq.RedisFailoverClientOpt:
		client = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: o.MasterName, SentinelAddrs: o.SentinelAddrs,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, Username: o.Username, Password: o.Password, DB: o.DB,
			DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: orInt(o.PoolSize, redisConns),
			Dialer: c.door.dialer(o.DialTimeout, o.TLSConfig)})
	case asynq.RedisClusterClientOpt:
		client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: o.Addrs, MaxRedirects: o.MaxRedirects, Username: o.Username, Password: o.Password,
			DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: redisConns,
			Dialer: c.door.dialer(o.DialTimeout, o.TLSConfig)})
	default:
		made := c.opt.MakeRedisClient()
		var ok bool
		if client, ok = made.(redis.UniversalClient); !ok {
			return made
		}
	}
	client.AddHook(c.door)
	return client
}

func orInt(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// door knows whether Redis answers. It is a hook of the client library.
type door struct {
	mu       sync.Mutex
	away     bool
	next     time.Time     // when the next connection may be tried while away
	answered chan struct{} // closed and renewed by the first answer after being away
}

// dialer connects, when its turn has come.
func (d *door) dialer(timeout time.Duration, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: timeout}
	if timeout == 0 {
		plain.Timeout = dialTimeout
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := d.turn(ctx); err != nil {
			return nil, err
		}
		var conn net.Conn
		var err error
		if config == nil {
			conn, err = plain.DialContext(ctx, network, address)
		} else {
			handshake, cancel := context.WithTimeout(ctx, plain.Timeout) // for the whole of it, not only for the connection
			conn, err = (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(handshake, network, address)
			cancel()
		}
		if err != nil {
			d.note(err)
		}
		return conn, err
	}
}

// turn waits until a connection may be tried.
func (d *door) turn(ctx context.Context) error {
	for {
		d.mu.Lock()
		now := time.Now()
		if !d.away || !now.Before(d.next) {
			d.next = now.Add(dialSpacing)
			d.mu.Unlock()
			return nil
		}
		wait, answered := time.NewTimer(d.next.Sub(now)), d.answered
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		case <-answered:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// note learns from the outcome of a command or of a connection, and reports whether it was a failure.
func (d *door) note(err error) (failed bool) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrClosed):
		return false // says nothing about Redis
	case err == nil, errors.Is(err, redis.Nil), strings.HasPrefix(err.Error(), "NOSCRIPT"):
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.away {
			d.away = false
			close(d.answered)
			d.answered = make(chan struct{})
		}
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = true
	return true
}

// DialHook implements redis.Hook; the dialer does it, for sentinels and nodes of a cluster as well.
func (d *door) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (d *door) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if d.note(err) && strings.HasPrefix(cmd.Name(), "eval") {
			pause := time.NewTimer(failPause)
			defer pause.Stop()
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (d *door) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		d.note(err)
		return err
	}
}

// quietRedis keeps the client library from writing to standard error; it has
// one logger for the process. What it says there also comes as the error of a command.
var quietRedis = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
