package ossfake

import (
	"crypto/md5"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// object is immutable but for its thaw.
type object struct {
	data     []byte
	etag     string // without quotes
	class    class
	modified time.Time
	meta     http.Header // x-amz-meta-* and Content-Type
	thaw     thaw
}

// etagOf is the ETag of bytes put in one request, or of a part.
func (s *Server) etagOf(data []byte) string {
	if s.o.S3ETags {
		return fmt.Sprintf("%x", md5.Sum(data))
	}
	return fmt.Sprintf("%X", md5.Sum(data))
}

func quote(etag string) string { return `"` + etag + `"` }

// sameETag compares ETags in any case, and "*" with all.
func sameETag(a, b string) bool {
	return a == "*" || strings.EqualFold(strings.Trim(a, `"`), strings.Trim(b, `"`))
}

// metadata returns what a request wants to be kept with an object.
func (q *request) metadata() http.Header {
	meta := make(http.Header)
	for name, values := range q.r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" {
			meta[name] = values
		}
	}
	return meta
}

// store puts an object under the request's key, whatever is there; the server's lock is held.
func (q *request) store(o *object) {
	o.modified = q.s.now().UTC().Truncate(time.Second)
	q.s.buckets[q.bucket].objects[q.key] = o
}

// find returns a copy of an object that can be read without the server's lock.
func (s *Server) find(bucket, key string) (o object, header string, readable bool, err *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return object{}, "", false, noSuchBucket
	}
	found := b.objects[key]
	if found == nil {
		return object{}, "", false, noSuchKey
	}
	header, readable = found.state(s.now())
	return *found, header, readable, nil
}

func (q *request) putObject() *refusal {
	c, err := q.class()
	if err != nil {
		return err
	}
	o := &object{data: q.body, etag: q.s.etagOf(q.body), class: c, meta: q.metadata()}
	q.s.mu.Lock()
	q.store(o)
	q.s.mu.Unlock()
	q.w.Header().Set("ETag", quote(o.etag))
	return nil
}

func (q *request) deleteObject() *refusal {
	q.s.mu.Lock()
	delete(q.s.buckets[q.bucket].objects, q.key)
	q.s.mu.Unlock()
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// getObject answers GET and HEAD.
func (q *request) getObject() *refusal {
	o, restore, readable, err := q.s.find(q.bucket, q.key)
	if err != nil {
		return err
	}
	get := q.r.Method == http.MethodGet
	if get && !readable {
		return frozen
	}
	if want := q.r.Header.Get("If-Match"); want != "" && !sameETag(want, o.etag) {
		return &refusal{status: 412, code: "PreconditionFailed", message: "At least one of the pre-conditions you specified did not hold."}
	}
	h := q.w.Header()
	maps.Copy(h, o.meta)
	h.Set("ETag", quote(o.etag))
	h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-amz-storage-class", names[o.class])
	if restore != "" {
		h.Set("x-amz-restore", restore)
	}
	if unwanted := q.r.Header.Get("If-None-Match"); unwanted != "" && sameETag(unwanted, o.etag) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	size := int64(len(o.data))
	from, to, status := int64(0), size, http.StatusOK
	if text := q.r.Header.Get("Range"); text != "" {
		first, last, ok := parseRange(text, size)
		if !ok {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			return &refusal{status: 416, code: "InvalidRange", message: "The requested range cannot be satisfied.", name: "Range", value: text}
		}
		from, to, status = first, last+1, http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
	}
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	q.w.WriteHeader(status)
	if get {
		q.send(o.data[from:to])
	}
	return nil
}

// send sends a body, or what a test lets pass of it.
func (q *request) send(body []byte) {
	q.s.mu.Lock()
	cut := q.s.cut
	q.s.mu.Unlock()
	if cut != nil {
		if after := cut(q.r); after >= 0 && after < int64(len(body)) {
			_, _ = q.w.Write(body[:after])
			_ = http.NewResponseController(q.w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	_, _ = q.w.Write(body)
}

// parseRange reads "bytes=a-b", "bytes=a-" and "bytes=-n" of an object; both ends are inclusive.
func parseRange(text string, size int64) (first, last int64, ok bool) {
	spec, ok := strings.CutPrefix(text, "bytes=")
	a, b, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	first, errA := strconv.ParseInt(a, 10, 64)
	last, errB := strconv.ParseInt(b, 10, 64)
	switch {
	case a == "" && errB == nil && last > 0:
		return max(0, size-last), size - 1, size > 0
	case errA != nil || first >= size || b != "" && (errB != nil || last < first):
		return 0, 0, false
	case b == "":
		last = size - 1
	}
	return first, min(last, size-1), true
}

// source returns the object that x-amz-copy-source names.
func (q *request) source() (object, *refusal) {
	name, err := url.PathUnescape(q.r.Header.Get("X-Amz-Copy-Source"))
	bucket, key, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if err != nil || !ok || key == "" {
		return object{}, &refusal{status: 400, code: "InvalidArgument", message: "The copy source is malformed.", name: "x-amz-copy-source", value: name}
	}
	o, _, readable, refused := q.s.find(bucket, key)
	switch want := q.r.Header.Get("X-Amz-Copy-Source-If-Match"); {
	case refused != nil:
		return object{}, refused
	case !readable:
		return object{}, frozen
	case want != "" && !sameETag(want, o.etag):
		return object{}, &refusal{status: 412, code: "PreconditionFailed", message: "The source is another object."}
	}
	return o, nil
}

func (q *request) copyObject() *refusal {
	c, err := q.class()
	if err != nil {
		return err
	}
	from, err := q.source()
	if err != nil {
		return err
	}
	if int64(len(from.data)) > q.s.o.MaxCopyBytes {
		return &refusal{status: 400, code: "EntityTooLarge", message: "The source is too large to be copied in one request."}
	}
	o := &object{data: from.data, etag: from.etag, class: c, meta: from.meta}
	if q.r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		o.meta = q.metadata()
	}
	q.s.mu.Lock()
	q.store(o)
	q.s.mu.Unlock()
	q.xml(http.StatusOK, copyResult{ETag: quote(o.etag), LastModified: o.modified.Format(time.RFC3339)}.named("CopyObjectResult"))
	return nil
}
