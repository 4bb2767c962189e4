package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

func TestUnfinishedUploads(t *testing.T) {
	for name, server := range map[string]func(*testing.T) s3Server{"RGW": rgw, "Versitygw": versitygw} {
		t.Run(name, func(t *testing.T) {
			o := bucketOn(t, server(t))
			o.Prefix, o.test.pageKeys = "p/", 2
			s := mustOpen(t, o)
			begin := func(key string, parts int32) {
				created, err := s.api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &o.Bucket, Key: &key})
				if err != nil {
					t.Fatal(err)
				}
				for n := range parts {
					if _, err := s.api.UploadPart(t.Context(), &s3.UploadPartInput{
						Bucket: &o.Bucket, Key: &key, UploadId: created.UploadId, PartNumber: aws.Int32(n + 1), Body: bytes.NewReader(make([]byte, minPartBytes)),
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			for key, parts := range map[string]int32{"p/a": 0, "p/b": 2, "p/c/d": 1, "p/e": 0, "p/f": 0, "beside/us": 1} {
				begin(key, parts)
			}
			begin("p/b", 1) // two of one key
			list := func(before time.Time) (got []string, all []Upload) {
				for u, err := range s.Uploads(t.Context(), before) {
					if err != nil {
						t.Fatalf("Uploads: %v", err)
					}
					got, all = append(got, u.Key), append(all, u)
				}
				slices.Sort(got)
				return got, all
			}
			got, all := list(time.Now().Add(time.Hour))
			if want := []string{"a", "b", "b", "c/d", "e", "f"}; !slices.Equal(got, want) {
				t.Errorf("Uploads: got %q, want %q", got, want)
			}
			var total int64
			for _, u := range all {
				total += u.Bytes
			}
			if total != 4*minPartBytes {
				t.Errorf("Uploads: got %d bytes in all, want %d", total, 4*minPartBytes)
			}
			if old, _ := list(time.Now().Add(-time.Hour)); len(old) > 0 {
				t.Errorf("Uploads begun an hour ago: got %q, want none", old)
			}
			for _, u := range all {
				for range 2 { // the second time it is gone
					if err := s.AbortUpload(t.Context(), u); err != nil {
						t.Errorf("AbortUpload(%+v): %v", u, err)
					}
				}
			}
			leaks(t, s)
		})
	}
}

// A put that fails in any way leaves no upload behind: neither its own error nor a cancelled context keeps the abort from being sent.
func TestFailedPutsAbort(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		body := io.MultiReader(storetest.Pattern(1, 11<<20), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }), storetest.Pattern(1, 5<<20))
		if _, err := s.Put(ctx, "cancelled", body, objstore.PutOptions{Size: -1}); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: got %v, want context.Canceled", err)
		}
		wantNothing(t, s, "cancelled")
		var size *objstore.SizeError
		if _, err := put(t, s, "short", 11<<20, 12<<20); !errors.As(err, &size) {
			t.Errorf("Put of a body that is too short: got %v, want a *SizeError", err)
		}
		wantNothing(t, s, "short")
		leaks(t, s)
	})
}

// TestFailedCopyWaits: a part that the server still copies when another one is refused does not come after the abort, which some
// servers take for a new upload.
func TestFailedCopyWaits(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		s.o.test.largestCopy, s.o.test.copyPart, s.o.Concurrency = 6<<20, 5<<20, 2
		const size = 12<<20 + 5
		if _, err := put(t, s, "from", size, size); err != nil {
			t.Fatal(err)
		}
		var wait time.Duration
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			switch r.URL.Query().Get("partNumber") {
			case "1": // does not notice that its client is gone
				pass(w, r.WithContext(context.WithoutCancel(r.Context())))
			case "2": // at some moment of the other one
				time.Sleep(wait)
				reply(w, 403, "AccessDenied")
			default:
				pass(w, r)
			}
		}, nil)
		for n := range 12 {
			wait = time.Duration(n) * 3 * time.Millisecond
			if _, err := s.Copy(t.Context(), "from", fmt.Sprint("broken", n), ""); err == nil || objstore.IsTransient(err) {
				t.Errorf("Copy with a part that is refused: got %v, want a lasting error", err)
			}
		}
		time.Sleep(500 * time.Millisecond) // what is on its way arrives
		f.interfere(nil, nil)
		wantNothing(t, s, "broken0")
		leaks(t, s)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
