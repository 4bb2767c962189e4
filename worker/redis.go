package worker

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/hibiken/asynq"
)

// RedisOptions says where a Redis server is.
type RedisOptions struct {
	Address            string // host:port, or the absolute path of a unix socket
	Username, Password string // empty: none
	DB                 int
	TLS                bool // with the certificate checked against the host of Address
}

// Redis is the connection of a pool to a Redis server. It does not connect yet.
func Redis(o RedisOptions) asynq.RedisConnOpt {
	c := asynq.RedisClientOpt{Network: "tcp", Addr: o.Address, Username: o.Username, Password: o.Password, DB: o.DB}
	if strings.HasPrefix(o.Address, "/") {
		c.Network = "unix"
	}
	if o.TLS {
		host, _, err := net.SplitHostPort(o.Address)
		if err != nil {
			host = o.Address
		}
		c.TLSConfig = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	return c
}
