package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/objstore"
)

// Copy implements objstore.Store: the server copies, in parts above 5 GiB, or
// where only an upload in parts can be told not to overwrite. An object is
// never copied onto itself: several servers refuse that or lose its bytes.
func (s *Store) Copy(ctx context.Context, from, to string, class objstore.Class) (objstore.Info, error) {
	if err := objstore.CheckKey(from); err != nil {
		return objstore.Info{}, err
	}
	p, err := s.newPending("copy to", to, class)
	if err != nil {
		return objstore.Info{}, err
	}
	if !s.profile.Copy {
		return objstore.Info{}, fmt.Errorf("copy %s: this server was not seen to copy: %w", from, objstore.ErrUnsupported)
	}
	if from == to {
		return objstore.Info{}, fmt.Errorf("copy %s onto itself: %w", from, objstore.ErrExists)
	}
	source, err := s.head(ctx, "copy", from)
	if err != nil {
		return objstore.Info{}, err
	}
	if !source.Restore.Readable(s.o.Now()) {
		return objstore.Info{}, fmt.Errorf("copy %s: %w", from, objstore.ErrArchived)
	}
	p.size = source.Size
	exclusive := s.Capabilities().CreateOnly && !s.profile.CreateOnlyCopy
	switch {
	case source.Size > s.o.test.largestCopy, exclusive && source.Size > 0:
		err = s.copyInParts(ctx, from, p)
	case exclusive: // nothing to copy, and parts cannot be empty
		_, err = s.Put(ctx, to, strings.NewReader(""), objstore.PutOptions{Class: p.class})
		if err != nil {
			return objstore.Info{}, err
		}
		return s.Head(ctx, to)
	default:
		err = s.copyWhole(ctx, from, p, source)
	}
	if err != nil {
		return objstore.Info{}, err
	}
	return s.confirm(ctx, "copy to", p)
}

// copySource names an object the way the copy header wants it.
func (s *Store) copySource(key string) *string {
	return aws.String((&url.URL{Path: s.o.Bucket + "/" + s.o.Prefix + key}).EscapedPath())
}

func (s *Store) copyWhole(ctx context.Context, from string, p *pending, source headed) error {
	out, err := s.api.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), CopySource: s.copySource(from),
		Metadata: p.metadata(), MetadataDirective: types.MetadataDirectiveReplace,
		StorageClass: types.StorageClass(p.class), IfNoneMatch: ifNew(s.profile.CreateOnlyCopy),
	})
	if err != nil {
		return s.settle(ctx, "copy to", p, err)
	}
	// Of objects put in one request both ETags are the MD5 of the same bytes. The copy of
	// others has a new ETag on some servers, and nothing can be compared.
	plain := !strings.Contains(source.Version, "-") && out.CopyObjectResult != nil && !strings.Contains(aws.ToString(out.CopyObjectResult.ETag), "-")
	if s.profile.ETagIsMD5 && plain {
		p.etag = source.Version
	}
	return nil
}

func (s *Store) copyInParts(ctx context.Context, from string, p *pending) error {
	created, err := s.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), Metadata: p.metadata(), StorageClass: s.classHeader(p.class),
	})
	if err != nil {
		return failure(ctx, "copy to", p.key, err)
	}
	partBytes := max(s.o.test.copyPart, (p.size+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (p.size+partBytes-1)/partBytes)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.o.Concurrency)
	for i := range parts {
		first := int64(i) * partBytes
		last := min(first+partBytes, p.size) - 1
		number := aws.Int32(int32(i + 1))
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return context.Cause(groupCtx)
			}
			longer, done := outlive(groupCtx, partGrace)
			defer done()
			out, err := s.api.UploadPartCopy(longer, &s3.UploadPartCopyInput{
				Bucket: &s.o.Bucket, Key: s.fullKey(p.key), UploadId: created.UploadId, PartNumber: number,
				CopySource: s.copySource(from), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
			})
			if err != nil {
				return failure(longer, "copy to", p.key, err)
			}
			if out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "" {
				return &objstore.TransientError{Op: "copy to", Key: p.key, Err: errors.New("the server copied a part and did not say what it made")}
			}
			r := out.CopyPartResult
			parts[i] = types.CompletedPart{PartNumber: number, ETag: r.ETag, ChecksumCRC32: r.ChecksumCRC32, ChecksumCRC64NVME: r.ChecksumCRC64NVME}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("copy to %s: %w", p.key, ctx.Err())
		}
		_ = s.abort(ctx, p.key, *created.UploadId) // Uploads finds what is left
		return err
	}
	return s.complete(ctx, "copy to", p, &s3.CompleteMultipartUploadInput{
		Bucket: &s.o.Bucket, Key: s.fullKey(p.key), UploadId: created.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, IfNoneMatch: ifNew(s.profile.CreateOnlyMultipart),
	})
}
