package study

import (
	"context"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
)

// aheadBytes is how much of an object is read at once where it is read front to back.
const aheadBytes = 8 << 20

// ahead reads an object that is asked for in many small pieces, more or less
// front to back, in few large requests: a piece that lies shortly behind the one that was requested last is
// read together with what follows it. Other pieces are requests of their own, so nothing is read that nobody goes towards. One goroutine uses it.
type ahead struct {
	inner pack.Ranger
	size  int64 // of the object
	from  int64 // where held begins
	held  []byte
	last  int64 // end of the piece that was requested last
}

// ReadRange implements pack.Ranger.
func (a *ahead) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	if at := off - a.from; at >= 0 && n >= 0 && n <= int64(len(a.held)) && at <= int64(len(a.held))-n {
		return a.held[at : at+n : at+n], ctx.Err()
	}
	near := off >= a.last && off-a.last < aheadBytes
	a.last = off + n
	if n < 0 || !near || n >= aheadBytes || off > a.size-n {
		return a.inner.ReadRange(ctx, off, n)
	}
	a.held = nil // let go before the next is read
	held, err := a.inner.ReadRange(ctx, off, min(aheadBytes, a.size-off))
	if ctx.Err() != nil || objstore.IsTransient(err) {
		return nil, err
	}
	if err != nil { // the object may be shorter than it should be, but long enough for this piece
		return a.inner.ReadRange(ctx, off, n)
	}
	a.from, a.held, a.last = off, held, off+int64(len(held))
	return held[:n:n], nil
}
