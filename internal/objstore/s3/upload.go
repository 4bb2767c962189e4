package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// upload stores a long body, or one of unknown length, by transfermanager
// (v0.5.4), which cuts it into parts and keeps some of them in flight. What it
// leaves out is done by [partsClient], the client it is given:
//
//   - it does not know MD5s: each part is sent with its own and compared with the ETag that comes back;
//   - it would complete an upload as soon as the parts are up, log a failure of that with
//     the standard logger, and abort after it even if the server may be at it
//     still. Its Complete is therefore put off: the parts are up, and finish
//     decides, with If-None-Match, the whole object's CRC and a lost reply in mind;
//   - it aborts with the context that was cancelled; here abort has its own.
//
// It completes nothing before the body's end, and [checkedBody] gives that out
// only for the right bytes. It allocates its buffers at once and for each upload,
// so a body of known size gets no more of them than it has parts.
func (s *Store) upload(ctx context.Context, p *pending, body *checkedBody) (objstore.Info, error) {
	parts := &partsClient{Client: s.api, store: s, p: p, body: body}
	in := &transfermanager.UploadObjectInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), Body: body, Metadata: p.metadata(),
		StorageClass: tmtypes.StorageClass(s.classHeader(p.class)),
	}
	partBytes, concurrency := s.o.PartBytes, s.o.Concurrency
	if body.size >= 0 {
		in.ContentLength = aws.Int64(body.size)
		partBytes = max(partBytes, (body.size+maxParts-1)/maxParts)
		concurrency = int(min(int64(concurrency), (body.size-1)/partBytes))
	}
	if s.profile.WholeObjectChecksum {
		in.ChecksumAlgorithm, in.ChecksumType = "CRC64NVME", tmtypes.ChecksumTypeFullObject
	}
	_, err := transfermanager.New(parts).UploadObject(ctx, in, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = partBytes, partBytes, concurrency
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		if s.profile.Checksums == ChecksumsNone {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		}
	})
	switch {
	case body.fault() != nil:
		err = body.fault()
	case err != nil && parts.refused != nil:
		err = parts.refused
	case err != nil:
		err = failure(ctx, "put", p.key, err)
	case parts.id != "":
		p.size = body.n
		err = parts.finish(ctx)
	}
	if err != nil {
		return objstore.Info{}, err
	}
	p.size = body.n
	return s.confirm(ctx, "put", p)
}

// partsClient is the client of one upload: see [Store.upload].
type partsClient struct {
	*s3.Client
	store *Store
	p     *pending
	body  *checkedBody

	mu      sync.Mutex
	id      string
	parts   []types.CompletedPart // as sent; their checksums with them
	sums    map[int32][]byte      // MD5 of each part, where MD5s are compared
	refused error                 // of putOnce, and of a part that arrived changed
}

// PutObject sends a body of unknown length that has turned out to be short.
func (c *partsClient) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	body, ok := in.Body.(*bytes.Reader)
	if !ok {
		return nil, fmt.Errorf("put %s: transfermanager hands over a %T, not a buffer", c.p.key, in.Body)
	}
	out, err := c.store.putOnce(ctx, c.p, body, wholeCRC(c.body))
	if err != nil {
		c.refused = err
	}
	return out, err
}

func (c *partsClient) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, opts ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	out, err := c.Client.CreateMultipartUpload(ctx, in, opts...)
	if err == nil {
		c.id, c.sums = aws.ToString(out.UploadId), make(map[int32][]byte)
	}
	return out, err
}

