package dicomweb

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server answers with a function, and keeps what it was asked and how long its client waited.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	waits []time.Duration
}

func newServer(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.String())
		n := len(s.asked)
		s.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// client is one of the server that does not wait.
func (s *server) client(t *testing.T, o Options) *Client {
	t.Helper()
	o.URL = s.URL + "/dw/"
	o.wait = func(_ context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waits = append(s.waits, d)
		return nil
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seen returns what it was asked, and the waits, so far.
func (s *server) seen() ([]string, []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked), slices.Clone(s.waits)
}

func object(study, sop string) string {
	return fmt.Sprintf(`{"0020000D":{"vr":"UI","Value":[%q]},"0020000E":{"vr":"UI","Value":["1.2.9"]},"00080018":{"vr":"UI","Value":[%q]},"00280008":{"vr":"IS","Value":["3"]},"00280010":{"vr":"US","Value":[4]},"00280011":{"vr":"US"},"00100010":{"vr":"PN","Value":[{"Alphabetic":"WANG^XIAO"}]}}`, study, sop)
}

// TestInstances: all pages are read, however a server pages; what is no list of the study is an error and not an empty study.
func TestInstances(t *testing.T) {
	const study = "1.2.3"
	all := []string{"1.1", "1.2", "1.3", "1.4", "1.5"}
	write := func(w http.ResponseWriter, sops []string) {
		w.Header().Set("Content-Type", "application/dicom+json")
		var list []string
		for _, sop := range sops {
			list = append(list, object(study, sop))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(list, ",\n"))
	}
	from := func(r *http.Request) []string {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		return all[min(offset, len(all)):]
	}
	for name, tt := range map[string]struct {
		answer   func(w http.ResponseWriter, r *http.Request)
		want     int
		err      any
		requests int
	}{
		"pages":         {func(w http.ResponseWriter, r *http.Request) { write(w, from(r)[:min(2, len(from(r)))]) }, 5, nil, 3},
		"shorter pages": {func(w http.ResponseWriter, r *http.Request) { write(w, from(r)[:min(1, len(from(r)))]) }, 5, nil, 5},
		"all at once":   {func(w http.ResponseWriter, r *http.Request) { write(w, all) }, 5, nil, 2},
		"more is told": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Warning", "299 x: more")
			write(w, from(r)[:min(1, len(from(r)))])
		}, 5, nil, 6},
		"fewer":            {func(w http.ResponseWriter, r *http.Request) { write(w, from(r)[min(2, len(from(r))):]) }, 3, nil, 2},
		"nothing":          {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, 0, nil, 1},
		"an empty list":    {func(w http.ResponseWriter, r *http.Request) { write(w, nil) }, 0, nil, 1},
		"an empty body":    {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "application/dicom+json") }, 0, nil, 1},
		"not there":        {func(w http.ResponseWriter, r *http.Request) { missing(w, r, "[]") }, 0, nil, 2},
		"no such service":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, 0, new(*StatusError), 2},
		"there and not":    {func(w http.ResponseWriter, r *http.Request) { missing(w, r, "["+object(study, "")+"]") }, 0, new(*MalformedError), 2},
		"refused":          {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, 0, new(*StatusError), 1},
		"a page for users": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>WANG^XIAO") }, 0, new(*MalformedError), 1},
		"nothing at all":   {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/html") }, 0, new(*MalformedError), 1},
		"cut off JSON":     {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "["+object(study, "1.1")) }, 0, new(*MalformedError), 1},
		"other types":      {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `[{"00080018":"WANG^XIAO"}]`) }, 0, new(*MalformedError), 1},
		"no UID":           {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `[{"00100010":{"vr":"PN"}}]`) }, 0, new(*MalformedError), 1},
		"another study":    {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "["+object("9.9", "1.1")+"]") }, 0, new(*MalformedError), 1},
		"a huge list": {func(w http.ResponseWriter, r *http.Request) {
			write(w, strings.Split(strings.Repeat("1.1,", 1000), ","))
		}, 0, new(*LimitError), 1},
		"a huge string":   {func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `[{"x":"%0100000d"}]`, 1) }, 0, new(*LimitError), 1},
		"an endless loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), 302) }, 0, new(*MalformedError), 5},
		"another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example/secret?token=x", 307)
		}, 0, new(*RedirectError), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) { tt.answer(w, r) })
			list, err := s.client(t, Options{Page: 2, MaxList: 20_000}).Instances(t.Context(), study, 5)
			if len(list) != tt.want || (err == nil) != (tt.err == nil) || tt.err != nil && !errors.As(err, tt.err) || IsTransient(err) {
				t.Fatalf("got %d instances and %v; want %d and %T", len(list), err, tt.want, tt.err)
			}
			if err != nil && (strings.Contains(err.Error(), "WANG") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error says too much: %v", err)
			}
			asked, _ := s.seen()
			if len(asked) != tt.requests {
				t.Errorf("asked %d times, want %d: %q", len(asked), tt.requests, asked)
			}
			if len(list) > 0 && list[0] != (Instance{"1.2.9", list[0].SOPUID, 3, 4, 0}) {
				t.Errorf("read is %+v", list[0])
			}
			if !strings.HasPrefix(asked[0], "/dw/studies/1.2.3/instances?") {
				t.Errorf("asked for %q", asked[0])
			}
		})
	}
}

