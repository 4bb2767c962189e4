package ossfake

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Region, AccessKey and SecretKey are what requests are signed with.
const (
	Region    = "oss-cn-test"
	AccessKey = "test"
	SecretKey = "testtest"
)

// Domain is the endpoint's host name: a bucket's is "bucket." + Domain. No DNS knows it; see [Server.Dial].
const Domain = "oss-cn-test.example"

// Options says how the fake departs from what is documented of OSS.
type Options struct {
	PathStyle    bool          // addressing by path is allowed
	S3ETags      bool          // ETags are those of S3: lower case, and MD5 of the parts' MD5s
	HonourDays   bool          // a restore lasts for the days that it asks for
	RestoreDelay time.Duration // of every restore; 0: a minute from Archive, 1, 5 or 12 hours from ColdArchive
	MaxCopyBytes int64         // what one CopyObject copies; 0: less than 1 GB
}

// Server is a fake OSS. Its methods may be called from any goroutine.
type Server struct {
	Endpoint string // URL of the virtual-hosted endpoint, and of the other one where Options.PathStyle is set
	Addr     string // host:port that it listens on

	o     Options
	clock func() time.Time

	mu      sync.Mutex
	ahead   time.Duration
	buckets map[string]*bucket
	ids     int
	fault   func(*http.Request) (status int, code string)
	cut     func(*http.Request) (after int64)
}

// bucket is one bucket; the configurations are what tests have set.
type bucket struct {
	objects map[string]*object
	uploads map[string]*upload

	lifecycle, objectLock, versioning string
}

// Start starts a server that ends with the test. It speaks plain HTTP.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.MaxCopyBytes == 0 {
		o.MaxCopyBytes = 1<<30 - 1
	}
	s := &Server{o: o, clock: time.Now, buckets: make(map[string]*bucket)}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.Addr = h.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(s.Addr)
	s.Endpoint = "http://" + Domain + ":" + port
	if o.PathStyle {
		s.Endpoint = "http://" + s.Addr
	}
	return s
}

// Dial connects like [net.Dialer.DialContext], to the server for all names under [Domain]. Other names do not exist.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if addr != s.Addr && host != Domain && !strings.HasSuffix(host, "."+Domain) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return new(net.Dialer).DialContext(ctx, network, s.Addr)
}

// Now is the server's clock, which restores and modification times follow; signatures are compared with real time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return s.clock().Add(s.ahead) }

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// SetFault makes requests fail: hook returns an HTTP status and a code such as
// 503 and "SlowDown" before anything is done, or status 0 to let the request pass. nil ends it.
func (s *Server) SetFault(hook func(*http.Request) (status int, code string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = hook
}

// SetCut breaks the connection after so many bytes of an object's body in a GET; negative lets all pass. nil ends it.
func (s *Server) SetCut(hook func(*http.Request) (after int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = hook
}

// SetLifecycle sets the XML of a bucket's lifecycle rules; "" is none. Nothing acts on them.
func (s *Server) SetLifecycle(t testing.TB, bucket, xml string) {
	t.Helper()
	s.configure(t, bucket).lifecycle = xml
}

// SetVersioning sets the versioning status that a bucket shows: "", "Enabled" or "Suspended". No versions are kept.
func (s *Server) SetVersioning(t testing.TB, bucket, status string) {
	t.Helper()
	s.configure(t, bucket).versioning = status
}

// SetObjectLock sets the XML of a bucket's object lock; "" is none. Nothing is locked.
func (s *Server) SetObjectLock(t testing.TB, bucket, xml string) {
	t.Helper()
	s.configure(t, bucket).objectLock = xml
}

// configure returns a bucket to be changed before requests are sent.
func (s *Server) configure(t testing.TB, name string) *bucket {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		t.Fatalf("ossfake: no bucket %q", name)
	}
	return b
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.ids++
	id, fault := fmt.Sprintf("%024X", s.ids), s.fault
	s.mu.Unlock()
	w.Header().Set("Server", "AliyunOSS")
	w.Header().Set("x-amz-request-id", id)
	q := &request{s: s, w: w, r: r, id: id, query: r.URL.Query()}
	if fault != nil {
		if status, code := fault(r); status != 0 {
			q.fail(refusal{status: status, code: code, message: "a fault that a test has set"})
			return
		}
	}
	if err := q.serve(); err != nil {
		q.fail(*err)
	}
}