func (c *partsClient) UploadPart(ctx context.Context, in *s3.UploadPartInput, opts ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	var sum []byte
	if c.store.profile.needMD5 {
		body, ok := in.Body.(io.ReadSeeker)
		if !ok {
			return nil, fmt.Errorf("put %s: transfermanager hands over a %T, not a buffer", c.p.key, in.Body)
		}
		var err error
		if sum, err = md5Of(body); err != nil {
			return nil, err
		}
		in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(sum))
	}
	settled, done := outlive(ctx, partGrace)
	out, err := c.Client.UploadPart(settled, in, opts...)
	done()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	number := aws.ToInt32(in.PartNumber)
	if got := cleanETag(aws.ToString(out.ETag)); sum != nil && c.store.profile.ETagIsMD5 && !strings.EqualFold(got, hex.EncodeToString(sum)) {
		c.refused = &objstore.TransientError{Op: "put", Key: c.p.key, Err: fmt.Errorf("part %d arrived with other bytes: ETag %s, want %x", number, got, sum)}
		return nil, c.refused
	}
	c.sums[number] = sum
	c.parts = append(c.parts, types.CompletedPart{
		PartNumber: in.PartNumber, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	return out, nil
}

// partGrace is how long a part that is on its way may take to arrive after its put was cancelled.
// Cut off at once it could arrive after the abort, and some servers then bring the upload back.
const partGrace = 5 * time.Second

// outlive returns a context that ends when done is called, or some time after ctx ended.
func outlive(ctx context.Context, grace time.Duration) (_ context.Context, done func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// CompleteMultipartUpload is put off until transfermanager has returned: see finish.
func (c *partsClient) CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return &s3.CompleteMultipartUploadOutput{}, nil
}

// AbortMultipartUpload never fails: why the upload failed is what the caller must learn, and what is left can be found by [Store.Uploads].
func (c *partsClient) AbortMultipartUpload(ctx context.Context, _ *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	_ = c.store.abort(ctx, c.p.key, c.id)
	return &s3.AbortMultipartUploadOutput{}, nil
}

// finish makes the object of the parts, or aborts the upload.
func (c *partsClient) finish(ctx context.Context) error {
	s, p := c.store, c.p
	slices.SortFunc(c.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	if s.profile.needMD5 && s.profile.CompositeETag {
		all := md5.New()
		for _, part := range c.parts {
			all.Write(c.sums[*part.PartNumber])
		}
		p.etag = fmt.Sprintf("%x-%d", all.Sum(nil), len(c.parts))
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), UploadId: &c.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: c.parts}, IfNoneMatch: ifNew(s.profile.CreateOnlyMultipart),
	}
	if crc := wholeCRC(c.body); crc != "" {
		in.ChecksumCRC64NVME, in.ChecksumType, in.MpuObjectSize, p.crc64 = &crc, types.ChecksumTypeFullObject, aws.Int64(c.body.n), crc
	}
	return s.complete(ctx, "put", p, in)
}

// complete asks the server to make an object of uploaded parts. A refusal aborts
// the upload; after a failure that leaves open whether the server did it, or
// still does, nothing is aborted: the object is whole or the sweep finds the upload.
func (s *Store) complete(ctx context.Context, op string, p *pending, in *s3.CompleteMultipartUploadInput) error {
	out, err := s.api.CompleteMultipartUpload(ctx, in)
	if err == nil {
		if got := cleanETag(aws.ToString(out.ETag)); p.etag != "" && got != "" && !strings.EqualFold(got, p.etag) {
			return errors.Join(&objstore.TransientError{Op: op, Key: p.key, Err: fmt.Errorf("the server put the parts together wrongly: ETag %s, want %s; it was removed", got, p.etag)},
				s.remove(ctx, p.key))
		}
		return nil
	}
	failed := s.settle(ctx, op, p, err)
	if failed != nil && ctx.Err() == nil && !objstore.IsTransient(failed) {
		_ = s.abort(ctx, p.key, *in.UploadId) // the refusal is what the caller must learn; Uploads finds what is left
	}
	return failed
}

// abort discards an unfinished upload, even if the context has ended.
//
// A part that was on its way when its request was cancelled may arrive after
// the abort and bring the upload back: abort asks until the server knows of none.
func (s *Store) abort(ctx context.Context, key, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		_, err := s.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.o.Bucket, Key: s.fullKey(key), UploadId: &id})
		if err == nil {
			_, err = s.api.ListParts(ctx, &s3.ListPartsInput{Bucket: &s.o.Bucket, Key: s.fullKey(key), UploadId: &id})
		}
		if err = failure(ctx, "abort upload", key, err); errors.Is(err, errNoUpload) || errors.Is(err, objstore.ErrNotFound) {
			return nil
		}
		if err != nil && !objstore.IsTransient(err) || wait > time.Second {
			return err // the sweep finds it
		}
		time.Sleep(wait)
	}
}
