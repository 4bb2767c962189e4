package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

// strict turns a server into one that refuses conditions of writes, checksum
// headers and aws-chunked bodies, as object stores do that only speak the older half of S3.
func strict(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	refuse := r.Header.Get("If-None-Match") != "" || r.Header.Get("X-Amz-Trailer") != "" || strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked")
	for name := range r.Header {
		refuse = refuse || strings.HasPrefix(name, "X-Amz-Checksum-") || strings.HasPrefix(name, "X-Amz-Sdk-Checksum-")
	}
	if refuse {
		_, _ = io.Copy(io.Discard, r.Body)
		reply(w, 501, "NotImplemented")
		return
	}
	pass(w, r)
}

func TestConformanceOfAStrictServer(t *testing.T) {
	cert, ca := certificate(t)
	o := bucketOn(t, rgw(t))
	f := newFront(t, o.Endpoint, cert)
	f.interfere(strict, nil)
	o.Endpoint, o.CAFile = f.url, ca
	p, err := Check(t.Context(), o)
	if err != nil || p.Checksums != ChecksumsNone || p.CreateOnlyPut || p.CreateOnlyMultipart || p.CreateOnlyCopy || !p.Multipart || len(p.refused()) > 0 {
		t.Errorf("Check: got %s, %v, %v", facts(p), p.refused(), err)
	}
	conform(t, o, storetest.Options{})
	o.Checksums = ChecksumsSDK
	wantFinding(t, o, LevelRefuse, "checksums")
}

// ice makes the class GLACIER of a server that only knows its name an archive.
type ice struct {
	api    *s3.Client
	bucket string
	delay  time.Duration

	mu      sync.Mutex
	now     time.Time
	restore map[string]objstore.RestoreState // by path; Ongoing is not used
	ready   map[string]time.Time
}

func (c *ice) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *ice) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// header returns the x-amz-restore of an object, and whether it can be read.
func (c *ice) header(path string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, asked := c.restore[path]
	switch {
	case !asked, !c.now.Before(state.Until):
		return "", false
	case c.now.Before(c.ready[path]):
		return `ongoing-request="true"`, false
	}
	return fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, state.Until.UTC().Format(http.TimeFormat)), true
}

func (c *ice) frozen(r *http.Request, path string) bool {
	head, err := c.api.HeadObject(r.Context(), &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String(strings.TrimPrefix(path, "/"+c.bucket+"/"))})
	return err == nil && head.StorageClass == "GLACIER"
}

func (c *ice) hook(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	path := r.URL.Path
	isObject := strings.Count(path, "/") > 1
	source, _ := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	switch {
	case r.URL.Query().Has("restore"):
		var in struct{ Days int }
		if err := xml.NewDecoder(r.Body).Decode(&in); err != nil || !c.frozen(r, path) {
			reply(w, 403, "InvalidObjectState")
			return
		}
		header, readable := c.header(path)
		c.mu.Lock()
		defer c.mu.Unlock()
		until := time.Duration(in.Days) * 24 * time.Hour
		switch {
		case readable:
			c.restore[path] = objstore.RestoreState{Until: c.now.Add(until)}
		case header != "":
			reply(w, 409, "RestoreAlreadyInProgress")
			return
		default:
			c.ready[path] = c.now.Add(c.delay)
			c.restore[path] = objstore.RestoreState{Until: c.now.Add(c.delay + until)}
		}
		w.WriteHeader(202)
		return
	case r.Method == http.MethodGet && isObject, source != "":
		if source != "" {
			path = "/" + strings.TrimPrefix(source, "/")
		}
		if _, readable := c.header(path); !readable && c.frozen(r, path) {
			reply(w, 403, "InvalidObjectState")
			return
		}
	case r.Method == http.MethodDelete, r.Method == http.MethodPut:
		c.mu.Lock()
		delete(c.restore, path)
		c.mu.Unlock()
	}
	pass(w, r)
}

func (c *ice) modify(r *http.Response) error {
	if header, _ := c.header(r.Request.URL.Path); header != "" {
		r.Header.Set("x-amz-restore", header)
	}
	return nil
}

func TestConformanceWithAnArchive(t *testing.T) {
	o := bucketOn(t, rgw(t))
	c := &ice{
		api: rawClient(t, o), bucket: o.Bucket, delay: 12 * time.Hour, now: time.Now(),
		restore: make(map[string]objstore.RestoreState), ready: make(map[string]time.Time),
	}
	f := newFront(t, o.Endpoint, nil)
	f.interfere(c.hook, c.modify)
	o.Endpoint, o.Now = f.url, c.clock
	o.Classes = []Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}, {Name: "GLACIER", MinDays: 90, Archive: true}}
	conform(t, o, storetest.Options{ArchiveClass: "GLACIER", RestoreDelay: c.delay, Advance: c.advance})
}
