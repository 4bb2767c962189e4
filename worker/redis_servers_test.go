package worker

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/radtier/radtier/internal/testkit"
)

// redisProcess is a redis-server or a sentinel, private to a test.
type redisProcess struct {
	addr, dir string
	args      []string
	config    *tls.Config
	user      [2]string // name and password
	cmd       *exec.Cmd
	output    bytes.Buffer
}

// freePort is one on which nobody listens, and which a cluster's bus port (10,000 above) allows.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end, so that no port is given twice
		if l.Addr().(*net.TCPAddr).Port < 55_000 {
			_, port, _ := net.SplitHostPort(l.Addr().String())
			return port
		}
	}
}

// startRedisProcess starts a server. args are options as on its command line; a password is found among them.
func startRedisProcess(t *testing.T, config *tls.Config, args ...string) *redisProcess {
	t.Helper()
	port := freePort(t)
	r := &redisProcess{addr: "127.0.0.1:" + port, dir: t.TempDir(), config: config}
	listen := []string{"--port", port}
	if config != nil {
		listen = []string{"--port", "0", "--tls-port", port}
	}
	r.args = append(append(listen, "--bind", "127.0.0.1", "--dir", r.dir, "--save", ""), args...)
	for i, a := range args {
		if a == "--requirepass" {
			r.user[1] = args[i+1]
		}
	}
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

// startSentinel starts a sentinel that watches master under the name "m".
func startSentinel(t *testing.T, master, password, own string) *redisProcess {
	t.Helper()
	port := freePort(t)
	host, masterPort, _ := net.SplitHostPort(master)
	r := &redisProcess{addr: "127.0.0.1:" + port, dir: t.TempDir()}
	r.user[1] = own
	quote := strconv.Quote // a password may be of several words
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nrequirepass %s\nsentinel sentinel-pass %s\nsentinel monitor m %s %s 2\nsentinel auth-pass m %s\n"+
		"sentinel down-after-milliseconds m 1000\nsentinel failover-timeout m 10000\n", port, r.dir, quote(own), quote(own), host, masterPort, quote(password))
	file := filepath.Join(r.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.args = []string{file, "--sentinel"}
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *redisProcess) start(t *testing.T) {
	t.Helper()
	r.cmd = exec.Command(testkit.Tool(t, "redis-server"), r.args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	dieWithParent(r.cmd)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := r.client()
	defer c.Close()
	deadline := time.Now().Add(15 * time.Second)
	for err := c.Ping(t.Context()).Err(); err != nil; err = c.Ping(t.Context()).Err() {
		if time.Now().After(deadline) {
			r.kill()
			t.Fatalf("redis-server does not answer: %v\n%s", err, r.output.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *redisProcess) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisProcess) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.addr, Username: r.user[0], Password: r.user[1], TLSConfig: r.config})
}

// do runs a command and fails the test if the server refuses.
func (r *redisProcess) do(t *testing.T, args ...any) any {
	t.Helper()
	c := r.client()
	defer c.Close()
	v, err := c.Do(t.Context(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// testCA is a certificate authority, with a certificate for 127.0.0.1 and "redis.test" and one for a client.
type testCA struct {
	caFile, serverCert, serverKey, certFile, keyFile string
	config                                           *tls.Config // of a client
}

func newTestCA(t *testing.T) testCA {
	t.Helper()
	dir := t.TempDir()
	save := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var caCert *x509.Certificate
	var caKey *ecdsa.PrivateKey
	sign := func(name string, serial int64, template x509.Certificate) (string, string) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.SerialNumber, template.Subject = big.NewInt(serial), pkix.Name{CommonName: name}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		parent, signer := caCert, caKey
		if parent == nil {
			parent, signer = &template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		if caCert == nil {
			if caCert, err = x509.ParseCertificate(der); err != nil {
				t.Fatal(err)
			}
			caKey = key
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return save(name+".pem", "CERTIFICATE", der), save(name+".key", "PRIVATE KEY", private)
	}
	var c testCA
	c.caFile, _ = sign("ca", 1, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	c.serverCert, c.serverKey = sign("server", 2, x509.Certificate{DNSNames: []string{"redis.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	c.certFile, c.keyFile = sign("client", 3, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(caCert)
	c.config = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	return c
}

// sentinelSet is a master, a replica and three sentinels.
type sentinelSet struct {
	master, replica *redisProcess
	sentinels       []*redisProcess
	options         RedisOptions
}

func startSentinelSet(t *testing.T) *sentinelSet {
	t.Helper()
	const password, own = "of the servers", "of the sentinels"
	passwords := []string{"--requirepass", password, "--masterauth", password, "--appendonly", "yes", "--repl-diskless-sync-delay", "0"}
	s := &sentinelSet{master: startRedisProcess(t, nil, passwords...)}
	host, port, _ := net.SplitHostPort(s.master.addr)
	s.replica = startRedisProcess(t, nil, append(passwords, "--replicaof", host+" "+port)...)
	s.options = RedisOptions{Kind: RedisSentinel, MasterName: "m", Password: password, SentinelPassword: own}
	for range 3 {
		one := startSentinel(t, s.master.addr, password, own)
		s.sentinels = append(s.sentinels, one)
		s.options.Addresses = append(s.options.Addresses, one.addr)
	}
	until(t, "the replica follows", func() bool {
		return strings.Contains(fmt.Sprint(s.replica.do(t, "INFO", "replication")), "master_link_status:up")
	})
	until(t, "the sentinels know each other and the replica", func() bool {
		for _, one := range s.sentinels {
			known := fmt.Sprint(one.do(t, "INFO", "sentinel"))
			if !strings.Contains(known, "slaves=1,sentinels=3") {
				return false
			}
		}
		return true
	})
	return s
}

// startRedisCluster starts masters that share the slots.
func startRedisCluster(t *testing.T, masters int) RedisOptions {
	t.Helper()
	o := RedisOptions{Kind: RedisCluster, Password: "of the cluster"}
	var nodes []*redisProcess
	const slots = 16384
	for i := range masters {
		n := startRedisProcess(t, nil, "--requirepass", o.Password, "--masterauth", o.Password, "--cluster-enabled", "yes", "--appendonly", "yes")
		n.do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		n.do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		nodes, o.Addresses = append(nodes, n), append(o.Addresses, n.addr)
	}
	for _, n := range nodes[1:] {
		host, port, _ := net.SplitHostPort(n.addr)
		nodes[0].do(t, "CLUSTER", "MEET", host, port)
	}
	for _, n := range nodes {
		until(t, "the cluster is ok", func() bool {
			info := fmt.Sprint(n.do(t, "CLUSTER", "INFO"))
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters))
		})
	}
	return o
}
