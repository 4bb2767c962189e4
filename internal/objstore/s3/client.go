package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// connection is a configured SDK client and the transport to close with it.
type connection struct {
	api       *s3.Client
	transport *http.Transport
	requests  *atomic.Int64 // HTTP requests sent, repeated ones included
	region    string
}

func (c *connection) close() { c.transport.CloseIdleConnections() }

// connect builds a client. It sends nothing, except what the credentials chain may ask of its own sources.
func connect(ctx context.Context, o Options, addressing string, sums string) (*connection, error) {
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	requests := new(atomic.Int64)
	// No HTTP client is handed to LoadDefaultConfig: with AWS_CA_BUNDLE in the
	// environment it refuses every client but its own. Ours goes to the S3
	// client only and honours that variable by itself.
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if o.AWSProfile != "" {
		load = append(load, config.WithSharedConfigProfile(o.AWSProfile))
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.AccessKey != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, o.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("s3: load the SDK's configuration (environment, shared profile): %w", err)
	}
	if cfg.Region == "" {
		if o.Endpoint == "" {
			return nil, errors.New("s3: no region: set it, or AWS_REGION, or the profile's region")
		}
		cfg.Region = "us-east-1"
	}
	api := s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		so.UsePathStyle = addressing == AddressingPath
		so.HTTPClient = &http.Client{Transport: counted{transport, requests}, CheckRedirect: followSameMethod}
		so.Retryer = newRetryer(o)
		so.Logger = logging.Nop{}
		so.ClientLogMode = 0
		so.DisableLogOutputChecksumValidationSkipped = true
		setChecksums(so, sums)
	})
	return &connection{api: api, transport: transport, requests: requests, region: cfg.Region}, nil
}

// setChecksums makes a client compute and verify the SDK's checksums always, or only where an operation demands it.
func setChecksums(so *s3.Options, sums string) {
	so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	if sums == ChecksumsNone {
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
}

// newRetryer returns the one owner of retries: the SDK's standard rules, and
// the conflicts that S3 answers while another conditional write to the key runs.
func newRetryer(o Options) aws.Retryer {
	return retry.NewStandard(func(so *retry.StandardOptions) {
		so.MaxAttempts = o.Attempts
		so.MaxBackoff = o.test.maxBackoff
		so.Backoff = retry.NewExponentialJitterBackoff(o.test.maxBackoff)
		never := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if handshakeAdvice(err) != "" {
				return aws.FalseTernary // a certificate does not get better
			}
			return aws.UnknownTernary
		})
		so.Retryables = append([]retry.IsErrorRetryable{never}, so.Retryables...)
		so.Retryables = append(so.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
			"ConditionalRequestConflict": {}, "OperationAborted": {}, "InternalError": {}, "ServiceUnavailable": {},
		}})
	})
}

func newTransport(o Options) (*http.Transport, error) {
	pool, err := rootCAs(o.CAFile, os.Getenv("AWS_CA_BUNDLE"))
	if err != nil {
		return nil, err
	}
	dial := o.test.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, limit: o.test.stall}, nil
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		// HTTP/1.1 with many connections: one HTTP/2 connection would be the bottleneck of large bodies.
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 128,
	}, nil
}

// rootCAs returns the system's authorities and those of the files; nil, for the system's alone, if no file is named.
func rootCAs(files ...string) (*x509.CertPool, error) {
	var pool *x509.CertPool
	for _, file := range files {
		if file == "" {
			continue
		}
		if pool == nil {
			system, err := x509.SystemCertPool()
			if err != nil {
				return nil, fmt.Errorf("s3: load the system's certificate authorities: %w", err)
			}
			pool = system
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("s3: read the CA bundle: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("s3: the CA bundle %s holds no PEM certificate", file)
		}
	}
	return pool, nil
}

// followSameMethod follows 307 and 308 only, as the SDK does: other redirects
// turn a PUT into a GET.
func followSameMethod(r *http.Request, via []*http.Request) error {
	if code := r.Response.StatusCode; (code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect) || len(via) > 5 {
		return http.ErrUseLastResponse
	}
	if via[len(via)-1].URL.Host != r.URL.Host {
		r.Header.Del("X-Amz-Security-Token")
	}
	return nil
}

type counted struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// stallConn fails a connection on which nothing moves for the limit. Each read
// and each write prolongs both deadlines, so that a slow upload does not time
// out the answer that is awaited meanwhile. (The SDK's own read timeout does:
// it sets a deadline only when a read begins.)
type stallConn struct {
	net.Conn
	limit time.Duration
}

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.prolong(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.prolong(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *stallConn) prolong() error { return c.SetDeadline(time.Now().Add(c.limit)) }
