package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Study is a study as lists and reports show it.
type Study struct {
	StudyKey
	Head       // zero if nothing is committed yet
	Want, Done int64
	Totals
	Quarantined, Withdrawn, Conflicts, Holds int
	Created, Updated                         time.Time // of the first and of the head generation
	Accessed                                 time.Time // when it was read last, see DB.NoteAccess; zero: never
	// RegionState and RegionPlan are those of the region record, "" without one; Reviewed is the answer that stands, "" if there is none.
	RegionState, RegionPlan string
	Reviewed                ReviewKind
}

const selectStudy = `SELECT tenant, hash, uid, head_key, head_sha256, generation, published, status, want, done, instances, frames, series, passed, raw_bytes, stored_bytes,
	quarantined, withdrawn, conflicts, holds, created, updated, accessed, region_state, region_plan, reviewed FROM study`

// The pages of all tenants, and those of one.
const (
	selectPage       = selectStudy + ` WHERE (tenant, hash) > (?, ?) AND (? = '' OR status = ?) AND updated >= ? ORDER BY tenant, hash LIMIT ?`
	selectTenantPage = selectStudy + ` WHERE tenant = ? AND hash > ? AND hash < ? AND (? = '' OR status = ?) AND updated >= ? ORDER BY tenant, hash LIMIT ?`
)

func scanStudy(rows *sql.Rows) (s Study, hash string, err error) {
	var published, created, updated, accessed int64
	err = rows.Scan(&s.Tenant, &hash, &s.UID, &s.Key, &s.SHA256, &s.Generation, &published, &s.Status, &s.Want, &s.Done,
		&s.Instances, &s.Frames, &s.Series, &s.Passed, &s.RawBytes, &s.StoredBytes, &s.Quarantined, &s.Withdrawn, &s.Conflicts, &s.Holds, &created, &updated, &accessed, &s.RegionState, &s.RegionPlan, &s.Reviewed)
	s.UID, s.Published, s.Created, s.Updated, s.Accessed = unescape(s.UID), published != 0, fromMS(created), fromMS(updated), fromMS(accessed)
	return s, hash, err
}

// Filter selects studies. Zero values select all.
type Filter struct {
	Tenant string
	Status Status
	Since  time.Time // changed at or after
	After  StudyKey  // exclusive: continues a list after this study
	Shard  string    // hashes that begin with these hex digits: with one or more, PostgreSQL reads one partition
	Limit  int
}

// pageRows is how many rows are read at once, so that a slow reader holds up no checkpoint.
const pageRows = 500

// Studies yields studies by tenant and hash. It stops at the first error, which it yields.
func (db *DB) Studies(ctx context.Context, f Filter) iter.Seq2[Study, error] {
	return func(yield func(Study, error) bool) {
		if !isHex(f.Shard, len(f.Shard)) || len(f.Shard) >= hashChars {
			yield(Study{}, fmt.Errorf("shard %.80q: it must be the hex digits that hashes begin with", f.Shard))
			return
		}
		tenants := []string{f.Tenant}
		if f.Shard != "" && f.Tenant == "" { // the key begins with the tenant: the shard is one range of each
			var err error
			if tenants, err = db.reader().names(ctx, `SELECT name FROM tenant ORDER BY name`); err != nil {
				yield(Study{}, err)
				return
			}
		}
		left := f.Limit
		for _, f.Tenant = range tenants {
			if !db.pages(ctx, f, &left, yield) {
				return
			}
		}
	}
}

// pages yields the studies of one tenant, or of all. It reports whether to go on.
func (db *DB) pages(ctx context.Context, f Filter, left *int, yield func(Study, error) bool) bool {
	tenant, hash := f.After.Tenant, ""
	if tenant != "" {
		hash = f.After.Hash()
	}
	if f.Tenant != "" {
		if f.After.Tenant > f.Tenant {
			return true
		}
		if f.After.Tenant < f.Tenant {
			tenant, hash = f.Tenant, ""
		}
		hash = max(hash, f.Shard)
	}
	for f.Limit <= 0 || *left > 0 {
		n := pageRows
		if f.Limit > 0 {
			n = min(n, *left)
		}
		page, args := selectPage, []any{tenant, hash, f.Status, f.Status, toMS(f.Since), n}
		if f.Tenant != "" {
			page, args = selectTenantPage, []any{tenant, hash, f.Shard + "g", f.Status, f.Status, toMS(f.Since), n}
		}
		var found []Study
		rows, err := db.reader().query(ctx, page, args...)
		err = each(rows, err, func(r *sql.Rows) error {
			s, h, err := scanStudy(r)
			found = append(found, s)
			tenant, hash = s.Tenant, h
			return err
		})
		if err != nil {
			yield(Study{}, err)
			return false
		}
		for _, s := range found {
			if !yield(s, nil) {
				return false
			}
		}
		if *left -= len(found); len(found) < n {
			return true
		}
	}
	return f.Limit <= 0 || *left > 0
}

const whereStudy = ` WHERE tenant = ? AND hash = ?`

// minPrefix is the shortest part of a hash that names a study.
const minPrefix = 4

