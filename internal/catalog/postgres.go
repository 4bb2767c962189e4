package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// minPostgres is the oldest server that the statements were made for.
const minPostgres = 13

var postgresDialect = &dialect{
	name:       "postgres",
	clock:      "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
	forUpdate:  " FOR UPDATE",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	lockNew:    `SELECT pg_advisory_xact_lock(hashtextextended(? || '/' || ?, 7261647469))`,
	// A migration may wait for another process's, and may take long.
	lockSchema: []string{`SET LOCAL lock_timeout = 0`, `SET LOCAL statement_timeout = 0`, `SELECT pg_advisory_xact_lock(7261647469)`},
	rebind:     numbered,
	busy: func(err error) bool {
		var pg *pgconn.PgError
		return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") // serialization failure, deadlock
	},
	// What the server says in words about a COMMIT is that it was not done, except
	// when it says good-bye: then it may have been done before.
	undone: func(err error) bool {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			return pg.Severity == "ERROR" && !strings.HasPrefix(pg.Code, "08") && !strings.HasPrefix(pg.Code, "57") && pg.Code != "40003"
		}
		return pgconn.SafeToRetry(err)
	},
	schema: partitioned,
	// Every decision locks the rows it relies on; see doc.go.
	tx: &sql.TxOptions{Isolation: sql.LevelReadCommitted},
}

