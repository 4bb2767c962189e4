package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// NoTenant and noStudy stand in the audit log where a decision is about no tenant and no study.
const (
	NoTenant = "-"
	noStudy  = "0000000000000000000000000000000000000000"
)

// ServerTime is the database server's clock. ok is false where the database has none but this machine's.
func (db *DB) ServerTime(ctx context.Context) (at time.Time, ok bool, err error) {
	if db.d.clock == "" {
		return time.Time{}, false, nil
	}
	var ms int64
	if err := db.reader().row(ctx, db.d.clock).Scan(&ms); err != nil {
		return time.Time{}, false, err
	}
	return fromMS(ms), true, nil
}

// Watermark is the last moment that Advance noted, zero if there is none.
func (db *DB) Watermark(ctx context.Context) (time.Time, error) {
	var ms int64
	err := db.reader().row(ctx, `SELECT at FROM watermark WHERE id = 1`).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return fromMS(ms), err
}

// Advance notes a moment if it is later than the one before, and if that was no more than reach before it; reach 0: however far, for by and reason. It
// reports whether it is noted now, or was.
func (db *DB) Advance(ctx context.Context, at time.Time, reach time.Duration, by, reason string) (noted bool, err error) {
	id := "clock-" + newID(db.now())
	err = db.change(ctx, func(tx conn) error {
		if err := tx.exec(ctx, `INSERT INTO watermark (id, at) VALUES (1, ?) ON CONFLICT (id) DO NOTHING`, toMS(at)); err != nil {
			return err
		}
		var have int64
		if err := tx.lock(ctx, `SELECT at FROM watermark WHERE id = 1`).Scan(&have); err != nil {
			return err
		}
		if noted = have >= toMS(at) || reach == 0 || have >= toMS(at.Add(-reach)); !noted || have >= toMS(at) {
			return nil
		}
		if reach == 0 {
			note := fmt.Sprintf("the clock went from %s to %s: %s", fromMS(have).Format(time.RFC3339), at.UTC().Format(time.RFC3339), reason)
			if err := tx.noteDecision(ctx, id, db.now(), escape(by), "clock-approve", NoTenant, noStudy, 0, note); err != nil {
				return err
			}
			return tx.exec(ctx, `UPDATE watermark SET at = ?, by_who = ?, reason = ? WHERE id = 1`, toMS(at), escape(by), escape(reason))
		}
		return tx.exec(ctx, `UPDATE watermark SET at = ? WHERE id = 1`, toMS(at))
	})
	return noted, err
}