// FindStudy finds a study by its UID, or by 4 or more digits that its hash
// begins with. Tenant "" searches all of them. Errors: ErrNoStudy, ErrAmbiguous.
func (db *DB) FindStudy(ctx context.Context, tenant, name string) (Study, error) {
	where, args := ` WHERE uid = ? LIMIT 2`, []any{escape(name)}
	if tenant != "" {
		where, args = whereStudy, []any{tenant, StudyKey{tenant, name}.Hash()}
	}
	for range 2 {
		var found []Study
		rows, err := db.reader().query(ctx, selectStudy+where, args...)
		if err := each(rows, err, func(r *sql.Rows) error {
			s, _, err := scanStudy(r)
			found = append(found, s)
			return err
		}); err != nil {
			return Study{}, err
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return Study{}, ErrAmbiguous
		}
		prefix := strings.ToLower(name)
		if len(prefix) < minPrefix || len(prefix) > hashChars || !isHex(prefix, len(prefix)) {
			break
		}
		where, args = ` WHERE (? = '' OR tenant = ?) AND hash >= ? AND hash <= ? LIMIT 2`, []any{tenant, tenant, prefix, prefix + "g"}
	}
	return Study{}, fmt.Errorf("%w: give its Study Instance UID, or %d or more digits of its hash", ErrNoStudy, minPrefix)
}

// Holdings returns what a study has, by class and tier.
func (db *DB) Holdings(ctx context.Context, k StudyKey) ([]Holding, error) {
	var list []Holding
	rows, err := db.reader().query(ctx, `SELECT class, tier, since, bytes, objects FROM holding WHERE tenant = ? AND hash = ? ORDER BY class, tier, copy`, k.Tenant, k.Hash())
	err = each(rows, err, func(r *sql.Rows) error {
		var h Holding
		var since int64
		err := r.Scan(&h.Class, &h.Tier, &since, &h.Bytes, &h.Objects)
		h.Since = fromMS(since)
		list = append(list, h)
		return err
	})
	return list, err
}

// StorageInterval is how long an object of an earlier generation was stored. Until it is Closed, To is when it was superseded.
type StorageInterval struct {
	Interval
	Closed bool
}

// Intervals returns the intervals of a study's superseded objects, by their beginning.
func (db *DB) Intervals(ctx context.Context, k StudyKey) ([]StorageInterval, error) {
	var list []StorageInterval
	rows, err := db.reader().query(ctx, `SELECT key, tier, class, bytes, since, until, closed FROM interval_row WHERE tenant = ? AND hash = ? ORDER BY since, key`, k.Tenant, k.Hash())
	err = each(rows, err, func(r *sql.Rows) error {
		var i StorageInterval
		var since, until, closed int64
		err := r.Scan(&i.Key, &i.Tier, &i.Class, &i.Bytes, &since, &until, &closed)
		i.From, i.To, i.Closed = fromMS(since), fromMS(until), closed != 0
		list = append(list, i)
		return err
	})
	return list, err
}

// Counts sums up the whole catalog.
type Counts struct {
	Studies    map[Status]int
	Totals     Totals // of all studies
	Jobs       map[JobState]int
	Arrivals   int   // batches that no commit covers yet
	Instances  int   // source files in them
	Bytes      int64 // their sizes
	Quarantine int   // files
	Cleanups   int   // batches whose source files are to be moved or deleted
	Events     int   // not delivered
}

// Counts reads the sums of the whole catalog; it scans the studies.
func (db *DB) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Studies: map[Status]int{}, Jobs: map[JobState]int{}}
	r := db.reader()
	rows, err := r.query(ctx, `SELECT status, COUNT(*), SUM(instances), SUM(frames), SUM(series), SUM(passed), SUM(raw_bytes), SUM(stored_bytes) FROM study GROUP BY status`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var status Status
		var n int
		var t Totals
		err := r.Scan(&status, &n, &t.Instances, &t.Frames, &t.Series, &t.Passed, &t.RawBytes, &t.StoredBytes)
		c.Studies[status] = n
		sum := &c.Totals
		sum.Instances, sum.Frames, sum.Series, sum.Passed = sum.Instances+t.Instances, sum.Frames+t.Frames, sum.Series+t.Series, sum.Passed+t.Passed
		sum.RawBytes, sum.StoredBytes = sum.RawBytes+t.RawBytes, sum.StoredBytes+t.StoredBytes
		return err
	}); err != nil {
		return c, err
	}
	rows, err = r.query(ctx, `SELECT state, COUNT(*) FROM job GROUP BY state`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var state JobState
		var n int
		err := r.Scan(&state, &n)
		c.Jobs[state] = n
		return err
	}); err != nil {
		return c, err
	}
	if err := r.row(ctx, `SELECT COUNT(*), COALESCE(SUM(instances), 0), COALESCE(SUM(bytes), 0) FROM arrival`).Scan(&c.Arrivals, &c.Instances, &c.Bytes); err != nil {
		return c, err
	}
	for _, q := range []struct {
		sql string
		to  *int
	}{
		{`SELECT COUNT(*) FROM quarantine`, &c.Quarantine},
		{`SELECT COUNT(*) FROM cleanup`, &c.Cleanups},
		{`SELECT COUNT(*) FROM outbox WHERE delivered = 0`, &c.Events},
	} {
		if err := r.row(ctx, q.sql).Scan(q.to); err != nil {
			return c, err
		}
	}
	return c, nil
}
