package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// JobState is where a job is. Queued, running and held jobs are open: a study has at most one, and any number of side jobs.
type JobState string

const (
	JobQueued  JobState = "queued"
	JobRunning JobState = "running" // one attempt has a lease
	JobDone    JobState = "done"
	JobFailed  JobState = "failed" // waits for a person: Reopen, or a new arrival of the study
	JobHeld    JobState = "held"
)

func (s JobState) open() bool { return s == JobQueued || s == JobRunning || s == JobHeld }

// MaxCrashes is how many attempts of a job may end by a lost lease, without a
// word, before the study is set aside; Config.MaxCrashes replaces it.
const MaxCrashes = 3

// Job is one piece of work on a study.
type Job struct {
	ID   string // sorts by the time it was made; no patient data
	Kind string // "derive", "review"; of side jobs the action
	// Side jobs stand beside the one that works on the study's arrivals: they cover none, and end with their commit.
	Side bool
	Args string // of a side job: what it is to do
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
	// Token is new for each Own. A catalog restored from a backup may give a number of an attempt a second time, never a token.
	Token        string
	ClaimedUntil time.Time // by Claim; zero if it is not, or no longer, handed to a queue
	Created      time.Time
	Updated      time.Time
}

// Tries is how many attempts were begun. The numbers of attempts that write to a store have more digits, see Begin.
func (j Job) Tries() int {
	if n := j.Attempt >> attemptBits; n > 0 {
		return n
	}
	return j.Attempt
}

const selectJob = `SELECT j.id, j.kind, j.tenant, s.uid, j.state, j.attempt, j.crashes, j.failures, j.owner, j.lease_until, j.ready_at, j.last_error, s.want, s.done, j.created, j.updated, j.token, j.claimed_until, j.side, j.args
	FROM job j JOIN study s ON s.tenant = j.tenant AND s.hash = j.hash`

const selectOpen = selectJob + ` WHERE j.tenant = ? AND j.hash = ? AND j.side = 0 AND j.state IN ('queued', 'running', 'held')`

func scanJob(row scanner) (Job, error) {
	var j Job
	var lease, ready, created, updated, claimed, side int64
	err := row.Scan(&j.ID, &j.Kind, &j.Tenant, &j.UID, &j.State, &j.Attempt, &j.Crashes, &j.Failures, &j.Owner, &lease, &ready, &j.LastError, &j.Want, &j.Done, &created, &updated, &j.Token, &claimed, &side, &j.Args)
	if errors.Is(err, sql.ErrNoRows) {
		return j, ErrNoJob
	}
	j.UID = unescape(j.UID)
	j.LeaseUntil, j.ReadyAt, j.Created, j.Updated = fromMS(lease), fromMS(ready), fromMS(created), fromMS(updated)
	j.ClaimedUntil, j.Side = fromMS(claimed), side != 0
	return j, err
}

func (c conn) job(ctx context.Context, id string) (Job, error) {
	return scanJob(c.row(ctx, selectJob+` WHERE j.id = ?`, id))
}

func (c conn) openJob(ctx context.Context, tenant, hash string) (Job, error) {
	return scanJob(c.row(ctx, selectOpen, tenant, hash))
}

