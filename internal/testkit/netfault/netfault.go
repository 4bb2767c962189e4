// Package netfault puts a TCP proxy between a client and a server in tests. It
// can cut connections, refuse new ones, hold bytes back, slow every turn of a
// conversation down, and lose a request or a reply at the very point that a
// test names: the server has done what it was asked, and the client cannot know.
//
// It looks at bytes and knows no protocol; a match sees what one TLS
// connection encrypts as noise. Faults apply to all connections through one proxy.
package netfault

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// P is a proxy. Its methods may be called from any goroutine.
type P struct {
	target   string
	listener net.Listener
	all      sync.WaitGroup

	mu          sync.Mutex
	links       map[*link]struct{}
	closed      bool
	refuse      bool
	gate        chan struct{} // closed while bytes may pass
	delay       time.Duration
	loseRequest func([]byte) bool
	loseReply   func([]byte) bool
	lost        int
}

// Proxy starts a proxy on loopback in front of target, "host:port". It ends with the test.
func Proxy(t testing.TB, target string) *P {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &P{target: target, listener: l, links: make(map[*link]struct{}), gate: make(chan struct{})}
	close(p.gate)
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Cut()
		p.all.Wait()
	})
	return p
}

// Addr is where the proxy listens, "127.0.0.1:port".
func (p *P) Addr() string { return p.listener.Addr().String() }

// Cut closes all connections now; new ones are let through.
func (p *P) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// Refuse makes new connections end at once, until it is called with false. Those that are there stay.
func (p *P) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Stall holds all bytes back, in both directions, until it is called with false; then they go on their way.
func (p *P) Stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stalled := false
	select {
	case <-p.gate:
	default:
		stalled = true
	}
	switch {
	case on && !stalled:
		p.gate = make(chan struct{})
	case !on && stalled:
		close(p.gate)
	}
}

// Delay holds bytes back for d whenever they turn the direction of a
// conversation: a request and its reply take 2d together, however long they are.
func (p *P) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// LoseRequest closes a connection instead of forwarding bytes that match, until
// it is called with nil. match gets what the client has sent since the server's
// last reply (at most 64 KiB of it); calls of match never overlap. See [Once] and [Contains].
func (p *P) LoseRequest(match func(request []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseRequest = match
}

// LoseReply forwards bytes that match, as in [P.LoseRequest], waits until the
// server replies, and closes the connection without forwarding anything of the
// reply: when the client sees the end, the server has done the work. Replies to
// earlier requests that are still on their way are lost with it.
func (p *P) LoseReply(match func(request []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseReply = match
}

// Lost is how many requests and replies were lost.
func (p *P) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Connections is how many connections there are now.
func (p *P) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Contains matches requests with a text in them, in upper or lower case ("commit" of PostgreSQL).
func Contains(text string) func([]byte) bool {
	lower := bytes.ToLower([]byte(text))
	return func(request []byte) bool { return bytes.Contains(bytes.ToLower(request), lower) }
}

// Once matches the first time that match does, and never again.
func Once(match func([]byte) bool) func([]byte) bool {
	done := false
	return func(request []byte) bool {
		if done || !match(request) {
			return false
		}
		done = true
		return true
	}
}

func (p *P) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.serve(client) })
	}
}

// serve connects a client with the server until both directions are done.
func (p *P) serve(client net.Conn) {
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	if refuse {
		_ = client.Close()
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{p: p, client: client, server: server, done: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.closed { // the test ended meanwhile
		l.close()
	}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(server, client, l.up) })
	both.Go(func() { l.pump(client, server, l.down) })
	both.Wait()
	l.close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// fate is what becomes of a request.
type fate int

const (
	forward fate = iota
	dropRequest
	dropReply
)

// judge says what becomes of a request.
func (p *P) judge(request []byte) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.loseRequest != nil && p.loseRequest(request):
		p.lost++
		return dropRequest
	case p.loseReply != nil && p.loseReply(request):
		p.lost++
		return dropReply
	}
	return forward
}

// maxRequest is how much of a request a match can see.
const maxRequest = 64 << 10

// link is one connection through a proxy.
type link struct {
	p              *P
	client, server net.Conn
	once           sync.Once
	done           chan struct{} // closed with the connections

	mu      sync.Mutex
	turned  bool   // the last bytes came from the server
	spoken  bool   // there were bytes at all
	request []byte // from the client since the last byte of the server
	losing  bool   // what the server says next is lost
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// pump moves bytes in one direction until they end, and passes their end on.
func (l *link) pump(to, from net.Conn, pass func([]byte) bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !pass(buf[:n]) {
				l.close()
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				l.close()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
				l.close()
			}
			return
		case err != nil:
			l.close()
			return
		}
	}
}

// up decides on bytes of the client; false ends the connection.
func (l *link) up(b []byte) bool {
	if !l.hold(false) {
		return false
	}
	l.mu.Lock()
	l.request = append(l.request, b...)
	l.request = l.request[max(0, len(l.request)-maxRequest):]
	request := bytes.Clone(l.request)
	l.mu.Unlock()
	switch l.p.judge(request) {
	case dropRequest:
		return false
	case dropReply:
		l.mu.Lock()
		l.losing = true
		l.mu.Unlock()
	}
	return true
}

// down decides on bytes of the server.
func (l *link) down([]byte) bool {
	if !l.hold(true) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.request = nil
	return !l.losing
}

// hold keeps bytes as long as the faults say; false if the connection ends meanwhile.
func (l *link) hold(down bool) bool {
	l.mu.Lock()
	turn := !l.spoken || l.turned != down
	l.spoken, l.turned = true, down
	l.mu.Unlock()
	l.p.mu.Lock()
	delay := l.p.delay
	l.p.mu.Unlock()
	if turn && delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.done:
			return false
		}
	}
	for {
		l.p.mu.Lock()
		gate := l.p.gate
		l.p.mu.Unlock()
		select {
		case <-l.done:
			return false
		case <-gate:
		}
		l.p.mu.Lock()
		same := gate == l.p.gate // else it was stalled again meanwhile
		l.p.mu.Unlock()
		if same {
			return true
		}
	}
}
