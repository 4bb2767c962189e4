package s3

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// Upload is an upload in parts that was begun and neither completed nor aborted. Its parts are billed until then.
type Upload struct {
	Key       string
	ID        string // the server's name of it
	Initiated time.Time
	Bytes     int64 // of the parts that are up
}

// Uploads yields the unfinished uploads under the prefix that were begun before
// a time, those of a running put included: the time must be older than any put lasts. It
// stops at the first error, which it yields. One request for each upload, and one for each thousand that are there.
func (s *Store) Uploads(ctx context.Context, olderThan time.Time) iter.Seq2[Upload, error] {
	return func(yield func(Upload, error) bool) {
		for u, err := range s.listUploads(ctx) {
			if err != nil {
				yield(Upload{}, err)
				return
			}
			key, under := strings.CutPrefix(aws.ToString(u.Key), s.o.Prefix)
			if !under || objstore.CheckKey(key) != nil || u.Initiated == nil || !u.Initiated.Before(olderThan) {
				continue
			}
			upload := Upload{Key: key, ID: aws.ToString(u.UploadId), Initiated: *u.Initiated}
			upload.Bytes, err = s.uploadedBytes(ctx, upload)
			if errors.Is(err, errNoUpload) || errors.Is(err, objstore.ErrNotFound) {
				continue // finished meanwhile
			}
			if !yield(upload, err) || err != nil {
				return
			}
		}
	}
}

// listUploads walks the server's pages. versitygw 1.8.0 refuses the marker of an
// upload that it gave out itself; then the rest of that key's uploads is listed by the key's
// name, and the walk goes on after the key.
func (s *Store) listUploads(ctx context.Context) iter.Seq2[types.MultipartUpload, error] {
	return func(yield func(types.MultipartUpload, error) bool) {
		in := &s3.ListMultipartUploadsInput{Bucket: &s.o.Bucket, Prefix: &s.o.Prefix, MaxUploads: &s.o.test.pageKeys}
		seen := make(map[string]bool) // ids of the last key
		for {
			page, err := s.api.ListMultipartUploads(ctx, in)
			ofLast := isCode(err, "InvalidArgument") && in.UploadIdMarker != nil
			if ofLast {
				page, err = s.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.o.Bucket, Prefix: in.KeyMarker})
			}
			if err != nil {
				yield(types.MultipartUpload{}, failure(ctx, "list uploads", "", err))
				return
			}
			last := aws.ToString(in.KeyMarker)
			for _, u := range page.Uploads {
				key, id := aws.ToString(u.Key), aws.ToString(u.UploadId)
				if key != last {
					if ofLast {
						continue
					}
					last = key
					clear(seen)
				}
				if seen[id] {
					continue
				}
				seen[id] = true
				if !yield(u, nil) {
					return
				}
			}
			if ofLast {
				in.UploadIdMarker = nil
				continue
			}
			if !aws.ToBool(page.IsTruncated) {
				return
			}
			nextKey, nextID := page.NextKeyMarker, page.NextUploadIdMarker
			if aws.ToString(nextKey) == "" || (aws.ToString(nextKey) == aws.ToString(in.KeyMarker) && aws.ToString(nextID) == aws.ToString(in.UploadIdMarker)) {
				yield(types.MultipartUpload{}, errors.New("list uploads: the server says that the list goes on and not where"))
				return
			}
			in.KeyMarker, in.UploadIdMarker = nextKey, nextID
		}
	}
}

func (s *Store) uploadedBytes(ctx context.Context, u Upload) (int64, error) {
	var total int64
	pages := s3.NewListPartsPaginator(s.api, &s3.ListPartsInput{Bucket: &s.o.Bucket, Key: s.fullKey(u.Key), UploadId: &u.ID},
		func(o *s3.ListPartsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, failure(ctx, "list parts", u.Key, err)
		}
		for _, part := range page.Parts {
			total += aws.ToInt64(part.Size)
		}
	}
	return total, nil
}

// AbortUpload discards an unfinished upload and its parts; one that is not there is not an error.
func (s *Store) AbortUpload(ctx context.Context, u Upload) error {
	if err := objstore.CheckKey(u.Key); err != nil {
		return err
	}
	if err := s.mayWrite("abort upload", u.Key); err != nil {
		return err
	}
	_, err := s.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.o.Bucket, Key: s.fullKey(u.Key), UploadId: &u.ID})
	if err = failure(ctx, "abort upload", u.Key, err); errors.Is(err, errNoUpload) || errors.Is(err, objstore.ErrNotFound) {
		return nil
	}
	return err
}
