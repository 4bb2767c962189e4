package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Config says where the catalog is.
type Config struct {
	Driver string           // "sqlite" (default)
	DSN    string           // SQLite: path of the file
	Now    func() time.Time // default time.Now
	// MaxCrashes is how many attempts of a job may lose their lease before the job fails; default MaxCrashes.
	MaxCrashes int
}

// DB is an open catalog, safe for concurrent use.
type DB struct {
	d     *dialect
	w, r  *sql.DB
	clock func() time.Time
	turn  atomic.Uint64 // whose turn among tenants, see Due

	maxCrashes int
}

// Open opens a catalog, makes it if it is new, and brings its schema up to date. A newer schema is ErrNewerSchema.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxCrashes == 0 {
		c.MaxCrashes = MaxCrashes
	}
	db := &DB{clock: c.Now, maxCrashes: c.MaxCrashes}
	var err error
	switch c.Driver {
	case "", "sqlite":
		db.d = sqliteDialect
		db.w, db.r, err = openSQLite(ctx, c.DSN)
	default:
		err = fmt.Errorf("catalog: driver %q is not known: use sqlite", c.Driver)
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("catalog: %w", err), db.Close())
	}
	return db, nil
}

// Close closes all connections. Nothing is lost: what was committed is on disk.
func (db *DB) Close() error { return errors.Join(db.r.Close(), db.w.Close()) }

// now is the time as rows and manifests keep it.
func (db *DB) now() time.Time { return db.clock().UTC().Truncate(time.Millisecond) }

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// conn runs portable statements on a database or in a transaction.
type conn struct {
	q querier
	d *dialect
}

func (c conn) exec(ctx context.Context, q string, args ...any) error {
	_, err := c.q.ExecContext(ctx, c.d.rebind(q), args...)
	return err
}

// affected is exec, and how many rows it changed.
func (c conn) affected(ctx context.Context, q string, args ...any) (int64, error) {
	res, err := c.q.ExecContext(ctx, c.d.rebind(q), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c conn) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return c.q.QueryContext(ctx, c.d.rebind(q), args...)
}

func (c conn) row(ctx context.Context, q string, args ...any) *sql.Row {
	return c.q.QueryRowContext(ctx, c.d.rebind(q), args...)
}

// lock is row with the row locked until the transaction ends.
func (c conn) lock(ctx context.Context, q string, args ...any) *sql.Row {
	return c.q.QueryRowContext(ctx, c.d.rebind(q+c.d.forUpdate), args...)
}

// reader runs statements that only read, outside of any transaction.
func (db *DB) reader() conn { return conn{db.r, db.d} }

// change runs f in a transaction that commits if f returns nil. f may be called again if the database was busy.
func (db *DB) change(ctx context.Context, f func(tx conn) error) error {
	return retryBusy(ctx, db.d, func() error {
		tx, err := db.w.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after Commit it does nothing
		if err := f(conn{tx, db.d}); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// each calls scan for every row of a query.
func each(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func toMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
