package objstore

import (
	"context"
	"errors"
	"fmt"
)

// ChecksumError says that bytes do not have the SHA-256 they should have. On
// a put nothing was stored; on a read the bytes must not be used.
type ChecksumError struct {
	Key       string
	Want, Got [32]byte
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("object %s: SHA-256 is %x, want %x", e.Key, e.Got, e.Want)
}

// SizeError says that the body of a put did not have the size its caller promised; nothing was stored.
type SizeError struct {
	Key  string
	Want int64 // bytes promised
	Got  int64 // bytes seen when it was clear; the body may be longer
}

func (e *SizeError) Error() string {
	if e.Got > e.Want {
		return fmt.Sprintf("object %s: the body has at least %d bytes, %d were promised", e.Key, e.Got, e.Want)
	}
	return fmt.Sprintf("object %s: the body ended after %d of %d bytes", e.Key, e.Got, e.Want)
}

// RangeError says that a range does not lie inside the object.
type RangeError struct {
	Key            string
	Offset, Length int64 // as asked for
	Size           int64 // of the object, in bytes; -1 if it was not looked up
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("object %s: range of %d bytes at %d is not within its %d bytes", e.Key, e.Length, e.Offset, e.Size)
}

// LimitError says that an object is larger than its reader allows.
type LimitError struct {
	Key        string
	Size, Most int64 // bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("object %s: has %d bytes, the limit is %d", e.Key, e.Size, e.Most)
}

// TransientError is a failure that may pass by itself: a busy server, a lost
// connection, a full disk. The step may be repeated, under a new key if it was a put.
type TransientError struct {
	Op  string // "put", "get", ...
	Key string // may be empty
	Err error
}

func (e *TransientError) Error() string {
	return fmt.Sprintf("%s %s: %v (may pass; try again)", e.Op, e.Key, e.Err)
}

// Unwrap returns the cause.
func (e *TransientError) Unwrap() error { return e.Err }

// IsTransient reports whether err may pass by itself: a *TransientError, or
// anything that calls itself a timeout, a context's passed deadline included.
// A cancelled context is not transient: somebody meant it.
func IsTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var transient *TransientError
	if errors.As(err, &transient) {
		return true
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
