package catalog

import (
	"context"
	"database/sql"
	"time"
)

// Health is what an operator wants to know of a catalog. All of it is read from indexes or small tables.
type Health struct {
	Server        string // the database and its version
	Where         string // without secrets
	Schema        int64  // version
	RoundTrip     time.Duration
	Skew          time.Duration // by how much the database's clock is ahead of this process's; zero where they are one
	Bytes         int64         // of the database
	Jobs          map[JobState]int
	OldestWaiting time.Time // since when the oldest job that is due waits; zero if none does
	ExpiredLeases int
	Forks         int
	Unpublished   int // heads that were decided and not published yet
	Quarantine    int // files
	Events        int // not delivered
	Rebuilding    bool
	Owners        []Owner // of running jobs
}

// Owner is a worker as its jobs show it.
type Owner struct {
	Name       string
	Jobs       int
	LeaseUntil time.Time // the latest of its leases
}

// Health reads the catalog's state.
func (db *DB) Health(ctx context.Context) (Health, error) {
	h := Health{Where: db.where, Jobs: map[JobState]int{}}
	r := db.reader()
	version, size, clock := `SELECT sqlite_version()`, `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`, ""
	h.Server = "SQLite "
	if db.d.name == "postgres" {
		h.Server = "PostgreSQL "
		version, size = `SELECT current_setting('server_version')`, `SELECT pg_database_size(current_database())`
		clock = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`
	}
	var name string
	if err := r.row(ctx, version).Scan(&name); err != nil { // the connection is made here, the next answer is timed
		return h, err
	}
	h.Server += name
	start := time.Now()
	if clock == "" {
		clock = `SELECT 0`
	}
	var at int64
	if err := r.row(ctx, clock).Scan(&at); err != nil {
		return h, err
	}
	h.RoundTrip = time.Since(start)
	if at != 0 {
		h.Skew = time.UnixMilli(at).Sub(start.Add(h.RoundTrip / 2))
	}
	now := toMS(db.now())
	var oldest int64
	var rebuilding int
	for _, q := range []struct {
		to   any
		sql  string
		args []any
	}{
		{&h.Bytes, size, nil},
		{&h.Schema, `SELECT COALESCE(MAX(version), 0) FROM schema_version`, nil},
		{&oldest, `SELECT COALESCE(MIN(ready_at), 0) FROM job WHERE state = 'queued' AND ready_at <= ?`, []any{now}},
		{&h.ExpiredLeases, `SELECT COUNT(*) FROM job WHERE state = 'running' AND lease_until <= ?`, []any{now}},
		{&h.Forks, `SELECT COUNT(*) FROM study WHERE status = 'fork'`, nil},
		{&h.Unpublished, `SELECT COUNT(*) FROM study WHERE published = 0 AND generation > 0`, nil},
		{&h.Quarantine, `SELECT COUNT(*) FROM quarantine`, nil},
		{&h.Events, `SELECT COUNT(*) FROM outbox WHERE delivered = 0`, nil},
		{&rebuilding, `SELECT COUNT(*) FROM rebuild_mark`, nil},
	} {
		if err := r.row(ctx, q.sql, q.args...).Scan(q.to); err != nil {
			return h, err
		}
	}
	h.OldestWaiting, h.Rebuilding = fromMS(oldest), rebuilding > 0
	rows, err := r.query(ctx, `SELECT state, COUNT(*) FROM job GROUP BY state`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var state JobState
		var n int
		err := r.Scan(&state, &n)
		h.Jobs[state] = n
		return err
	}); err != nil {
		return h, err
	}
	rows, err = r.query(ctx, `SELECT owner, COUNT(*), MAX(lease_until) FROM job WHERE state = 'running' GROUP BY owner ORDER BY owner`)
	err = each(rows, err, func(r *sql.Rows) error {
		var o Owner
		var until int64
		err := r.Scan(&o.Name, &o.Jobs, &until)
		o.LeaseUntil = fromMS(until)
		h.Owners = append(h.Owners, o)
		return err
	})
	return h, err
}
