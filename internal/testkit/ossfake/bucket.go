package ossfake

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// copyResult is the reply to both kinds of copies.
type copyResult struct {
	XMLName            xml.Name
	ETag, LastModified string
}

func (c copyResult) named(name string) copyResult {
	c.XMLName.Local = name
	return c
}

// onBucket does the work on a bucket.
func (q *request) onBucket() *refusal {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	b := q.s.buckets[q.bucket]
	if q.r.Method == http.MethodPut && len(q.query) == 0 {
		if b == nil {
			q.s.buckets[q.bucket] = &bucket{objects: make(map[string]*object), uploads: make(map[string]*upload)}
		}
		q.w.WriteHeader(http.StatusOK)
		return nil
	}
	if b == nil {
		return noSuchBucket
	}
	switch method := q.r.Method; {
	case method == http.MethodHead:
		q.w.WriteHeader(http.StatusOK)
	case method == http.MethodDelete && len(b.objects)+len(b.uploads) > 0:
		return &refusal{status: 409, code: "BucketNotEmpty", message: "The bucket has objects or unfinished uploads."}
	case method == http.MethodDelete:
		delete(q.s.buckets, q.bucket)
		q.w.WriteHeader(http.StatusNoContent)
	case method == http.MethodPut && q.query.Has("lifecycle"):
		b.lifecycle = string(q.body)
		q.w.WriteHeader(http.StatusOK)
	case method != http.MethodGet:
		return unknown
	case q.query.Get("list-type") == "2":
		return q.listObjects(b)
	case q.query.Has("uploads"):
		return q.listUploads(b)
	case q.query.Has("location"):
		q.raw(http.StatusOK, xml.Header+"<LocationConstraint>"+Region+"</LocationConstraint>")
	case q.query.Has("versioning"):
		q.xml(http.StatusOK, struct {
			XMLName xml.Name `xml:"VersioningConfiguration"`
			Status  string   `xml:",omitempty"`
		}{Status: b.versioning})
	case q.query.Has("lifecycle") && b.lifecycle == "":
		return &refusal{status: 404, code: "NoSuchLifecycleConfiguration", message: "The lifecycle configuration does not exist."}
	case q.query.Has("lifecycle"):
		q.raw(http.StatusOK, b.lifecycle)
	case q.query.Has("object-lock") && b.objectLock == "":
		return &refusal{status: 404, code: "ObjectLockConfigurationNotFoundError", message: "Object Lock configuration does not exist for this bucket"}
	case q.query.Has("object-lock"):
		q.raw(http.StatusOK, b.objectLock)
	default:
		return unknown
	}
	return nil
}

// page reads how many entries a listing may have.
func (q *request) page(name string) (int, *refusal) {
	text := q.query.Get(name)
	if text == "" {
		return 1000, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &refusal{status: 400, code: "InvalidArgument", message: "The size of a page is malformed.", name: name, value: text}
	}
	return min(n, 1000), nil
}

// text encodes a key for a listing, as the request asks.
func (q *request) text(key string) string {
	if q.query.Get("encoding-type") == "url" {
		return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
	}
	return key
}

func (q *request) listObjects(b *bucket) *refusal {
	size, err := q.page("max-keys")
	if err != nil {
		return err
	}
	if q.query.Get("delimiter") != "" {
		return unknown
	}
	type entry struct {
		Key, LastModified, ETag string
		Size                    int64
		StorageClass            string
	}
	out := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		EncodingType          string `xml:",omitempty"`
		MaxKeys, KeyCount     int
		IsTruncated           bool
		StartAfter            string  `xml:",omitempty"`
		NextContinuationToken string  `xml:",omitempty"`
		Contents              []entry `xml:"Contents"`
	}{
		Name: q.bucket, Prefix: q.text(q.query.Get("prefix")), MaxKeys: size,
		StartAfter: q.text(q.query.Get("start-after")), EncodingType: q.query.Get("encoding-type"),
	}
	after := q.query.Get("start-after")
	if token := q.query.Get("continuation-token"); token != "" {
		last, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return &refusal{status: 400, code: "InvalidArgument", message: "The continuation token is not ours.", name: "continuation-token", value: token}
		}
		after = string(last)
	}
	last := ""
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if key <= after || !strings.HasPrefix(key, q.query.Get("prefix")) {
			continue
		}
		if len(out.Contents) == size {
			out.IsTruncated = size > 0
			break
		}
		o := b.objects[key]
		last = key
		out.Contents = append(out.Contents, entry{q.text(key), o.modified.Format(time.RFC3339), quote(o.etag), int64(len(o.data)), names[o.class]})
	}
	out.KeyCount = len(out.Contents)
	if out.IsTruncated {
		out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
	}
	q.xml(http.StatusOK, out)
	return nil
}

func (q *request) listUploads(b *bucket) *refusal {
	size, err := q.page("max-uploads")
	if err != nil {
		return err
	}
	type entry struct{ Key, UploadId, Initiated, StorageClass string } //nolint:revive // names of the protocol
	out := struct {
		XMLName                           xml.Name `xml:"ListMultipartUploadsResult"`
		Bucket, Prefix                    string
		EncodingType                      string `xml:",omitempty"`
		KeyMarker, UploadIdMarker         string //nolint:revive
		NextKeyMarker, NextUploadIdMarker string //nolint:revive
		MaxUploads                        int
		IsTruncated                       bool
		Upload                            []entry `xml:"Upload"`
	}{
		Bucket: q.bucket, Prefix: q.text(q.query.Get("prefix")), EncodingType: q.query.Get("encoding-type"), MaxUploads: size,
		KeyMarker: q.text(q.query.Get("key-marker")), UploadIdMarker: q.query.Get("upload-id-marker"),
	}
	ids := slices.SortedFunc(maps.Keys(b.uploads), func(x, y string) int {
		return strings.Compare(b.uploads[x].key+"\x00"+x, b.uploads[y].key+"\x00"+y)
	})
	key, id := q.query.Get("key-marker"), q.query.Get("upload-id-marker")
	for _, i := range ids {
		u := b.uploads[i]
		if u.key < key || u.key == key && (id == "" || i <= id) || !strings.HasPrefix(u.key, q.query.Get("prefix")) {
			continue
		}
		if len(out.Upload) == size {
			out.IsTruncated = size > 0
			break
		}
		out.NextKeyMarker, out.NextUploadIdMarker = q.text(u.key), i
		out.Upload = append(out.Upload, entry{q.text(u.key), i, u.begun.Format(time.RFC3339), names[u.class]})
	}
	q.xml(http.StatusOK, out)
	return nil
}
