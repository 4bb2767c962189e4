package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// Sentinel is a Redis master and its replica, watched by three Sentinels of
// which two must agree that the master is gone; it is taken for gone after 3 s
// without an answer: on a busy machine less takes living ones for gone. An
// election takes some seconds more, half a minute if the Sentinels' own clocks were held up.
type Sentinel struct {
	MasterName    string
	SentinelAddrs []string
	Nodes         []*RedisServer // with append-only files; the first is the master at the beginning

	t testing.TB
}

// RedisSentinel starts them and waits until the replica has all of the master's data and the Sentinels know each other.
func RedisSentinel(t testing.TB) *Sentinel {
	t.Helper()
	master := Redis(t, RedisOptions{AppendOnly: true})
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := Redis(t, RedisOptions{AppendOnly: true, more: []string{"--replicaof", host + " " + port}})
	s := &Sentinel{MasterName: "main", Nodes: []*RedisServer{master, replica}, t: t}
	s.must(await("the replica follows", func() error { return contains(replica, "master_link_status:up", "INFO", "replication") }))
	for range 3 {
		s.watch(master)
	}
	s.must(await("the Sentinels know each other and the replica", func() error {
		for _, addr := range s.SentinelAddrs {
			fields, err := s.master(addr)
			if err != nil {
				return err
			}
			if fields["num-other-sentinels"] != "2" || fields["num-slaves"] != "1" || fields["flags"] != "master" {
				return fmt.Errorf("sentinel %s says %v", addr, fields)
			}
		}
		return nil
	}))
	return s
}

// watch starts one Sentinel.
func (s *Sentinel) watch(master *RedisServer) {
	s.t.Helper()
	dir, port := s.t.TempDir(), freePort(s.t)
	host, masterPort, _ := net.SplitHostPort(master.Addr)
	config := filepath.Join(dir, "sentinel.conf") // Sentinels write their state into it
	s.must(os.WriteFile(config, fmt.Appendf(nil, `port %s
bind 127.0.0.1
dir %s
sentinel monitor %[3]s %s %s 2
sentinel down-after-milliseconds %[3]s 3000
sentinel failover-timeout %[3]s 5000
`, port, dir, s.MasterName, host, masterPort), 0o600))
	p := &process{program: testkit.Tool(s.t, "redis-server"), dir: dir, args: []string{config, "--sentinel"}}
	s.t.Cleanup(func() { p.end(syscall.SIGKILL) })
	s.must(p.start())
	addr := net.JoinHostPort("127.0.0.1", port)
	if err := await("a Sentinel answers", func() error { _, err := command(addr, nil, []string{"PING"}); return err }); err != nil {
		s.t.Fatalf("%v; the end of its log:\n%s", err, p.logEnd())
	}
	s.SentinelAddrs = append(s.SentinelAddrs, addr)
}

// Master returns the node that the Sentinels take for the master.
func (s *Sentinel) Master() *RedisServer {
	s.t.Helper()
	var found *RedisServer
	s.must(await("the Sentinels agree on a master", func() error {
		found = nil
		for _, addr := range s.SentinelAddrs {
			reply, err := command(addr, nil, []string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.MasterName})
			if err != nil {
				return err
			}
			node := s.node(strings.Replace(reply, "\n", ":", 1))
			if node == nil || found != nil && node != found {
				return fmt.Errorf("sentinel %s says %q, another one says otherwise", addr, reply)
			}
			found = node
		}
		return nil
	}))
	return found
}

// Failover makes the replica the master, as an operator would, and waits until the old master follows it.
func (s *Sentinel) Failover() {
	s.t.Helper()
	old := s.Master()
	s.must(await("SENTINEL FAILOVER", func() error { // refused while another one is under way
		_, err := command(s.SentinelAddrs[0], nil, []string{"SENTINEL", "FAILOVER", s.MasterName})
		return err
	}))
	now := s.moved(old)
	host, port, _ := net.SplitHostPort(now.Addr)
	_, err := old.Do("REPLICAOF", host, port) // the Sentinels say so too, but 8 s later
	s.must(err)
	s.Ready()
}

// Ready waits until the Sentinels agree on a master and the other node has all of its data. Both nodes must run.
func (s *Sentinel) Ready() {
	s.t.Helper()
	s.must(await("one node follows the other", func() error {
		master := s.Master()
		if err := contains(master, "role:master", "INFO", "replication"); err != nil {
			return err
		}
		for _, n := range s.Nodes {
			if n == master {
				continue
			}
			if err := contains(n, "master_link_status:up", "INFO", "replication"); err != nil {
				return err
			}
		}
		return nil
	}))
}

// KillMaster kills the master and waits until the replica has taken over. The killed one can be started again; [Sentinel.Ready] then waits until it follows.
func (s *Sentinel) KillMaster() (killed *RedisServer) {
	s.t.Helper()
	killed = s.Master()
	killed.Kill()
	s.moved(killed)
	return killed
}

// moved waits until the Sentinels name another master than the old one, and it takes writes.
func (s *Sentinel) moved(old *RedisServer) (now *RedisServer) {
	s.t.Helper()
	s.must(await("another master is elected", func() error {
		if now = s.Master(); now == old {
			return fmt.Errorf("%s is still the master", old.Addr)
		}
		return contains(now, "role:master", "INFO", "replication")
	}))
	return now
}

// master returns what one Sentinel knows of the master.
func (s *Sentinel) master(addr string) (map[string]string, error) {
	reply, err := command(addr, nil, []string{"SENTINEL", "MASTER", s.MasterName})
	if err != nil {
		return nil, err
	}
	fields, words := map[string]string{}, strings.Split(reply, "\n")
	for i := 0; i+1 < len(words); i += 2 {
		fields[words[i]] = words[i+1]
	}
	return fields, nil
}

func (s *Sentinel) node(addr string) *RedisServer {
	for _, n := range s.Nodes {
		if n.Addr == addr {
			return n
		}
	}
	return nil
}

func (s *Sentinel) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// contains reports an error unless the reply to a command contains a text.
func contains(r *RedisServer, text string, words ...string) error {
	reply, err := r.Do(words...)
	if err != nil {
		return err
	}
	if !strings.Contains(reply, text) {
		return fmt.Errorf("%s: %s lacks %q", r.Addr, words, text)
	}
	return nil
}
