package worker

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// past is the entry of a lease that ended long ago.
func past(id string) redis.Z { return redis.Z{Score: 1, Member: id} }

// relayed is a TCP relay in front of a server, which counts and cuts connections.
type relayed struct {
	addr string
	to   func() string

	accepted atomic.Int64
	closed   atomic.Bool // accept and close at once

	mu    sync.Mutex
	spot  []byte // see cutAt
	lose  bool
	times int
	cuts  int // made
	conns map[net.Conn]bool
}

func relay(t *testing.T, to func() string) *relayed {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relayed{addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); r.cutAll() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			if r.closed.Load() {
				c.Close()
				continue
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *relayed) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.to())
	if err != nil {
		return
	}
	defer server.Close()
	r.mu.Lock()
	r.conns[client] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.conns, client)
		r.mu.Unlock()
	}()
	replied := make(chan struct{})
	go func() {
		defer close(replied)
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 {
			cut, lose := r.hit(buf[:n])
			if cut && lose {
				return
			}
			if cut {
				client.Close() // the reply finds nobody
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
			if cut {
				<-replied // the server has done it
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hit reports whether a request is one to be cut, and how.
func (r *relayed) hit(request []byte) (cut, lose bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == 0 || !bytes.Contains(request, r.spot) {
		return false, false
	}
	r.times--
	r.cuts++
	return true, r.lose
}

// cutAt cuts the next connections that send a request with these bytes: before the
// server sees it (lose), or after it, so that the reply is lost.
func (r *relayed) cutAt(spot []byte, times int, lose bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spot, r.times, r.lose = spot, times, lose
}

func (r *relayed) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}
