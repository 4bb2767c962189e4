package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/objstore"
)

// Get implements objstore.Store in one request; ranges that are empty or begin
// at the object's end take a second one. transfermanager's download is not used: it
// asks Head before each Get and repeats requests by itself, beside the SDK.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	if err := objstore.CheckKey(key); err != nil {
		return nil, objstore.Info{}, err
	}
	if offset < 0 || length < -1 || length == 0 {
		return s.getNothing(ctx, key, offset, length)
	}
	out, err := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: s.fullKey(key), Range: rangeHeader(offset, length)})
	if err != nil {
		if err = failure(ctx, "get", key, err); errors.Is(err, errRange) {
			return s.getNothing(ctx, key, offset, length)
		}
		return nil, objstore.Info{}, err
	}
	body, size, err := rangeBody(ctx, key, out, offset, length)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	info := s.info(key, size, out.LastModified, string(out.StorageClass), aws.ToString(out.ETag), aws.ToString(out.Restore))
	return body, info, nil
}

// getNothing answers for ranges that hold no byte, and says what is wrong with others.
func (s *Store) getNothing(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	head, err := s.head(ctx, "get", key)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	n, err := objstore.CheckRange(key, offset, length, head.Size)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	if !head.Restore.Readable(s.o.Now()) {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, objstore.ErrArchived)
	}
	if n != 0 {
		return nil, objstore.Info{}, &objstore.TransientError{Op: "get", Key: key, Err: fmt.Errorf("the server refused %d bytes at %d of %d", length, offset, head.Size)}
	}
	return http.NoBody, head.Info, nil
}

// rangeHeader returns the header for a range of at least one byte; nil for the whole object.
func rangeHeader(offset, length int64) *string {
	switch {
	case length == -1 && offset == 0:
		return nil
	case length == -1, length > math.MaxInt64-offset:
		return aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
}

// rangeBody checks that a reply is the range that was asked for, and returns
// its body and the whole object's size.
func rangeBody(ctx context.Context, key string, out *s3.GetObjectOutput, offset, length int64) (io.ReadCloser, int64, error) {
	fail := func(err error) (io.ReadCloser, int64, error) {
		out.Body.Close()
		return nil, 0, err
	}
	size, first, sent := aws.ToInt64(out.ContentLength), int64(0), aws.ToInt64(out.ContentLength)
	if r := aws.ToString(out.ContentRange); r != "" {
		last := int64(0)
		var ok bool
		if first, last, size, ok = parseContentRange(r); !ok {
			return fail(&objstore.TransientError{Op: "get", Key: key, Err: errors.New("the server sent an unreadable Content-Range")})
		}
		sent = last - first + 1
	}
	n, err := objstore.CheckRange(key, offset, length, size)
	if err != nil {
		return fail(err)
	}
	if first != offset || sent != n {
		return fail(&objstore.TransientError{Op: "get", Key: key, Err: fmt.Errorf("the server sent %d bytes at %d instead of %d at %d", sent, first, n, offset)})
	}
	return &getBody{ctx: ctx, key: key, body: out.Body, left: n}, size, nil
}

// parseContentRange reads "bytes 0-99/1000".
func parseContentRange(header string) (first, last, size int64, ok bool) {
	rest, ok := strings.CutPrefix(header, "bytes ")
	span, total, ok2 := strings.Cut(rest, "/")
	from, to, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, false
	}
	var errs [3]error
	first, errs[0] = strconv.ParseInt(from, 10, 64)
	last, errs[1] = strconv.ParseInt(to, 10, 64)
	size, errs[2] = strconv.ParseInt(total, 10, 64)
	return first, last, size, errors.Join(errs[:]...) == nil && first >= 0 && last >= first && last < size
}

// getBody is the body of a reply of which the length is known: what ends it
// early is a transient error, and so is a checksum of the SDK that is not met.
type getBody struct {
	ctx  context.Context
	key  string // as it may be shown
	body io.ReadCloser
	left int64
}

func (b *getBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.left -= int64(n)
	transient := func(err error) error { return &objstore.TransientError{Op: "get", Key: b.key, Err: err} }
	switch {
	case b.left < 0:
		return 0, transient(errors.New("the server sent more bytes than it announced"))
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && b.left == 0:
		return n, io.EOF
	case b.ctx.Err() != nil:
		return n, fmt.Errorf("get %s: %w", b.key, b.ctx.Err())
	case errors.Is(err, io.EOF):
		return n, transient(fmt.Errorf("%w: %d bytes are missing", io.ErrUnexpectedEOF, b.left))
	}
	return n, transient(&replyError{text: fmt.Sprintf("%s with %d bytes missing", networkText(err), b.left), err: err})
}

func (b *getBody) Close() error { return b.body.Close() }
