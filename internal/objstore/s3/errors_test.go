package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

func TestWhatRepliesMean(t *testing.T) {
	f, s := behindFront(t, rgw(t), func(o *Options) { o.Attempts = 1 })
	is := func(want error) func(error) bool {
		return func(err error) bool { return errors.Is(err, want) && !objstore.IsTransient(err) }
	}
	config := func(words string) func(error) bool {
		return func(err error) bool {
			var c *ConfigError
			return errors.As(err, &c) && !objstore.IsTransient(err) && strings.Contains(err.Error(), words)
		}
	}
	plain := func(err error) bool { return err != nil && !objstore.IsTransient(err) }
	for _, tt := range []struct {
		status int
		code   string
		check  func(error) bool
	}{
		{404, "NoSuchKey", is(objstore.ErrNotFound)},
		{404, "NoSuchBucket", config("create it")},
		{403, "InvalidObjectState", is(objstore.ErrArchived)},
		{501, "NotImplemented", is(objstore.ErrUnsupported)},
		{405, "MethodNotAllowed", is(objstore.ErrUnsupported)},
		{403, "AccessDenied", config("permission")},
		{403, "SignatureDoesNotMatch", config("secret key")},
		{403, "InvalidAccessKeyId", config("does not know this access key")},
		{403, "RequestTimeTooSkewed", config("clock")},
		{400, "ExpiredToken", config("renew")},
		{301, "PermanentRedirect", config("region")},
		{400, "AuthorizationHeaderMalformed", config("region")},
		{403, "SomethingNew", config("credentials")},
		{503, "SlowDown", objstore.IsTransient},
		{503, "ServiceUnavailable", objstore.IsTransient},
		{500, "InternalError", objstore.IsTransient},
		{502, "", objstore.IsTransient},
		{504, "", objstore.IsTransient},
		{429, "TooManyRequests", objstore.IsTransient},
		{408, "", objstore.IsTransient},
		{400, "RequestTimeout", objstore.IsTransient},
		{400, "BadDigest", objstore.IsTransient},
		{400, "XAmzContentSHA256Mismatch", objstore.IsTransient},
		{400, "IncompleteBody", objstore.IsTransient},
		{409, "OperationAborted", objstore.IsTransient},
		{400, "SomethingNew", plain},
		{400, "InvalidArgument", config("store check")},
	} {
		f.interfere(func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			_, _ = io.Copy(io.Discard, r.Body)
			reply(w, tt.status, tt.code)
		}, nil)
		if _, _, err := s.Get(t.Context(), "secret-free", 0, 10); !tt.check(err) {
			t.Errorf("Get answered %d %s: got %T %v, transient %v", tt.status, tt.code, err, err, objstore.IsTransient(err))
		} else if !strings.Contains(err.Error(), "secret-free") || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("Get answered %d %s: %q should name the key and no URL", tt.status, tt.code, err)
		}
	}
	f.interfere(func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }, nil)
	if _, err := s.Head(t.Context(), "k"); !objstore.IsTransient(err) || strings.Contains(err.Error(), "http:") {
		t.Errorf("Head on a connection that breaks: got %v, want a transient error without a URL", err)
	}
	release := make(chan struct{})
	defer close(release)
	f.interfere(func(http.ResponseWriter, *http.Request, http.HandlerFunc) { <-release }, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Head(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) || !objstore.IsTransient(err) {
		t.Errorf("Head past its deadline: got %v, want context.DeadlineExceeded", err)
	}
}

func TestParseRestore(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	later := time.Date(2030, 5, 3, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]objstore.RestoreState{
		"":                        {},
		`ongoing-request="true"`:  {Ongoing: true},
		`ongoing-request="false"`: {},
		`ongoing-request="false", expiry-date="Fri, 03 May 2030 00:00:00 GMT"`: {Until: later},
		`ongoing-request="false", expiry-date="Wed, 01 May 2030 11:59:59 GMT"`: {},
		`ongoing-request="false", expiry-date="soon"`:                          {},
	} {
		if got := parseRestore(header, now); got != want {
			t.Errorf("parseRestore(%q) = %+v, want %+v", header, got, want)
		}
	}
}

func TestParseContentRange(t *testing.T) {
	for header, want := range map[string][3]int64{"bytes 0-99/1000": {0, 99, 1000}, "bytes 5-5/6": {5, 5, 6}} {
		if a, b, c, ok := parseContentRange(header); !ok || [3]int64{a, b, c} != want {
			t.Errorf("parseContentRange(%q) = %d, %d, %d, %v, want %v", header, a, b, c, ok, want)
		}
	}
	for _, header := range []string{"", "bytes", "bytes */10", "bytes 0-9/*", "bytes 9-0/10", "bytes 0-10/10", "items 0-1/2", "bytes -1-2/3"} {
		if _, _, _, ok := parseContentRange(header); ok {
			t.Errorf("parseContentRange(%q) is accepted", header)
		}
	}
}
