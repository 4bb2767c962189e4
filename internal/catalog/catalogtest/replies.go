package catalogtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Replies stands between a catalog and its driver (catalog.Config.Open) and
// breaks the connection at one COMMIT: before it arrives, or when it is done and the reply is on its way.
type Replies struct {
	mu      sync.Mutex
	commits int
	at      int
	mode    Fault
}

// Fault is what happens to a COMMIT.
type Fault string

const (
	ReplyLost Fault = "reply lost"
	CutBefore Fault = "cut before"
)

// Break makes the n-th COMMIT from now on fail, counted from 1, and only that one.
func (r *Replies) Break(n int, mode Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits, r.at, r.mode = 0, n, mode
}

// Commits is how many were sent since Break.
func (r *Replies) Commits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commits
}

func (r *Replies) next() (Fault, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits++
	return r.mode, r.commits == r.at
}

// Open is for catalog.Config.Open.
func (r *Replies) Open(name, dsn string) (*sql.DB, error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	if err := db.Close(); err != nil {
		return nil, err
	}
	return sql.OpenDB(&connector{r, d, dsn}), nil
}

// errBroken is what a driver says when its connection is gone.
var errBroken = fmt.Errorf("the test broke the connection: %w", io.ErrUnexpectedEOF)

type connector struct {
	r   *Replies
	d   driver.Driver
	dsn string
}

func (c *connector) Driver() driver.Driver { return c.d }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var real driver.Conn
	var err error
	if d, ok := c.d.(driver.DriverContext); ok {
		inner, err := d.OpenConnector(c.dsn)
		if err != nil {
			return nil, err
		}
		real, err = inner.Connect(ctx)
		if err != nil {
			return nil, err
		}
	} else if real, err = c.d.Open(c.dsn); err != nil {
		return nil, err
	}
	return &wire{Conn: real, r: c.r}, nil
}

// wire is a connection that can break.
type wire struct {
	driver.Conn
	r      *Replies
	broken bool
}

func (w *wire) breakOff() {
	if !w.broken {
		w.broken = true
		_ = w.Conn.Close() // what was open is rolled back
	}
}

func (w *wire) Close() error {
	if w.broken {
		return nil
	}
	return w.Conn.Close()
}

func (w *wire) IsValid() bool { return !w.broken }

func (w *wire) ResetSession(ctx context.Context) error {
	if w.broken {
		return driver.ErrBadConn
	}
	if c, ok := w.Conn.(driver.SessionResetter); ok {
		return c.ResetSession(ctx)
	}
	return nil
}

func (w *wire) Ping(ctx context.Context) error {
	if c, ok := w.Conn.(driver.Pinger); ok && !w.broken {
		return c.Ping(ctx)
	}
	return nil
}

func (w *wire) CheckNamedValue(v *driver.NamedValue) error {
	if c, ok := w.Conn.(driver.NamedValueChecker); ok {
		return c.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (w *wire) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if w.broken {
		return nil, errBroken
	}
	return w.Conn.(driver.ExecerContext).ExecContext(ctx, q, args)
}

func (w *wire) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if w.broken {
		return nil, errBroken
	}
	return w.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
}

func (w *wire) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if w.broken {
		return nil, errBroken
	}
	tx, err := w.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &wireTx{tx, w}, nil
}

type wireTx struct {
	driver.Tx
	w *wire
}

func (t *wireTx) Commit() error {
	mode, now := t.w.r.next()
	if !now {
		return t.Tx.Commit()
	}
	if mode == CutBefore {
		t.w.breakOff()
		return errBroken
	}
	err := t.Tx.Commit()
	t.w.breakOff()
	return errors.Join(errBroken, err)
}

func (t *wireTx) Rollback() error {
	if t.w.broken {
		return nil
	}
	return t.Tx.Rollback()
}
