// Package billfake stands in front of a real S3 server and counts requests and bytes as a provider bills them, for tests.
//
// It counts every request by bucket, class, kind and day, those that failed apart (providers differ on whether they are billed), bytes in and out as they
// really went, and keeps for every object, and every part of an upload that is not done, from when to when it was there, in which class. Days are those of
// UTC, on a clock that tests move on, by which objects are also dated in replies. Multi-object deletes and virtual-hosted addressing are not known to it: radtier uses neither against a test server.
package billfake

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Standard is the class of objects that were put without one.
const Standard = "STANDARD"

// Kinds of requests, as price lists have them.
const (
	Put    = "put"  // objects, parts, the beginning and the end of an upload in parts
	Copy   = "copy" // also of parts
	Get    = "get"
	Head   = "head"
	List   = "list"
	Delete = "delete" // also aborting an upload
	Other  = "other"  // configuration of buckets, restores
)

// Object is a time in which an object, or a part of an upload, was there.
type Object struct {
	Bucket, Key, Class string
	Part               bool // of an upload that was not done then
	Bytes              int64
	From, To           time.Time // To is zero while it is there
}

// Row is one line of a bill.
type Row struct {
	Day      string // 2026-11-24, UTC
	Bucket   string
	Class    string
	Meter    string // "requests-put", "failed-put", "bytes-in", "bytes-out", "byte-seconds", "object-seconds"
	Quantity *big.Int
}

// Proxy is a running fake. Its methods may be called from any goroutine.
type Proxy struct {
	Endpoint string // URL

	back    *httputil.ReverseProxy
	mu      sync.Mutex
	ahead   time.Duration
	fixed   time.Time // if not zero, the clock stands there
	counts  map[count]int64
	live    map[string]int // path -> index of its Object
	uploads map[string]*upload
	objects []Object
}

type count struct{ day, bucket, class, meter string }

type upload struct {
	path, class string
	parts       map[string]int // number -> index of its Object
}

// Start runs a fake in front of an S3 server until the test ends. Buckets are addressed by path.
func Start(t testing.TB, endpoint string) *Proxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: "http://" + listener.Addr().String(), counts: map[count]int64{}, live: map[string]int{}, uploads: map[string]*upload{}}
	p.back = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: p.date,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return p
}

// Now is the fake's time.
func (p *Proxy) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now()
}

func (p *Proxy) now() time.Time {
	if !p.fixed.IsZero() {
		return p.fixed
	}
	return time.Now().Add(p.ahead)
}

// Advance moves the fake's clock on.
func (p *Proxy) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ahead += d; !p.fixed.IsZero() {
		p.fixed = p.fixed.Add(d)
	}
}

// Stand stops the fake's clock at a moment; from then on only Advance moves it.
func (p *Proxy) Stand(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fixed = at
}

// listed is an entry of a listing.
var listed = regexp.MustCompile(`<Key>([^<]*)</Key><LastModified>[^<]*</LastModified>`)

// date tells the times of objects by the fake's clock, not by the server's.
func (p *Proxy) date(r *http.Response) error {
	path := r.Request.URL.Path
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if at, ok := p.since(path); ok && r.Header.Get("Last-Modified") != "" {
		r.Header.Set("Last-Modified", at.UTC().Format(http.TimeFormat))
	}
	if r.Request.Method != http.MethodGet || key != "" || r.StatusCode != http.StatusOK {
		return nil
	}
	raw, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return err
	}
	raw = listed.ReplaceAllFunc(raw, func(entry []byte) []byte {
		name := string(listed.FindSubmatch(entry)[1])
		if plain, err := url.QueryUnescape(name); err == nil {
			if at, ok := p.since("/" + bucket + "/" + plain); ok {
				return fmt.Appendf(nil, "<Key>%s</Key><LastModified>%s</LastModified>", name, at.UTC().Format("2006-01-02T15:04:05.000Z"))
			}
		}
		return entry
	})
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	r.Header.Set("Content-Length", strconv.Itoa(len(raw)))
	return nil
}

