// Package archivefake stands in front of a real S3 server and makes archives of some of its storage classes, for tests: no server that can be installed
// has RestoreObject. Everything else is the server's own.
//
// What it does, as AWS documents it: reading or copying an object of an archive class is answered 403 InvalidObjectState until RestoreObject has run its
// time, and again when the days of the copy are over; HEAD and GET say x-amz-restore; a restore is answered 202, 409 RestoreAlreadyInProgress while it
// runs, 200 while the copy can be read (which makes it last for so many days from now), 403 of an object in another class, 400 for a speed that the class does
// not offer. It remembers classes from the puts and copies that pass through it. Signatures are checked by the server, those of restores by nobody.
package archivefake

import (
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say which classes are archives, and how long a restore of each takes by speed: "Bulk", "Standard", "Expedited". A speed that is missing is not offered.
type Options map[string]map[string]time.Duration

// Ask is a restore that was accepted.
type Ask struct {
	Key   string // with the bucket, as bucket/key
	Speed string
	Days  int
}

// Proxy is a running fake. Its methods may be called from any goroutine.
type Proxy struct {
	Endpoint string // URL

	o     Options
	back  *httputil.ReverseProxy
	mu    sync.Mutex
	ahead time.Duration
	class map[string]string // by path
	copy  map[string]readable
	asks  []Ask
}

// readable is a temporary copy.
type readable struct{ from, until time.Time }

// Start runs a fake in front of an S3 server until the test ends. Buckets are addressed by path.
func Start(t testing.TB, endpoint string, o Options) *Proxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: "http://" + listener.Addr().String(), o: o, class: map[string]string{}, copy: map[string]readable{}}
	p.back = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: p.reply,
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

func (p *Proxy) now() time.Time { return time.Now().Add(p.ahead) }

// Advance moves the fake's clock on.
func (p *Proxy) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += d
}

// Asks are the restores that were accepted so far.
func (p *Proxy) Asks() []Ask {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asks)
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("restore"):
		p.restore(w, r)
		return
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		source, err := url.PathUnescape(strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"))
		if err != nil || !p.canRead("/"+source) {
			refuse(w, http.StatusForbidden, "InvalidObjectState")
			return
		}
	}
	p.back.ServeHTTP(w, r)
}

// canRead reports whether an object is in no archive, or has a copy now.
func (p *Proxy) canRead(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o[p.class[path]] == nil {
		return true
	}
	c, now := p.copy[path], p.now()
	return !now.Before(c.from) && now.Before(c.until)
}

// reply changes what the server answers about archived objects.
func (p *Proxy) reply(r *http.Response) error {
	path, q := r.Request.URL.Path, r.Request.URL.Query()
	put := r.Request.Method == http.MethodPut && !q.Has("partNumber") || r.Request.Method == http.MethodPost && q.Has("uploads")
	if put && r.StatusCode < 300 {
		p.mu.Lock()
		p.class[path] = r.Request.Header.Get("X-Amz-Storage-Class")
		delete(p.copy, path)
		p.mu.Unlock()
		return nil
	}
	if r.Request.Method != http.MethodGet && r.Request.Method != http.MethodHead || r.StatusCode >= 300 || q.Has("list-type") || q.Has("uploads") || q.Has("uploadId") || strings.Count(strings.Trim(path, "/"), "/") == 0 {
		return nil
	}
	p.mu.Lock()
	archived, c, now := p.o[p.class[path]] != nil, p.copy[path], p.now()
	p.mu.Unlock()
	if !archived {
		return nil
	}
	switch {
	case c.from.IsZero() || !now.Before(c.until):
	case now.Before(c.from):
		r.Header.Set("X-Amz-Restore", `ongoing-request="true"`)
	default:
		r.Header.Set("X-Amz-Restore", fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, c.until.UTC().Format(http.TimeFormat)))
	}
	if r.Request.Method == http.MethodGet && !p.canRead(path) {
		_ = r.Body.Close()
		body := errorBody("InvalidObjectState")
		r.StatusCode, r.Status, r.ContentLength, r.Body = http.StatusForbidden, "403 Forbidden", int64(len(body)), io.NopCloser(strings.NewReader(body))
		for _, h := range []string{"Content-Range", "Etag", "Accept-Ranges"} {
			r.Header.Del(h)
		}
		r.Header.Set("Content-Type", "application/xml")
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return nil
}

// restore is RestoreObject.
func (p *Proxy) restore(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Days                 int
		GlacierJobParameters struct{ Tier string }
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil || xml.Unmarshal(raw, &in) != nil || in.Days < 1 {
		refuse(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	speed := in.GlacierJobParameters.Tier
	if speed == "" {
		speed = "Standard"
	}
	path := r.URL.Path
	p.mu.Lock()
	defer p.mu.Unlock()
	class, known := p.class[path]
	takes, offered := p.o[class][speed]
	c, now := p.copy[path], p.now()
	switch {
	case !known:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case p.o[class] == nil:
		refuse(w, http.StatusForbidden, "InvalidObjectState")
	case now.Before(c.from):
		refuse(w, http.StatusConflict, "RestoreAlreadyInProgress")
	case now.Before(c.until):
		p.copy[path] = readable{c.from, now.AddDate(0, 0, in.Days)}
		w.WriteHeader(http.StatusOK)
	case !offered:
		refuse(w, http.StatusBadRequest, "InvalidArgument")
	default:
		ready := now.Add(takes)
		p.copy[path] = readable{ready, ready.AddDate(0, 0, in.Days)}
		p.asks = append(p.asks, Ask{strings.Trim(path, "/"), speed, in.Days})
		w.WriteHeader(http.StatusAccepted)
	}
}

func errorBody(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>` + code + `</Message></Error>`
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, errorBody(code))
}
