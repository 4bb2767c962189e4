package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

// behindFront opens a store on a server through a front that lets everything pass.
func behindFront(t *testing.T, server s3Server, change ...func(*Options)) (*front, *Store) {
	t.Helper()
	o := bucketOn(t, server)
	f := newFront(t, o.Endpoint, nil)
	o.Endpoint, o.PartBytes, o.Concurrency = f.url, minPartBytes, 2
	for _, c := range change {
		c(&o)
	}
	return f, mustOpen(t, o)
}

// each runs a test on both servers: one where bytes are compared by MD5, one where by CRC.
func each(t *testing.T, run func(t *testing.T, f *front, s *Store)) {
	for name, server := range map[string]func(*testing.T) s3Server{"RGW": rgw, "Versitygw": versitygw} {
		t.Run(name, func(t *testing.T) {
			f, s := behindFront(t, server(t))
			run(t, f, s)
			f.interfere(nil, nil)
			leaks(t, s)
		})
	}
}

func put(t *testing.T, s *Store, key string, size, announced int64) (objstore.Info, error) {
	t.Helper()
	opts := objstore.PutOptions{Size: announced, SHA256: sha256.Sum256(storetest.PatternBytes(1, size))}
	return s.Put(t.Context(), key, storetest.Pattern(1, size), opts)
}

func wantNothing(t *testing.T, s *Store, key string) {
	t.Helper()
	if info, err := s.Head(t.Context(), key); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("Head(%s): got %+v, %v, want ErrNotFound", key, info, err)
	}
}

func wantPattern(t *testing.T, s *Store, key string, size int64) {
	t.Helper()
	got, err := objstore.ReadAll(t.Context(), s, key, size)
	if err != nil || !bytes.Equal(got, storetest.PatternBytes(1, size)) {
		t.Errorf("ReadAll(%s): got %d bytes, %v, want the %d that were put", key, len(got), err, size)
	}
}

// sizes are a put in one request, one in parts, and both of unknown size.
var sizes = []struct {
	name            string
	size, announced int64
}{{"whole", 1000, 1000}, {"parts", 12 << 20, 12 << 20}, {"short-unknown", 1000, -1}, {"long-unknown", 12 << 20, -1}}

func TestBytesThatChangeOnTheirWayAreNotStored(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		for _, tt := range sizes {
			var flipped atomic.Int32
			f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if r.Method == http.MethodPut && (tt.size < minPartBytes || r.URL.Query().Get("partNumber") == "2") {
					flipped.Add(1)
					r.Body = &flip{r.Body, 500}
				}
				pass(w, r)
			}, nil)
			_, err := put(t, s, tt.name, tt.size, tt.announced)
			if !objstore.IsTransient(err) || flipped.Load() == 0 {
				t.Errorf("%s: Put with a byte flipped on its way (%d times): got %v, want a transient error", tt.name, flipped.Load(), err)
			}
			wantNothing(t, s, tt.name)
		}
	})
}

func TestServerThatStoresOtherBytes(t *testing.T) {
	f, s := behindFront(t, rgw(t)) // what it keeps is compared by ETag
	for _, tt := range sizes {
		f.interfere(nil, func(r *http.Response) error {
			part := r.Request.URL.Query().Get("partNumber") == "1"
			if part || (r.Request.Method == http.MethodHead && r.StatusCode == 200) {
				r.Header.Set("ETag", `"0123456789abcdef0123456789abcdef"`)
			}
			return nil
		})
		if _, err := put(t, s, tt.name, tt.size, tt.announced); !objstore.IsTransient(err) || !strings.Contains(err.Error(), "other bytes") {
			t.Errorf("%s: Put where the server reports another ETag: got %v, want a transient error that says so", tt.name, err)
		}
		f.interfere(nil, nil)
		wantNothing(t, s, tt.name)
	}
	leaks(t, s)
}

func TestClassThatIsNotHonouredLater(t *testing.T) {
	f, s := behindFront(t, rgw(t))
	for _, tt := range sizes {
		f.interfere(nil, func(r *http.Response) error {
			r.Header.Del("x-amz-storage-class")
			return nil
		})
		_, err := s.Put(t.Context(), tt.name, storetest.Pattern(1, tt.size), objstore.PutOptions{Size: tt.announced, Class: "STANDARD_IA"})
		var class *ClassError
		if !errors.As(err, &class) || class.Asked != "STANDARD_IA" || class.Got != "STANDARD" || objstore.IsTransient(err) {
			t.Errorf("%s: got %v, want a *ClassError asked STANDARD_IA, got STANDARD", tt.name, err)
		}
		f.interfere(nil, nil)
		wantNothing(t, s, tt.name)
	}
}

