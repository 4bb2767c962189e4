package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
)

// ErrSourceChanged says that a source file is not the one that was queued:
// its size, time or ETag differs, or it is gone. Nothing of it is stored; the worker looks at it again and pins what is there now.
var ErrSourceChanged = errors.New("source file changed since it was queued")

// errGone is an ErrSourceChanged: nothing is there any more.
var errGone = fmt.Errorf("%w: it is gone", ErrSourceChanged)

// Sources opens the places that studies come from. A source file is named by
// an absolute path, or by "s3://bucket/key" if it is an object. A nil *Sources knows directories only.
// It may be used by many goroutines.
type Sources struct {
	open    func(ctx context.Context, bucket string) (Bucket, error)
	mu      sync.Mutex
	buckets map[string]Bucket
}

// NewSources returns sources that include buckets. open is called when a
// bucket is needed for the first time, and not again once it succeeded.
func NewSources(open func(ctx context.Context, bucket string) (Bucket, error)) *Sources {
	return &Sources{open: open, buckets: map[string]Bucket{}}
}

func (s *Sources) bucket(ctx context.Context, name string) (Bucket, error) {
	if s == nil || s.open == nil {
		return nil, fmt.Errorf("source bucket %q: this process reads directories only: give it access to the bucket in its configuration", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	b, err := s.open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("source bucket %q: %w", name, err)
	}
	s.buckets[name] = b
	return b, nil
}

const bucketScheme = "s3://"

// IsBucketSource reports whether a root or a source file lies in a bucket.
func IsBucketSource(root string) bool { return strings.HasPrefix(root, bucketScheme) }

// SourceRoot returns the canonical form of a root that a user typed: an
// absolute path, or "s3://bucket" or "s3://bucket/prefix" without a slash at the end.
func SourceRoot(root string) (string, error) {
	if !IsBucketSource(root) {
		return filepath.Abs(root)
	}
	bucket, prefix := splitObject(root)
	if bucket == "" {
		return "", errors.New("source s3://: the name of a bucket must follow: s3://bucket/prefix")
	}
	return strings.TrimRight(objectPath(bucket, prefix), "/"), nil
}

// ObjectSource is the root that names one object of a bucket.
func ObjectSource(bucket, key string) string { return objectPath(bucket, key) }

// splitObject is the inverse of objectPath.
func splitObject(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, bucketScheme), "/")
	return bucket, key
}

func objectPath(bucket, key string) string { return bucketScheme + bucket + "/" + key }

// handle is one open source file. ReadAt may be called by many goroutines.
type handle interface {
	io.ReaderAt
	io.Closer
	// readAll reads the whole file into p, which has its size, and checks the pin.
	readAll(p []byte) error
	// stream reads the whole file from its start; several may be open.
	stream() io.ReadCloser
	// unchanged checks the pin of what was read so far.
	unchanged() error
}

// openPinned opens a file that still is as pinned. Its errors may name the file: see openFile.
func (s *Sources) openPinned(ctx context.Context, f catalog.SourceFile) (handle, error) {
	if IsBucketSource(f.Path) {
		bucket, key := splitObject(f.Path)
		b, err := s.bucket(ctx, bucket)
		if err != nil {
			return nil, err
		}
		return &objectHandle{ctx: ctx, bucket: b, key: key, etag: f.ETag, size: f.Size}, nil
	}
	h, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	d := &fileHandle{File: h, size: f.Size, mod: f.ModTime}
	if err := d.unchanged(); err != nil {
		h.Close()
		return nil, err
	}
	return d, nil
}

// openFile opens a queued file; its pin is checked before and after it is
// read. Errors name the file by its number in the study and never by its path or key, which may hold patient data.
func (s *Sources) openFile(ctx context.Context, f catalog.SourceFile, number int) (*sourceFile, error) {
	h, err := s.openPinned(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("source file %d: %w", number, withoutPath(err))
	}
	return &sourceFile{handle: h, pin: f, number: number}, nil
}

// pin looks at a file from outside: its size and its time or ETag. errGone if there is nothing.
func (s *Sources) pin(ctx context.Context, path string) (catalog.SourceFile, error) {
	if !IsBucketSource(path) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return catalog.SourceFile{}, errGone
		}
		if err != nil {
			return catalog.SourceFile{}, err
		}
		return catalog.SourceFile{Path: path, Size: info.Size(), ModTime: info.ModTime()}, nil
	}
	bucket, key := splitObject(path)
	b, err := s.bucket(ctx, bucket)
	if err != nil {
		return catalog.SourceFile{}, err
	}
	o, err := b.Head(ctx, key)
	if err != nil {
		return catalog.SourceFile{}, ofObject(err, key)
	}
	return pinOf(bucket, o)
}

// samePin reports whether two looks at a file saw the same bytes.
func samePin(a, b catalog.SourceFile) bool {
	return a.Path == b.Path && a.Size == b.Size && a.ETag == b.ETag && a.ModTime.Equal(b.ModTime)
}

// sourceFile is a queued file that is being read.
type sourceFile struct {
	handle
	pin    catalog.SourceFile
	number int
	fault  atomic.Pointer[error] // the first failure of ReadAt
	front  io.ReadCloser         // of Read
}

// ReadAt remembers its failures: what scans a file may take one for the file's end.
func (s *sourceFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.handle.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.named(err)
		s.fault.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Read reads the file from its start, once.
func (s *sourceFile) Read(p []byte) (int, error) {
	if s.front == nil {
		s.front = s.stream()
	}
	return s.front.Read(p)
}

// Close ends reading.
func (s *sourceFile) Close() error {
	if s.front != nil {
		return errors.Join(s.front.Close(), s.handle.Close())
	}
	return s.handle.Close()
}

// check compares what was read with the pin.
func (s *sourceFile) check() error {
	if err := s.unchanged(); err != nil {
		return s.named(err)
	}
	return nil
}

// readAll reads the whole file into buf, which has its size, and checks the pin again.
func (s *sourceFile) readAll(buf []byte) error {
	if err := s.handle.readAll(buf); err != nil {
		return s.named(err)
	}
	return nil
}

// named says which file an error is of.
func (s *sourceFile) named(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it is shorter", ErrSourceChanged)
	}
	return fmt.Errorf("source file %d: %w", s.number, withoutPath(err))
}

// scanSource is dcm.Scan, but a failure to read is that failure and no verdict on the file.
func scanSource(r io.ReaderAt, size int64, lim dcm.Limits) (*dcm.File, error) {
	f, err := dcm.Scan(r, size, lim)
	if s, ok := r.(*sourceFile); ok {
		if fault := s.fault.Load(); fault != nil {
			return nil, &unreadError{*fault}
		}
	}
	return f, err
}

// unreadError is a source that could not be read, as opposed to one that is no good.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return e.err.Error() }
func (e *unreadError) Unwrap() error { return e.err }

// fileHandle is a file of a directory.
type fileHandle struct {
	*os.File
	size int64
	mod  time.Time
}

func (h *fileHandle) unchanged() error {
	info, err := h.Stat()
	if err != nil {
		return err
	}
	if info.Size() != h.size || !info.ModTime().Equal(h.mod) {
		return ErrSourceChanged
	}
	return nil
}

func (h *fileHandle) readAll(p []byte) error {
	if _, err := io.ReadFull(h.File, p); err != nil {
		return err
	}
	return h.unchanged()
}

func (h *fileHandle) stream() io.ReadCloser { return io.NopCloser(io.NewSectionReader(h, 0, h.size)) }

// withoutPath drops the file's name from an error of package os.
func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	return err
}
