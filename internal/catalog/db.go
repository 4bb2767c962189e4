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
	Driver string           // "sqlite" (default) or "postgres"
	DSN    string           // SQLite: path of the file; PostgreSQL: postgres://user:password@host:port/database?sslmode=..., or key=value pairs
	Now    func() time.Time // default time.Now
	// MaxConns bounds the connections of this process to PostgreSQL, at least 4; default 2 for each core and 4.
	MaxConns int
	// Patience is how long a transaction, or a look-up of one row, is tried again while the database cannot be
	// reached, before it fails with an *UnavailableError; default 30 s, negative: not at all.
	Patience time.Duration
	// MaxCrashes is how many attempts of a job may lose their lease before the job fails; default MaxCrashes.
	MaxCrashes int
	// Open opens a pool of connections; default sql.Open. Tests stand between the catalog and its driver here.
	Open func(driver, dsn string) (*sql.DB, error)
}

// DB is an open catalog, safe for concurrent use.
type DB struct {
	d     *dialect
	w, r  *sql.DB
	clock func() time.Time
	turn  atomic.Uint64 // whose turn among tenants, see Due

	maxCrashes int
	patience   time.Duration
	where      string // host, port and database for errors; never a secret
	closed     func() // after the last connection; may be nil
}

// defaultPatience is long enough for a server to restart, or for a standby to take over.
const defaultPatience = 30 * time.Second

// Open opens a catalog, makes it if it is new, and brings its schema up to date. A newer schema is ErrNewerSchema.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxCrashes == 0 {
		c.MaxCrashes = MaxCrashes
	}
	if c.Open == nil {
		c.Open = sql.Open
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	db := &DB{clock: c.Now, maxCrashes: c.MaxCrashes, patience: c.Patience}
	var err error
	switch c.Driver {
	case "", "sqlite":
		db.d, db.where = sqliteDialect, "the SQLite file"
		db.w, db.r, err = openSQLite(ctx, c)
	case "postgres":
		db.d = postgresDialect
		err = db.openPostgres(ctx, c)
	default:
		err = fmt.Errorf("catalog: driver %q is not known: use sqlite or postgres", c.Driver)
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
func (db *DB) Close() error {
	err := errors.Join(db.r.Close(), db.w.Close())
	if db.closed != nil {
		db.closed()
	}
	return err
}

// now is the time as rows and manifests keep it.
func (db *DB) now() time.Time { return db.clock().UTC().Truncate(time.Millisecond) }

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
	return named("the database", rows.Err())
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
