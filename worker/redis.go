package worker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

// Kinds of Redis installations.
const (
	RedisSingle   = "single"
	RedisSentinel = "sentinel" // a master and replicas that sentinels watch
	RedisCluster  = "cluster"
)

// RedisOptions says where Redis is and how to speak with it.
type RedisOptions struct {
	Kind string // one of the constants; "" is single
	// Addresses are host:port. single: one, or the absolute path of a unix
	// socket. sentinel: the sentinels. cluster: some of the nodes.
	Addresses          []string
	MasterName         string // sentinel: the name that the sentinels know
	Username, Password string // of the servers; empty: none

	SentinelUsername, SentinelPassword string // of the sentinels

	DB int // number of the database; a cluster has only 0
	// TLS speaks TLS 1.2 or later with servers and sentinels and checks their certificates against CAFile (PEM; "" is the system's) and
	// ServerName ("" is the host of each address). CertFile and KeyFile are a client certificate.
	TLS                                   bool
	CAFile, CertFile, KeyFile, ServerName string
}

// Redis is the connection of a pool to Redis. It reads the files of TLS and does not connect yet.
func Redis(o RedisOptions) (asynq.RedisConnOpt, error) {
	bad := func(format string, args ...any) (asynq.RedisConnOpt, error) {
		return nil, fmt.Errorf("redis: "+format, args...)
	}
	if len(o.Addresses) == 0 {
		return bad("no address is given: give host:port, or the path of a unix socket")
	}
	socket := strings.HasPrefix(o.Addresses[0], "/")
	for n, a := range o.Addresses {
		switch host, port, err := net.SplitHostPort(a); {
		case strings.ContainsAny(a, "@?") || strings.Contains(a, "://"): // not printed: passwords are written so
			return bad("address %d is written as a URL: give host:port, and user, password, database and TLS in settings of their own", n+1)
		case !socket && (err != nil || host == "" || port == ""):
			return bad("address %q is not host:port, as in 10.0.0.5:6379", a)
		}
	}
	switch {
	case socket && (len(o.Addresses) > 1 || o.Kind != "" && o.Kind != RedisSingle):
		return bad("a unix socket is one server alone: not %d addresses of kind %q", len(o.Addresses), o.Kind)
	case socket && o.TLS:
		return bad("TLS is not spoken over a unix socket")
	case !o.TLS && (o.CAFile != "" || o.CertFile != "" || o.KeyFile != "" || o.ServerName != ""):
		return bad("certificates are given and TLS is off: turn it on, or leave them out")
	case o.DB < 0:
		return bad("database %d: it must be 0 or more", o.DB)
	case o.Kind != RedisSentinel && (o.MasterName != "" || o.SentinelPassword != "" || o.SentinelUsername != ""):
		return bad("a master's name or a sentinels' password is given for kind %q: use kind %s, or leave them out", cmpOr(o.Kind, RedisSingle), RedisSentinel)
	}
	tlsConfig, err := o.tls()
	if err != nil {
		return nil, err
	}
	switch o.Kind {
	case "", RedisSingle:
		if len(o.Addresses) != 1 {
			return bad("%d addresses for one server: use kind %s or %s", len(o.Addresses), RedisSentinel, RedisCluster)
		}
		c := asynq.RedisClientOpt{Network: "tcp", Addr: o.Addresses[0], Username: o.Username, Password: o.Password, DB: o.DB, DialTimeout: dialTimeout, TLSConfig: tlsConfig}
		if socket {
			c.Network = "unix"
		}
		return c, nil
	case RedisSentinel:
		if o.MasterName == "" {
			return bad("sentinels need the master's name, as in `sentinel monitor NAME ...`")
		}
		return asynq.RedisFailoverClientOpt{MasterName: o.MasterName, SentinelAddrs: o.Addresses, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
			Username: o.Username, Password: o.Password, DB: o.DB, DialTimeout: dialTimeout, TLSConfig: tlsConfig}, nil
	case RedisCluster:
		if o.DB != 0 {
			return bad("database %d: a cluster has only database 0", o.DB)
		}
		return asynq.RedisClusterClientOpt{Addrs: o.Addresses, Username: o.Username, Password: o.Password, DialTimeout: dialTimeout, TLSConfig: tlsConfig}, nil
	}
	return bad("kind %q is not known: use %s, %s or %s", o.Kind, RedisSingle, RedisSentinel, RedisCluster)
}

// dialTimeout is short: a server that takes longer is tried again.
const dialTimeout = 3 * time.Second

func (o RedisOptions) tls() (*tls.Config, error) {
	if !o.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("redis: CA file: %w", err)
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool()
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis: CA file %s has no certificate in PEM form", o.CAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("redis: a client certificate and its key go together: give both files or none")
	}
	if o.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("redis: client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
