package servers

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func do(t *testing.T, r *RedisServer, words ...string) string {
	t.Helper()
	reply, err := r.Do(words...)
	if err != nil {
		t.Fatalf("%s: %v", words, err)
	}
	return reply
}

func TestRedisKeepsItsDataIfAsked(t *testing.T) {
	for _, tt := range []struct {
		appendOnly bool
		want       string
	}{{true, "value"}, {false, ""}} {
		r := Redis(t, RedisOptions{AppendOnly: tt.appendOnly})
		for name, end := range map[string]func(){"Stop": r.Stop, "Kill": r.Kill} {
			do(t, r, "SET", "key", "value")
			end()
			if _, err := r.Do("PING"); err == nil {
				t.Errorf("after %s: PING is answered, want an error", name)
			}
			r.Start()
			if got := do(t, r, "GET", "key"); got != tt.want {
				t.Errorf("append-only %v, after %s and Start: got %q, want %q", tt.appendOnly, name, got, tt.want)
			}
		}
	}
}

func TestRedisThatEndedByItselfStartsAgain(t *testing.T) {
	r := Redis(t, RedisOptions{})
	_, _ = r.Do("SHUTDOWN", "NOSAVE")
	if err := await("it ends", func() error {
		if r.p.running() {
			return os.ErrExist
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.Start()
	do(t, r, "PING")
}

func TestRedisOptions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      RedisOptions
		config map[string]string
	}{
		{"zero", RedisOptions{}, map[string]string{"maxmemory-policy": "noeviction", "maxmemory": "0", "appendonly": "no"}},
		{"policy", RedisOptions{Policy: "allkeys-lru", MaxMemory: "3mb"}, map[string]string{"maxmemory-policy": "allkeys-lru", "maxmemory": "3145728"}},
	} {
		r := Redis(t, tt.o)
		for name, want := range tt.config {
			if got := do(t, r, "CONFIG", "GET", name); got != name+"\n"+want {
				t.Errorf("%s: CONFIG GET %s: got %q, want %q", tt.name, name, got, want)
			}
		}
	}
}

func TestRedisWithPasswordAndTLS(t *testing.T) {
	r := Redis(t, RedisOptions{TLS: true, Password: `se"cret \word`})
	do(t, r, "PING")
	if _, err := command(r.Addr, r.TLS(), []string{"PING"}); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("PING without a password: got %v, want NOAUTH", err)
	}
	if _, err := command(r.Addr, nil, []string{"PING"}); err == nil {
		t.Error("PING without TLS: got an answer, want an error")
	}
	if _, err := command(r.Addr, &tls.Config{ServerName: "127.0.0.1"}, []string{"PING"}); err == nil || !strings.Contains(err.Error(), "authority") {
		t.Errorf("PING without the authority: got %v, want that it is unknown", err)
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", r.CAFile)
	}
	if _, err := command(r.Addr, &tls.Config{RootCAs: roots, ServerName: "localhost"}, []string{"AUTH", r.Password}, []string{"PING"}); err != nil {
		t.Errorf("PING with the authority of CAFile, under the name localhost: %v", err)
	}
	r.Restart()
	do(t, r, "PING")
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.p.pid()))
	if err == nil && bytes.Contains(arguments, []byte("cret")) {
		t.Errorf("the password is among the arguments: %q", arguments)
	}
}

func TestSentinel(t *testing.T) {
	s := RedisSentinel(t)
	first := s.Master()
	do(t, first, "SET", "key", "1")
	s.Failover()
	second := s.Master()
	if second == first || second != s.Nodes[1] {
		t.Fatalf("after Failover: the master is %s, want the other node %s", second.Addr, s.Nodes[1].Addr)
	}
	do(t, second, "SET", "key", "2")
	if got := do(t, second, "WAIT", "1", "30000"); got != "1" {
		t.Fatalf("WAIT: %s replicas have it, want 1", got)
	}
	if killed := s.KillMaster(); killed != second {
		t.Errorf("KillMaster: killed %s, want %s", killed.Addr, second.Addr)
	}
	if got := s.Master(); got != first {
		t.Errorf("after KillMaster: the master is %s, want %s", got.Addr, first.Addr)
	}
	second.Start()
	s.Ready()
	for _, n := range s.Nodes {
		if got := do(t, n, "GET", "key"); got != "2" {
			t.Errorf("GET on %s, of what was replicated: got %q, want 2", n.Addr, got)
		}
	}
}

func TestCluster(t *testing.T) {
	c := RedisCluster(t)
	served := 0
	for i := range 50 {
		key := fmt.Sprint("key", i)
		moved := 0
		for _, n := range c.Nodes {
			switch _, err := n.Do("SET", key, "x"); {
			case err == nil:
				served++
			case strings.Contains(err.Error(), "MOVED"):
				moved++
			default:
				t.Errorf("SET %s on %s: %v, want success or MOVED", key, n.Addr, err)
			}
		}
		if moved != clusterNodes-1 {
			t.Errorf("SET %s: %d nodes say MOVED, want %d", key, moved, clusterNodes-1)
		}
	}
	if served != 50 {
		t.Errorf("%d of 50 keys were stored", served)
	}
	c.Nodes[1].Restart()
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
}

// TestChildrenDieWithTheirParent runs itself as a process that starts a server and is then killed.
func TestChildrenDieWithTheirParent(t *testing.T) {
	const variable = "RADTIER_TEST_ORPHAN"
	if os.Getenv(variable) != "" {
		r := Redis(t, RedisOptions{})
		fmt.Printf("\nchild %d\n", r.p.pid())
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("children are tied to their parent on Linux only")
	}
	Redis(t, RedisOptions{}) // skips where there is none
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"=1", "TMPDIR="+t.TempDir()) // its own clean-up will not run
	out, err := cmd.Output()
	if err == nil {
		t.Fatalf("the process that kills itself ended well:\n%s", out)
	}
	_, text, found := strings.Cut(string(out), "\nchild ")
	var pid int
	if _, err := fmt.Sscan(text, &pid); !found || err != nil {
		t.Fatalf("no child is named in %q: %v", out, err)
	}
	if err := await("the child ends", func() error {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(state, []byte(") Z ")) {
			return nil
		}
		return fmt.Errorf("%s", state)
	}); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Error(err)
	}
}
