package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// What Unclaim takes back, some at a time.
const (
	unclaimBatch   = 1000
	unclaimQueued  = `SELECT id FROM job WHERE state = 'queued' AND claimed_until > 0 ORDER BY claimed_until LIMIT ?`
	unclaimRunning = `SELECT id FROM job WHERE state = 'running' AND claimed_until > 0 ORDER BY lease_until LIMIT ?`
)

// Unclaim ends all claims, so that what was handed to a queue can be claimed
// again at once: the queue has lost it. What somebody owns, or is about to own, is left alone.
func (db *DB) Unclaim(ctx context.Context) error {
	for _, q := range []string{unclaimQueued, unclaimRunning} {
		for more := true; more; {
			if err := db.change(ctx, func(tx conn) error {
				ids, err := tx.names(ctx, q+tx.d.skipLocked, unclaimBatch)
				if err != nil {
					return err
				}
				more = len(ids) == unclaimBatch
				for chunk := range slices.Chunk(ids, 500) {
					args := make([]any, len(chunk))
					for i, id := range chunk {
						args[i] = id
					}
					if err := tx.exec(ctx, `UPDATE job SET claimed_until = 0 WHERE id IN (?`+strings.Repeat(", ?", len(chunk)-1)+`)`, args...); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return fmt.Errorf("unclaim: %w", err)
			}
		}
	}
	return nil
}
