package catalog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// UnavailableError says that the database could not be used, for a reason that
// may pass by itself: it restarts, a standby takes over, the network is cut, it has too many connections or no space.
// The call may be repeated as it was. No password is in it.
type UnavailableError struct {
	Where   string // host:port/database
	Unknown bool   // the change was sent and may have been made; the repeated call finds out
	Err     error
}

func (e *UnavailableError) Error() string {
	may := ""
	if e.Unknown {
		may = "; the last change may have been made, a repetition finds out"
	}
	return fmt.Sprintf("catalog: %s cannot be used now: %s%s: check that it runs, can be reached, is no standby and has connections and space left; work goes on when it is back",
		e.Where, strings.Join(strings.Fields(e.Err.Error()), " "), may)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Timeout is true: by it objstore.IsTransient knows an error that may pass.
func (e *UnavailableError) Timeout() bool { return true }

// named makes an *UnavailableError of an error that may pass, and leaves others
// as they are. Without a name, within transactions, all stay as they are.
func named(where string, err error) error {
	var u *UnavailableError
	if err == nil || where == "" || errors.As(err, &u) || !lost(err) {
		return err
	}
	return &UnavailableError{Where: where, Err: err}
}

// lost reports whether err says that the database cannot be used now and may be later. SQLite has no such errors.
func lost(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	if errors.As(err, new(*serverError)) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "25006", // read-only transaction: it became a standby
			"25P03",                            // we were idle in a transaction for too long
			"55P03",                            // lock_timeout
			"57014",                            // statement_timeout
			"57P01", "57P02", "57P03", "57P05", // it shuts down, crashed, starts, or closed an idle session
			"58030": // I/O error
			return true
		}
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53")
	}
	for _, e := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	var ne net.Error
	return errors.As(err, &ne) || errors.As(err, new(*pgconn.ConnectError)) || pgconn.SafeToRetry(err)
}

// standby reports whether the server refused a change because it only reads.
func standby(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "25006"
}
