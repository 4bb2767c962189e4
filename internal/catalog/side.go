package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// selectSide finds the open side job of a study that does the same.
const selectSide = `SELECT id FROM job WHERE tenant = ? AND hash = ? AND side = 1 AND state IN ('queued', 'running', 'held') AND kind = ? AND args = ? LIMIT 1`

// QueueSide queues a side job of a study that has a generation: kind and args say what a worker is to do. If an open one is to do the same, that one does
// it. ErrNoStudy if nothing of the study is stored.
func (db *DB) QueueSide(ctx context.Context, tenant, hash, kind, args string) (Job, error) {
	var job Job
	id := newID(db.now())
	err := db.change(ctx, func(tx conn) error {
		head, err := scanHead(tx.lock(ctx, selectHead, tenant, hash))
		if err == nil && head.Generation == 0 {
			err = ErrNoStudy
		}
		if err != nil {
			return err
		}
		var same string
		switch err := tx.row(ctx, selectSide, tenant, hash, kind, args).Scan(&same); {
		case err == nil:
			job, err = tx.job(ctx, same)
			return err
		case !errors.Is(err, sql.ErrNoRows):
			return err
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