// since is when an object was put.
func (p *Proxy) since(path string) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.live[path]
	if !ok {
		return time.Time{}, false
	}
	return p.objects[i].From, true
}

// reader counts the bytes of a request's body.
type reader struct {
	io.ReadCloser
	n int64
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.n += int64(n)
	return n, err
}

// writer counts the bytes of a reply's body, and keeps a little of it.
type writer struct {
	http.ResponseWriter
	status int
	n      int64
	body   []byte
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 { // 100 Continue is passed on, too
		w.status = cmp.Or(w.status, status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	if len(w.body) < 4096 {
		w.body = append(w.body, b[:min(len(b), 4096-len(w.body))]...)
	}
	n, err := w.ResponseWriter.Write(b)
	w.n += int64(n)
	return n, err
}

// Unwrap lets the proxy flush.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := &reader{ReadCloser: r.Body}
	r.Body = body
	out := &writer{ResponseWriter: w}
	defer func() { // also when the client went away: the proxy panics then
		p.mu.Lock()
		p.note(r, body.n, out)
		p.mu.Unlock()
	}()
	p.back.ServeHTTP(out, r)
}

// note counts a request, and what it changed.
func (p *Proxy) note(r *http.Request, in int64, w *writer) {
	path, q := r.URL.Path, r.URL.Query()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	kind := kindOf(r, q, key)
	ok := w.status >= 200 && w.status < 300
	class := p.classOf(r, q, path)
	now := p.now()
	add := func(meter string, n int64) {
		if n != 0 {
			p.counts[count{now.UTC().Format("2006-01-02"), bucket, class, meter}] += n
		}
	}
	if ok || r.Method == http.MethodHead && w.status == http.StatusNotFound || kind == Get && w.status == http.StatusNotFound {
		add("requests-"+kind, 1)
	} else {
		add("failed-"+kind, 1)
	}
	if s := r.Header.Get("X-Amz-Decoded-Content-Length"); s != "" && ok { // without the frames of a body in chunks
		in, _ = strconv.ParseInt(s, 10, 64)
	}
	add("bytes-in", in)
	add("bytes-out", w.n)
	if !ok {
		return
	}
	switch id := q.Get("uploadId"); {
	case kind == Other || key == "":
	case r.Method == http.MethodPost && q.Has("uploads"):
		if id := between(string(w.body), "<UploadId>", "</UploadId>"); id != "" {
			p.uploads[id] = &upload{path, class, map[string]int{}}
		}
	case id != "" && r.Method == http.MethodPut:
		u := p.uploads[id]
		if u == nil {
			return
		}
		if kind == Copy {
			in = p.copied(r)
		}
		if old, again := u.parts[q.Get("partNumber")]; again {
			p.objects[old].To = now
		}
		u.parts[q.Get("partNumber")] = p.begin(Object{Bucket: bucket, Key: key, Class: class, Part: true, Bytes: in, From: now})
	case id != "" && r.Method == http.MethodPost && !strings.Contains(string(w.body), "<Error>"), id != "" && r.Method == http.MethodDelete:
		u := p.uploads[id]
		if u == nil {
			return
		}
		delete(p.uploads, id)
		sum := int64(0)
		for _, i := range u.parts {
			p.objects[i].To = now
			sum += p.objects[i].Bytes
		}
		if r.Method == http.MethodPost {
			p.put(path, Object{Bucket: bucket, Key: key, Class: u.class, Bytes: sum, From: now})
		}
	case kind == Copy:
		p.put(path, Object{Bucket: bucket, Key: key, Class: class, Bytes: p.copied(r), From: now})
	case r.Method == http.MethodPut:
		p.put(path, Object{Bucket: bucket, Key: key, Class: class, Bytes: in, From: now})
	case r.Method == http.MethodDelete:
		if i, there := p.live[path]; there {
			p.objects[i].To = now
			delete(p.live, path)
		}
	}
}

func (p *Proxy) begin(o Object) int {
	p.objects = append(p.objects, o)
	return len(p.objects) - 1
}

func (p *Proxy) put(path string, o Object) {
	if i, there := p.live[path]; there {
		p.objects[i].To = o.From
	}
	p.live[path] = p.begin(o)
}

// copied is how many bytes a copy made.
func (p *Proxy) copied(r *http.Request) int64 {
	source, _ := url.PathUnescape(strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"))
	if s, ok := strings.CutPrefix(r.Header.Get("X-Amz-Copy-Source-Range"), "bytes="); ok {
		a, b, _ := strings.Cut(s, "-")
		from, _ := strconv.ParseInt(a, 10, 64)
		to, _ := strconv.ParseInt(b, 10, 64)
		return to - from + 1
	}
	if i, ok := p.live["/"+source]; ok {
		return p.objects[i].Bytes
	}
	return 0
}

// classOf is the class that a request is billed in: that of what it makes, else that of what it is about.
func (p *Proxy) classOf(r *http.Request, q url.Values, path string) string {
	if u := p.uploads[q.Get("uploadId")]; u != nil {
		return u.class
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		return cmp.Or(r.Header.Get("X-Amz-Storage-Class"), Standard)
	}
	if i, ok := p.live[path]; ok {
		return p.objects[i].Class
	}
	return Standard
}

func kindOf(r *http.Request, q url.Values, key string) string {
	switch r.Method {
	case http.MethodHead:
		return Head
	case http.MethodDelete:
		return Delete
	case http.MethodGet:
		switch {
		case key == "" && (q.Has("list-type") || q.Has("prefix") || q.Has("uploads") || len(q) == 0), q.Has("uploadId"):
			return List
		case key == "":
			return Other
		}
		return Get
	case http.MethodPost:
		if q.Has("restore") || key == "" {
			return Other
		}
		return Put
	}
	switch {
	case key == "":
		return Other
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return Copy
	}
	return Put
}

func between(text, from, to string) string {
	_, rest, ok := strings.Cut(text, from)
	if !ok {
		return ""
	}
	inner, _, _ := strings.Cut(rest, to)
	return inner
}

// Objects are all times in which something was there, in the order of their beginnings.
func (p *Proxy) Objects() []Object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.objects)
}

