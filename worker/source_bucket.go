package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Object is what a listing or a look tells of an object in a source bucket.
type Object struct {
	Key      string
	Size     int64 // bytes
	ETag     string
	Modified time.Time
}

// Bucket is a bucket that studies come from. Its keys are anything a sender
// chose. Errors: objstore.ErrNotFound for a key that holds nothing;
// ErrSourceChanged from Get when the object's ETag is not the one asked for. It repeats failed requests itself, not broken bodies.
type Bucket interface {
	// List yields the objects whose key starts with prefix and sorts after `after`, page by page, and stops at the first error.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
	Head(ctx context.Context, key string) (Object, error)
	// Get reads length bytes from offset, -1 for all, of the object that has this ETag. The Object is of the whole object.
	Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error)
}

// ObjectReader is a client of buckets with an object type of its own that has the fields of Object.
type ObjectReader[O ~struct {
	Key      string
	Size     int64
	ETag     string
	Modified time.Time
}] interface {
	List(ctx context.Context, prefix, after string) iter.Seq2[O, error]
	Head(ctx context.Context, key string) (O, error)
	Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, O, error)
}

// BucketOf makes a Bucket of a client; changed is its error for an object whose ETag is another.
func BucketOf[O ~struct {
	Key      string
	Size     int64
	ETag     string
	Modified time.Time
}](client ObjectReader[O], changed error) Bucket {
	return &clientBucket[O]{client, changed}
}

type clientBucket[O ~struct {
	Key      string
	Size     int64
	ETag     string
	Modified time.Time
}] struct {
	client  ObjectReader[O]
	changed error
}

func (b *clientBucket[O]) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range b.client.List(ctx, prefix, after) {
			if !yield(Object(o), err) {
				return
			}
		}
	}
}

func (b *clientBucket[O]) Head(ctx context.Context, key string) (Object, error) {
	o, err := b.client.Head(ctx, key)
	return Object(o), err
}

func (b *clientBucket[O]) Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error) {
	body, o, err := b.client.Get(ctx, key, etag, offset, length)
	if err != nil && errors.Is(err, b.changed) {
		err = ErrSourceChanged
	}
	return body, Object(o), err
}

// BucketOfStore makes a Bucket of a store of the project: what is in
// quarantine there is a source like any other, for every worker that has the store.
func BucketOfStore(store objstore.Store) Bucket { return storeBucket{store} }

type storeBucket struct{ store objstore.Store }

func objectOf(info objstore.Info) Object {
	return Object{Key: info.Key, Size: info.Size, ETag: info.Version, Modified: info.Modified}
}

func (b storeBucket) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for info, err := range b.store.List(ctx, prefix, after) {
			if !yield(objectOf(info), err) {
				return
			}
		}
	}
}

func (b storeBucket) Head(ctx context.Context, key string) (Object, error) {
	info, err := b.store.Head(ctx, key)
	return objectOf(info), err
}

func (b storeBucket) Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error) {
	body, info, err := b.store.Get(ctx, key, offset, length)
	if err == nil && info.Version != etag {
		return nil, objectOf(info), errors.Join(ErrSourceChanged, body.Close())
	}
	return body, objectOf(info), err
}

// pinOf pins an object by ETag and size.
func pinOf(bucket string, o Object) (catalog.SourceFile, error) {
	if o.ETag == "" {
		return catalog.SourceFile{}, fmt.Errorf("source bucket %q gives no ETag for an object: it cannot be told from a later one", bucket)
	}
	return catalog.SourceFile{Path: objectPath(bucket, o.Key), Size: o.Size, ETag: o.ETag}, nil
}

// ofObject makes an error of a bucket one of a source: what is gone is
// errGone, and the key, which may hold patient data, is not in its text.
func ofObject(err error, key string) error {
	var outside *objstore.RangeError
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return errGone
	case errors.As(err, &outside):
		return ErrSourceChanged
	}
	text := err.Error()
	for _, name := range []string{key, path.Base(key)} {
		for _, form := range []string{name, (&url.URL{Path: name}).EscapedPath(), url.PathEscape(name), url.QueryEscape(name)} {
			if len(form) > 2 {
				text = strings.ReplaceAll(text, form, "(key)")
			}
		}
	}
	return &keylessError{text, err}
}

