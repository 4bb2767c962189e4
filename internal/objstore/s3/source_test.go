package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/objstore"
)

// names are keys that received files really have, in byte order.
var names = []string{
	"in/ leading space", "in/100%/IM+1&2?3#4", "in/A B/IM0001", "in/a%2Fb", "in/a+b", "in/a//b", "in/a/b", "in/quote\"<&>'", "in/~tilde", "in/é", "in/张三/影像.dcm",
}

func source(t *testing.T, server s3Server) (*front, *Source, *s3.Client, Options) {
	o := bucketOn(t, server)
	api := rawClient(t, o)
	if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &o.Bucket}); err != nil {
		t.Fatal(err)
	}
	f := newFront(t, o.Endpoint, nil)
	o.Endpoint, o.test.pageKeys = f.url, 3
	s, err := OpenSource(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return f, s, api, o
}

func putRaw(t *testing.T, api *s3.Client, bucket, key string, data []byte) {
	t.Helper()
	if _, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)}); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func TestSourceWithOddKeys(t *testing.T) {
	for server, keys := range map[string][]string{"RGW": names, "Versitygw": slices.DeleteFunc(slices.Clone(names), func(s string) bool { return strings.Contains(s, "//") })} {
		t.Run(server, func(t *testing.T) {
			start := map[string]func(*testing.T) s3Server{"RGW": rgw, "Versitygw": versitygw}[server]
			_, s, api, o := source(t, start(t))
			for _, key := range keys {
				putRaw(t, api, o.Bucket, key, []byte(key))
			}
			putRaw(t, api, o.Bucket, "out/x", nil)
			for i, after := range append([]string{""}, keys...) {
				var got []string
				for obj, err := range s.List(t.Context(), "in/", after) {
					if err != nil {
						t.Fatalf("List after %q: %v", after, err)
					}
					got = append(got, obj.Key)
					body, again, err := s.Get(t.Context(), obj.Key, obj.ETag, 0, -1)
					if err != nil {
						t.Errorf("Get(%q): %v", obj.Key, err)
						continue
					}
					data, err := io.ReadAll(body)
					body.Close()
					if err != nil || string(data) != obj.Key || again.ETag != obj.ETag || again.Size != obj.Size || obj.Size != int64(len(data)) || again.Modified.IsZero() {
						t.Errorf("Get(%q): got %q, %+v, %v, want the bytes put and what was listed, %+v", obj.Key, data, again, err, obj)
					}
				}
				if !slices.Equal(got, keys[i:]) && len(got)+len(keys[i:]) > 0 {
					t.Errorf("List after %q:\ngot  %q\nwant %q", after, got, keys[i:])
				}
			}
		})
	}
}

func TestSourceThatChanges(t *testing.T) {
	for name, start := range map[string]func(*testing.T) s3Server{"RGW": rgw, "Versitygw": versitygw} {
		t.Run(name, func(t *testing.T) {
			f, s, api, o := source(t, start(t))
			const key = "DOE^JANE/IM1"
			putRaw(t, api, o.Bucket, key, []byte("first version"))
			head, err := s.Head(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			read := func(etag string, off, n int64) (string, error) {
				body, _, err := s.Get(t.Context(), key, etag, off, n)
				if err != nil {
					return "", err
				}
				defer body.Close()
				data, err := io.ReadAll(body)
				return string(data), err
			}
			if got, err := read(head.ETag, 6, 7); got != "version" || err != nil {
				t.Errorf("Get of a range: got %q, %v, want %q", got, err, "version")
			}
			var rangeErr *objstore.RangeError
			if _, err := read(head.ETag, 6, 8); !errors.As(err, &rangeErr) || rangeErr.Size != 13 {
				t.Errorf("Get beyond the end: got %v, want a *RangeError of 13 bytes", err)
			}
			if got, err := read(head.ETag, 13, -1); got != "" || err != nil {
				t.Errorf("Get at the end: got %q, %v, want nothing", got, err)
			}
			// A server that refuses the right ETag is found out and read without the condition.
			f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
				if r.Header.Get("If-Match") != "" {
					reply(w, 412, "PreconditionFailed")
					return
				}
				pass(w, r)
			}, nil)
			if got, err := read(head.ETag, 0, -1); got != "first version" || err != nil {
				t.Errorf("Get from a server that refuses the right ETag: got %q, %v", got, err)
			}
			f.interfere(nil, nil)
			putRaw(t, api, o.Bucket, key, []byte("other version"))
			for _, ignore := range []bool{false, true} {
				s.ignoresIfMatch.Store(ignore)
				for _, r := range [][2]int64{{0, -1}, {0, 5}, {3, 0}, {13, -1}} {
					if _, err := read(head.ETag, r[0], r[1]); !errors.Is(err, ErrChanged) || objstore.IsTransient(err) {
						t.Errorf("Get(%d, %d) of what was replaced (If-Match not used: %v): got %v, want ErrChanged", r[0], r[1], ignore, err)
					}
				}
			}
			if got, err := read("", 0, 5); got != "other" || err != nil {
				t.Errorf("Get without a pin: got %q, %v", got, err)
			}
			// Errors show no key.
			_, missing := s.Head(t.Context(), "DOE^JANE/IM2")
			if !errors.Is(missing, objstore.ErrNotFound) {
				t.Errorf("Head of nothing: got %v, want ErrNotFound", missing)
			}
			f.interfere(func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }, nil)
			_, cut := read("", 0, -1)
			f.interfere(func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
				w.WriteHeader(400)
				_, _ = io.WriteString(w, "<Error><Code>Odd</Code><Message>"+r.URL.Path+"</Message></Error>")
			}, nil)
			_, odd := read("", 0, -1)
			if !objstore.IsTransient(cut) || odd == nil {
				t.Errorf("got %v and %v, want a transient and a lasting error", cut, odd)
			}
			for _, err := range []error{missing, cut, odd, rangeErr} {
				if strings.Contains(err.Error(), "DOE") || strings.Contains(err.Error(), "IM2") || strings.Contains(err.Error(), "%5E") {
					t.Errorf("an error shows a source's key: %v", err)
				}
			}
		})
	}
}
