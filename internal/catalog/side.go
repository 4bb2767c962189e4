package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// selectSide finds the open side job of a study that does the same.
const selectSide = `SELECT id FROM job WHERE tenant = ? AND hash = ? AND side = 1 AND state IN ('queued', 'running', 'held') AND kind = ? AND args = ? LIMIT 1`

// QueueSide queues a side job of a study that has a generation: kind and args say what a worker is to do. If an open one is to do the same, that one does
// it. ErrNoStudy if nothing of the study is stored.
func (db *DB) QueueSide(ctx context.Context, tenant, hash, kind, args string) (Job, error) {
	return db.queueSide(ctx, tenant, hash, kind, args, nil)
}

// QueueDeletion queues a side job that deletes something of a study. It is counted, unless an open one is to do the same; ErrBreaker, and nothing is queued, if it would be
// one study more of this tenant than most within 24 hours. counts is false for a further job about a study that was just counted.
func (db *DB) QueueDeletion(ctx context.Context, tenant, hash, kind, args string, most int64, counts bool) (Job, error) {
	return db.queueSide(ctx, tenant, hash, kind, args, func(tx conn) error {
		if !counts {
			return nil
		}
		have, err := tx.deletions(ctx, tenant, db.now())
		if err != nil {
			return err
		}
		if have >= most {
			return fmt.Errorf("tenant %s: %w (%d within 24 hours, at most %d)", tenant, ErrBreaker, have, most)
		}
		return tx.exec(ctx, `INSERT INTO deletion (tenant, slot, studies) VALUES (?, ?, 1) ON CONFLICT (tenant, slot) DO UPDATE SET studies = deletion.studies + 1`, tenant, deletionSlot(toMS(db.now())))
	})
}

// ErrBreaker: more studies of one tenant would be deleted within 24 hours than the policy allows.
var ErrBreaker = errors.New("too many studies would be deleted")

// deletionSlot is the time of deletions in slots of ten minutes.
func deletionSlot(ms int64) int64 { return ms / (10 * time.Minute).Milliseconds() }

// deletionsKept is how long counts are kept: twice as long as they count.
const deletionsKept = 48 * time.Hour

// Deletions counts the studies of a tenant that were queued to be deleted within the last 24 hours, to ten minutes more.
func (db *DB) Deletions(ctx context.Context, tenant string) (int64, error) {
	return db.reader().deletions(ctx, tenant, db.now())
}

func (c conn) deletions(ctx context.Context, tenant string, now time.Time) (n int64, err error) {
	err = c.row(ctx, `SELECT CAST(COALESCE(SUM(studies), 0) AS BIGINT) FROM deletion WHERE tenant = ? AND slot >= ?`, tenant, deletionSlot(toMS(now.Add(-24*time.Hour)))).Scan(&n)
	return n, err
}

// OpenSides lists the args of the open side jobs of a kind that a study has.
func (db *DB) OpenSides(ctx context.Context, tenant, hash, kind string) ([]string, error) {
	return db.reader().names(ctx, `SELECT args FROM job WHERE tenant = ? AND hash = ? AND side = 1 AND state IN ('queued', 'running', 'held') AND kind = ?`, tenant, hash, kind)
}

// CountStudies counts the studies of a tenant that are stored. It reads them all.
func (db *DB) CountStudies(ctx context.Context, tenant string) (n int64, err error) {
	err = db.reader().row(ctx, `SELECT COUNT(*) FROM study WHERE tenant = ? AND head_key <> ''`, tenant).Scan(&n)
	return n, err
}

// queueSide queues a side job. first, if not nil, is called before it is made, and may refuse it; it has the tenant's row to itself.
func (db *DB) queueSide(ctx context.Context, tenant, hash, kind, args string, first func(tx conn) error) (Job, error) {
	var job Job
	id := newID(db.now())
	err := db.change(ctx, func(tx conn) error {
		if first != nil {
			var name string
			if err := tx.lock(ctx, `SELECT name FROM tenant WHERE name = ?`, tenant).Scan(&name); errors.Is(err, sql.ErrNoRows) {
				return ErrNoStudy
			} else if err != nil {
				return err
			}
		}
		head, err := scanHead(tx.lock(ctx, selectHead, tenant, hash))
		if err == nil && head.Generation == 0 {
			err = ErrNoStudy
		}
		if err != nil {
			return err
		}
		var same string
		switch err := tx.row(ctx, selectSide, tenant, hash, kind, args).Scan(&same); {
		case err == nil: // also our own, if this is done again
			job, err = tx.job(ctx, same)
			return err
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		now := toMS(db.now())
		if err := tx.exec(ctx, `INSERT INTO job (id, kind, side, args, tenant, hash, state, ready_at, created, updated) VALUES (?, ?, 1, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			id, kind, args, tenant, hash, now, now, now); err != nil {
			return err
		}
		job, err = tx.job(ctx, id)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("%s of study %s: %w", kind, hash, err)
	}
	return job, nil
}
