package ossfake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const testBucket = "bucket"

// client is the SDK's client of a server with one bucket.
type client struct {
	*s3.Client
	s    *Server
	http *http.Client
}

func newClient(t *testing.T, o Options, change ...func(*s3.Options)) *client {
	t.Helper()
	s := Start(t, o)
	transport := &http.Transport{DialContext: s.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	c := &client{s: s, http: &http.Client{Transport: transport}}
	c.Client = c.api(change...)
	if _, err := c.api().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(testBucket)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) api(change ...func(*s3.Options)) *s3.Client {
	so := s3.Options{
		BaseEndpoint: &c.s.Endpoint, Region: Region, Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient: c.http, UsePathStyle: c.s.o.PathStyle, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
	for _, f := range change {
		f(&so)
	}
	return s3.New(so)
}

func (c *client) put(t *testing.T, key, data, class string) string {
	t.Helper()
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(testBucket), Key: &key, Body: strings.NewReader(data), StorageClass: types.StorageClass(class),
	})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return aws.ToString(out.ETag)
}

func (c *client) get(t *testing.T, key string) (string, error) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	return string(data), err
}

func (c *client) wantData(t *testing.T, key, want string) {
	t.Helper()
	if got, err := c.get(t, key); err != nil || got != want {
		t.Errorf("get %q: got %.40q, %v, want %.40q", key, got, err, want)
	}
}

// wantCode wants an error reply of the server.
func wantCode(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var reply *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &reply) || reply.HTTPStatusCode() != status || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

// send signs and sends a request that the SDK would not make, and returns status and body.
func (c *client) send(t *testing.T, method, path string, header map[string]string, body, secret string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, strings.Replace(c.s.Endpoint, "://", "://"+testBucket+".", 1)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	for name, value := range header {
		r.Header.Set(name, value)
		if name == "X-Amz-Content-Sha256" {
			hash = value
		}
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if secret != "" {
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: AccessKey, SecretAccessKey: secret}, r, hash, "s3", Region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

func wantReply(t *testing.T, what string, status int, body string, wantStatus int, wantCode string) {
	t.Helper()
	if status != wantStatus || !strings.Contains(body, fmt.Sprintf("<Code>%s</Code>", wantCode)) {
		t.Errorf("%s: got %d %s, want %d %s", what, status, body, wantStatus, wantCode)
	}
}
