package ossfake

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// request is one request on its way through the server.
type request struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	id    string
	query url.Values

	bucket, key string
	body        []byte
}

// refusal is an error reply.
type refusal struct {
	status        int
	code, message string
	name, value   string // of the argument at fault; may be empty
}

var (
	noSuchKey    = &refusal{status: 404, code: "NoSuchKey", message: "The specified key does not exist."}
	noSuchBucket = &refusal{status: 404, code: "NoSuchBucket", message: "The specified bucket does not exist."}
	noSuchUpload = &refusal{status: 404, code: "NoSuchUpload", message: "The specified upload does not exist."}
	unknown      = &refusal{status: 501, code: "NotImplemented", message: "This fake does not know the operation."}
	frozen       = &refusal{status: 403, code: "InvalidObjectState", message: "The operation is not valid for the object's state"}
	malformed    = &refusal{status: 400, code: "MalformedXML", message: "The XML you provided was not well-formed."}
)

// fail sends a refusal. What the client still sends is read, so that it sees the reply.
func (q *request) fail(f refusal) {
	_, _ = io.Copy(io.Discard, q.r.Body)
	reply := struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		RequestID     string `xml:"RequestId"`
		HostID        string `xml:"HostId"`
		ArgumentName  string `xml:",omitempty"`
		ArgumentValue string `xml:",omitempty"`
	}{Code: f.code, Message: f.message, RequestID: q.id, HostID: Domain, ArgumentName: f.name, ArgumentValue: f.value}
	q.xml(f.status, reply)
}

func (q *request) xml(status int, reply any) {
	out, err := xml.Marshal(reply)
	if err != nil {
		panic(err) // of our own types
	}
	q.raw(status, xml.Header+string(out))
}

func (q *request) raw(status int, body string) {
	q.w.Header().Set("Content-Type", "application/xml")
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_, _ = io.WriteString(q.w, body)
	}
}

// serve finds bucket and key, checks signature and body, and does the work.
func (q *request) serve() *refusal {
	if err := q.address(); err != nil {
		return err
	}
	if err := q.verifySignature(); err != nil {
		return err
	}
	q.query.Del("x-id") // the SDK's name of the operation
	if err := q.readBody(); err != nil {
		return err
	}
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodHead {
		for _, name := range []string{"If-Match", "If-None-Match"} {
			if value := q.r.Header.Get(name); value != "" {
				return &refusal{status: 501, code: "NotImplemented", message: "A header you provided implies functionality that is not implemented.", name: name, value: value}
			}
		}
	}
	if q.bucket == "" {
		return unknown
	}
	if q.key == "" {
		return q.onBucket()
	}
	q.s.mu.Lock()
	_, found := q.s.buckets[q.bucket]
	q.s.mu.Unlock()
	if !found {
		return noSuchBucket
	}
	return q.onObject()
}

// address splits host and path into bucket and key.
func (q *request) address() *refusal {
	host, _, _ := strings.Cut(q.r.Host, ":")
	path := strings.TrimPrefix(q.r.URL.Path, "/")
	if bucket, virtual := strings.CutSuffix(host, "."+Domain); virtual {
		q.bucket, q.key = bucket, path
		return nil
	}
	if !q.s.o.PathStyle {
		return &refusal{status: 403, code: "SecondLevelDomainForbidden", message: "Please use virtual hosted style to access."}
	}
	q.bucket, q.key, _ = strings.Cut(path, "/")
	return nil
}

// onObject does the work on a key.
func (q *request) onObject() *refusal {
	upload := q.query.Get("uploadId")
	copied := q.r.Header.Get("X-Amz-Copy-Source") != ""
	for _, sub := range []string{"tagging", "acl", "retention", "legal-hold", "torrent", "attributes"} {
		if q.query.Has(sub) {
			return unknown
		}
	}
	switch method := q.r.Method; {
	case method == http.MethodPut && upload != "":
		return q.uploadPart(copied)
	case method == http.MethodPut && copied:
		return q.copyObject()
	case method == http.MethodPut:
		return q.putObject()
	case method == http.MethodGet && upload != "":
		return q.listParts()
	case method == http.MethodGet, method == http.MethodHead:
		return q.getObject()
	case method == http.MethodDelete && upload != "":
		return q.abortUpload()
	case method == http.MethodDelete:
		return q.deleteObject()
	case method == http.MethodPost && q.query.Has("uploads"):
		return q.createUpload()
	case method == http.MethodPost && upload != "":
		return q.completeUpload()
	case method == http.MethodPost && q.query.Has("restore"):
		return q.restoreObject()
	}
	return unknown
}
