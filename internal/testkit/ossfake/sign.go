package ossfake

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	skewLimit       = 15 * time.Minute
)

// verifySignature checks an Authorization header of Signature Version 4.
func (q *request) verifySignature() *refusal {
	denied := func(status int, code, format string, args ...any) *refusal {
		return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
	}
	fields, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return denied(403, "AccessDenied", "The request is not signed in its Authorization header.")
	}
	part := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		part[name] = value
	}
	access, scope, _ := strings.Cut(part["Credential"], "/")
	date := q.r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", date)
	switch {
	case err != nil:
		return denied(403, "AccessDenied", "x-amz-date is missing or malformed.")
	case access != AccessKey:
		return denied(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
	case time.Since(at).Abs() > skewLimit:
		return denied(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	case scope != date[:8]+"/"+Region+"/s3/aws4_request":
		return denied(400, "AuthorizationHeaderMalformed", "The scope of the credential is wrong, expecting region %s.", Region)
	}
	signed := strings.Split(part["SignedHeaders"], ";")
	if !slices.Contains(signed, "host") {
		return denied(403, "AccessDenied", "The Host header is not signed.")
	}
	var headers strings.Builder
	for _, name := range signed {
		fmt.Fprintf(&headers, "%s:%s\n", name, q.signedHeader(name))
	}
	canonical := strings.Join([]string{
		q.r.Method, escape(q.r.URL.Path, true), canonicalQuery(q.query), headers.String(), part["SignedHeaders"], q.r.Header.Get("X-Amz-Content-Sha256"),
	}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + SecretKey)
	for word := range strings.SplitSeq(scope, "/") {
		key = mac(key, word)
	}
	if want := hex.EncodeToString(mac(key, text)); !hmac.Equal([]byte(want), []byte(part["Signature"])) {
		return denied(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

// signedHeader is a header's value as it is signed. Go keeps some of them outside of the header map.
func (q *request) signedHeader(name string) string {
	switch name {
	case "host":
		return q.r.Host
	case "content-length":
		return strconv.FormatInt(max(0, q.r.ContentLength), 10)
	}
	values := q.r.Header.Values(name)
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text)
	return h.Sum(nil)
}

// canonicalQuery is a query sorted and escaped as it is signed.
func canonicalQuery(query map[string][]string) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escape(name, false)+"="+escape(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape encodes all but what RFC 3986 calls unreserved, and slashes in paths.
func escape(s string, path bool) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, path && c == '/':
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// readBody reads the body and compares it with what the headers promise.
func (q *request) readBody() *refusal {
	h := q.r.Header
	sum := h.Get("X-Amz-Content-Sha256")
	refuse := func(code, message, name string) *refusal {
		return &refusal{status: 400, code: code, message: message, name: name, value: h.Get(name)}
	}
	const chunked = "aws-chunked encoding is not supported with the specified x-amz-content-sha256 value."
	switch {
	case strings.HasPrefix(sum, "STREAMING-"):
		return refuse("InvalidArgument", chunked, "x-amz-content-sha256")
	case strings.Contains(h.Get("Content-Encoding"), "aws-chunked"):
		return refuse("InvalidArgument", chunked, "Content-Encoding")
	case h.Get("X-Amz-Trailer") != "":
		return refuse("InvalidArgument", chunked, "x-amz-trailer")
	}
	body, err := io.ReadAll(q.r.Body)
	if err != nil {
		return &refusal{status: 400, code: "IncompleteBody", message: "The body ended early."}
	}
	q.body = body
	if got := sha256.Sum256(body); sum != unsignedPayload && sum != hex.EncodeToString(got[:]) {
		return refuse("XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match what was computed.", "x-amz-content-sha256")
	}
	if text := h.Get("Content-Md5"); text != "" {
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(want) != md5.Size {
			return refuse("InvalidDigest", "The Content-MD5 you specified is not valid.", "Content-MD5")
		}
		if got := md5.Sum(body); string(want) != string(got[:]) {
			return refuse("BadDigest", "The Content-MD5 you specified did not match what we received.", "Content-MD5")
		}
	}
	return nil
}
