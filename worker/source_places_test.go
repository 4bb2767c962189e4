package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// place is somewhere that studies come from, and what a sender does to it.
type place interface {
	put(t testing.TB, name string, b []byte)
	remove(t testing.TB, name string)
	root() string
	sources() *Sources
}

// everyPlace runs a test over a directory and over the buckets of real servers.
func everyPlace(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("directory", func(t *testing.T) { test(t, &dirPlace{dir: t.TempDir()}) })
	everyBucket(t, func(t *testing.T, b *bucketPlace) { test(t, b) })
}

func everyBucket(t *testing.T, test func(t *testing.T, b *bucketPlace)) {
	everyServer(t, func(t *testing.T, s testServer) { test(t, newBucketPlace(t, s)) })
}

func everyServer(t *testing.T, test func(t *testing.T, s testServer)) {
	t.Run("versitygw", func(t *testing.T) { test(t, versitygwServer(t)) })
	t.Run("rgw", func(t *testing.T) { test(t, rgwServer(t)) })
}

type dirPlace struct {
	dir string
	n   int
}

func (d *dirPlace) put(t testing.TB, name string, b []byte) {
	t.Helper()
	path := filepath.Join(d.dir, name)
	d.n++
	for _, err := range []error{os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644),
		os.Chtimes(path, time.Time{}, time.Now().Add(time.Duration(d.n)*time.Second))} { // never the time of an earlier one
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (d *dirPlace) remove(t testing.TB, name string) {
	if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (d *dirPlace) root() string      { return d.dir }
func (d *dirPlace) sources() *Sources { return nil }

// bucketPlace is a fresh bucket; studies lie below "inbox".
type bucketPlace struct {
	name   string
	api    *awss3.Client
	bucket *watched
}

func newBucketPlace(t *testing.T, s testServer) *bucketPlace {
	t.Helper()
	b := &bucketPlace{name: "src-" + randomName()}
	b.api = awss3.New(awss3.Options{BaseEndpoint: &s.Endpoint, Region: s.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")})
	if _, err := b.api.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	b.bucket = &watched{Bucket: openTestBucket(t, s, b.name)}
	return b
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (b *bucketPlace) put(t testing.TB, name string, raw []byte) {
	t.Helper()
	_, err := b.api.PutObject(context.Background(), &awss3.PutObjectInput{Bucket: &b.name, Key: aws.String("inbox/" + name), Body: bytes.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bucketPlace) remove(t testing.TB, name string) {
	t.Helper()
	if _, err := b.api.DeleteObject(context.Background(), &awss3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("inbox/" + name)}); err != nil {
		t.Fatal(err)
	}
}

func (b *bucketPlace) root() string { return "s3://" + b.name + "/inbox" }

func (b *bucketPlace) sources() *Sources {
	return NewSources(func(context.Context, string) (Bucket, error) { return b.bucket, nil })
}

// watched counts what is asked of a bucket, and can meddle.
type watched struct {
	Bucket
	mu     sync.Mutex
	gets   int
	asked  int64                                        // bytes
	before func(key string, get int, offset int64)      // each get, counted from 1
	body   func(get int, r io.ReadCloser) io.ReadCloser // of each get
	listed int
	deaf   bool // does not compare ETags, like some servers
}

func (w *watched) List(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	w.mu.Lock()
	w.listed++
	w.mu.Unlock()
	return w.Bucket.List(ctx, prefix, after)
}

func (w *watched) Get(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, Object, error) {
	w.mu.Lock()
	w.gets++
	n := w.gets
	before, body := w.before, w.body
	w.mu.Unlock()
	if before != nil {
		before(key, n, offset)
	}
	if w.deaf {
		etag = ""
	}
	r, o, err := w.Bucket.Get(ctx, key, etag, offset, length)
	if length < 0 {
		length = o.Size - offset
	}
	w.mu.Lock()
	w.asked += length
	w.mu.Unlock()
	if err == nil && body != nil {
		r = body(n, r)
	}
	return r, o, err
}

// reset starts counting anew and returns the counts so far.
func (w *watched) reset() (gets int, asked int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gets, asked = w.gets, w.asked
	w.gets, w.asked = 0, 0
	return gets, asked
}
