package netfault

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is a server that repeats lines, and remembers them.
type echo struct {
	addr string

	mu    sync.Mutex
	lines []string
}

func newEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					e.mu.Lock()
					e.lines = append(e.lines, strings.TrimSpace(line))
					e.mu.Unlock()
					if _, err := io.WriteString(c, line); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return e
}

// has reports whether the server got a line.
func (e *echo) has(line string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.lines {
		if l == line {
			return true
		}
	}
	return false
}

// client is a connection through a proxy.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *P) client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return client{c, bufio.NewReader(c)}
}

// ask sends a line and returns the reply.
func (c client) ask(line string) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	reply, err := c.in.ReadString('\n')
	return strings.TrimSpace(reply), err
}

func (c client) want(t *testing.T, line string) {
	t.Helper()
	if got, err := c.ask(line); err != nil || got != line {
		t.Errorf("asked %q: got %q, %v, want it back", line, got, err)
	}
}

// wantEnd wants the connection to be at its end, not just silent.
func wantEnd(t *testing.T, what string, got string, err error) {
	t.Helper()
	if err == nil || got != "" || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: got %q, %v, want the connection's end and no byte", what, got, err)
	}
}

func TestProxyPassesBytes(t *testing.T) {
	p := Proxy(t, newEcho(t).addr)
	c := dial(t, p)
	c.want(t, "hello")
	c.want(t, strings.Repeat("x", 1<<20))
	// The end of what a client says is passed on, and the rest of the reply still comes.
	if _, err := io.WriteString(c, "last\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.in); err != nil || string(rest) != "last\n" {
		t.Errorf("after the client's end: got %q, %v, want the last line and the end", rest, err)
	}
}

func TestCut(t *testing.T) {
	p := Proxy(t, newEcho(t).addr)
	a, b := dial(t, p), dial(t, p)
	a.want(t, "a")
	b.want(t, "b")
	p.Cut()
	for name, c := range map[string]client{"a": a, "b": b} {
		got, err := c.ask("again")
		wantEnd(t, name+" after Cut", got, err)
	}
	dial(t, p).want(t, "new")
}

func TestRefuse(t *testing.T) {
	e := newEcho(t)
	p := Proxy(t, e.addr)
	old := dial(t, p)
	old.want(t, "old")
	p.Refuse(true)
	got, err := dial(t, p).ask("new")
	wantEnd(t, "a new connection", got, err)
	old.want(t, "still there")
	p.Refuse(false)
	dial(t, p).want(t, "newer")
	if e.has("new") {
		t.Error("the server got a line of a refused connection")
	}
}

func TestStall(t *testing.T) {
	e := newEcho(t)
	p := Proxy(t, e.addr)
	c, d := dial(t, p), dial(t, p)
	c.want(t, "before")
	d.want(t, "before")
	p.Stall(true)
	p.Stall(true)
	answered := make(chan error, 1)
	go func() { _, err := c.ask("held"); answered <- err }()
	// A line that comes through a second proxy shows that the server would have answered by now.
	dial(t, Proxy(t, e.addr)).want(t, "other way")
	select {
	case err := <-answered:
		t.Errorf("an answer came through a stalled proxy, %v", err)
	default:
	}
	if e.has("held") {
		t.Error("the server got a line through a stalled proxy")
	}
	p.Stall(false)
	if err := <-answered; err != nil || !e.has("held") {
		t.Errorf("after the stall: got %v, want the answer", err)
	}
	// What is stalled can be cut.
	p.Stall(true)
	go func() { _, err := d.ask("cut"); answered <- err }()
	p.Cut()
	if err := <-answered; err == nil {
		t.Error("a stalled connection that was cut: got an answer")
	}
}

func TestDelay(t *testing.T) {
	p := Proxy(t, newEcho(t).addr)
	c := dial(t, p)
	c.want(t, "before")
	const d = 60 * time.Millisecond
	p.Delay(d)
	for _, line := range []string{"short", strings.Repeat("long", 1<<18)} {
		start := time.Now()
		c.want(t, line)
		// Only a lower bound: it cannot fail on a slow machine.
		if took := time.Since(start); took < 2*d {
			t.Errorf("%d bytes there and back took %v with a delay of %v per turn, want %v at least", len(line), took, d, 2*d)
		}
	}
	p.Delay(time.Hour)
	answered := make(chan error, 1)
	go func() { _, err := c.ask("never"); answered <- err }()
	for p.Connections() > 0 {
		p.Cut()
	}
	if err := <-answered; err == nil {
		t.Error("a delayed connection that was cut: got an answer")
	}
}

func TestLoseReply(t *testing.T) {
	e := newEcho(t)
	p := Proxy(t, e.addr)
	p.LoseReply(Once(Contains("commit")))
	c := dial(t, p)
	c.want(t, "begin")
	got, err := c.ask("COMMIT 1")
	wantEnd(t, "a request whose reply is lost", got, err)
	if !e.has("COMMIT 1") {
		t.Error("the connection ended before the server had done the work")
	}
	dial(t, p).want(t, "commit 2")
	if p.Lost() != 1 {
		t.Errorf("Lost() = %d, want 1", p.Lost())
	}
}

func TestLoseRequest(t *testing.T) {
	e := newEcho(t)
	p := Proxy(t, e.addr)
	p.LoseRequest(Contains("commit"))
	c := dial(t, p)
	c.want(t, "begin")
	got, err := c.ask("commit 1")
	wantEnd(t, "a request that is lost", got, err)
	got, err = dial(t, p).ask("commit 2")
	wantEnd(t, "another one", got, err)
	p.LoseRequest(nil)
	dial(t, p).want(t, "commit 3")
	if e.has("commit 1") || e.has("commit 2") || p.Lost() != 2 {
		t.Errorf("the server got %q and Lost() = %d, want neither lost line, and 2", e.lines, p.Lost())
	}
}

func TestMatchSeesARequestThatComesInPieces(t *testing.T) {
	p := Proxy(t, newEcho(t).addr)
	seen := make(chan string, 100)
	p.LoseReply(func(request []byte) bool { seen <- string(request); return Contains("commit\n")(request) })
	c := dial(t, p)
	c.want(t, "com") // answered: not part of the next request
	if got := <-seen; got != "com\n" {
		t.Errorf("match saw %q, want the first line", got)
	}
	for _, step := range []struct{ piece, want string }{{"com", "com"}, {"mit\n", "commit\n"}} {
		if _, err := io.WriteString(c, step.piece); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got != step.want {
			t.Errorf("after the piece %q match saw %q, want %q", step.piece, got, step.want)
		}
	}
	got, err := c.in.ReadString('\n')
	wantEnd(t, "a request in pieces", got, err)
}

func TestServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	got, err := dial(t, Proxy(t, l.Addr().String())).ask("hello")
	wantEnd(t, "no server", got, err)
}
