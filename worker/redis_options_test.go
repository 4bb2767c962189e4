package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRedisOptions: each mistake is answered with what to do, and no answer has a secret in it.
func TestRedisOptions(t *testing.T) {
	const secret = "hunter2hunter2"
	c := newTestCA(t)
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two := []string{"127.0.0.1:6379"}, []string{"127.0.0.1:6379", "127.0.0.1:6380"}
	for _, tc := range []struct {
		name string
		o    RedisOptions
		want string // part of the error; "": none
	}{
		{"one server", RedisOptions{Addresses: one, Password: secret}, ""},
		{"kind named", RedisOptions{Kind: RedisSingle, Addresses: one, DB: 15}, ""},
		{"IPv6", RedisOptions{Addresses: []string{"[::1]:6379"}}, ""},
		{"socket", RedisOptions{Addresses: []string{"/run/redis.sock"}, Password: secret}, ""},
		{"sentinels", RedisOptions{Kind: RedisSentinel, Addresses: two, MasterName: "m", SentinelPassword: secret}, ""},
		{"cluster", RedisOptions{Kind: RedisCluster, Addresses: two, Password: secret}, ""},
		{"TLS", RedisOptions{Addresses: one, TLS: true, CAFile: c.caFile, CertFile: c.certFile, KeyFile: c.keyFile, ServerName: "redis"}, ""},

		{"no address", RedisOptions{}, "give host:port"},
		{"no port", RedisOptions{Addresses: []string{"10.0.0.5"}}, `"10.0.0.5" is not host:port`},
		{"empty port", RedisOptions{Addresses: []string{"10.0.0.5:"}}, "is not host:port"},
		{"empty host", RedisOptions{Addresses: []string{":6379"}}, "is not host:port"},
		{"URL", RedisOptions{Addresses: []string{"redis://:" + secret + "@10.0.0.5:6379/0"}}, "address 1 is written as a URL: give host:port"},
		{"password before host", RedisOptions{Kind: RedisCluster, Addresses: []string{one[0], secret + "@10.0.0.5:6379"}}, "address 2 is written as a URL"},
		{"socket URL", RedisOptions{Addresses: []string{"/run/redis.sock?password=" + secret}}, "address 1 is written as a URL"},
		{"two for one server", RedisOptions{Addresses: two}, "use kind sentinel or cluster"},
		{"two sockets", RedisOptions{Addresses: []string{"/a", "/b"}}, "a unix socket is one server alone"},
		{"socket of a cluster", RedisOptions{Kind: RedisCluster, Addresses: []string{"/a"}}, "a unix socket is one server alone"},
		{"socket after a host", RedisOptions{Kind: RedisCluster, Addresses: []string{one[0], "/a"}}, "is not host:port"},
		{"socket with TLS", RedisOptions{Addresses: []string{"/a"}, TLS: true}, "not spoken over a unix socket"},
		{"CA without TLS", RedisOptions{Addresses: one, CAFile: c.caFile}, "turn it on, or leave them out"},
		{"server name without TLS", RedisOptions{Addresses: one, ServerName: "redis"}, "turn it on, or leave them out"},
		{"negative database", RedisOptions{Addresses: one, DB: -1}, "it must be 0 or more"},
		{"database of a cluster", RedisOptions{Kind: RedisCluster, Addresses: two, DB: 1}, "only database 0"},
		{"master's name for one server", RedisOptions{Addresses: one, MasterName: "m"}, `kind "single": use kind sentinel, or leave them out`},
		{"sentinels' password for a cluster", RedisOptions{Kind: RedisCluster, Addresses: two, SentinelPassword: secret}, `kind "cluster": use kind sentinel`},
		{"sentinels without a name", RedisOptions{Kind: RedisSentinel, Addresses: two}, "sentinels need the master's name"},
		{"unknown kind", RedisOptions{Kind: "ring", Addresses: one, Password: secret}, `"ring" is not known: use single, sentinel or cluster`},
		{"CA file away", RedisOptions{Addresses: one, TLS: true, CAFile: filepath.Join(t.TempDir(), "none.pem")}, "CA file"},
		{"CA file not PEM", RedisOptions{Addresses: one, TLS: true, CAFile: notPEM}, "has no certificate in PEM form"},
		{"certificate without key", RedisOptions{Addresses: one, TLS: true, CertFile: c.certFile}, "give both files or none"},
		{"key without certificate", RedisOptions{Addresses: one, TLS: true, KeyFile: c.keyFile}, "give both files or none"},
		{"key of another", RedisOptions{Addresses: one, TLS: true, CertFile: c.caFile, KeyFile: c.keyFile}, "client certificate"},
	} {
		opt, err := Redis(tc.o)
		switch {
		case tc.want == "" && (err != nil || opt == nil):
			t.Errorf("%s: %v, want no error", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v\nwant an error with %q", tc.name, err, tc.want)
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("%s: the error has the password in it", tc.name)
		}
	}
}
