package objstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Getter is the part of a [Store] that reading needs.
type Getter interface {
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
}

// CheckRange turns a range as [Store].Get takes it into the number of bytes
// that it covers, or a *RangeError. An empty range at the very end is valid.
func CheckRange(key string, offset, length, size int64) (int64, error) {
	if offset < 0 || length < -1 || offset > size || length > size-offset {
		return 0, &RangeError{Key: key, Offset: offset, Length: length, Size: size}
	}
	if length == -1 {
		return size - offset, nil
	}
	return length, nil
}

// ReadAll reads a whole object of at most maxBytes, and checks it against its
// SHA-256 where the store knows one. Errors besides those of Get: *LimitError before anything
// is allocated, *ChecksumError, and a *TransientError if the bytes end early.
func ReadAll(ctx context.Context, store Getter, key string, maxBytes int64) ([]byte, error) {
	body, info, err := store.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if info.Size > maxBytes {
		return nil, &LimitError{Key: key, Size: info.Size, Most: maxBytes}
	}
	data, err := readExactly(body, key, info.Size)
	if err != nil {
		return nil, err
	}
	if info.SHA256 != [sha256.Size]byte{} {
		if got := sha256.Sum256(data); got != info.SHA256 {
			return nil, &ChecksumError{Key: key, Want: info.SHA256, Got: got}
		}
	}
	return data, nil
}

// ReadRange reads exactly n bytes from offset off. Bytes that end early are a *TransientError.
func ReadRange(ctx context.Context, store Getter, key string, off, n int64) ([]byte, error) {
	if off < 0 || n < 0 {
		return nil, &RangeError{Key: key, Offset: off, Length: n, Size: -1}
	}
	body, _, err := store.Get(ctx, key, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return readExactly(body, key, n)
}

// readExactly refuses bodies of another length than the store announced: a
// short one is a cut connection, a long one a server that ignored the range.
func readExactly(body io.Reader, key string, n int64) ([]byte, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(body, data)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &TransientError{Op: "read", Key: key, Err: fmt.Errorf("%w after %d of %d bytes", io.ErrUnexpectedEOF, got, n)}
	case err != nil:
		return nil, fmt.Errorf("read %s: after %d of %d bytes: %w", key, got, n, err)
	}
	var more [1]byte
	switch extra, err := io.ReadFull(body, more[:]); {
	case extra > 0:
		return nil, &TransientError{Op: "read", Key: key, Err: fmt.Errorf("store sent more than the %d bytes asked for", n)}
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read %s: at its end: %w", key, err)
	}
	return data, nil
}
