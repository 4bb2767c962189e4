package worker

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/radtier/radtier/internal/testkit/synth"
)

// cutting is a proxy that cuts the connection on which each of some numbers of bytes was passed on to the client.
type cutting struct {
	listener net.Listener
	to       string
	armed    atomic.Bool
	cuts     atomic.Int32
	mu       sync.Mutex
	passed   int64
	at       []int64
}

func startCutting(t *testing.T, endpoint string, at ...int64) *cutting {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutting{listener: l, to: u.Host, at: at}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	})
	return c
}

func (c *cutting) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 && c.pass(int64(n)) {
			client.Write(buf[:n/2])
			return
		}
		if _, writeErr := client.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// pass counts bytes and reports whether the connection is to be cut here.
func (c *cutting) pass(n int64) bool {
	if !c.armed.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += n
	if len(c.at) == 0 || c.passed < c.at[0] {
		return false
	}
	c.at = c.at[1:]
	c.cuts.Add(1)
	return true
}

// TestConnectionCut: a multi-frame object of 40 MB is streamed while the
// connection is cut three times. It comes back byte for byte, and what was read before a cut is not read again.
func TestConnectionCut(t *testing.T) {
	large := synth.HugeMultiframe(synth.Options{Seed: 9}, 40<<20)
	raw, err := large.Instances[0].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	everyServer(t, func(t *testing.T, s testServer) {
		proxy := startCutting(t, s.Endpoint, 3<<20, 17<<20, 33<<20)
		s.Endpoint = "http://" + proxy.listener.Addr().String()
		p := newBucketPlace(t, s)
		p.put(t, "large", raw)
		r := rigFor(t, p, nil)
		jobs, _ := r.queueFrom(p)
		p.bucket.reset()
		var inside atomic.Int32 // requests that begin inside a range
		p.bucket.before = func(_ string, _ int, offset int64) {
			if offset%streamRange != 0 {
				inside.Add(1)
			}
		}
		proxy.armed.Store(true)
		r.mustRun(jobs[0])
		r.wantStored(jobs[0].StudyKey, raw)
		if n := proxy.cuts.Load(); n != 3 {
			t.Errorf("the connection was cut %d times, want 3", n)
		}
		if inside.Load() == 0 {
			t.Error("no range was taken up where it broke")
		}
		gets, asked := p.bucket.reset()
		ranges := (len(raw) + streamRange - 1) / streamRange
		if most := int64(len(raw)) + firstRange + 3*streamRange; gets != 1+ranges+3 || asked > most {
			t.Errorf("%d requests for %d bytes, want %d (a header, %d ranges, 3 that were taken up) for at most %d", gets, asked, 1+ranges+3, ranges, most)
		}
	})
}
