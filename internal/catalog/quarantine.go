package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// QuarantineEntry is a received file that could not be read, as the catalog lists it.
type QuarantineEntry struct {
	ID     string
	Tenant string
	Hash   string // of its study; "" if it could not be assigned to one
	Quarantined
	Path  string // where it came from; "" if not known (rebuilt)
	State string // QuarantineOpen, QuarantineRetry
	At    time.Time
}

// States of a quarantined file.
const (
	QuarantineOpen  = "open"
	QuarantineRetry = "retry" // somebody asked to try it again
)

// QuarantineAdd lists a file. One that is listed already stays as it is, but
// learns its study and its path if they were not known.
func (db *DB) QuarantineAdd(ctx context.Context, q QuarantineEntry) error {
	if err := CheckTenant(q.Tenant); err != nil {
		return err
	}
	if !isHex(q.SHA256, 64) {
		return fmt.Errorf("quarantine: SHA-256 is %.80q", q.SHA256)
	}
	if q.At.IsZero() {
		q.At = db.now()
	}
	return db.change(ctx, func(tx conn) error { return tx.addQuarantine(ctx, q) })
}

func (c conn) addQuarantine(ctx context.Context, q QuarantineEntry) error {
	if q.State == "" {
		q.State = QuarantineOpen
	}
	return c.exec(ctx, `INSERT INTO quarantine (id, tenant, hash, sha256, size, key, sop_uid, reason, path, state, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant, sha256) DO UPDATE SET
			hash = CASE WHEN quarantine.hash = '' THEN excluded.hash ELSE quarantine.hash END,
			sop_uid = CASE WHEN quarantine.sop_uid = '' THEN excluded.sop_uid ELSE quarantine.sop_uid END,
			path = CASE WHEN quarantine.path = '' THEN excluded.path ELSE quarantine.path END`,
		newID(q.At), q.Tenant, q.Hash, q.SHA256, q.Size, q.Key, escape(q.SOPUID), escape(q.Reason), escape(q.Path), q.State, toMS(q.At))
}

// QuarantineList calls f for quarantined files, oldest first, until it returns an error; tenant "" is all of them.
func (db *DB) QuarantineList(ctx context.Context, tenant string, f func(QuarantineEntry) error) error {
	rows, err := db.reader().query(ctx, `SELECT id, tenant, hash, sha256, size, key, sop_uid, reason, path, state, at FROM quarantine WHERE ? = '' OR tenant = ? ORDER BY at, id`, tenant, tenant)
	return each(rows, err, func(r *sql.Rows) error {
		var q QuarantineEntry
		var at int64
		if err := r.Scan(&q.ID, &q.Tenant, &q.Hash, &q.SHA256, &q.Size, &q.Key, &q.SOPUID, &q.Reason, &q.Path, &q.State, &at); err != nil {
			return err
		}
		q.SOPUID, q.Reason, q.Path, q.At = unescape(q.SOPUID), unescape(q.Reason), unescape(q.Path), fromMS(at)
		return f(q)
	})
}

// ErrNoEntry: no quarantined file has this id.
var ErrNoEntry = errors.New("no such quarantined file")

// QuarantineRetry marks a file to be tried again.
func (db *DB) QuarantineRetry(ctx context.Context, id string) error {
	return db.quarantineChange(ctx, id, `UPDATE quarantine SET state = 'retry' WHERE id = ?`)
}

// QuarantineRemove takes a file off the list, because it is stored now. Its bytes stay in the bucket.
func (db *DB) QuarantineRemove(ctx context.Context, id string) error {
	return db.quarantineChange(ctx, id, `DELETE FROM quarantine WHERE id = ?`)
}

// QuarantineErase takes the files of a study off the list that have one of these digests, because their bytes are erased.
func (db *DB) QuarantineErase(ctx context.Context, tenant, hash string, list []Quarantined) error {
	return db.change(ctx, func(tx conn) error {
		for _, q := range list {
			if err := tx.exec(ctx, `DELETE FROM quarantine WHERE tenant = ? AND sha256 = ? AND hash = ?`, tenant, q.SHA256, hash); err != nil {
				return err
			}
		}
		return nil
	})
}

// QuarantineOf reports whether a quarantined file is listed for a study, and not for another one.
func (db *DB) QuarantineOf(ctx context.Context, tenant, hash, sha256 string) (bool, error) {
	var n int64
	err := db.reader().row(ctx, `SELECT COUNT(*) FROM quarantine WHERE tenant = ? AND sha256 = ? AND hash <> ?`, tenant, sha256, hash).Scan(&n)
	return n == 0, err
}

func (db *DB) quarantineChange(ctx context.Context, id, q string) error {
	return db.change(ctx, func(tx conn) error {
		n, err := tx.affected(ctx, q, id)
		if err == nil && n == 0 && !tx.again { // a repeated removal may be the one that did it
			err = fmt.Errorf("%q: %w", id, ErrNoEntry)
		}
		return err
	})
}
