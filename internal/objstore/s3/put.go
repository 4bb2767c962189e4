package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// cleanupTime is how long the removal of what a failed put left may take; it
// runs even if the put's own context has ended.
const cleanupTime = 30 * time.Second

// ClassError says that the server stored an object in another class than was
// asked for. The object was removed again.
type ClassError struct {
	Key        string
	Asked, Got objstore.Class
}

func (e *ClassError) Error() string {
	return fmt.Sprintf("object %s: stored in class %q instead of %q; correct the list of classes (`radtier store check` shows what the server honours)", e.Key, e.Got, e.Asked)
}

// pending is an object that a put or a copy is making.
type pending struct {
	key   string
	class objstore.Class
	token string
	size  int64  // -1 if nothing is known of it
	etag  string // that it must have; "" if that cannot be said
	crc64 string // that it must have; "" likewise
}

func (s *Store) newPending(op, key string, class objstore.Class) (*pending, error) {
	if err := s.mayWrite(op, key); err != nil {
		return nil, err
	}
	if err := objstore.CheckKey(key); err != nil {
		return nil, err
	}
	index, err := s.classes.Index(class)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", op, key, err)
	}
	return &pending{key: key, class: s.classes[index].Name, token: rand.Text(), size: -1}, nil
}

func (p *pending) metadata() map[string]string { return map[string]string{tokenName: p.token} }

// classHeader returns the class to ask for; nothing where the server gives it anyway.
func (s *Store) classHeader(class objstore.Class) types.StorageClass {
	if class == s.profile.defaultClass {
		return ""
	}
	return types.StorageClass(class)
}

// ifNew returns the condition that nothing is under the key, if the server was seen to keep it.
func ifNew(kept bool) *string {
	if !kept {
		return nil
	}
	return aws.String("*")
}

// Put implements objstore.Store. A body of known size up to PartBytes is one
// request, and so is a body of unknown size that turns out to be that short.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	p, err := s.newPending("put", key, opts.Class)
	if err != nil {
		return objstore.Info{}, err
	}
	if opts.Size < -1 {
		return objstore.Info{}, fmt.Errorf("put %s: size %d: give the body's bytes, or -1 if they are not known", key, opts.Size)
	}
	if opts.Size > s.o.PartBytes && !s.profile.Multipart {
		return objstore.Info{}, fmt.Errorf("put %s: %d bytes need an upload in parts, which this server does not offer: %w", key, opts.Size, objstore.ErrUnsupported)
	}
	checked := newCheckedBody(ctx, key, body, opts, s.profile.WholeObjectChecksum)
	if opts.Size >= 0 && opts.Size <= s.o.PartBytes {
		data, err := checked.all()
		if err != nil {
			return objstore.Info{}, err
		}
		p.size = opts.Size
		if _, err := s.putOnce(ctx, p, bytes.NewReader(data), wholeCRC(checked)); err != nil {
			return objstore.Info{}, err
		}
		return s.confirm(ctx, "put", p)
	}
	return s.upload(ctx, p, checked)
}

func wholeCRC(b *checkedBody) string {
	if b.crc == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, b.crc.Sum64()))
}

// putOnce sends an object in one request. It returns nil also if the object
// turned out to be stored by an earlier attempt whose reply was lost.
func (s *Store) putOnce(ctx context.Context, p *pending, body *bytes.Reader, crc64 string) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), Body: body, ContentLength: aws.Int64(body.Size()),
		Metadata: p.metadata(), StorageClass: s.classHeader(p.class), IfNoneMatch: ifNew(s.profile.CreateOnlyPut),
	}
	if s.profile.needMD5 {
		sum, err := md5Of(body)
		if err != nil {
			return nil, fmt.Errorf("put %s: %w", p.key, err)
		}
		in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(sum))
		if s.profile.ETagIsMD5 {
			p.etag = hex.EncodeToString(sum)
		}
	}
	if crc64 != "" {
		in.ChecksumCRC64NVME, p.crc64 = &crc64, crc64
	}
	out, err := s.api.PutObject(ctx, in)
	if err != nil {
		return &s3.PutObjectOutput{}, s.settle(ctx, "put", p, err)
	}
	return out, nil
}

func md5Of(body io.ReadSeeker) ([]byte, error) {
	sum := md5.New()
	if _, err := io.Copy(sum, body); err != nil {
		return nil, err
	}
	_, err := body.Seek(0, io.SeekStart)
	return sum.Sum(nil), err
}

// settle decides what the failed request that would have made the object has
// meant: nil if the object is there all the same, by an attempt whose reply was lost.
func (s *Store) settle(ctx context.Context, op string, p *pending, err error) error {
	failed := failure(ctx, op, p.key, err)
	exists := errors.Is(failed, objstore.ErrExists)
	if !exists && !errors.Is(failed, errConflict) && !errors.Is(failed, errNoUpload) {
		return failed
	}
	head, err := s.head(ctx, op, p.key)
	switch {
	case err == nil && head.token == p.token:
		return nil
	case err == nil && !exists:
		return fmt.Errorf("%s %s: %w", op, p.key, objstore.ErrExists)
	case err == nil || exists:
		return failed
	case errors.Is(err, objstore.ErrNotFound):
		return &objstore.TransientError{Op: op, Key: p.key, Err: failed}
	}
	return err
}

// confirm looks at what a put has made, and takes it away if it is not what was asked for.
func (s *Store) confirm(ctx context.Context, op string, p *pending) (objstore.Info, error) {
	head, err := s.head(ctx, op, p.key)
	if err != nil {
		if errors.Is(err, objstore.ErrNotFound) {
			err = &objstore.TransientError{Op: op, Key: p.key, Err: errors.New("the server said it is stored and then that it is not there")}
		}
		return objstore.Info{}, err
	}
	if head.token != p.token && s.profile.metadata {
		return objstore.Info{}, fmt.Errorf("%s %s: another writer has put an object under this key meanwhile: %w", op, p.key, objstore.ErrExists)
	}
	wrong := func(format string, args ...any) error {
		return &objstore.TransientError{Op: op, Key: p.key, Err: fmt.Errorf(format+"; it was removed", args...)}
	}
	switch {
	case p.size >= 0 && head.Size != p.size:
		err = wrong("the server stored %d bytes of %d", head.Size, p.size)
	case p.etag != "" && !strings.EqualFold(head.Version, p.etag): // OSS writes ETags in upper case
		err = wrong("the server stored other bytes: ETag %s, want %s", head.Version, p.etag)
	case p.crc64 != "" && head.crc64 != "" && head.crc64 != p.crc64:
		err = wrong("the server stored other bytes: CRC-64 %s, want %s", head.crc64, p.crc64)
	case head.Class != p.class:
		err = &ClassError{Key: p.key, Asked: p.class, Got: head.Class}
	default:
		return head.Info, nil
	}
	return objstore.Info{}, errors.Join(err, s.remove(ctx, p.key))
}

// remove takes away what a put that failed has left, even if its context has ended.
func (s *Store) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return s.Delete(ctx, key)
}
