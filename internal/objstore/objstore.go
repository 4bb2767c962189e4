// Package objstore is the project's own small idea of an object store: what
// packs, manifests and sweeps need and no more.
//
// Contract, for every implementation (storetest proves it):
//
//   - Keys are slash-separated ASCII, valid by [CheckKey]; an implementation
//     never leads a key outside its root.
//   - A key holds either a whole object or nothing. A reader never sees part
//     of a put; a failed or interrupted put leaves nothing under the key, or
//     the whole object (the reply may have been lost: Head tells).
//   - Nobody overwrites: callers use a new key for each attempt. Put on an
//     existing key fails with [ErrExists] where [Capabilities].CreateOnly is set;
//     elsewhere the caller must not do it, and correctness never relies on it.
//   - What a successful Put returned for is durable and is seen by every later Get, Head and List.
//   - Methods may be called from many goroutines. They do not retry: an
//     implementation over a network leaves retries to its client library, and
//     the job queue repeats whole steps.
//   - Errors: [ErrNotFound], [ErrExists], [ErrArchived] (must be restored before it
//     can be read), [ErrUnsupported]; anything that may pass by itself satisfies [IsTransient].
package objstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"time"
)

// Class is a storage class of a store, as its provider names it ("STANDARD", "GLACIER_IR"). Empty means the store's default.
type Class string

// Info is what a store knows of an object.
type Info struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when the put ended, by the store's clock
	Class    Class
	Version  string       // opaque; changes whenever the bytes do (an ETag)
	Restore  RestoreState // of archived objects
	// SHA256 of the whole object, if the store vouches for it (see Capabilities.Checksum); else zero.
	SHA256 [sha256.Size]byte
}

// RestoreState says whether an archived object can be read.
type RestoreState struct {
	Archived bool      // the class needs a restore before reading
	Ongoing  bool      // a restore was asked for and is not done
	Until    time.Time // a temporary copy can be read until then; zero if there is none
}

// Readable reports whether Get would work at that time.
func (r RestoreState) Readable(now time.Time) bool { return !r.Archived || now.Before(r.Until) }

// Speed is how fast an archived object is to be readable. Faster costs more.
type Speed string

// Speeds, as S3 names them.
const (
	Standard  Speed = "" // what the provider does when nothing is said
	Expedited Speed = "Expedited"
	Bulk      Speed = "Bulk"
)

func (s Speed) String() string {
	switch s {
	case Standard:
		return "standard"
	case Expedited:
		return "expedited"
	case Bulk:
		return "bulk"
	}
	return string(s)
}

// PutOptions changes how an object is stored.
type PutOptions struct {
	Class Class
	// Size of the body in bytes, or -1 if it is not known before its end.
	Size int64
	// SHA256 that the body must have. The zero value means unknown. A body
	// that differs is not stored and the error is a *ChecksumError.
	SHA256 [sha256.Size]byte
}

// Capabilities says what a store really does, so that callers choose a safe way instead of hoping.
type Capabilities struct {
	CreateOnly bool    // Put on an existing key fails with ErrExists, also between racing writers
	Checksum   bool    // Info.SHA256 is filled and was verified by the store on put
	Copy       bool    // Copy works inside the store without moving bytes through the caller
	Restore    bool    // archive classes exist and Restore works
	Classes    []Class // in order from hot to cold; the first is the default
	// PutBytes is the memory that one Put of unknown size holds at most, beside its body's own; 0 if it is next to nothing.
	PutBytes int64
}

// Store is one bucket, or one directory.
type Store interface {
	// Put stores the body under key. It reads body to its end or fails. It
	// may be cancelled by ctx, and then nothing is under the key, or everything.
	Put(ctx context.Context, key string, body io.Reader, opts PutOptions) (Info, error)
	// Get reads length bytes from offset; length -1 means to the end. A range
	// beyond the object's end is an error. The caller closes the reader. The Info is of the whole object.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
	// Head returns what is known of an object without reading it.
	Head(ctx context.Context, key string) (Info, error)
	// Delete removes an object; a key that holds nothing is not an error.
	Delete(ctx context.Context, key string) error
	// List yields objects whose key starts with prefix and sorts after `after`
	// (exclusive, may be empty), in byte order of their keys. It stops at the
	// first error, which it yields.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
	// Copy makes a new object of the same bytes under another key, in a class.
	Copy(ctx context.Context, from, to string, class Class) (Info, error)
	// Restore asks for a temporary readable copy of an archived object for a
	// number of days. Asking again while one is under way changes nothing. Stores that know no speeds ignore it.
	Restore(ctx context.Context, key string, days int, speed Speed) error
	Capabilities() Capabilities
}

var (
	// ErrNotFound: no object under this key.
	ErrNotFound = errors.New("no such object")
	// ErrExists: the key already holds an object; it was not touched.
	ErrExists = errors.New("object already exists")
	// ErrArchived: the object is in an archive class and must be restored before it can be read.
	ErrArchived = errors.New("object is archived and must be restored first")
	// ErrUnsupported: this store cannot do that; see Capabilities.
	ErrUnsupported = errors.New("not supported by this store")
)
