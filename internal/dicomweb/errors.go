package dicomweb

import (
	"errors"
	"fmt"
)

// StatusError is an answer with a status that means neither that something is there nor that it is not.
type StatusError struct {
	What string // was asked for
	Code int
}

func (e *StatusError) Error() string {
	switch e.Code {
	case 401, 403:
		return fmt.Sprintf("%s: the server refuses us (status %d): check the token and what it may read", e.What, e.Code)
	case 404:
		return fmt.Sprintf("%s: the server has no such service (status 404): check the URL", e.What)
	}
	return fmt.Sprintf("%s: the server answers with status %d", e.What, e.Code)
}

// MalformedError is an answer that is not what the standard says.
type MalformedError struct{ What, Why string }

func (e *MalformedError) Error() string { return e.What + ": the answer cannot be used: " + e.Why }

// LimitError is an answer that is larger than what was asked for can be.
type LimitError struct {
	What string
	Most int64 // bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: the answer has more than %d bytes", e.What, e.Most)
}

// RedirectError is an answer that points to another host, or away from TLS. It was not followed.
type RedirectError struct {
	What string
	Host string // with its scheme
}

func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s: redirected to %s, which is not followed: give the URL of that host if it is meant", e.What, e.Host)
}

// CertificateError is a server that does not prove who it is.
type CertificateError struct {
	What string
	Err  error
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("%s: the server's certificate is not trusted: %v", e.What, e.Err)
}

// Unwrap returns the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// UnreachableError is a server that gave no answer, or said that it has no time, as often as it was asked.
type UnreachableError struct {
	What  string
	Tries int
	Err   error // of the last try
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s: no answer after %d tries: %v (may pass; try again)", e.What, e.Tries, e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// RefusedError says that the server does not give something in the form that was asked for; it may have another one.
type RefusedError struct{ What, Why string }

func (e *RefusedError) Error() string { return e.What + ": not given in this form: " + e.Why }

// ErrNotFound says that the server does not have what was asked for.
var ErrNotFound = errors.New("the server does not have it")

// IsTransient reports whether an error may pass by itself.
func IsTransient(err error) bool {
	var unreachable *UnreachableError
	return errors.As(err, &unreachable)
}
