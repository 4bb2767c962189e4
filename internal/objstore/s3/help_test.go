package s3

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"
)

// bucketOn returns options for a new bucket of the test on a server.
func bucketOn(t *testing.T, server s3Server) Options {
	t.Helper()
	return Options{
		Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		Bucket: "t-" + strings.ToLower(rand.Text()[:16]), Create: true, test: hooks{maxBackoff: 20 * time.Millisecond},
	}
}

// mustOpen opens a store that is closed at the end of the test.
func mustOpen(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// s3Server is a server that scripts/test has started.
type s3Server struct{ Endpoint, AccessKey, SecretKey, Region string }

func rgw(t *testing.T) s3Server       { return fromEnv(t, "RADTIER_TEST_RGW") }
func versitygw(t *testing.T) s3Server { return fromEnv(t, "RADTIER_TEST_VERSITYGW") }

func fromEnv(t *testing.T, name string) s3Server {
	t.Helper()
	endpoint := os.Getenv(name)
	if endpoint == "" {
		t.Skipf("%s is not set: run ./scripts/test, or start a server with access key test and secret testtest and name its URL", name)
	}
	return s3Server{endpoint, "test", "testtest", "us-east-1"}
}
