package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// JobState is where a job is. Queued, running and held jobs are open: a study has at most one.
type JobState string

const (
	JobQueued  JobState = "queued"
	JobRunning JobState = "running" // one attempt has a lease
	JobDone    JobState = "done"
	JobFailed  JobState = "failed" // waits for a person: Reopen, or a new arrival of the study
	JobHeld    JobState = "held"
)

// MaxCrashes is how many attempts of a job may end by a lost lease, without a
// word, before the study is set aside; Config.MaxCrashes replaces it.
const MaxCrashes = 3

// Job is one piece of work on a study.
type Job struct {
	ID   string // sorts by the time it was made; no patient data
	Kind string // "derive"
	StudyKey
	State      JobState
	Attempt    int // of the last owner; never used twice
	Crashes    int // attempts that ended by a lost lease
	Failures   int // attempts that ended by Retry
	Owner      string
	LeaseUntil time.Time
	ReadyAt    time.Time
	LastError  string
	Want, Done int64 // of the study
	Created    time.Time
	Updated    time.Time
}

const selectJob = `SELECT j.id, j.kind, j.tenant, s.uid, j.state, j.attempt, j.crashes, j.failures, j.owner, j.lease_until, j.ready_at, j.last_error, s.want, s.done, j.created, j.updated
	FROM job j JOIN study s ON s.tenant = j.tenant AND s.hash = j.hash`

const selectQueued = selectJob + ` WHERE j.tenant = ? AND j.state = 'queued' AND j.ready_at <= ? ORDER BY j.ready_at, j.id LIMIT ?`

const selectOpen = selectJob + ` WHERE j.tenant = ? AND j.hash = ? AND j.state IN ('queued', 'running', 'held')`

func scanJob(row interface{ Scan(...any) error }) (Job, error) {
	var j Job
	var lease, ready, created, updated int64
	err := row.Scan(&j.ID, &j.Kind, &j.Tenant, &j.UID, &j.State, &j.Attempt, &j.Crashes, &j.Failures, &j.Owner, &lease, &ready, &j.LastError, &j.Want, &j.Done, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return j, ErrNoJob
	}
	j.UID = unescape(j.UID)
	j.LeaseUntil, j.ReadyAt, j.Created, j.Updated = fromMS(lease), fromMS(ready), fromMS(created), fromMS(updated)
	return j, err
}

func (c conn) job(ctx context.Context, id string) (Job, error) {
	return scanJob(c.row(ctx, selectJob+` WHERE j.id = ?`, id))
}

func (c conn) openJob(ctx context.Context, tenant, hash string) (Job, error) {
	return scanJob(c.row(ctx, selectOpen, tenant, hash))
}

// lockJob locks a job's row, then reads it.
func (c conn) lockJob(ctx context.Context, id string) (Job, error) {
	var got string
	if err := c.lock(ctx, `SELECT id FROM job WHERE id = ?`, id).Scan(&got); errors.Is(err, sql.ErrNoRows) {
		return Job{}, ErrNoJob
	} else if err != nil {
		return Job{}, err
	}
	return c.job(ctx, id)
}

// Job returns a job, or ErrNoJob.
func (db *DB) Job(ctx context.Context, id string) (Job, error) {
	j, err := db.reader().job(ctx, id)
	if err != nil {
		return j, fmt.Errorf("job %s: %w", id, err)
	}
	return j, nil
}

// Jobs calls f for jobs in one of the states, in the order of their ids, until it returns an error.
func (db *DB) Jobs(ctx context.Context, f func(Job) error, states ...JobState) error {
	args := make([]any, len(states))
	for i, s := range states {
		args[i] = s
	}
	q := selectJob
	if len(states) > 0 {
		q += ` WHERE j.state IN (?` + strings.Repeat(", ?", len(states)-1) + `)`
	}
	rows, err := db.reader().query(ctx, q+` ORDER BY j.id`, args...)
	return each(rows, err, func(r *sql.Rows) error {
		j, err := scanJob(r)
		if err != nil {
			return err
		}
		return f(j)
	})
}

