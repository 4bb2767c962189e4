package ossfake

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	minPart  = 100 << 10
	maxParts = 10_000
)

// upload is an unfinished upload in parts.
type upload struct {
	key   string
	class class
	meta  http.Header
	begun time.Time
	parts map[int]part
}

type part struct {
	data     []byte
	etag     string
	modified time.Time
}

// open returns the upload that a request names; the server's lock is held.
func (q *request) open() (*upload, *refusal) {
	u := q.s.buckets[q.bucket].uploads[q.query.Get("uploadId")]
	if u == nil || u.key != q.key {
		return nil, noSuchUpload
	}
	return u, nil
}

func (q *request) createUpload() *refusal {
	c, err := q.class()
	if err != nil {
		return err
	}
	q.s.mu.Lock()
	q.s.ids++
	id := fmt.Sprintf("%032X", q.s.ids)
	q.s.buckets[q.bucket].uploads[id] = &upload{key: q.key, class: c, meta: q.metadata(), begun: q.s.now().UTC(), parts: make(map[int]part)}
	q.s.mu.Unlock()
	q.xml(http.StatusOK, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string   //nolint:revive // names of the protocol
	}{Bucket: q.bucket, Key: q.key, UploadId: id})
	return nil
}

func (q *request) uploadPart(copied bool) *refusal {
	number, err := strconv.Atoi(q.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxParts {
		return &refusal{status: 400, code: "InvalidArgument", message: "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber", value: q.query.Get("partNumber")}
	}
	data := q.body
	if copied {
		from, refused := q.source()
		if refused != nil {
			return refused
		}
		data = from.data
		if text := q.r.Header.Get("X-Amz-Copy-Source-Range"); text != "" {
			first, last, ok := parseRange(text, int64(len(data)))
			if !ok {
				return &refusal{status: 416, code: "InvalidRange", message: "The range of the source cannot be satisfied.", name: "x-amz-copy-source-range", value: text}
			}
			data = data[first : last+1]
		}
	}
	p := part{data: data, etag: q.s.etagOf(data)}
	q.s.mu.Lock()
	p.modified = q.s.now().UTC()
	u, refused := q.open()
	if refused == nil {
		u.parts[number] = p
	}
	q.s.mu.Unlock()
	if refused != nil {
		return refused
	}
	if copied {
		q.xml(http.StatusOK, copyResult{ETag: quote(p.etag), LastModified: p.modified.Format(time.RFC3339)}.named("CopyPartResult"))
		return nil
	}
	q.w.Header().Set("ETag", quote(p.etag))
	return nil
}

func (q *request) listParts() *refusal {
	size, refused := q.page("max-parts")
	if refused != nil {
		return refused
	}
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	u, refused := q.open()
	if refused != nil {
		return refused
	}
	type entry struct {
		PartNumber         int
		ETag, LastModified string
		Size               int64
	}
	out := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Bucket, Key, UploadId string   //nolint:revive // names of the protocol
		StorageClass          string
		NextPartNumberMarker  int
		MaxParts              int
		IsTruncated           bool
		Part                  []entry `xml:"Part"`
	}{Bucket: q.bucket, Key: q.key, UploadId: q.query.Get("uploadId"), StorageClass: names[u.class], MaxParts: size}
	marker, _ := strconv.Atoi(q.query.Get("part-number-marker"))
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= marker {
			continue
		}
		if len(out.Part) == size {
			out.IsTruncated = size > 0
			break
		}
		p := u.parts[n]
		out.NextPartNumberMarker = n
		out.Part = append(out.Part, entry{n, quote(p.etag), p.modified.Format(time.RFC3339), int64(len(p.data))})
	}
	q.xml(http.StatusOK, out)
	return nil
}

func (q *request) abortUpload() *refusal {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	if _, refused := q.open(); refused != nil {
		return refused
	}
	delete(q.s.buckets[q.bucket].uploads, q.query.Get("uploadId"))
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (q *request) completeUpload() *refusal {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if xml.Unmarshal(q.body, &in) != nil || len(in.Part) == 0 {
		return malformed
	}
	q.s.mu.Lock()
	u, refused := q.open()
	q.s.mu.Unlock()
	if refused != nil {
		return refused
	}
	var parts []part
	for i, want := range in.Part {
		q.s.mu.Lock()
		p, found := u.parts[want.PartNumber]
		q.s.mu.Unlock()
		switch {
		case i > 0 && want.PartNumber <= in.Part[i-1].PartNumber:
			return &refusal{status: 400, code: "InvalidPartOrder", message: "The list of parts was not in ascending order."}
		case !found || !sameETag(p.etag, want.ETag):
			return &refusal{status: 400, code: "InvalidPart", message: "One or more of the specified parts could not be found."}
		case i < len(in.Part)-1 && len(p.data) < minPart:
			return &refusal{status: 400, code: "EntityTooSmall", message: "Your proposed upload is smaller than the minimum allowed size."}
		}
		parts = append(parts, p)
	}
	var data bytes.Buffer
	for _, p := range parts {
		data.Write(p.data)
	}
	o := &object{data: data.Bytes(), etag: q.s.etagOfParts(parts), class: u.class, meta: u.meta}
	q.s.mu.Lock()
	if _, refused = q.open(); refused == nil { // nobody else has completed or aborted it
		delete(q.s.buckets[q.bucket].uploads, q.query.Get("uploadId"))
		q.store(o)
	}
	q.s.mu.Unlock()
	if refused != nil {
		return refused
	}
	q.xml(http.StatusOK, struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
	}{Location: "http://" + q.bucket + "." + Domain + "/" + q.key, Bucket: q.bucket, Key: q.key, ETag: quote(o.etag)})
	return nil
}

// etagOfParts is the ETag of an object that was put in parts: the MD5 of the
// parts' MD5s as S3 makes it, or here that of their text, which is not how S3 does it.
func (s *Server) etagOfParts(parts []part) string {
	h := md5.New()
	for _, p := range parts {
		if s.o.S3ETags {
			sum, _ := hex.DecodeString(p.etag)
			h.Write(sum)
		} else {
			h.Write([]byte(p.etag))
		}
	}
	etag := fmt.Sprintf("%x-%d", h.Sum(nil), len(parts))
	if !s.o.S3ETags {
		etag = strings.ToUpper(etag)
	}
	return etag
}