// Bill is everything from one moment to another, by day, bucket, class and meter. Requests are counted by whole days: both moments should be midnights of UTC.
func (p *Proxy) Bill(from, to time.Time) []Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	sums := map[count]*big.Int{}
	add := func(c count, n *big.Int) {
		if sums[c] == nil {
			sums[c] = &big.Int{}
		}
		sums[c].Add(sums[c], n)
	}
	for c, n := range p.counts {
		if day, err := time.Parse("2006-01-02", c.day); err == nil && !day.Before(from.UTC().Truncate(24*time.Hour)) && day.Before(to) {
			add(c, big.NewInt(n))
		}
	}
	for _, o := range p.objects {
		a, b := o.From, o.To
		if b.IsZero() || b.After(to) {
			b = to
		}
		if a.Before(from) {
			a = from
		}
		for a.Before(b) {
			next := a.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
			if next.After(b) {
				next = b
			}
			seconds := big.NewInt(next.Unix() - a.Unix())
			c := count{a.UTC().Format("2006-01-02"), o.Bucket, o.Class, "byte-seconds"}
			add(c, new(big.Int).Mul(seconds, big.NewInt(o.Bytes)))
			c.meter = "object-seconds"
			add(c, seconds)
			a = next
		}
	}
	var list []Row
	for c, n := range sums {
		if n.Sign() != 0 {
			list = append(list, Row{c.day, c.bucket, c.class, c.meter, n})
		}
	}
	slices.SortFunc(list, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Bucket, b.Bucket), strings.Compare(a.Class, b.Class), strings.Compare(a.Meter, b.Meter))
	})
	return list
}

// WriteCSV writes a bill as generic imports read it.
func WriteCSV(w io.Writer, rows []Row) error {
	if _, err := io.WriteString(w, "day,bucket,class,meter,quantity\n"); err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%s,%s,%s,%s,%s\n", r.Day, r.Bucket, r.Class, r.Meter, r.Quantity); err != nil {
			return err
		}
	}
	return nil
}
