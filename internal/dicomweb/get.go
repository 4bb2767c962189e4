package dicomweb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// request is one question.
type request struct {
	what   string // for errors
	path   string // below the service
	accept string
	most   int64 // bytes of the answer
}

// answer is what came. Its body ends with an error where the answer is larger, or comes slower, than it may.
type answer struct {
	*http.Response
	what  string
	left  int64
	stall *time.Timer
	limit time.Duration
	over  bool
	broke error // that a read ended with
}

// Read reads the body.
func (a *answer) Read(p []byte) (int, error) {
	if a.broke != nil {
		return 0, a.broke
	}
	if int64(len(p)) > a.left+1 {
		p = p[:a.left+1]
	}
	n, err := a.Body.Read(p)
	a.stall.Reset(a.limit)
	if a.left -= int64(n); a.left < 0 {
		a.over = true
		return 0, errOver
	}
	if err != nil && !errors.Is(err, io.EOF) {
		a.broke = err
	}
	return n, err
}

var (
	errOver  = errors.New("too large")
	errStall = errors.New("it took too long")
)

// get asks until there is an answer, and has it read. Answers that say that something is there, or that there is nothing (204), are read; the rest are errors:
// *StatusError, and those that this package names. read may be called again after a try that broke off.
func (c *Client) get(ctx context.Context, r request, read func(*answer) error) error {
	select {
	case c.room <- struct{}{}:
		defer func() { <-c.room }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for try := 0; ; try++ {
		after, err := c.once(ctx, r, read)
		var passing *passingError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil, !errors.As(err, &passing):
			return err
		case try+1 >= c.o.Tries:
			return &UnreachableError{r.what, try + 1, passing.error}
		case after > longest:
			return &UnreachableError{r.what, try + 1, fmt.Errorf("%w, and asks to come back in %v", passing.error, after.Round(time.Second))}
		}
		if err := c.o.wait(ctx, max(after, pause(try))); err != nil {
			return err
		}
	}
}

// passingError may pass when the request is repeated.
type passingError struct{ error }

// once asks once. after is how long the server wishes to be left alone.
func (c *Client) once(ctx context.Context, r request, read func(*answer) error) (after time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := func() { cancel(errStall) }
	stall, whole := time.AfterFunc(c.o.Timeout, stop), time.AfterFunc(20*c.o.Timeout, stop)
	defer stall.Stop()
	defer whole.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+r.path, nil)
	if err != nil {
		return 0, &MalformedError{r.what, "its address cannot be written"}
	}
	req.Header.Set("Accept", r.accept)
	req.Header.Set("User-Agent", "radtier")
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	reply, err := c.http.Do(req)
	if err != nil {
		return 0, c.failed(ctx, r.what, err)
	}
	defer reply.Body.Close()
	stall.Reset(c.o.Timeout)
	switch reply.StatusCode {
	case http.StatusOK, http.StatusNoContent, http.StatusPartialContent:
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return retryAfter(reply.Header.Get("Retry-After"), time.Now()), &passingError{fmt.Errorf("status %d", reply.StatusCode)}
	default:
		return 0, &StatusError{r.what, reply.StatusCode}
	}
	a := &answer{Response: reply, what: r.what, left: r.most, stall: stall, limit: c.o.Timeout}
	err = read(a)
	switch {
	case err == nil:
		return 0, nil
	case a.over:
		return 0, &LimitError{r.what, r.most}
	case a.broke != nil:
		return 0, c.failed(ctx, r.what, a.broke)
	}
	return 0, err
}

// failed says what became of a request without an answer. Errors of the transport name the address, which is left out.
func (c *Client) failed(ctx context.Context, what string, err error) error {
	var redirect *RedirectError
	var cert *tls.CertificateVerificationError
	var address *url.Error
	switch {
	case errors.As(err, &redirect):
		return &RedirectError{what, redirect.Host}
	case errors.Is(err, errLoop):
		return &MalformedError{what, errLoop.Error()}
	case errors.As(err, &cert):
		return &CertificateError{what, cert.Err}
	case errors.Is(context.Cause(ctx), errStall):
		return &passingError{errStall}
	case errors.As(err, &address):
		err = address.Err
	}
	return &passingError{err}
}

// retryAfter reads a header of seconds or of a time (RFC 9110, 10.2.3); what cannot be read is 0.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
