package s3

import (
	"errors"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/objstore"
)

// TestReadOnly: a bucket opened for reading costs one request, reads, and writes nothing.
func TestReadOnly(t *testing.T) {
	o := bucketOn(t, rgw(t))
	if _, err := mustOpen(t, o).Put(t.Context(), "a/b", strings.NewReader("12345"), objstore.PutOptions{Size: 5}); err != nil {
		t.Fatal(err)
	}
	o.ReadOnly = true
	s := mustOpen(t, o)
	if n := s.conn.requests.Load(); n != 1 {
		t.Errorf("opening for reading took %d requests, want 1", n)
	}
	if got, err := objstore.ReadAll(t.Context(), s, "a/b", 10); err != nil || string(got) != "12345" {
		t.Errorf("read %q, %v", got, err)
	}
	_, putErr := s.Put(t.Context(), "c", strings.NewReader(""), objstore.PutOptions{})
	_, copyErr := s.Copy(t.Context(), "a/b", "c", "")
	for what, err := range map[string]error{"put": putErr, "copy": copyErr, "delete": s.Delete(t.Context(), "a/b"), "restore": s.Restore(t.Context(), "a/b", 1, "")} {
		if !errors.Is(err, objstore.ErrUnsupported) {
			t.Errorf("%s in a bucket opened for reading: %v, want ErrUnsupported", what, err)
		}
	}
	o.Bucket = "is-not-there-" + o.Bucket
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("a bucket that is not there was opened")
	}
}
