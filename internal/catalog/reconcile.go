package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/radtier/radtier/internal/objstore"
)

// Reconcile resumes what crashes left: it returns expired leases, publishes
// heads that were decided and not published, runs clean-up, and drops old delivered
// events. Any number of processes may run it at any time. One study's failure does not stop the others; all failures are returned.
func Reconcile(ctx context.Context, db *DB, store objstore.Store) error {
	if err := db.returnLeases(ctx); err != nil {
		return err
	}
	if err := publishAll(ctx, db, store); err != nil {
		return err
	}
	if err := cleanAll(ctx, db, store); err != nil {
		return err
	}
	_, err := db.prune(ctx, pruneEvents, db.now().Add(-eventsKept))
	return err
}

// returnLeases queues jobs again whose worker went silent, or fails those that did so too often.
func (db *DB) returnLeases(ctx context.Context) error {
	var expired []string
	rows, err := db.reader().query(ctx, `SELECT id FROM job WHERE state = 'running' AND lease_until <= ?`, toMS(db.now()))
	if err := each(rows, err, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		expired = append(expired, id)
		return err
	}); err != nil {
		return err
	}
	for _, id := range expired {
		if err := db.change(ctx, func(tx conn) error {
			job, err := tx.lockJob(ctx, id)
			now := db.now()
			if err != nil || job.State != JobRunning || job.LeaseUntil.After(now) {
				return err
			}
			_, err = tx.crashed(ctx, job, db.maxCrashes, now)
			return err
		}); err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
	}
	return nil
}

func publishAll(ctx context.Context, db *DB, store objstore.Store) error {
	type name struct{ tenant, hash string }
	var open []name
	rows, err := db.reader().query(ctx, `SELECT tenant, hash FROM study WHERE published = 0 AND generation > 0 AND status <> 'fork'`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var n name
		err := r.Scan(&n.tenant, &n.hash)
		open = append(open, n)
		return err
	}); err != nil {
		return err
	}
	var failed []error
	for _, n := range open {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, _, err := Heal(ctx, db, store, n.tenant, n.hash); err != nil {
			failed = append(failed, fmt.Errorf("publish study %s: %w", n.hash, err))
		}
	}
	return errors.Join(failed...)
}