// Due returns at most limit jobs that a worker should take: queued and ready,
// or running under a lease that has expired. Tenants take turns, and within a tenant the oldest ready job is
// first, so that one tenant's backlog does not keep others waiting. It does not reserve them; Own does.
func (db *DB) Due(ctx context.Context, limit int) ([]Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	now := toMS(db.now())
	byTenant := map[string][]Job{}
	add := func(r *sql.Rows) error {
		j, err := scanJob(r)
		byTenant[j.Tenant] = append(byTenant[j.Tenant], j)
		return err
	}
	rows, err := db.reader().query(ctx, selectJob+` WHERE j.state = 'running' AND j.lease_until <= ? ORDER BY j.lease_until LIMIT ?`, now, limit)
	if err := each(rows, err, add); err != nil {
		return nil, err
	}
	var tenants []string // that have queued jobs: one look into the index for each, however long their queues are
	rows, err = db.reader().query(ctx, `WITH RECURSIVE t (name) AS (
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued')
			UNION ALL
			SELECT (SELECT MIN(tenant) FROM job WHERE state = 'queued' AND tenant > t.name) FROM t WHERE t.name IS NOT NULL
		) SELECT name FROM t WHERE name IS NOT NULL`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		tenants = append(tenants, name)
		return err
	}); err != nil {
		return nil, err
	}
	if err := db.queued(ctx, tenants, now, limit, byTenant); err != nil {
		return nil, err
	}
	var lines [][]Job // one per tenant that has any
	for _, t := range slices.Sorted(maps.Keys(byTenant)) {
		line := byTenant[t]
		slices.SortFunc(line, func(a, b Job) int {
			if c := a.ReadyAt.Compare(b.ReadyAt); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, nil
	}
	first := int((db.turn.Add(1) - 1) % uint64(len(lines)))
	var out []Job
	for rank := 0; len(out) < limit; rank++ {
		none := true
		for i := range lines {
			if line := lines[(first+i)%len(lines)]; rank < len(line) && len(out) < limit {
				out = append(out, line[rank])
				none = false
			}
		}
		if none {
			break
		}
	}
	return out, nil
}

// queued adds to each tenant's line the head of its queue, long enough that
// taking turns gives limit jobs: an equal share of each, then more of those that have more.
func (db *DB) queued(ctx context.Context, tenants []string, now int64, limit int, lines map[string][]Job) error {
	total := 0
	for share := limit/max(1, len(tenants)) + 1; len(tenants) > 0 && total < limit; share = min(2*share, limit) {
		var longer []string // than what was read
		for _, t := range tenants {
			var line []Job
			rows, err := db.reader().query(ctx, selectQueued, t, now, share)
			if err := each(rows, err, func(r *sql.Rows) error {
				j, err := scanJob(r)
				line = append(line, j)
				return err
			}); err != nil {
				return err
			}
			old := slices.DeleteFunc(lines[t], func(j Job) bool { return j.State == JobQueued })
			total += len(line) + len(old) - len(lines[t])
			lines[t] = append(old, line...)
			if len(line) == share && share < limit {
				longer = append(longer, t)
			}
		}
		tenants = longer
	}
	return nil
}

// Own is step (a): it begins a new attempt under a lease. Errors: ErrLeased
// while another attempt's lease lives or the job is not ready, ErrClosed, ErrNoJob. Taking over an expired lease counts a
// crash; the job that has MaxCrashes of them fails with ErrPoison instead.
func (db *DB) Own(ctx context.Context, jobID, owner string, lease time.Duration) (Job, error) {
	var job Job
	var poison bool
	err := db.change(ctx, func(tx conn) (err error) {
		poison = false
		now := db.now()
		if job, err = tx.lockJob(ctx, jobID); err != nil {
			return err
		}
		switch job.State {
		case JobQueued:
			if job.ReadyAt.After(now) {
				return ErrLeased
			}
		case JobRunning:
			if job.LeaseUntil.After(now) {
				return ErrLeased
			}
			if poison, err = tx.crashed(ctx, job, db.maxCrashes, now); err != nil || poison {
				return err
			}
		default:
			return ErrClosed
		}
		if err := tx.exec(ctx, `UPDATE job SET state = 'running', attempt = attempt + 1, owner = ?, lease_until = ?, updated = ? WHERE id = ?`,
			owner, toMS(now.Add(lease)), toMS(now), jobID); err != nil {
			return err
		}
		job, err = tx.job(ctx, jobID)
		return err
	})
	if err == nil && poison {
		err = ErrPoison
	}
	if err != nil {
		return Job{}, fmt.Errorf("job %s: %w", jobID, err)
	}
	return job, nil
}

// crashed records that a running job's lease expired: queued again, or failed when it happened too often.
func (c conn) crashed(ctx context.Context, job Job, most int, now time.Time) (poison bool, err error) {
	state, why := JobQueued, fmt.Sprintf("attempt %d lost its lease", job.Attempt)
	if job.Crashes+1 >= most {
		state, why, poison = JobFailed, fmt.Sprintf("%d attempts lost their lease: the worker died or hung each time", job.Crashes+1), true
	}
	return poison, c.exec(ctx, `UPDATE job SET state = ?, crashes = crashes + 1, owner = '', lease_until = 0, last_error = ?, updated = ? WHERE id = ?`,
		state, why, toMS(now), job.ID)
}

// Renew prolongs the lease to now + lease. ErrStale says that the attempt no longer has the job: stop working.
func (db *DB) Renew(ctx context.Context, jobID string, attempt int, lease time.Duration) error {
	return db.mine(ctx, jobID, attempt, func(tx conn, _ Job, now time.Time) error {
		return tx.exec(ctx, `UPDATE job SET lease_until = ?, updated = ? WHERE id = ?`, toMS(now.Add(lease)), toMS(now), jobID)
	})
}

// mine runs f in a transaction in which the attempt has the job, or fails with ErrStale.
func (db *DB) mine(ctx context.Context, jobID string, attempt int, f func(tx conn, job Job, now time.Time) error) error {
	err := db.change(ctx, func(tx conn) error {
		job, err := tx.lockJob(ctx, jobID)
		if errors.Is(err, ErrNoJob) {
			return ErrStale // a catalog that does not know the job revoked its lease
		}
		if err != nil {
			return err
		}
		if job.State != JobRunning || job.Attempt != attempt {
			return ErrStale
		}
		return f(tx, job, db.now())
	})
	if err != nil {
		return fmt.Errorf("job %s, attempt %d: %w", jobID, attempt, err)
	}
	return nil
}

// Release is how an attempt gives a job back; make one with Retry, Snooze, Requeue or Fail.
type Release struct {
	state  JobState
	after  time.Duration
	reason string
	failed bool
}

// Retry gives a job back after a failure that may pass; it is ready after the delay. Job.Failures counts it.
func Retry(after time.Duration, reason string) Release {
	return Release{JobQueued, max(after, 0), reason, true}
}

// Snooze gives a job back that waits for something known; it is ready after the delay and nothing is counted.
func Snooze(after time.Duration, reason string) Release {
	return Release{JobQueued, max(after, 0), reason, false}
}

// Requeue gives a job back because the worker stops; it is ready at once and nothing is counted.
func Requeue(reason string) Release { return Release{JobQueued, 0, reason, false} }

// Fail sets a job aside for a person. Its arrivals stay open: Reopen, or a later arrival, takes them up again.
func Fail(reason string) Release { return Release{JobFailed, 0, reason, true} }

// maxReason bounds what is kept of an error's text, in bytes.
const maxReason = 1000

// Release ends an attempt without a commit. ErrStale if the attempt no longer has the job.
func (db *DB) Release(ctx context.Context, jobID string, attempt int, r Release) error {
	reason := r.reason
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	return db.mine(ctx, jobID, attempt, func(tx conn, _ Job, now time.Time) error {
		return tx.exec(ctx, `UPDATE job SET state = ?, failures = failures + ?, owner = '', lease_until = 0, ready_at = ?, last_error = ?, updated = ? WHERE id = ?`,
			r.state, flag(r.failed), toMS(now.Add(r.after)), escape(reason), toMS(now), jobID)
	})
}

// Reopen queues a failed or held job again, with its counts of crashes and
// failures at zero. If the study has another open job already, that one does the work and ErrClosed is returned.
func (db *DB) Reopen(ctx context.Context, jobID string) (Job, error) {
	var job Job
	err := db.change(ctx, func(tx conn) (err error) {
		if job, err = tx.lockJob(ctx, jobID); err != nil {
			return err
		}
		if job.State != JobFailed && job.State != JobHeld {
			return ErrClosed
		}
		if other, err := tx.openJob(ctx, job.Tenant, job.Hash()); err == nil && other.ID != jobID {
			return ErrClosed
		} else if err != nil && !errors.Is(err, ErrNoJob) {
			return err
		}
		now := toMS(db.now())
		if err := tx.exec(ctx, `UPDATE job SET state = 'queued', crashes = 0, failures = 0, ready_at = ?, updated = ? WHERE id = ?`, now, now, jobID); err != nil {
			return err
		}
		job, err = tx.job(ctx, jobID)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("job %s: %w", jobID, err)
	}
	return job, nil
}