// missing is a server that does not know the address of a study, and answers a search.
func missing(w http.ResponseWriter, r *http.Request, search string) {
	if strings.HasSuffix(r.URL.Path, "/instances") {
		w.WriteHeader(404)
		return
	}
	w.Header().Set("Content-Type", "application/dicom+json")
	_, _ = io.WriteString(w, search)
}

// TestRetries: what may pass is asked again, after the time that the server wishes; then it is an error that may pass.
func TestRetries(t *testing.T) {
	cut := func(w http.ResponseWriter) { // in the middle of a body
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "[")
		panic(http.ErrAbortHandler)
	}
	for name, tt := range map[string]struct {
		fail  func(w http.ResponseWriter, r *http.Request)
		wait  time.Duration // of the server
		never bool          // it is not asked again
	}{
		"429": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, 7 * time.Second, false},
		"503": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, 0, false},
		"503 for an hour": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
		}, 0, true},
		"504":             {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(504) }, 0, false},
		"no reply":        {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 0, false},
		"a body cut off":  {func(w http.ResponseWriter, r *http.Request) { cut(w) }, 0, false},
		"a silent server": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, false},
		"a silent body": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "[")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, failures := range []int{2, 9} {
				s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
					if n <= failures {
						tt.fail(w, r)
						return
					}
					_, _ = io.WriteString(w, "["+object("1.2.3", "1.1")+"]")
				})
				o := Options{Tries: 3}
				if strings.Contains(name, "silent") {
					o.Timeout = 100 * time.Millisecond
				}
				list, err := s.client(t, o).Instances(t.Context(), "1.2.3", 1)
				asked, waits := s.seen()
				if failures == 2 && !tt.never {
					if err != nil || len(list) != 1 || len(waits) != 2 {
						t.Errorf("after two failures: %v, %v, %d waits", list, err, len(waits))
					}
				} else if want := map[bool]int{true: 1, false: 3}[tt.never]; !IsTransient(err) || len(asked) != want {
					t.Errorf("after %d failures: %v, asked %d times, want %d", failures, err, len(asked), want)
				}
				for _, d := range waits {
					if d < tt.wait || d > tt.wait+longest {
						t.Errorf("waited %v, the server wished %v", d, tt.wait)
					}
				}
			}
		})
	}
	if got := retryAfter("Wed, 21 Oct 2026 07:28:00 GMT", time.Date(2026, 10, 21, 7, 27, 0, 0, time.UTC)); got != time.Minute {
		t.Errorf("Retry-After of a time in a minute is %v", got)
	}
	c, err := New(Options{URL: "http://127.0.0.1:1/dw", Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Instances(t.Context(), "1.2.3", 1); !IsTransient(err) || strings.Contains(err.Error(), "/dw/") {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Instances(ctx, "1.2.3", 1); !errors.Is(err, context.Canceled) || IsTransient(err) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNew: addresses that would leak credentials or are none are refused, and their text is not repeated.
func TestNew(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "not one of",
		"pacs.example/dicom-web":             "not one of",
		"ftp://pacs.example/dicom-web":       "not one of",
		"https://":                           "not one of",
		"https://u:geheim@pacs.example/":     "user or a password",
		"https://pacs.example/?token=geheim": "a query",
		"https://pacs.example/#geheim":       "a query or a fragment",
		"https://geheim%zz/":                 "cannot be read",
		"http://pacs.example/dicom-web":      "without TLS",
		"https://pacs.example/dicom-web/":    "",
		"http://127.0.0.1:8042/dicom-web":    "",
		"http://localhost/dicom-web":         "",
	} {
		_, err := New(Options{URL: text, Token: "abc"})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestTLS: a server must prove who it is; the token goes to it, and in no error.
func TestTLS(t *testing.T) {
	var got atomic.Value
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") != "Bearer geheim" {
			w.WriteHeader(401)
			return
		}
		_, _ = io.WriteString(w, "["+object("1.2.3", "1.1")+"]")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	s.StartTLS()
	defer s.Close()
	ask := func(o Options) error {
		t.Helper()
		o.URL = s.URL
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Instances(t.Context(), "1.2.3", 1)
		return err
	}
	var cert *CertificateError
	if err := ask(Options{Token: "geheim"}); !errors.As(err, &cert) || got.Load() != nil {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if err := ask(Options{Roots: roots, Token: "geheim"}); err != nil {
		t.Error(err)
	}
	var status *StatusError
	if err := ask(Options{Roots: roots, Token: "falsch"}); !errors.As(err, &status) || strings.Contains(err.Error(), "falsch") {
		t.Errorf("another token: %v", err)
	}
}

// TestRequestsAtOnce: never more than allowed are under way.
func TestRequestsAtOnce(t *testing.T) {
	var now, most atomic.Int64
	full := make(chan struct{})
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if x := now.Add(1); x > most.Load() {
			most.Store(x)
		}
		defer now.Add(-1)
		if n == 2 {
			close(full)
		}
		<-full // until two are there
		w.WriteHeader(204)
	})
	c := s.client(t, Options{Requests: 2})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.Instances(t.Context(), "1.2.3", 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 2 {
		t.Errorf("%d requests at once, want 2", most.Load())
	}
}

// TestRetrieve: frames and files come as one part, whole, in the form that was asked for, or there is an error of a type that says what to do.
func TestRetrieve(t *testing.T) {
	multi := func(kind string, parts ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", `multipart/related; type="`+kind+`"; boundary=XX`)
			for _, p := range parts {
				_, _ = io.WriteString(w, p)
			}
		}
	}
	part := func(kind, body string) string { return "--XX\r\nContent-Type: " + kind + "\r\n\r\n" + body + "\r\n" }
	const end, octets, file = "--XX--\r\n", "application/octet-stream", "application/dicom"
	status := func(code int) func(w http.ResponseWriter) { return func(w http.ResponseWriter) { w.WriteHeader(code) } }
	type refused = *RefusedError
	type malformed = *MalformedError
	for name, tt := range map[string]struct {
		frame, file func(w http.ResponseWriter) // what comes
		frameErr    any
		fileErr     any
	}{
		"multipart":            {multi(octets, part(octets+"; transfer-syntax=1.2.840.10008.1.2.1", "abcd"), end), multi(file, part(file+"; transfer-syntax=1.2.840.10008.1.2.4.80", "abcd"), end), nil, nil},
		"no type of the part":  {multi(octets, "--XX\r\n\r\nabcd\r\n", end), multi(file, "--XX\r\n\r\nabcd\r\n", end), nil, nil},
		"alone":                {func(w http.ResponseWriter) { w.Header().Set("Content-Type", octets); _, _ = io.WriteString(w, "abcd") }, func(w http.ResponseWriter) { w.Header().Set("Content-Type", file); _, _ = io.WriteString(w, "abcd") }, nil, nil},
		"another syntax":       {multi(octets, part(octets+"; transfer-syntax=1.2.840.10008.1.2.4.50", "abcd"), end), nil, new(refused), nil},
		"pictures":             {multi("image/jpeg", part("image/jpeg", "abcd"), end), multi("text/html", part("text/html", "abcd"), end), new(refused), new(refused)},
		"not acceptable":       {status(406), status(406), new(refused), new(*StatusError)},
		"not there":            {status(404), status(404), new(refused), &ErrNotFound},
		"broken inside":        {status(500), status(500), new(refused), new(*StatusError)},
		"not allowed":          {status(403), status(403), new(*StatusError), new(*StatusError)},
		"nothing":              {status(204), status(204), new(refused), new(refused)},
		"no end":               {multi(octets, part(octets, "abcd")), multi(file, part(file, "abcd")), new(malformed), new(malformed)},
		"cut in the part":      {multi(octets, "--XX\r\nContent-Type: "+octets+"\r\n\r\nab"), multi(file, "--XX\r\nContent-Type: "+file+"\r\n\r\nab"), new(malformed), new(malformed)},
		"cut in the head":      {multi(octets, "--XX\r\nContent-T"), multi(file, "--XX\r\nContent-T"), new(malformed), new(malformed)},
		"two parts":            {multi(octets, part(octets, "abcd"), part(octets, "abcd"), end), multi(file, part(file, "abcd"), part(file, "abcd"), end), new(malformed), new(malformed)},
		"larger than it may":   {multi(octets, part(octets, "abcde"), end), multi(file, part(file, strings.Repeat("x", 200_000)), end), new(*LimitError), new(*LimitError)},
		"larger than anything": {multi(octets, part(octets, strings.Repeat("x", 1<<20)), end), multi(file, part(file, strings.Repeat("x", 1<<20)), end), new(*LimitError), new(*LimitError)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/frames/") {
					tt.frame(w)
				} else {
					tt.file(w)
				}
			})
			c, at := s.client(t, Options{}), Address{"1.2.3", "1.2.9", "1.1"}
			check := func(what string, data []byte, err error, want any) {
				t.Helper()
				missing, _ := want.(*error)
				switch {
				case want == nil && (err != nil || string(data) != "abcd"):
					t.Errorf("%s: got %.20q and %v", what, data, err)
				case missing != nil && !errors.Is(err, *missing), want != nil && missing == nil && !errors.As(err, want), IsTransient(err):
					t.Errorf("%s: got %v, want %T", what, err, want)
				}
			}
			data, err := c.Frame(t.Context(), at, 7, 4)
			check("frame", data, err, tt.frameErr)
			if asked, _ := s.seen(); asked[0] != "/dw/studies/1.2.3/series/1.2.9/instances/1.1/frames/7" {
				t.Errorf("asked for %s", asked[0])
			}
			if tt.file == nil {
				return
			}
			f, err := os.Create(filepath.Join(t.TempDir(), "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_, _ = f.WriteString("what was there before")
			err = c.File(t.Context(), at, f, 4)
			if data, readErr := os.ReadFile(f.Name()); readErr != nil {
				t.Fatal(readErr)
			} else {
				check("file", data, err, tt.fileErr)
			}
		})
	}
}

