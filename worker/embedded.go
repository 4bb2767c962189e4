package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Embedded is a queue server that lives and dies with this process: a
// redis-server child on a unix socket where one is installed, else miniredis
// in the process. It holds a window of the queue only, so it needs no disk.
type Embedded struct {
	Redis asynq.RedisConnOpt
	Kind  string // "redis-server" or "miniredis"
	close func() error
}

// Close ends the server.
func (e *Embedded) Close() error { return e.close() }

// StartEmbedded starts an embedded queue server. server is the path or name of redis-server; empty looks it up, "none" means miniredis.
func StartEmbedded(ctx context.Context, server string) (*Embedded, error) {
	if server == "none" {
		return startMiniredis()
	}
	path, err := exec.LookPath(cmpOr(server, "redis-server"))
	if err != nil {
		if server != "" {
			return nil, fmt.Errorf("queue.server: %w", err)
		}
		return startMiniredis()
	}
	return startRedis(ctx, path)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// startRedis runs redis-server in a directory of its own that only this user can enter.
func startRedis(ctx context.Context, path string) (*Embedded, error) {
	base := "" // the system's, unless a socket's path (at most 107 bytes) would not fit there
	if len(os.TempDir()) > 60 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "radtier-queue-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", dir,
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning")
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop := func() error {
		_ = cmd.Process.Kill()
		<-exited
		return os.RemoveAll(dir)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer client.Close()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for client.Ping(ctx).Err() != nil {
		select {
		case err := <-exited:
			exited <- err
			return nil, errors.Join(fmt.Errorf("%s ended at once: %w", path, err), stop())
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), stop())
		case <-deadline.C:
			return nil, errors.Join(fmt.Errorf("%s did not answer within 10 s", path), stop())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return &Embedded{Redis: asynq.RedisClientOpt{Network: "unix", Addr: socket}, Kind: "redis-server", close: stop}, nil
}

// startMiniredis runs a Redis look-alike in the process. Its key expiry stands
// still unless its clock is pushed, so a goroutine does that each second.
func startMiniredis() (*Embedded, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				m.FastForward(time.Second)
			}
		}
	}()
	return &Embedded{Redis: asynq.RedisClientOpt{Addr: m.Addr()}, Kind: "miniredis", close: func() error {
		close(done)
		m.Close()
		return nil
	}}, nil
}
