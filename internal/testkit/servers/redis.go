package servers

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// RedisOptions says what a Redis server is like. The zero value has no
// password, no TLS, evicts nothing and forgets everything when it ends.
type RedisOptions struct {
	TLS        bool   // with a certificate for 127.0.0.1 and localhost; see [RedisServer.CAFile]
	Password   string // of the default user
	Policy     string // maxmemory-policy; "" is noeviction
	MaxMemory  string // such as "10mb"; "" is no limit
	AppendOnly bool   // keeps an append-only file, so that data survive Stop and Kill

	more []string // further arguments
}

// RedisServer is a redis-server that belongs to one test. Its methods may be called from any goroutine.
type RedisServer struct {
	Addr     string // 127.0.0.1:port; stays the same
	Password string
	CAFile   string // PEM file of the authority that signed the server's certificate; empty without TLS

	t      testing.TB
	p      *process
	secure *tls.Config
}

// Redis starts a redis-server, and stops it at the test's end.
func Redis(t testing.TB, o RedisOptions) *RedisServer {
	t.Helper()
	r := newRedis(t, o)
	if err := r.launch(); err != nil {
		t.Fatal(err)
	}
	return r
}

func newRedis(t testing.TB, o RedisOptions) *RedisServer {
	t.Helper()
	program, dir, port := testkit.Tool(t, "redis-server"), t.TempDir(), freePort(t)
	r := &RedisServer{Addr: net.JoinHostPort("127.0.0.1", port), Password: o.Password, t: t, p: &process{program: program, dir: dir}}
	if o.Policy == "" {
		o.Policy = "noeviction"
	}
	args := []string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--daemonize", "no", "--maxmemory-policy", o.Policy, "--appendonly", "no"}
	if o.AppendOnly {
		args[len(args)-1] = "yes"
	}
	if o.MaxMemory != "" {
		args = append(args, "--maxmemory", o.MaxMemory)
	}
	if o.TLS {
		c := newCertificates(t, dir)
		r.CAFile, r.secure = c.caFile, &tls.Config{RootCAs: c.roots, ServerName: "127.0.0.1"}
		args = append(args, "--port", "0", "--tls-port", port, "--tls-cert-file", c.certFile, "--tls-key-file", c.keyFile,
			"--tls-ca-cert-file", c.caFile, "--tls-auth-clients", "no")
	} else {
		args = append(args, "--port", port)
	}
	if o.Password != "" { // in a file: arguments can be seen by all
		file := filepath.Join(dir, "password.conf")
		if err := os.WriteFile(file, []byte(fmt.Sprintf("requirepass %q\nmasterauth %q\n", o.Password, o.Password)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{file}, args...)
	}
	r.p.args = append(args, o.more...)
	t.Cleanup(func() { r.p.end(syscall.SIGKILL) })
	return r
}

// launch starts the server and waits until it answers.
func (r *RedisServer) launch() error {
	if err := r.p.start(); err != nil {
		return err
	}
	ended := false
	err := await("redis-server answers", func() error {
		// Another server may have taken the port: it must be ours that answers.
		err := contains(r, fmt.Sprintf("process_id:%d\r", r.p.pid()), "INFO", "server")
		if ended = err != nil && !r.p.running(); ended {
			return nil // and no more waiting
		}
		return err
	})
	if ended {
		err = fmt.Errorf("redis-server on %s ended at once", r.Addr)
	}
	if err != nil {
		r.p.end(syscall.SIGKILL)
		return fmt.Errorf("%w; the end of its log:\n%s", err, r.p.logEnd())
	}
	return nil
}

// Start starts the server again, on the same port and data. It fails the test if that does not work.
func (r *RedisServer) Start() {
	r.t.Helper()
	if err := r.launch(); err != nil {
		r.t.Error(err)
	}
}

// Stop ends the server in an orderly way, as systemd would.
func (r *RedisServer) Stop() { r.p.end(syscall.SIGTERM) }

// Kill ends the server as the death of its machine would, but for the page cache.
func (r *RedisServer) Kill() { r.p.end(syscall.SIGKILL) }

// Restart kills the server and starts it again.
func (r *RedisServer) Restart() {
	r.t.Helper()
	r.Kill()
	r.Start()
}

// Do sends one command and returns the reply as text, an array as lines.
func (r *RedisServer) Do(words ...string) (string, error) {
	if r.Password != "" {
		return command(r.Addr, r.secure, []string{"AUTH", r.Password}, words)
	}
	return command(r.Addr, r.secure, words)
}

// TLS returns the client's side of the server's TLS; nil without.
func (r *RedisServer) TLS() *tls.Config {
	if r.secure == nil {
		return nil
	}
	return r.secure.Clone()
}
