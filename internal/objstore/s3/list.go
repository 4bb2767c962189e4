package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// List implements objstore.Store in pages of 1000. Left out are the probe's
// objects, unless they are asked for, and keys that no store could have put.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(objstore.Info{}, fmt.Errorf("list %s: %w", prefix, err))
			return
		}
		if validLength(prefix) != len(prefix) {
			return // no key begins like that
		}
		// The server's mark is cut before a byte that cannot be in a key (XML could not carry all of them).
		start := ""
		if cut := after[:validLength(after)]; cut != "" {
			start = s.o.Prefix + cut
		}
		pages := pager{api: s.api, bucket: s.o.Bucket, prefix: s.o.Prefix + prefix, after: start, pageKeys: s.o.test.pageKeys}
		for o, err := range pages.objects(ctx, func(err error) error { return failure(ctx, "list", prefix, err) }) {
			if err != nil {
				yield(objstore.Info{}, err)
				return
			}
			key := strings.TrimPrefix(aws.ToString(o.Key), s.o.Prefix)
			probing := strings.HasPrefix(key, reservedPrefix) && !strings.HasPrefix(prefix, reservedPrefix)
			if key <= after || probing || objstore.CheckKey(key) != nil {
				continue
			}
			if !yield(s.info(key, aws.ToInt64(o.Size), o.LastModified, string(o.StorageClass), aws.ToString(o.ETag), ""), nil) {
				return
			}
		}
	}
}

// validLength returns how many bytes at the beginning of s may be in a key.
func validLength(s string) int {
	for i := range len(s) {
		if s[i] != '/' && !objstore.ValidPart("x"+s[i:i+1]) {
			return i
		}
	}
	return len(s)
}

// errUnordered says that a server lists keys in another order than that of their bytes, so that pages may miss some.
var errUnordered = errors.New("the server lists keys out of byte order")

// pager walks a listing.
type pager struct {
	api           *s3.Client
	bucket        string
	prefix, after string // of the server's keys
	pageKeys      int32
	// anyKey asks for keys in URL encoding, which carries bytes that XML cannot.
	anyKey bool
}

// objects yields what the server lists, with decoded keys, and checks its order and progress.
func (p pager) objects(ctx context.Context, explain func(error) error) iter.Seq2[types.Object, error] {
	return func(yield func(types.Object, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &p.prefix, MaxKeys: &p.pageKeys}
		if p.after != "" {
			in.StartAfter = &p.after
		}
		if p.anyKey {
			in.EncodingType = types.EncodingTypeUrl
		}
		last, begun := "", false
		for {
			page, err := p.api.ListObjectsV2(ctx, in)
			if err != nil {
				yield(types.Object{}, explain(err))
				return
			}
			for _, o := range page.Contents {
				key := aws.ToString(o.Key)
				if page.EncodingType == types.EncodingTypeUrl {
					if key, err = url.QueryUnescape(key); err != nil {
						yield(types.Object{}, explain(errors.New("the server lists a key in a wrong encoding")))
						return
					}
				}
				if begun && key <= last {
					yield(types.Object{}, explain(errUnordered))
					return
				}
				last, begun = key, true
				if key <= p.after && p.after != "" {
					continue // a server that ignores StartAfter
				}
				o.Key = &key
				if !yield(o, nil) {
					return
				}
			}
			next := aws.ToString(page.NextContinuationToken)
			if !aws.ToBool(page.IsTruncated) {
				return
			}
			if next == "" || next == aws.ToString(in.ContinuationToken) {
				yield(types.Object{}, explain(errors.New("the server says that the list goes on and not where")))
				return
			}
			in.ContinuationToken = &next
		}
	}
}