// keylessError is an error whose text does not name the object.
type keylessError struct {
	text string
	err  error
}

func (e *keylessError) Error() string { return e.text }
func (e *keylessError) Unwrap() error { return e.err }

// objectHandle is an object that is read by ranges, each of which must be of
// the pinned ETag and size.
type objectHandle struct {
	ctx    context.Context
	bucket Bucket
	key    string
	etag   string
	size   int64

	mu   sync.Mutex // of what is read ahead
	at   int64
	buf  []byte
	next int64 // size of the next range
}

const (
	firstRange  = 64 << 10  // holds the header of most instances
	jumpRange   = 16 << 10  // behind a long value that was jumped over
	nearJump    = 256 << 10 // jumps up to this far are cheaper to read than to ask for one by one
	largestRead = 1 << 20   // most that is read ahead, and held for each open object
)

// get asks for n bytes at off of the pinned object.
func (h *objectHandle) get(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if off == 0 && n == h.size {
		n = -1 // the whole object: with it a server may send the checksum that it keeps
	}
	body, o, err := h.bucket.Get(ctx, h.key, h.etag, off, n)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, ofObject(err, h.key)
	}
	if strings.Trim(o.ETag, `"`) != strings.Trim(h.etag, `"`) || o.Size != h.size {
		body.Close()
		return nil, ErrSourceChanged
	}
	return body, nil
}

// A broken connection is taken up where it broke. That many in a row that
// brought next to nothing are too many.
const (
	mostBreaks  = 5
	worthBroken = 16 << 10
)

// readRange fills p from off, whatever number of connections it takes.
func (h *objectHandle) readRange(ctx context.Context, p []byte, off int64) error {
	breaks := 0
	for got := 0; got < len(p); {
		body, err := h.get(ctx, off+int64(got), int64(len(p)-got))
		if err != nil {
			return err
		}
		n, err := io.ReadFull(body, p[got:])
		if err == nil {
			err = endOf(body) // a checksum that the server sent is compared there
			if err != nil {
				n = 0
			}
		}
		body.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got += n
		if err == nil {
			return nil
		}
		if n >= worthBroken {
			breaks = 0
		}
		if breaks++; breaks > mostBreaks {
			return &objstore.TransientError{Op: "read source", Err: fmt.Errorf("%d connections in a row broke", breaks)}
		}
	}
	return nil
}

// endOf checks that a body is at its end.
func endOf(body io.Reader) error {
	var one [1]byte
	n, err := io.ReadFull(body, one[:])
	if n > 0 {
		return errors.New("more bytes than asked for")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (h *objectHandle) readAll(p []byte) error { return h.readRange(h.ctx, p, 0) }

// unchanged: every range was of the pinned ETag.
func (h *objectHandle) unchanged() error { return nil }

func (h *objectHandle) Close() error { return nil }

// ReadAt reads ahead: a header takes one request, values are jumped over, and
// what is read in sequence, or in jumps so short that asking costs more than reading, comes in growing ranges.
func (h *objectHandle) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= h.size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > h.size-off {
		p, end = p[:h.size-off], io.EOF
	}
	if len(p) >= largestRead {
		if err := h.readRange(h.ctx, p, off); err != nil {
			return 0, err
		}
		return len(p), end
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if off < h.at || off+int64(len(p)) > h.at+int64(len(h.buf)) {
		if err := h.fill(off, int64(len(p))); err != nil {
			return 0, err
		}
	}
	return copy(p, h.buf[off-h.at:]), end
}

// fill reads a range that starts at off and has at least n bytes.
func (h *objectHandle) fill(off, n int64) error {
	jump := off - h.at - int64(len(h.buf))
	switch {
	case h.buf == nil:
		h.next = firstRange
	case off >= h.at && jump <= 0:
		h.next = min(max(2*h.next, firstRange), largestRead)
	case off > h.at && jump <= nearJump:
		h.next = min(max(h.next, firstRange, 8*jump), largestRead)
	default:
		h.next = jumpRange
	}
	n = min(max(n, h.next), h.size-off)
	if int64(cap(h.buf)) < n {
		h.buf = make([]byte, n)
	}
	h.buf = h.buf[:n]
	h.at = off
	if err := h.readRange(h.ctx, h.buf, off); err != nil {
		h.buf = h.buf[:0]
		return err
	}
	return nil
}
