package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Access says how a study was read on a day.
type Access struct {
	Tenant, Hash string
	Day          time.Time // its beginning, UTC
	Reads        int64
	Cold         int64 // of them, of what lay on a colder tier than the first
	Bytes        int64
}

// dayMS is a day in milliseconds.
const dayMS = int64(24 * time.Hour / time.Millisecond)

// NoteAccess remembers that somebody read a study, and how many bytes; cold says that some of it lay on a colder tier than the first. It costs one row for a
// study and a day, and tells policies of the last access.
func (db *DB) NoteAccess(ctx context.Context, tenant, hash string, bytes int64, cold bool) error {
	return db.change(ctx, func(tx conn) error {
		now := toMS(db.now())
		if err := tx.exec(ctx, `UPDATE study SET accessed = ? WHERE tenant = ? AND hash = ? AND accessed < ?`, now, tenant, hash, now); err != nil {
			return err
		}
		return tx.exec(ctx, `INSERT INTO access (tenant, hash, day, reads, cold, bytes) VALUES (?, ?, ?, 1, ?, ?)
			ON CONFLICT (tenant, hash, day) DO UPDATE SET reads = access.reads + 1, cold = access.cold + excluded.cold, bytes = access.bytes + excluded.bytes`,
			tenant, hash, now/dayMS, flag(cold), bytes)
	})
}

// Accessed is when a study was read last, zero if it never was.
func (db *DB) Accessed(ctx context.Context, tenant, hash string) (time.Time, error) {
	var ms int64
	_, err := db.reader().found(ctx, []any{&ms}, `SELECT accessed FROM study WHERE tenant = ? AND hash = ?`, tenant, hash)
	return fromMS(ms), err
}

// Accesses calls f with all accesses from one day to another, by study; both days are in it.
func (db *DB) Accesses(ctx context.Context, from, to time.Time, f func(Access) error) error {
	rows, err := db.reader().query(ctx, `SELECT tenant, hash, day, reads, cold, bytes FROM access WHERE day >= ? AND day <= ? ORDER BY tenant, hash, day`, toMS(from)/dayMS, toMS(to)/dayMS)
	return each(rows, err, func(r *sql.Rows) error {
		var a Access
		var day int64
		if err := r.Scan(&a.Tenant, &a.Hash, &day, &a.Reads, &a.Cold, &a.Bytes); err != nil {
			return err
		}
		a.Day = fromMS(day * dayMS)
		return f(a)
	})
}

// Prefetch is a study that was warmed for an appointment.
type Prefetch struct {
	Tenant, Hash string
	Appointment  time.Time
	Job          string // of the restore
	Bytes        int64
	Objects      int64
	Tier         string // where it lay; the coldest, if it lay on several
	At           time.Time
	State        JobState  // of the job; "" it is not known any more
	Ended        time.Time // when the job was changed last
}

// NotePrefetch remembers that a study is warmed for an appointment; once for each. It reports whether it is new.
func (db *DB) NotePrefetch(ctx context.Context, p Prefetch) (fresh bool, err error) {
	id := newID(db.now())
	err = db.change(ctx, func(tx conn) error {
		n, err := tx.affected(ctx, `INSERT INTO prefetch (id, tenant, hash, appointment, job, bytes, objects, tier, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, hash, appointment) DO NOTHING`,
			id, p.Tenant, p.Hash, toMS(p.Appointment), p.Job, p.Bytes, p.Objects, p.Tier, toMS(db.now()))
		if n == 0 && tx.again { // it may have been this very call
			var own string
			if _, err := tx.found(ctx, []any{&own}, `SELECT id FROM prefetch WHERE tenant = ? AND hash = ? AND appointment = ?`, p.Tenant, p.Hash, toMS(p.Appointment)); err != nil {
				return err
			}
			n = flag(own == id)
		}
		fresh = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("prefetch of study %s: %w", p.Hash, err)
	}
	return fresh, nil
}

// Prefetches calls f with what was warmed for appointments between two moments, by study.
func (db *DB) Prefetches(ctx context.Context, from, to time.Time, f func(Prefetch) error) error {
	rows, err := db.reader().query(ctx, `SELECT p.tenant, p.hash, p.appointment, p.job, p.bytes, p.objects, p.tier, p.at, COALESCE(j.state, ''), COALESCE(j.updated, 0)
		FROM prefetch p LEFT JOIN job j ON j.id = p.job WHERE p.appointment >= ? AND p.appointment < ? ORDER BY p.tenant, p.hash, p.appointment`, toMS(from), toMS(to))
	return each(rows, err, func(r *sql.Rows) error {
		var p Prefetch
		var appointment, at, ended int64
		if err := r.Scan(&p.Tenant, &p.Hash, &appointment, &p.Job, &p.Bytes, &p.Objects, &p.Tier, &at, &p.State, &ended); err != nil {
			return err
		}
		p.Appointment, p.At, p.Ended = fromMS(appointment), fromMS(at), fromMS(ended)
		return f(p)
	})
}