// lockOpenJob is openJob with the row locked; its study is locked already, so that no other job can become open.
func (c conn) lockOpenJob(ctx context.Context, tenant, hash string) (Job, error) {
	j, err := c.openJob(ctx, tenant, hash)
	if err == nil {
		j, err = c.lockJob(ctx, j.ID)
	}
	if err == nil && !j.State.open() { // it failed in between
		err = ErrNoJob
	}
	return j, err
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

// Own is step (a): it begins a new attempt under a lease. Errors: ErrLeased
// while another attempt's lease lives or the job is not ready, ErrClosed, ErrNoJob. Taking over an expired lease counts a
// crash; the job that has MaxCrashes of them fails with ErrPoison instead.
func (db *DB) Own(ctx context.Context, jobID, owner string, lease time.Duration) (Job, error) {
	return db.own(ctx, jobID, owner, lease, func(last int) int { return last + 1 })
}

// own is Own; next numbers the attempt that follows the last one.
func (db *DB) own(ctx context.Context, jobID, owner string, lease time.Duration, next func(last int) int) (Job, error) {
	var job Job
	var poison bool
	token := newID(db.now())
	err := db.change(ctx, func(tx conn) (err error) {
		poison = false
		now := db.now()
		if job, err = tx.lockJob(ctx, jobID); err != nil {
			return err
		}
		if tx.again && job.State == JobRunning && job.Token == token {
			return nil
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
		if err := tx.exec(ctx, `UPDATE job SET state = 'running', attempt = ?, owner = ?, lease_until = ?, token = ?, claimed_until = 0, updated = ? WHERE id = ?`,
			next(job.Attempt), owner, toMS(now.Add(lease)), token, toMS(now), jobID); err != nil {
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

// Renew prolongs the lease to now + lease. ErrStale says that the attempt no
// longer has the job: stop working. A lease that has expired is not renewed, even if this catalog
// knows of nobody who took the job over: it may have been put back to a moment before that.
func (db *DB) Renew(ctx context.Context, jobID string, attempt int, lease time.Duration) error {
	return db.mine(ctx, jobID, attempt, nil, func(tx conn, now time.Time) error {
		n, err := tx.affected(ctx, `UPDATE job SET lease_until = ?, updated = ? WHERE id = ? AND lease_until > ?`, toMS(now.Add(lease)), toMS(now), jobID, toMS(now))
		if err == nil && n == 0 {
			err = ErrStale
		}
		return err
	})
}

// mine runs f in a transaction in which the attempt has the job, or fails with
// ErrStale. did says of a job's row that an earlier run of the same call made it so; nil if f may be done twice.
func (db *DB) mine(ctx context.Context, jobID string, attempt int, did func(Job) bool, f func(tx conn, now time.Time) error) error {
	err := db.change(ctx, func(tx conn) error {
		job, err := tx.lockJob(ctx, jobID)
		if errors.Is(err, ErrNoJob) {
			return ErrStale // a catalog that does not know the job revoked its lease
		}
		if err != nil {
			return err
		}
		if tx.again && did != nil && did(job) {
			return nil
		}
		if job.State != JobRunning || job.Attempt != attempt {
			return ErrStale
		}
		return f(tx, db.now())
	})
	if err != nil {
		return fmt.Errorf("job %s, attempt %d: %w", jobID, attempt, err)
	}
	return nil
}

// Release is how an attempt gives a job back; make one with Retry, Snooze, Requeue, Fail or Drop.
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

// Drop ends a job that has nothing to do any more: a side job whose commit was not made, and that nobody will make.
func Drop(reason string) Release { return Release{JobDone, 0, reason, false} }

// maxReason bounds what is kept of an error's text, in bytes.
const maxReason = 1000

// Release ends an attempt without a commit. ErrStale if the attempt no longer has the job.
func (db *DB) Release(ctx context.Context, jobID string, attempt int, r Release) error {
	reason := r.reason
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	token := newID(db.now())
	return db.mine(ctx, jobID, attempt, func(j Job) bool { return j.Token == token }, func(tx conn, now time.Time) error {
		return tx.exec(ctx, `UPDATE job SET state = ?, failures = failures + ?, owner = '', lease_until = 0, token = ?, claimed_until = 0, ready_at = ?, last_error = ?, updated = ? WHERE id = ?`,
			r.state, flag(r.failed), token, toMS(now.Add(r.after)), escape(reason), toMS(now), jobID)
	})
}

// Reopen queues a failed or held job again, with its counts of crashes and
// failures at zero. If the study has another open job already, that one does the work and ErrClosed is returned.
func (db *DB) Reopen(ctx context.Context, jobID string) (Job, error) {
	var job Job
	token := newID(db.now())
	err := db.change(ctx, func(tx conn) (err error) {
		// The study is locked first: an arrival or a commit may be about to open a job of it, or to end this one.
		if job, err = tx.job(ctx, jobID); err != nil {
			return err
		}
		if err := tx.ensureStudy(ctx, job.StudyKey, db.now()); err != nil {
			return err
		}
		if job, err = tx.lockJob(ctx, jobID); err != nil {
			return err
		}
		if tx.again && job.Token == token {
			return nil
		}
		if job.State != JobFailed && job.State != JobHeld {
			return ErrClosed
		}
		if !job.Side {
			if other, err := tx.openJob(ctx, job.Tenant, job.Hash()); err == nil && other.ID != jobID {
				return ErrClosed
			} else if err != nil && !errors.Is(err, ErrNoJob) {
				return err
			}
		}
		now := toMS(db.now())
		if err := tx.exec(ctx, `UPDATE job SET state = 'queued', crashes = 0, failures = 0, token = ?, claimed_until = 0, ready_at = ?, updated = ? WHERE id = ?`, token, now, now, jobID); err != nil {
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

// Absolve takes back one crash of a job that is not done: the worker whose
// lease was taken over is well, it could only not renew it, say while the database was away. A job that
// was set aside for its crashes is queued again.
func (db *DB) Absolve(ctx context.Context, jobID string) error {
	err := db.change(ctx, func(tx conn) error {
		if tx.again { // it may be done; a crash too many is better than one taken back twice
			return nil
		}
		job, err := tx.lockJob(ctx, jobID)
		if errors.Is(err, ErrNoJob) || err == nil && (job.Crashes == 0 || job.State == JobDone) {
			return nil
		}
		if err != nil {
			return err
		}
		state := job.State
		if state == JobFailed && job.Crashes >= db.maxCrashes {
			if _, err := tx.openJob(ctx, job.Tenant, job.Hash()); job.Side && err == nil || errors.Is(err, ErrNoJob) {
				state = JobQueued
			} else if err != nil {
				return err
			}
		}
		return tx.exec(ctx, `UPDATE job SET state = ?, crashes = crashes - 1, updated = ? WHERE id = ?`, state, toMS(db.now()), jobID)
	})
	if err != nil {
		return fmt.Errorf("job %s: %w", jobID, err)
	}
	return nil
}
