package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Removal is an object that a sweep wants to remove, or is removing.
type Removal struct {
	Tenant, Hash string // of the study
	Key          string
	Tier         string // name of the store that holds it
	Bytes        int64
	Reason       string
	// Superseded objects were named by an earlier generation; others are orphans of a job that is over.
	Superseded bool
}

// MarkDeleting is what a sweep asks before it removes anything of a study. In
// one transaction, with the study locked, it confirms that the head still is headKey ("" for none) and is
// published, that the study is not stopped, that no hold stands (superseded objects), and that the job is over (orphans: an
// open job's later attempt may adopt them). What it returns is in state
// "deleting" from then on, and no commit can name it again. ErrStale says that the head moved: sweep the study another time.
func (db *DB) MarkDeleting(ctx context.Context, tenant, hash, headKey string, list []Removal) (granted []Removal, err error) {
	err = db.change(ctx, func(tx conn) error {
		granted = nil
		var holds int64
		head, err := scanHead(tx.lock(ctx, selectHead, tenant, hash))
		if errors.Is(err, ErrNoStudy) {
			head, err = &Head{}, nil
		}
		if err != nil {
			return err
		}
		if head.Key != headKey || head.Generation > 0 && !head.Published {
			return ErrStale
		}
		if head.Status == StatusFork {
			return ErrFork
		}
		if head.Generation > 0 {
			if err := tx.row(ctx, `SELECT holds FROM study WHERE tenant = ? AND hash = ?`, tenant, hash).Scan(&holds); err != nil {
				return err
			}
		}
		for _, r := range list {
			o, ok := ParseKey(r.Key)
			if !ok || o.Tenant != tenant || o.Hash != hash || r.Superseded && holds > 0 {
				continue
			}
			if !r.Superseded {
				open, err := tx.jobOpen(ctx, o.Job)
				if err != nil {
					return err
				}
				if open {
					continue
				}
			}
			if err := tx.exec(ctx, `INSERT INTO removal (key, tenant, hash, tier, bytes, reason, state, at) VALUES (?, ?, ?, ?, ?, ?, 'deleting', ?)
				ON CONFLICT (key) DO UPDATE SET state = 'deleting', at = excluded.at`, r.Key, tenant, hash, r.Tier, r.Bytes, r.Reason, toMS(db.now())); err != nil {
				return err
			}
			granted = append(granted, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sweep study %s: %w", hash, err)
	}
	return granted, nil
}

// jobOpen reports whether a job may still commit. A job that the catalog does not know never will.
func (c conn) jobOpen(ctx context.Context, id string) (bool, error) {
	var state JobState
	err := c.row(ctx, `SELECT state FROM job WHERE id = ?`, id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return state == JobQueued || state == JobRunning || state == JobHeld, err
}

// JobOpen reports whether a job is queued, running or held, so that its objects may still be adopted.
func (db *DB) JobOpen(ctx context.Context, id string) (bool, error) {
	return db.reader().jobOpen(ctx, id)
}

// MarkDeleted records that an object is gone and closes its storage interval.
func (db *DB) MarkDeleted(ctx context.Context, key string) error {
	return db.change(ctx, func(tx conn) error {
		now := toMS(db.now())
		if err := tx.exec(ctx, `UPDATE removal SET state = 'deleted', at = ? WHERE key = ?`, now, key); err != nil {
			return err
		}
		return tx.exec(ctx, `UPDATE interval_row SET until = ?, closed = 1 WHERE key = ? AND closed = 0`, now, key)
	})
}

// Removals returns what is in state "deleting": a sweep was stopped before it was done with them.
func (db *DB) Removals(ctx context.Context) ([]Removal, error) {
	var list []Removal
	rows, err := db.reader().query(ctx, `SELECT tenant, hash, key, tier, bytes, reason FROM removal WHERE state = 'deleting' ORDER BY key`)
	err = each(rows, err, func(r *sql.Rows) error {
		var x Removal
		err := r.Scan(&x.Tenant, &x.Hash, &x.Key, &x.Tier, &x.Bytes, &x.Reason)
		list = append(list, x)
		return err
	})
	return list, err
}
