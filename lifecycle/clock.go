package lifecycle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Why nothing may be removed as long as clocks are wrong.
var (
	ErrClocksDiffer = errors.New("the clocks of this machine, the database and the store do not agree: set them, nothing is removed before")
	ErrClockBack    = errors.New("the clock of this machine stands before a moment at which something was removed: set it, nothing is removed before")
	ErrClockForward = errors.New("the clock of this machine is far ahead of the last moment at which something was removed: if it is right, somebody must say so (`radtier clock approve`)")
)

const (
	clockAgree = time.Minute      // how much clocks may differ
	clockReach = 24 * time.Hour   // how far time may go on without anybody removing anything
	clockFresh = 30 * time.Second // how long a comparison holds
)

// Guard is asked before anything is removed; its error says why nothing may be. Nil lets everything pass.
type Guard func(ctx context.Context) error

// ask asks a guard.
func (g Guard) ask(ctx context.Context) error {
	if g == nil {
		return nil
	}
	return g(ctx)
}

// Clock compares clocks: a wrong one would let everything expire at once. It may be used from many goroutines.
type Clock struct {
	DB    *catalog.DB
	Store objstore.Store // the hot tier
	Now   func() time.Time

	mu    sync.Mutex
	good  time.Time // monotonic: when the clocks last agreed
	noted time.Time // by Now: the moment that was noted then
}

// Check is a Guard: the clocks of this machine, the database and the store agree within a minute, and time went neither back nor more than a day ahead since
// somebody last asked. The moment is noted in the catalog. Errors: ErrClocksDiffer, ErrClockBack, ErrClockForward, those of database and store.
func (c *Clock) Check(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	if d := now.Sub(c.noted); !c.good.IsZero() && time.Since(c.good) < clockFresh && d > -clockAgree && d < clockAgree {
		return nil
	}
	if err := c.agree(ctx, now); err != nil {
		return err
	}
	if err := c.advance(ctx, now); err != nil {
		return err
	}
	c.good, c.noted = time.Now(), now
	return nil
}

// advance compares a moment with the last one that was noted, and notes it.
func (c *Clock) advance(ctx context.Context, now time.Time) error {
	last, err := c.DB.Watermark(ctx)
	if err != nil {
		return err
	}
	if !last.IsZero() && now.Before(last.Add(-clockAgree)) {
		return fmt.Errorf("%w (it is %s, and was %s)", ErrClockBack, now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	noted, err := c.DB.Advance(ctx, now, clockReach, "", "")
	if err == nil && !noted {
		err = fmt.Errorf("%w (it is %s, and was %s)", ErrClockForward, now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	return err
}

// agree asks the others for their time.
func (c *Clock) agree(ctx context.Context, now time.Time) error {
	differ := func(who string, theirs time.Time, ours time.Time) error {
		if d := theirs.Sub(ours); d > clockAgree || d < -clockAgree {
			return fmt.Errorf("%w (%s says %s, this machine %s)", ErrClocksDiffer, who, theirs.UTC().Format(time.RFC3339), ours.UTC().Format(time.RFC3339))
		}
		return nil
	}
	theirs, has, err := c.DB.ServerTime(ctx)
	if err != nil {
		return err
	}
	if has {
		if err := differ("the database", theirs, c.Now()); err != nil {
			return err
		}
	}
	key := fmt.Sprintf("clock/%016x", rand.Uint64())
	raw := []byte(now.UTC().Format(time.RFC3339Nano))
	if _, err := c.Store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw)), SHA256: sha256.Sum256(raw)}); err != nil {
		return err
	}
	info, err := c.Store.Head(ctx, key)
	if err = errors.Join(err, c.Store.Delete(context.WithoutCancel(ctx), key)); err != nil {
		return err
	}
	return differ("the store", info.Modified, c.Now())
}

// Approve takes a jump forward as right, if the clocks agree: by says so, for a reason. A clock that stands back is never approved.
func (c *Clock) Approve(ctx context.Context, by, reason string) error {
	now := c.Now()
	if err := c.agree(ctx, now); err != nil {
		return err
	}
	last, err := c.DB.Watermark(ctx)
	if err != nil {
		return err
	}
	if !last.IsZero() && now.Before(last.Add(-clockAgree)) {
		return fmt.Errorf("%w (it is %s, and was %s)", ErrClockBack, now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	_, err = c.DB.Advance(ctx, now, 0, by, reason)
	return err
}