func TestPutWhoseReplyIsLost(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		for _, tt := range sizes {
			var lost atomic.Int32
			f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				last := r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
				if last && lost.CompareAndSwap(0, 1) {
					loseReply(r, pass)
				}
				pass(w, r)
			}, nil)
			info, err := put(t, s, tt.name, tt.size, tt.announced)
			if err != nil || info.Size != tt.size || lost.Load() != 1 {
				t.Errorf("%s: Put whose first reply is lost: got %+v, %v, want %d bytes stored", tt.name, info, err, tt.size)
				continue
			}
			wantPattern(t, s, tt.name, tt.size)
			if s.Capabilities().CreateOnly { // the token tells our own object from another's
				if _, err := put(t, s, tt.name, tt.size, tt.announced); !errors.Is(err, objstore.ErrExists) {
					t.Errorf("%s: second Put of the same bytes: got %v, want ErrExists", tt.name, err)
				}
			}
		}
		// A reply lost each time: an error that may pass, and the whole object or nothing.
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			if r.Method == http.MethodPut {
				loseReply(r, pass)
			}
			pass(w, r)
		}, nil)
		_, err := put(t, s, "always", 1000, 1000)
		f.interfere(nil, nil)
		if err != nil && !objstore.IsTransient(err) {
			t.Errorf("Put whose replies are all lost: got %v, want a transient error or none", err)
		}
		wantPattern(t, s, "always", 1000)
	})
}

func TestRacingUploadsInParts(t *testing.T) {
	_, s := behindFront(t, versitygw(t))
	var noise bytes.Buffer
	log.SetOutput(&noise)
	defer log.SetOutput(io.Discard)
	const racers = 4
	errs := make(chan error, racers)
	for range racers {
		go func() { _, err := put(t, s, "race", 6<<20, 6<<20); errs <- err }()
	}
	won := 0
	for range racers {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, objstore.ErrExists):
			t.Errorf("got %v, want nil or ErrExists", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d racers won, want 1", won, racers)
	}
	wantPattern(t, s, "race", 6<<20)
	leaks(t, s)
	if noise.Len() > 0 {
		t.Errorf("the SDK wrote to the log: %q", noise.String())
	}
}

func TestBodyOfAGetThatBreaks(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		if _, err := put(t, s, "k", 300_000, 300_000); err != nil {
			t.Fatal(err)
		}
		f.interfere(nil, func(r *http.Response) error {
			if r.Request.Method == http.MethodGet {
				r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 100_000), brokenReader{}))
			}
			return nil
		})
		for _, n := range []int64{-1, 200_000} {
			body, _, err := s.Get(t.Context(), "k", 0, n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			body.Close()
			if !objstore.IsTransient(err) || !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 100_000 {
				t.Errorf("Get(0, %d) of a body cut after 100000 bytes: got %d bytes, %v, want a transient io.ErrUnexpectedEOF", n, len(got), err)
			}
		}
		f.interfere(nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		body, _, err := s.Get(ctx, "k", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.Copy(io.Discard, body); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("reading after the context ended: got %v, want context.Canceled", err)
		}
		body.Close()
		// A server that ignores ranges.
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			w.Header().Set("Content-Length", "300000")
			_, _ = w.Write(storetest.PatternBytes(1, 300_000))
		}, nil)
		if _, _, err := s.Get(t.Context(), "k", 10, 20); !objstore.IsTransient(err) {
			t.Errorf("Get(10, 20) of a server that sends everything: got %v, want a transient error", err)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

func TestStalledServer(t *testing.T) {
	f, s := behindFront(t, rgw(t), func(o *Options) { o.Attempts, o.test.stall = 2, 300*time.Millisecond })
	release := make(chan struct{})
	f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) { <-release }, nil)
	defer close(release)
	if _, err := s.Head(t.Context(), "k"); !objstore.IsTransient(err) {
		t.Errorf("Head of a server that never answers: got %v, want a transient error", err)
	}
}

func TestRetriesAreTheSDKs(t *testing.T) {
	f, s := behindFront(t, rgw(t), func(o *Options) { o.Attempts = 3 })
	var n atomic.Int32
	answer := func(status int, code string, times int32) {
		n.Store(0)
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			if r.Method == http.MethodPut && n.Add(1) <= times {
				_, _ = io.Copy(io.Discard, r.Body)
				reply(w, status, code)
				return
			}
			pass(w, r)
		}, nil)
	}
	for _, tt := range []struct {
		status int
		code   string
	}{{503, "SlowDown"}, {500, "InternalError"}, {400, "RequestTimeout"}, {409, "ConditionalRequestConflict"}, {409, "OperationAborted"}, {502, ""}} {
		answer(tt.status, tt.code, 2)
		if _, err := put(t, s, tt.code+"-twice", 1000, 1000); err != nil || n.Load() != 3 {
			t.Errorf("%d %s twice: got %v after %d requests, want success after 3", tt.status, tt.code, err, n.Load())
		}
		answer(tt.status, tt.code, 100)
		if _, err := put(t, s, tt.code+"-always", 1000, 1000); !objstore.IsTransient(err) || n.Load() != 3 {
			t.Errorf("%d %s always: got %v after %d requests, want a transient error after 3", tt.status, tt.code, err, n.Load())
		}
	}
	answer(403, "AccessDenied", 100)
	if _, err := put(t, s, "denied", 1000, 1000); err == nil || n.Load() != 1 {
		t.Errorf("403: got %v after %d requests, want an error after 1", err, n.Load())
	}
}
