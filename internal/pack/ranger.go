package pack

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/radtier/radtier/internal/objstore"
)

// Ranger reads parts of one object. ReadRange returns exactly n bytes from
// off, in memory that the caller may keep, or an error. It may be called from many goroutines. One call is one request.
type Ranger interface {
	ReadRange(ctx context.Context, off, n int64) ([]byte, error)
}

// StoreRanger reads parts of the object under key.
func StoreRanger(store objstore.Store, key string) Ranger { return storeRanger{store, key} }

type storeRanger struct {
	store objstore.Store
	key   string
}

func (r storeRanger) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	if n == 0 {
		return nil, ctx.Err()
	}
	body, _, err := r.store.Get(ctx, r.key, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	out := make([]byte, n)
	if _, err := io.ReadFull(body, out); err != nil {
		return nil, fmt.Errorf("object %s: read %d bytes at %d: %w", r.key, n, off, err)
	}
	return out, nil
}

// Bytes is a Ranger over an object in memory. A range beyond its end is a *DamagedError.
type Bytes []byte

// ReadRange returns a part of the slice itself.
func (b Bytes) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > int64(len(b)) || n > int64(len(b))-off {
		return nil, &DamagedError{Part: "object", Frame: -1, Offset: off, What: fmt.Sprintf("range of %d bytes is beyond its %d bytes", n, len(b))}
	}
	return b[off : off+n : off+n], ctx.Err()
}

// readRange reads through r and turns a range beyond the object's end into damage: the object is shorter than its index says.
func readRange(ctx context.Context, r Ranger, off, n int64) ([]byte, error) {
	p, err := r.ReadRange(ctx, off, n)
	var beyond *objstore.RangeError
	if errors.As(err, &beyond) {
		return nil, &DamagedError{Part: "object", Frame: -1, Offset: off, What: "ends early", Err: err}
	}
	if err == nil && int64(len(p)) != n {
		return nil, fmt.Errorf("pack: read %d bytes at %d, got %d: %w", n, off, len(p), io.ErrUnexpectedEOF)
	}
	return p, err
}
