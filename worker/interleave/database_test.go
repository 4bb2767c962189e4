package interleave

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"modernc.org/sqlite"
)

// gatedOpen opens a catalog's connections so that each read and each
// transaction of the actor passes the scheduler. on says whether it does yet.
func gatedOpen(a *actor, on *bool) func(name, dsn string) (*sql.DB, error) {
	return func(_, dsn string) (*sql.DB, error) {
		return sql.OpenDB(&connector{dsn, a, on}), nil
	}
}

type connector struct {
	dsn string
	a   *actor
	on  *bool
}

func (c *connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := (&sqlite.Driver{}).Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &gatedConn{full: inner.(fullConn), a: c.a, on: c.on}, nil
}

// fullConn is what SQLite's connections can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
	driver.Pinger
}

type gatedConn struct {
	full fullConn
	a    *actor
	on   *bool
	inTx bool
}

var errConnection = errors.New("the connection to the database broke")

// pass asks the scheduler for an operation outside of a transaction.
func (c *gatedConn) pass(k kind, what string) error {
	if !*c.on {
		return nil
	}
	switch c.a.gate(k, what) {
	case refuse:
		return errConnection
	case dieBefore:
		return errDead
	}
	return nil
}

func (c *gatedConn) Prepare(q string) (driver.Stmt, error) { return c.full.Prepare(q) }
func (c *gatedConn) Close() error                          { return c.full.Close() }
func (c *gatedConn) Begin() (driver.Tx, error)             { return nil, errors.New("BeginTx is used") }
func (c *gatedConn) Ping(ctx context.Context) error        { return c.full.Ping(ctx) }

func (c *gatedConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	return c.full.PrepareContext(ctx, q)
}

func (c *gatedConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if !c.inTx {
		if err := c.pass(opBegin, short(q)); err != nil {
			return nil, err
		}
	}
	return c.full.ExecContext(ctx, q, args)
}

func (c *gatedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if !c.inTx {
		if err := c.pass(opRead, short(q)); err != nil {
			return nil, err
		}
	}
	return c.full.QueryContext(ctx, q, args)
}

func (c *gatedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.pass(opBegin, ""); err != nil {
		return nil, err
	}
	tx, err := c.full.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return &gatedTx{c, tx}, nil
}

type gatedTx struct {
	c  *gatedConn
	tx driver.Tx
}

func (t *gatedTx) Rollback() error {
	t.c.inTx = false
	return t.tx.Rollback() // also when the process is dead: the database does it then
}

func (t *gatedTx) Commit() error {
	t.c.inTx = false
	if !*t.c.on {
		return t.tx.Commit()
	}
	v := t.c.a.gate(opCommit, "")
	if v == refuse || v == dieBefore {
		err := errConnection
		if v == dieBefore {
			err = errDead
		}
		return errors.Join(err, t.tx.Rollback())
	}
	err := t.tx.Commit()
	switch v {
	case loseReply:
		return errConnection
	case dieAfter:
		t.c.a.die()
		return errDead
	}
	return err
}

// short is enough of a statement to know it in a trace.
func short(q string) string {
	q = strings.Join(strings.Fields(q), " ")
	if i := strings.Index(q, " FROM "); i > 0 && i < 600 {
		q = "..." + q[i:]
	}
	if len(q) > 70 {
		q = q[:70]
	}
	return q
}
