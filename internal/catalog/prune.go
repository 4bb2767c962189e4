package catalog

import (
	"context"
	"time"
)

// Pruned is how many rows a Prune removed.
type Pruned struct {
	Jobs   int // done
	Events int // delivered
}

// What is pruned, in parts: a transaction that removes millions of rows holds up all others.
const (
	pruneBatch  = 1000
	pruneJobs   = `DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 'done' AND updated < ? LIMIT ?)`
	pruneEvents = `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE delivered > 0 AND delivered < ? LIMIT ?)`
)

// Prune removes what nobody asks for any more: jobs that were done, and events
// that were delivered, before a moment. Audit rows stay: they tell whether a
// commit was decided. A job that is gone counts as over for a sweep, as it was when it was done. Job and Own of it are
// ErrNoJob from then on, so the moment must be older than any task in a queue. Any number of processes may prune at once.
func (db *DB) Prune(ctx context.Context, before time.Time) (p Pruned, err error) {
	if p.Jobs, err = db.prune(ctx, pruneJobs, before); err != nil {
		return p, err
	}
	if p.Events, err = db.prune(ctx, pruneEvents, before); err != nil {
		return p, err
	}
	slot := deletionSlot(min(toMS(before), toMS(db.now().Add(-deletionsKept))))
	return p, db.change(ctx, func(tx conn) error { return tx.exec(ctx, `DELETE FROM deletion WHERE slot < ?`, slot) })
}

func (db *DB) prune(ctx context.Context, q string, before time.Time) (total int, err error) {
	for {
		var n int64
		if err := db.change(ctx, func(tx conn) (err error) {
			n, err = tx.affected(ctx, q, toMS(before), pruneBatch)
			return err
		}); err != nil {
			return total, err
		}
		if total += int(n); n < pruneBatch {
			return total, nil
		}
	}
}