// numbered turns each ? outside of quotes and comments into $1, $2, ...
func numbered(q string) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(q); i++ {
		switch c := q[i]; {
		case c == '?':
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		case c == '\'' || c == '"': // a doubled quote inside is the end of one and the beginning of the next
			end := len(q)
			if j := strings.IndexByte(q[i+1:], c); j >= 0 {
				end = i + 1 + j + 1
			}
			b.WriteString(q[i:end])
			i = end - 1
		case c == '-' && strings.HasPrefix(q[i:], "--"):
			end := len(q)
			if j := strings.IndexByte(q[i:], '\n'); j >= 0 {
				end = i + j
			}
			b.WriteString(q[i:end])
			i = end - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var (
	textType  = regexp.MustCompile(`\bTEXT\b`)
	tableName = regexp.MustCompile(`^\s*CREATE TABLE (\w+)`)
)

// hashDigits are what hashes begin with: one partition for each.
const hashDigits = "0123456789abcdef"

// partitioned makes the statements of a migration PostgreSQL's own: text is
// compared by bytes, and marked tables get a partition for each first digit of hash.
func partitioned(s statement) []string {
	if strings.HasPrefix(strings.TrimSpace(s.sql), "ALTER TABLE") {
		s.sql = textType.ReplaceAllString(s.sql, `TEXT COLLATE "C"`)
	}
	if name := tableName.FindStringSubmatch(s.sql); name != nil {
		s.sql = textType.ReplaceAllString(s.sql, `TEXT COLLATE "C"`)
		if !s.byHash {
			return []string{s.sql}
		}
		list := []string{s.sql + " PARTITION BY RANGE (hash)"}
		for i, digit := range hashDigits {
			from, to := "'"+string(digit)+"'", "MAXVALUE"
			if i == 0 {
				from = "MINVALUE"
			}
			if i+1 < len(hashDigits) {
				to = "'" + hashDigits[i+1:i+2] + "'"
			}
			list = append(list, fmt.Sprintf("CREATE TABLE %s_%c PARTITION OF %s FOR VALUES FROM (%s) TO (%s)", name[1], digit, name[1], from, to))
		}
		return list
	}
	return []string{s.sql}
}

// sessionSettings are what sessions have unless the DSN says otherwise. A
// client that hangs, or whose machine is gone, holds its locks for less than a minute.
var sessionSettings = map[string]string{
	"application_name":                    "radtier",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "20s",
	"tcp_keepalives_idle":                 "20",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "4",
	"tcp_user_timeout":                    "40s",
	"default_transaction_isolation":       "read committed",
}

// Limits of a statement in a transaction, and of one that only reads: sums over the whole catalog take long.
const (
	writeTimeout = "60s"
	readTimeout  = "15min"
)

// openPostgres opens the pools for writing and for reading.
func (db *DB) openPostgres(ctx context.Context, c Config) error {
	base, err := pgx.ParseConfig(c.DSN)
	if c.DSN == "" || err != nil { // the error is not shown: it may quote parts of the password
		return errors.New("catalog: the address of the PostgreSQL database is not understood: write postgres://user:password@host:port/database?sslmode=verify-full, with special characters of the password percent-encoded")
	}
	db.where = fmt.Sprintf("PostgreSQL at %s/%s", net.JoinHostPort(base.Host, strconv.Itoa(int(base.Port))), base.Database)
	if c.MaxConns == 0 {
		c.MaxConns = 2*runtime.GOMAXPROCS(0) + 4
	}
	c.MaxConns = max(c.MaxConns, 4)
	if base.ConnectTimeout == 0 {
		base.ConnectTimeout = 10 * time.Second
	}
	if base.Host != "" && !strings.HasPrefix(base.Host, "/") {
		dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 20 * time.Second, Interval: 5 * time.Second, Count: 4}}
		base.DialFunc = dialer.DialContext
	}
	if base.ValidateConnect == nil { // after a failover the old primary answers as well
		base.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	base.AfterConnect = checkServer
	for name, value := range sessionSettings {
		if _, given := base.RuntimeParams[name]; !given {
			base.RuntimeParams[name] = value
		}
	}
	var names []string
	db.closed = func() {
		for _, n := range names {
			stdlib.UnregisterConnConfig(n)
		}
	}
	pool := func(conns int, settings map[string]string) (*sql.DB, error) {
		config := base.Copy()
		for name, value := range settings {
			if _, given := config.RuntimeParams[name]; !given {
				config.RuntimeParams[name] = value
			}
		}
		names = append(names, stdlib.RegisterConnConfig(config))
		p, err := c.Open("pgx", names[len(names)-1])
		if err != nil {
			return nil, fmt.Errorf("catalog: %w", err)
		}
		p.SetMaxOpenConns(conns)
		p.SetMaxIdleConns(conns)
		p.SetConnMaxIdleTime(5 * time.Minute)
		p.SetConnMaxLifetime(time.Hour) // a server that took over, or was added behind a name, is found
		return p, nil
	}
	reads := c.MaxConns / 2
	if db.w, err = pool(c.MaxConns-reads, map[string]string{"statement_timeout": writeTimeout}); err != nil {
		db.closed()
		return err
	}
	if db.r, err = pool(reads, map[string]string{"statement_timeout": readTimeout, "default_transaction_read_only": "on"}); err != nil {
		err = errors.Join(err, db.w.Close())
		db.closed()
		return err
	}
	if err := db.w.PingContext(ctx); err != nil {
		return errors.Join(db.refused(err), db.Close())
	}
	return nil
}

// refused says why the first connection was not made.
func (db *DB) refused(err error) error {
	var no *serverError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &no):
		return fmt.Errorf("catalog: %s: %w", db.where, no)
	case errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "28") || pg.Code == "3D000"):
		return fmt.Errorf("catalog: %s refuses the connection: %s (SQLSTATE %s): check user, password, database and pg_hba.conf", db.where, pg.Message, pg.Code)
	case lost(err):
		return named(db.where, err)
	}
	return fmt.Errorf("catalog: %s: %w", db.where, err)
}

// serverError says that a server is not fit to hold a catalog.
type serverError struct{ text string }

func (e *serverError) Error() string { return e.text }

// checkServer looks at a new connection's server.
func checkServer(ctx context.Context, c *pgconn.PgConn) error {
	if err := fit(c.ParameterStatus("server_version"), c.ParameterStatus("server_encoding")); err != nil {
		return err
	}
	// A commit that was answered must not be lost when the server's machine is.
	return c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`).Close()
}

func fit(version, encoding string) error {
	major := version // "15.18 (Debian)", "17beta1"
	if i := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		major = version[:i]
	}
	if n, err := strconv.Atoi(major); err != nil || n < minPostgres {
		return &serverError{fmt.Sprintf("the server has version %.40q, at least %d is needed", version, minPostgres)}
	}
	if encoding != "UTF8" {
		return &serverError{fmt.Sprintf("the database has the encoding %.40q, UTF8 is needed: create it with ENCODING 'UTF8' TEMPLATE template0", encoding)}
	}
	return nil
}