// TestImage: the header says how frames are laid out, or it is refused.
func TestImage(t *testing.T) {
	head := `[{"0020000D":{"Value":["1.2.3"]},"00080018":{"Value":["1.1"]},"00280002":{"Value":[3]},"00280004":{"Value":["RGB "]},"00280006":{"Value":[1]},"00280010":{"Value":[4]},"00280011":{"Value":["5"]},"00280100":{"Value":[8]},"00280101":{"Value":[8]},"00280102":{"Value":[7]},"00280103":{"Value":[0]}}]`
	for text, wanted := range map[string]any{
		head: nil,
		strings.Replace(head, "00280100", "00280199", 1): new(*RefusedError),
		strings.Replace(head, `["1.1"]`, `["1.9"]`, 1):   new(*MalformedError),
		"[]": new(*MalformedError),
	} {
		s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		img, err := s.client(t, Options{}).Image(t.Context(), Address{"1.2.3", "1.2.9", "1.1"})
		if wanted != nil {
			if !errors.As(err, wanted) {
				t.Errorf("%.60s: got %v, want %T", text, err, wanted)
			}
			continue
		}
		if want := (Image{4, 5, 1, 3, 8, 8, 7, false, true, "RGB"}); err != nil || *img != want {
			t.Errorf("got %+v and %v, want %+v", img, err, want)
		}
	}
	c, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"", ".", ".."} {
		var malformed *MalformedError
		if _, err := c.Image(t.Context(), Address{"1.2.3", uid, "1.1"}); !errors.As(err, &malformed) {
			t.Errorf("UID %q: got %v", uid, err)
		}
	}
	if path, err := pathOf("1/../2?x"); err != nil || path != "/studies/1%2F..%2F2%3Fx" {
		t.Errorf("got %s, %v", path, err)
	}
}
