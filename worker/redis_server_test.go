package worker

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/testkit"
)

// killableRedis is a redis-server with an append-only file, which survives SIGKILL but for its last second.
type killableRedis struct {
	addr, program, dir string
	cmd                *exec.Cmd
}

func startKillableRedis(t *testing.T) *killableRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &killableRedis{addr: l.Addr().String(), program: testkit.Tool(t, "redis-server"), dir: t.TempDir()}
	l.Close()
	r.start(t)
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() })
	return r
}

func (r *killableRedis) start(t *testing.T) {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command(r.program, "--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction")
	dieWithParent(r.cmd)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// restart kills the server and starts it again on the same port and data.
func (r *killableRedis) restart(t *testing.T) {
	t.Helper()
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	time.Sleep(300 * time.Millisecond) // workers notice
	r.start(t)
}
