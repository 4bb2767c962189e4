package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/radtier/radtier/internal/objstore"
)

// ConfigError is a refusal by the server, or a failed handshake, that no
// repetition cures: keys, permissions, clocks, names or certificates are wrong.
type ConfigError struct {
	Op  string // "put", "get", ...
	Key string // may be empty
	Do  string // what an operator can do
	Err error
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s: %v; %s", strings.TrimSpace(e.Op+" "+e.Key), e.Err, e.Do)
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// ErrChanged says that an object of a [Source] is not the one that was pinned.
var ErrChanged = errors.New("the source object is another one than was listed")

var (
	errNoUpload   = errors.New("no such multipart upload")
	errRange      = errors.New("the range lies outside the object")
	errConflict   = errors.New("another write to this key is under way")
	errRestoring  = errors.New("a restore is under way")
	errNothing    = errors.New("nothing is configured")
	errNotAllowed = errors.New("the credentials may not do this")
)

// advice maps the server's codes of lasting refusals to what can be done about them.
var advice = map[string]string{
	"AccessDenied":                       "give the credentials permission for this operation on this bucket and prefix",
	"Forbidden":                          "check the credentials, and that they may read and write this bucket and prefix",
	"AllAccessDisabled":                  "the provider has disabled the bucket: ask the provider",
	"InvalidAccessKeyId":                 "the server does not know this access key: check the key and the endpoint",
	"SignatureDoesNotMatch":              "check the secret key; if a proxy changes the Host header or path, let it pass them on unchanged",
	"InvalidSecurity":                    "check the credentials",
	"InvalidToken":                       "the session token is not valid: renew the credentials",
	"ExpiredToken":                       "the session token has expired: renew the credentials",
	"RequestTimeTooSkewed":               "this machine's clock and the server's differ by more than the server allows: set the clock (NTP)",
	"NoSuchBucket":                       "the bucket does not exist: create it, or correct bucket, region and addressing",
	"InvalidBucketName":                  "correct the bucket's name",
	"PermanentRedirect":                  "the bucket lies at another endpoint: correct region and endpoint",
	"AuthorizationHeaderMalformed":       "the server expects another region: correct the region",
	"IllegalLocationConstraintException": "the bucket lies in another region: correct the region",
	"InvalidStorageClass":                "the server does not offer this storage class: correct the list of classes",
	"QuotaExceeded":                      "the account's quota is used up: raise it or free space",
	"EntityTooLarge":                     "the server refuses objects of this size",
	"InvalidArgument":                    "the server does not understand the request: run `radtier store check`",
	"InvalidRequest":                     "the server does not understand the request: run `radtier store check`",
}

// transientCodes may pass by themselves, whatever their HTTP status is.
var transientCodes = map[string]bool{
	"RequestTimeout": true, "RequestTimeoutException": true, "SlowDown": true, "SlowDownRead": true, "SlowDownWrite": true,
	"Throttling": true, "ThrottlingException": true, "RequestLimitExceeded": true, "BandwidthLimitExceeded": true,
	"TooManyRequests": true, "TooManyRequestsException": true, "InternalError": true, "ServiceUnavailable": true, "OperationAborted": true,
	"IncompleteBody": true, // the connection broke while the body was sent
	// The server saw other bytes than were sent: changed on their way.
	"BadDigest": true, "InvalidDigest": true, "XAmzContentSHA256Mismatch": true, "XAmzContentChecksumMismatch": true,
	"ClientComputedContentSHA256Mismatch": true,
}

// meaning says what a reply means to a store; ok is false where the code alone does not tell.
func meaning(code string, status int) error {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchVersion":
		return objstore.ErrNotFound
	case "NoSuchUpload":
		return errNoUpload
	case "PreconditionFailed":
		return objstore.ErrExists
	case "ConditionalRequestConflict":
		return errConflict
	case "InvalidObjectState":
		return objstore.ErrArchived
	case "RestoreAlreadyInProgress":
		return errRestoring
	case "InvalidRange":
		return errRange
	case "NotImplemented", "XNotImplemented", "MethodNotAllowed", "UnsupportedOperation":
		return objstore.ErrUnsupported
	case "NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration":
		return errNothing
	case "NoSuchBucket":
		return nil
	}
	switch status {
	case http.StatusNotFound:
		return objstore.ErrNotFound
	case http.StatusPreconditionFailed:
		return objstore.ErrExists
	case http.StatusRequestedRangeNotSatisfiable:
		return errRange
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return objstore.ErrUnsupported
	}
	return nil
}

