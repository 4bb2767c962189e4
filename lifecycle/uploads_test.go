package lifecycle_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/lifecycle"
)

// bucket is a store's unfinished uploads.
type bucket struct{ *s3.Store }

func (b bucket) Uploads(ctx context.Context, olderThan time.Time) iter.Seq2[lifecycle.Upload, error] {
	return func(yield func(lifecycle.Upload, error) bool) {
		for u, err := range b.Store.Uploads(ctx, olderThan) {
			if !yield(lifecycle.Upload(u), err) {
				return
			}
		}
	}
}

func (b bucket) AbortUpload(ctx context.Context, u lifecycle.Upload) error {
	return b.Store.AbortUpload(ctx, s3.Upload(u))
}

// Uploads in parts that nobody finished go when their job is over and they are old; those of open jobs, and what others put into the bucket, stay.
func TestSweepUploads(t *testing.T) {
	endpoint := os.Getenv("RADTIER_TEST_RGW")
	if endpoint == "" {
		t.Skip("RADTIER_TEST_RGW is not set: ./scripts/test starts the server and sets it")
	}
	ctx := t.Context()
	name := fmt.Sprintf("sweep-%d", time.Now().UnixNano())
	store, err := s3.Open(ctx, s3.Options{Endpoint: endpoint, Region: "us-east-1", Bucket: name, AccessKey: "test", SecretKey: "testtest", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client := sdk.New(sdk.Options{BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "testtest", "")})
	s := newSweeper(t)
	open := s.Work(s.Arrive(catalogtest.Study(1), "a").ID)
	closed := s.Work(s.Arrive(catalogtest.Study(2), "a").ID)
	if _, err := closed.Commit(); err != nil {
		t.Fatal(err)
	}
	over := catalog.PackKey(closed.Job.StudyKey, closed.Job.ID, closed.Job.Attempt, 7)
	broken := catalog.QuarantineKey("north", fmt.Sprintf("%064x", 7)) // of a file that was too large to quarantine in one piece
	for _, key := range []string{over, broken, catalog.PackKey(open.Job.StudyKey, open.Job.ID, open.Job.Attempt, 7), "t/north/somebody/elses"} {
		u, err := client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: &name, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.UploadPart(ctx, &sdk.UploadPartInput{Bucket: &name, Key: &key, UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(make([]byte, 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(dry bool, now time.Time) lifecycle.SweepReport {
		t.Helper()
		rep, err := lifecycle.Sweep(ctx, s.DB, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: store, Uploads: bucket{store}}},
			lifecycle.SweepOptions{Grace: grace, DryRun: dry, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	if rep := run(false, time.Now()); len(rep.Objects) != 0 {
		t.Errorf("young uploads: %+v, want them left alone", rep)
	}
	later := time.Now().Add(2 * grace)
	want := []string{over, broken}
	slices.Sort(want)
	for _, dry := range []bool{true, false} {
		rep := run(dry, later)
		got := keys(rep)
		slices.Sort(got)
		if !slices.Equal(got, want) || rep.Open != 1 || rep.Unknown != 1 || rep.Bytes != 2000 || rep.Unfinished != 2 {
			t.Errorf("dry run %v: %+v, want the uploads %v of 2000 bytes, one open, one unknown", dry, rep, want)
		}
	}
	if rep := run(false, later); len(rep.Objects) != 0 || rep.Open != 1 {
		t.Errorf("a second sweep: %+v, want nothing but the open one", rep)
	}
}
