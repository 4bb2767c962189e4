package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var sqliteDialect = &dialect{
	name:   "sqlite",
	rebind: func(q string) string { return q }, // one writer at a time: BEGIN IMMEDIATE locks all rows
	busy: func(err error) bool {
		var se *sqlite.Error
		return errors.As(err, &se) && (se.Code()&0xff == sqlite3.SQLITE_BUSY || se.Code()&0xff == sqlite3.SQLITE_LOCKED)
	},
	undone: func(err error) bool {
		var se *sqlite.Error
		return errors.As(err, &se)
	},
	schema: func(s statement) []string { return []string{s.sql} },
}

// busyTimeout is how long SQLite itself waits for another process's transaction.
const busyTimeout = 10 * time.Second

// openSQLite opens one connection for writing and some for reading. The file
// is readable by its owner only: rows of arrivals hold the paths of source files.
func openSQLite(ctx context.Context, c Config) (write, read *sql.DB, err error) {
	path := c.DSN
	if path == "" || path == ":memory:" {
		return nil, nil, errors.New("catalog: a SQLite catalog needs a path to a file")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	dsn := func(extra string) string {
		return fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)%s",
			(&url.URL{Path: path}).EscapedPath(), busyTimeout.Milliseconds(), extra)
	}
	if write, err = c.Open("sqlite", dsn("&_txlock=immediate")); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	write.SetMaxOpenConns(1)
	// Switching a new file to WAL needs it alone, and SQLite does not wait for that.
	err = retryBusy(ctx, sqliteDialect, func() error { return write.PingContext(ctx) })
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("catalog %s: %w", filepath.Base(path), err), write.Close())
	}
	if read, err = c.Open("sqlite", dsn("&_pragma=query_only(1)")); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("catalog: %w", err), write.Close())
	}
	read.SetMaxOpenConns(max(2, runtime.GOMAXPROCS(0)))
	return write, read, nil
}

// retryBusy repeats f while another process holds a lock that the database does not wait for.
func retryBusy(ctx context.Context, d *dialect, f func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := f()
		if err == nil || !d.busy(err) {
			return err
		}
		if waitErr := wait(ctx, pause); waitErr != nil {
			return errors.Join(waitErr, err)
		}
	}
}
