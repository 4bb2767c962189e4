package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/objstore"
)

// Source reads a bucket of somebody else, in which received files lie under
// any keys. It writes nothing. Its errors never show a key: those of received
// files may name patients. Use [OpenSource].
type Source struct {
	o    Options
	conn *connection
	api  *s3.Client
	// ignoresIfMatch is set once the server refused an ETag that was right.
	ignoresIfMatch atomic.Bool
}

// Object is one object of a source.
type Object struct {
	Key      string // relative to Options.Prefix
	Size     int64
	ETag     string // without quotes
	Modified time.Time
}

// sourceObject stands for a key in messages.
const sourceObject = "(source object)"

// OpenSource connects to a bucket and looks whether it is there; it probes nothing, since that would take writing.
func OpenSource(ctx context.Context, o Options) (*Source, error) {
	o.Create = false
	prefix := o.Prefix // may be any key's beginning
	o.Prefix = ""
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	o.Prefix = prefix
	s := &Store{o: o}
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	return &Source{o: o, conn: s.conn, api: s.api}, nil
}

// Close gives back idle connections.
func (s *Source) Close() error {
	s.conn.close()
	return nil
}

func (s *Source) fail(ctx context.Context, op string, err error) error {
	return describe(ctx, op, sourceObject, err, false)
}

// List yields the objects whose key starts with prefix and sorts after `after`, in byte order of their keys.
func (s *Source) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		pages := pager{api: s.api, bucket: s.o.Bucket, prefix: s.o.Prefix + prefix, pageKeys: s.o.test.pageKeys, anyKey: true}
		if after != "" {
			pages.after = s.o.Prefix + after
		}
		for o, err := range pages.objects(ctx, func(err error) error { return describe(ctx, "list", "the source", err, false) }) {
			if err != nil {
				yield(Object{}, err)
				return
			}
			key := strings.TrimPrefix(aws.ToString(o.Key), s.o.Prefix)
			if !yield(Object{Key: key, Size: aws.ToInt64(o.Size), ETag: cleanETag(aws.ToString(o.ETag)), Modified: aws.ToTime(o.LastModified)}, nil) {
				return
			}
		}
	}
}

// Head returns what is known of an object.
func (s *Source) Head(ctx context.Context, key string) (Object, error) {
	out, err := s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.o.Prefix + key)})
	if err != nil {
		return Object{}, s.fail(ctx, "head", err)
	}
	return Object{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: cleanETag(aws.ToString(out.ETag)), Modified: aws.ToTime(out.LastModified)}, nil
}

// Get reads length bytes from offset (-1: to the end) of the very object that
// has this ETag; "" takes any. Another object under the key is an [ErrChanged]:
// the server is asked to compare (If-Match) unless it was seen to do that wrongly, and
// the reply's ETag is compared in any case.
func (s *Source) Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error) {
	if offset < 0 || length < -1 || length == 0 {
		return s.getNothing(ctx, key, etag, offset, length)
	}
	in := &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.o.Prefix + key), Range: rangeHeader(offset, length)}
	if etag != "" && !s.ignoresIfMatch.Load() {
		in.IfMatch = aws.String(`"` + etag + `"`)
	}
	out, err := s.api.GetObject(ctx, in)
	if err != nil && in.IfMatch != nil && lostRace(err) {
		head, headErr := s.Head(ctx, key)
		switch {
		case headErr != nil:
			return nil, Object{}, headErr
		case head.ETag != etag:
			return nil, Object{}, fmt.Errorf("get %s: %w", sourceObject, ErrChanged)
		}
		s.ignoresIfMatch.Store(true)
		in.IfMatch = nil
		out, err = s.api.GetObject(ctx, in)
	}
	if err != nil {
		if err = s.fail(ctx, "get", err); errors.Is(err, errRange) {
			return s.getNothing(ctx, key, etag, offset, length)
		}
		return nil, Object{}, err
	}
	if got := cleanETag(aws.ToString(out.ETag)); etag != "" && got != etag {
		out.Body.Close()
		return nil, Object{}, fmt.Errorf("get %s: %w", sourceObject, ErrChanged)
	}
	body, size, err := rangeBody(ctx, sourceObject, out, offset, length)
	if err != nil {
		return nil, Object{}, err
	}
	return body, Object{Key: key, Size: size, ETag: cleanETag(aws.ToString(out.ETag)), Modified: aws.ToTime(out.LastModified)}, nil
}

// getNothing answers for ranges that hold no byte, and says what is wrong with others.
func (s *Source) getNothing(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error) {
	head, err := s.Head(ctx, key)
	if err != nil {
		return nil, Object{}, err
	}
	if etag != "" && head.ETag != etag {
		return nil, Object{}, fmt.Errorf("get %s: %w", sourceObject, ErrChanged)
	}
	n, err := objstore.CheckRange(sourceObject, offset, length, head.Size)
	if err != nil {
		return nil, Object{}, err
	}
	if n != 0 {
		return nil, Object{}, &objstore.TransientError{Op: "get", Key: sourceObject, Err: fmt.Errorf("the server refused %d bytes at %d of %d", length, offset, head.Size)}
	}
	return http.NoBody, head, nil
}
