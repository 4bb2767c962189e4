package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"time"
)

// dialect is all that differs between databases; the statements are the same.
type dialect struct {
	name       string
	clock      string                   // a query for the server's clock, in ms since 1970; "" if that is this machine's
	forUpdate  string                   // appended to a SELECT whose row is changed in the same transaction
	skipLocked string                   // the same, passing over rows that other transactions have locked
	lockNew    string                   // a statement that locks (tenant, hash) of a study that has no row yet; "" if writers come one by one
	lockSchema []string                 // statements at the start of a migration, so that only one process migrates
	rebind     func(string) string      // turns ? into the driver's placeholders
	busy       func(error) bool         // lost against another transaction and undone: try again
	undone     func(error) bool         // said by COMMIT: the transaction surely was not committed
	schema     func(statement) []string // what to run for a statement of a migration
	tx         *sql.TxOptions
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// conn runs portable statements on a database or in a transaction.
type conn struct {
	q        querier
	d        *dialect
	where    string
	patience time.Duration // outside of transactions: how long a look-up is repeated while the database cannot be reached
	limit    *limit        // of a transaction
	// again is true in a transaction that repeats one of which it is not known
	// whether it was committed. Whatever cannot be done twice looks for its own traces then.
	again bool
}

func (c conn) exec(ctx context.Context, q string, args ...any) error {
	_, err := c.affected(ctx, q, args...)
	return err
}

// affected is exec, and how many rows it changed.
func (c conn) affected(ctx context.Context, q string, args ...any) (int64, error) {
	res, err := c.q.ExecContext(c.limit.on(ctx), c.d.rebind(q), args...)
	if err != nil {
		return 0, named(c.where, err)
	}
	return res.RowsAffected()
}

func (c conn) query(ctx context.Context, q string, args ...any) (rows *sql.Rows, err error) {
	err = c.patient(ctx, func() error {
		rows, err = c.q.QueryContext(c.limit.on(ctx), c.d.rebind(q), args...)
		return err
	})
	return rows, err
}

// scanner is a row that was found, or will be.
type scanner interface{ Scan(...any) error }

type lookup struct {
	c    conn
	ctx  context.Context
	q    string
	args []any
}

// Scan implements scanner.
func (l lookup) Scan(to ...any) error {
	return l.c.patient(l.ctx, func() error {
		return l.c.q.QueryRowContext(l.c.limit.on(l.ctx), l.q, l.args...).Scan(to...)
	})
}

// row looks for one row when it is scanned.
func (c conn) row(ctx context.Context, q string, args ...any) scanner {
	return lookup{c, ctx, c.d.rebind(q), args}
}

// lock is row with the row locked until the transaction ends.
func (c conn) lock(ctx context.Context, q string, args ...any) scanner {
	return c.row(ctx, q+c.d.forUpdate, args...)
}

// claim is lock for one of many rows of which any will do: it passes over those that others have locked.
func (c conn) claim(ctx context.Context, q string, args ...any) scanner {
	return c.row(ctx, q+c.d.skipLocked, args...)
}

// patient repeats a statement that only reads while the database cannot be reached.
func (c conn) patient(ctx context.Context, f func() error) error {
	var p patience
	for {
		err := f()
		if err == nil || !lost(err) || ctx.Err() != nil || !p.next(ctx, c.patience) {
			return named(c.where, err)
		}
	}
}

// patience counts the time since a database was first found missing.
type patience struct {
	since time.Time
	pause time.Duration
}

// next waits, longer each time, and reports whether to try again. Waits are
// spread, so that the workers of a province do not all come back in one moment.
func (p *patience) next(ctx context.Context, most time.Duration) bool {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if most <= 0 || time.Since(p.since) >= most {
		return false
	}
	p.pause = min(max(2*p.pause, 5*time.Millisecond), 2*time.Second)
	return wait(ctx, p.pause/2+rand.N(p.pause)) == nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// reader runs statements that only read, outside of any transaction.
func (db *DB) reader() conn { return conn{q: db.r, d: db.d, where: db.where, patience: db.patience} }

// txLimit bounds a transaction from begin to commit. It is longer than what the
// server allows a statement, and ends transactions whose server is gone.
const txLimit = 2 * time.Minute

// limit puts a transaction's deadline on the contexts of its statements.
type limit struct {
	at      time.Time
	ctx, of context.Context
	cancel  context.CancelFunc
}

func (l *limit) on(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	if l.of != ctx {
		l.end()
		l.of = ctx
		l.ctx, l.cancel = context.WithDeadline(ctx, l.at)
	}
	return l.ctx
}

func (l *limit) end() {
	if l.cancel != nil {
		l.cancel()
	}
}

// change runs f in a transaction that commits if f returns nil. f may be
// called again: if the transaction lost against another one, if the database went away, and also, with
// conn.again, if it is not known whether the transaction was committed. So whatever f does must be right to be done
// twice, and the caller may call again after any error. An *UnavailableError is returned when patience is over.
func (db *DB) change(ctx context.Context, f func(tx conn) error) error {
	again := false
	var p patience
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		unknown, err := db.try(ctx, again, f)
		again = again || unknown
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(context.Cause(ctx), err)
		case unknown || lost(err):
			if !p.next(ctx, db.patience) {
				return &UnavailableError{Where: db.where, Unknown: again, Err: err}
			}
		case !db.d.busy(err):
			return err
		default:
			if waitErr := wait(ctx, pause/2+rand.N(pause)); waitErr != nil {
				return errors.Join(waitErr, err)
			}
		}
	}
}

// try runs f in one transaction. unknown says that COMMIT was sent, and whether it was done is not known.
// The end of ctx ends the transaction until COMMIT is sent, and not from then on: its outcome is waited for.
func (db *DB) try(ctx context.Context, again bool, f func(tx conn) error) (unknown bool, err error) {
	c, err := db.w.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), txLimit)
	defer cancel()
	at, _ := whole.Deadline()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	tx, err := c.BeginTx(whole, db.d.tx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // after Commit it does nothing
	l := &limit{at: at}
	defer l.end()
	if err = f(conn{q: tx, d: db.d, limit: l, again: again}); err != nil {
		if standby(err) { // this server no longer takes changes: have a look who does
			tx.Rollback()
			c.Raw(func(any) error { return driver.ErrBadConn })
		}
		return false, err
	}
	if !stop() {
		return false, context.Cause(ctx)
	}
	if err = tx.Commit(); err != nil {
		return !db.d.undone(err), err
	}
	return false, nil
}
