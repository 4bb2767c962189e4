package ossfake

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
	store "github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unescape(t *testing.T, key string) string {
	t.Helper()
	out, err := url.QueryUnescape(key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// upload begins an upload and sends its parts.
func (c *client) upload(t *testing.T, key string, parts ...string) (*string, *types.CompletedMultipartUpload) {
	t.Helper()
	begun, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(testBucket), Key: &key, StorageClass: "STANDARD_IA", Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	done := &types.CompletedMultipartUpload{}
	for i, p := range parts {
		number := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: aws.String(testBucket), Key: &key, UploadId: begun.UploadId, PartNumber: number, Body: strings.NewReader(p)})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: number, ETag: out.ETag})
	}
	return begun.UploadId, done
}

func (c *client) complete(t *testing.T, key string, id *string, parts *types.CompletedMultipartUpload) error {
	t.Helper()
	_, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: aws.String(testBucket), Key: &key, UploadId: id, MultipartUpload: parts})
	return err
}

func TestMultipart(t *testing.T) {
	first, last := strings.Repeat("a", minPart), "the end"
	a, b := md5.Sum([]byte(first)), md5.Sum([]byte(last))
	asS3 := fmt.Sprintf(`"%x-2"`, md5.Sum(append(a[:], b[:]...)))
	for _, s3ETags := range []bool{false, true} {
		c := newClient(t, Options{S3ETags: s3ETags})
		id, parts := c.upload(t, "k", first, last)
		if list, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String(testBucket), Key: aws.String("k"), UploadId: id, MaxParts: aws.Int32(1)}); err != nil ||
			len(list.Parts) != 1 || !*list.IsTruncated || *list.Parts[0].Size != minPart || *list.Parts[0].ETag != *parts.Parts[0].ETag || list.StorageClass != "STANDARD_IA" {
			t.Errorf("list parts: got %+v, %v, want the first of two", list, err)
		}
		if err := c.complete(t, "k", id, parts); err != nil {
			t.Fatal(err)
		}
		c.wantData(t, "k", first+last)
		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(testBucket), Key: aws.String("k")})
		if err != nil || head.StorageClass != "STANDARD_IA" || head.Metadata["a"] != "b" || (*head.ETag == asS3) != s3ETags || !strings.HasSuffix(*head.ETag, `-2"`) {
			t.Errorf("S3 ETags %v: head: got %+v, %v; S3's ETag is %s", s3ETags, head, err, asS3)
		}
		wantCode(t, "complete again", c.complete(t, "k", id, parts), 404, "NoSuchUpload")
	}
}

func TestMultipartRefusals(t *testing.T) {
	c := newClient(t, Options{})
	large := strings.Repeat("a", minPart)
	id, parts := c.upload(t, "k", large, large, "small")
	p := parts.Parts
	other := p[0]
	other.ETag = aws.String(`"0123456789ABCDEF0123456789ABCDEF"`)
	missing := p[0]
	missing.PartNumber = aws.Int32(9)
	for _, tt := range []struct {
		what string
		list []types.CompletedPart
		code string
	}{
		{"parts out of order", []types.CompletedPart{p[1], p[0]}, "InvalidPartOrder"},
		{"another ETag", []types.CompletedPart{other}, "InvalidPart"},
		{"a part that is not there", []types.CompletedPart{p[0], missing}, "InvalidPart"},
		{"no parts", nil, "MalformedXML"},
	} {
		wantCode(t, tt.what, c.complete(t, "k", id, &types.CompletedMultipartUpload{Parts: tt.list}), 400, tt.code)
	}
	smallID, small := c.upload(t, "small", "tiny", "end")
	wantCode(t, "a small part before the end", c.complete(t, "small", smallID, small), 400, "EntityTooSmall")
	wantCode(t, "another key", c.complete(t, "other", id, parts), 404, "NoSuchUpload")
	bucket := aws.String(testBucket)
	copied, err := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: aws.Int32(4), CopySource: aws.String(testBucket + "/none")})
	wantCode(t, fmt.Sprint("a part of nothing ", copied), err, 404, "NoSuchKey")
	c.put(t, "from", "0123456789", "")
	part, err := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucket, Key: aws.String("k"), UploadId: id, PartNumber: aws.Int32(3), CopySource: aws.String(testBucket + "/from"), CopySourceRange: aws.String("bytes=2-4")})
	if err != nil {
		t.Fatal(err)
	}
	p[2].ETag = part.CopyPartResult.ETag
	if err := c.complete(t, "k", id, parts); err != nil {
		t.Fatal(err)
	}
	c.wantData(t, "k", large+large+"234")
}

func TestUnfinishedUploads(t *testing.T) {
	c := newClient(t, Options{})
	bucket := aws.String(testBucket)
	want := map[string]bool{}
	for i := range 7 {
		id, _ := c.upload(t, fmt.Sprintf("p/%d", i%4), "x")
		want[*id] = true
	}
	c.upload(t, "q", "x")
	var found []types.MultipartUpload
	pages := s3.NewListMultipartUploadsPaginator(c.Client, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: aws.String("p/"), MaxUploads: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page.Uploads...)
	}
	for _, u := range found {
		if !want[*u.UploadId] || u.Initiated == nil || !strings.HasPrefix(*u.Key, "p/") {
			t.Errorf("an upload that was not asked for: %+v", u)
		}
		if _, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
			t.Error(err)
		}
	}
	if len(found) != len(want) {
		t.Errorf("listed %d uploads, want %d", len(found), len(want))
	}
	left, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil || len(left.Uploads) != 1 || *left.Uploads[0].Key != "q" {
		t.Errorf("after the aborts: got %+v, %v, want the one of q", left, err)
	}
	_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: aws.String("p/0"), UploadId: aws.String("none"), PartNumber: aws.Int32(1), Body: bytes.NewReader(nil)})
	wantCode(t, "a part of no upload", err, 404, "NoSuchUpload")
}

// The project's own store works over the fake, in each of its shapes. Addressing by path, as no DNS knows the fake's names.
func TestStoreOverTheFake(t *testing.T) {
	for name, o := range map[string]Options{"AsDocumented": {PathStyle: true}, "AsS3": {PathStyle: true, S3ETags: true, HonourDays: true}} {
		t.Run(name, func(t *testing.T) {
			s := Start(t, o)
			opts := store.Options{
				Endpoint: s.Endpoint, Region: Region, Bucket: "b", AccessKey: AccessKey, SecretKey: SecretKey, Create: true, Now: s.Now, PartBytes: 5 << 20, Concurrency: 2,
				Classes: []store.Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}, {Name: "GLACIER", MinDays: 60, Archive: true}},
			}
			open := func(t *testing.T) objstore.Store {
				t.Helper()
				st, err := store.Open(t.Context(), opts)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = st.Close() })
				return st
			}
			st := open(t)
			storetest.Run(t, func(*testing.T) objstore.Store { return st }, storetest.Options{
				ArchiveClass: "GLACIER", RestoreDelay: s.delay(archive, ""), Advance: s.Advance, BigBytes: 16 << 20, MaxHeapBytes: -1,
				Reopen: func(t *testing.T, _ objstore.Store) objstore.Store { return open(t) },
			})
		})
	}
}
