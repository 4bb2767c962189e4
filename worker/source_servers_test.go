package worker

import (
	"os"
	"testing"

	"github.com/radtier/radtier/internal/objstore/s3"
)

// testServer is an S3 server that a test may use.
type testServer struct{ Endpoint, AccessKey, SecretKey, Region string }

func fromEnv(t *testing.T, name string) testServer {
	url := os.Getenv(name)
	if url == "" {
		t.Skipf("%s is not set: it is the URL of a server for tests", name)
	}
	return testServer{url, "test", "testtest", "us-east-1"}
}

func rgwServer(t *testing.T) testServer       { return fromEnv(t, "RADTIER_TEST_RGW") }
func versitygwServer(t *testing.T) testServer { return fromEnv(t, "RADTIER_TEST_VERSITYGW") }

func openTestBucket(t *testing.T, s testServer, name string) Bucket {
	t.Helper()
	src, err := s3.OpenSource(t.Context(), s3.Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return BucketOf(src, s3.ErrChanged)
}