// failure turns an error of the SDK into the store's own. text is what may be
// shown of it; the cause stays reachable for errors.Is and errors.As.
func failure(ctx context.Context, op, key string, err error) error {
	return describe(ctx, op, key, err, true)
}

// describe does the work of failure; without the server's own words if they might repeat a source's key.
func describe(ctx context.Context, op, key string, err error, words bool) error {
	if err == nil {
		return nil
	}
	what := strings.TrimSpace(op + " " + key)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%s: %w", what, ctxErr)
	}
	code, status := codeOf(err)
	cause := &replyError{text: replyText(err, code, status, words), err: err}
	if code != "" || status != 0 {
		if known := meaning(code, status); known != nil {
			return fmt.Errorf("%s: %w (%w)", what, known, cause)
		}
		do, lasting := advice[code]
		switch {
		case transientCodes[code], status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
			return &objstore.TransientError{Op: op, Key: key, Err: cause}
		case lasting:
			return &ConfigError{Op: op, Key: key, Do: do, Err: cause}
		case status == http.StatusForbidden:
			return &ConfigError{Op: op, Key: key, Do: advice["Forbidden"], Err: cause}
		case status == http.StatusMovedPermanently:
			return &ConfigError{Op: op, Key: key, Do: advice["PermanentRedirect"], Err: cause}
		}
		return fmt.Errorf("%s: %w", what, cause)
	}
	if do := handshakeAdvice(err); do != "" {
		return &ConfigError{Op: op, Key: key, Do: do, Err: cause}
	}
	if connectionLost(err) {
		return &objstore.TransientError{Op: op, Key: key, Err: cause}
	}
	if strings.Contains(err.Error(), "credentials") {
		return &ConfigError{Op: op, Key: key, Do: "no credentials were found: set the keys, or what the SDK's chain reads (environment, profile, web identity, instance role)", Err: cause}
	}
	return fmt.Errorf("%s: %w", what, cause)
}

// codeOf returns the server's error code and HTTP status; zero values if no server answered.
func codeOf(err error) (code string, status int) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var reply *smithyhttp.ResponseError
	if errors.As(err, &reply) {
		status = reply.HTTPStatusCode()
	}
	// A retry that was given up says so without its own reply: keep what the last one said.
	if code == "UnknownError" {
		code = ""
	}
	return code, status
}

func connectionLost(err error) bool {
	var send *smithyhttp.RequestSendError
	var netErr net.Error
	var quota ratelimit.QuotaExceededError
	return errors.As(err, &send) || errors.As(err, &netErr) || errors.As(err, &quota) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// handshakeAdvice returns what to do about a TLS failure that lasts; empty if err is none.
func handshakeAdvice(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that is not known here: name its PEM file (CA bundle)"
	case errors.As(err, &host):
		return "the server's certificate is for another name: correct the endpoint, or use path addressing"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "the server's certificate is not valid (now): check its dates and this machine's clock"
	case errors.As(err, &header), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS on this port: correct the endpoint's scheme or port"
	}
	return ""
}

// replyError shows a short text and keeps the SDK's error: its own text repeats URLs, and with them keys.
type replyError struct {
	text string
	err  error
}

func (e *replyError) Error() string { return e.text }
func (e *replyError) Unwrap() error { return e.err }

func replyText(err error, code string, status int, words bool) string {
	if code == "" && status == 0 {
		return networkText(err)
	}
	var text strings.Builder
	text.WriteString("server said")
	if status != 0 {
		fmt.Fprintf(&text, " %d", status)
	}
	if code != "" {
		fmt.Fprintf(&text, " %s", code)
	}
	var api smithy.APIError
	if words && errors.As(err, &api) && api.ErrorMessage() != "" && api.ErrorMessage() != code && api.ErrorMessage() != "UnknownError" {
		message := api.ErrorMessage()
		fmt.Fprintf(&text, ": %s", message[:min(len(message), 200)])
	}
	var request interface{ ServiceRequestID() string }
	if errors.As(err, &request) && request.ServiceRequestID() != "" {
		fmt.Fprintf(&text, " [request %s]", request.ServiceRequestID())
	}
	return text.String()
}

// networkText leaves out the URL that net/http puts into its errors.
func networkText(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "look up the server's name: " + dns.Err
	}
	var loop *url.Error
	if errors.As(err, &loop) {
		return "no answer: " + loop.Err.Error()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "connection: " + op.Err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was cut"
	}
	var api *smithy.OperationError
	if errors.As(err, &api) {
		return api.Err.Error()
	}
	return err.Error()
}
