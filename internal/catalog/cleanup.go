package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// cleanupRow is source files that a commit covers and that are not kept.
type cleanupRow struct {
	id, tenant, hash, source, disposal, moveTo string
	generation, failures                       int64
	files                                      []byte
}

// cleanupClaim is how long other processes leave a clean-up to the one that does it.
const cleanupClaim = 10 * time.Minute

// cleanStudy runs the clean-up of one study, cleanAll that of every study. A
// failure is written to its row, which is tried again later; only failures of database and context are returned.
func cleanStudy(ctx context.Context, db *DB, store objstore.Store, k StudyKey) error {
	return db.cleanWhere(ctx, store, `tenant = ? AND hash = ?`, k.Tenant, k.Hash())
}

func cleanAll(ctx context.Context, db *DB, store objstore.Store) error {
	return db.cleanWhere(ctx, store, `1 = 1`)
}

func (db *DB) cleanWhere(ctx context.Context, store objstore.Store, where string, args ...any) error {
	for ctx.Err() == nil {
		now := db.now()
		due := append(args[:len(args):len(args)], toMS(now))
		const first = ` AND ready_at <= ? ORDER BY ready_at, id LIMIT 1`
		var c cleanupRow
		err := db.reader().row(ctx, `SELECT id FROM cleanup WHERE `+where+first, due...).Scan(&c.id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		mine := true
		err = db.change(ctx, func(tx conn) error {
			err := tx.claim(ctx, `SELECT id, tenant, hash, source, disposal, move_to, generation, failures, files FROM cleanup WHERE `+where+first, due...).
				Scan(&c.id, &c.tenant, &c.hash, &c.source, &c.disposal, &c.moveTo, &c.generation, &c.failures, &c.files)
			if mine = !errors.Is(err, sql.ErrNoRows); !mine {
				return nil
			}
			if err != nil {
				return err
			}
			return tx.exec(ctx, `UPDATE cleanup SET ready_at = ? WHERE id = ?`, toMS(now.Add(cleanupClaim)), c.id)
		})
		if err != nil {
			return err
		}
		if !mine { // others do what is due
			return nil
		}
		why := c.run(ctx, db, store)
		if ctx.Err() != nil {
			return context.Cause(ctx) // the claim passes
		}
		if err := db.change(ctx, func(tx conn) error {
			if why == nil {
				return tx.exec(ctx, `DELETE FROM cleanup WHERE id = ?`, c.id)
			}
			pause := time.Minute << min(c.failures, 6)
			return tx.exec(ctx, `UPDATE cleanup SET failures = failures + 1, last_error = ?, ready_at = ? WHERE id = ?`, escape(why.Error()), toMS(db.now().Add(pause)), c.id)
		}); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// run disposes of the files, if the generation that covers them is published
// now: the bucket is asked, because the catalog alone may be from a backup.
func (c *cleanupRow) run(ctx context.Context, db *DB, store objstore.Store) error {
	m, _, err := Heal(ctx, db, store, c.tenant, c.hash)
	if err != nil {
		return err
	}
	if m == nil || m.Generation < c.generation {
		return fmt.Errorf("generation %d, which covers the files, is not published", c.generation)
	}
	files, err := decodeFiles(c.files)
	if err != nil {
		return err
	}
	d := disposer{root: unescape(c.source), target: unescape(c.moveTo), move: c.disposal == AfterMove}
	failed := 0
	var first error
	for i, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := d.dispose(f); err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("source file %d: %w", i, withoutPath(err))
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d source files could not be removed: %w", failed, len(files), first)
	}
	return nil
}
