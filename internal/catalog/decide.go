package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// decision is one step (d). Without next there is nothing to do but to end the job.
type decision struct {
	in         CommitInput
	parent     *Ref // nil if the study has no head
	head, next *Manifest
	ref        Ref // of next
}

// id names the decision in audit and outbox; an attempt decides once.
func (d *decision) id() string { return fmt.Sprintf("%s.%d", d.in.Job, d.in.Attempt) }

// decideTimeout bounds step (d). It is not cancelled by its caller: a
// transaction cut off in its COMMIT is one whose outcome nobody knows.
const decideTimeout = time.Minute

// decide is step (d). Errors: ErrStale, ErrFork, ErrRemoved, ErrBusy, errMoved, those of the database.
func (db *DB) decide(ctx context.Context, d *decision) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	err := db.change(ctx, func(tx conn) error { return db.decideIn(ctx, tx, d) })
	if err == nil {
		err = d.in.Hooks.Step(ctx, StepDecideReply)
	}
	switch {
	case err == nil, errors.Is(err, ErrStale), errors.Is(err, ErrFork), errors.Is(err, ErrRemoved), errors.Is(err, ErrBusy), errors.Is(err, errMoved):
		return err
	}
	// The reply may be lost and the transaction committed. The audit row tells,
	// also when others have committed on top of it by now. Whatever the answer, nothing is deleted.
	if ok, readErr := db.decided(ctx, d); readErr != nil {
		return fmt.Errorf("it is not known whether the commit was decided: %w", errors.Join(err, readErr))
	} else if !ok {
		return fmt.Errorf("decide: %w", err)
	}
	return nil
}

func (db *DB) decided(ctx context.Context, d *decision) (bool, error) {
	return db.reader().decided(ctx, d)
}

// decided reports whether the decision was made: its audit row tells.
func (c conn) decided(ctx context.Context, d *decision) (bool, error) {
	var key string
	err := c.row(ctx, `SELECT manifest_key FROM audit WHERE tenant = ? AND hash = ? AND id = ?`, d.in.Key.Tenant, d.in.Key.Hash(), d.id()).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && key == d.ref.Key, err
}

func (db *DB) decideIn(ctx context.Context, tx conn, d *decision) error {
	tenant, hash := d.in.Key.Tenant, d.in.Key.Hash()
	now := db.now()
	var head *Head
	err := tx.lockCited(ctx, d.next, hash, func() (err error) {
		head, err = scanHead(tx.lock(ctx, selectHead, tenant, hash))
		return err
	})
	if errors.Is(err, ErrNoStudy) {
		return ErrStale // the catalog was replaced under us: the job is gone as well
	}
	if err != nil {
		return err
	}
	if tx.again {
		if done, err := tx.decided(ctx, d); done || err != nil {
			return err
		}
	}
	job, err := tx.lockJob(ctx, d.in.Job)
	// An expired lease is nobody's: the catalog may have been put back to a
	// moment before somebody else took the job over and published what he made.
	if errors.Is(err, ErrNoJob) || err == nil && (job.State != JobRunning || job.Attempt != d.in.Attempt || job.StudyKey != d.in.Key || d.in.Token != "" && job.Token != d.in.Token || !job.LeaseUntil.After(now)) {
		return ErrStale
	}
	if err != nil {
		return err
	}
	var parent string
	if d.parent != nil {
		parent = d.parent.Key
	}
	switch {
	case head.Status == StatusFork:
		return ErrFork
	case head.Key != parent:
		return errMoved
	}
	if d.in.Quiet {
		if err := tx.quiet(ctx, tenant, hash); err != nil {
			return err
		}
	}
	m, ref, action := d.next, d.ref, d.in.Action
	if m == nil {
		m, action = d.head, action+"-unchanged"
	} else {
		if err := tx.checkRemovals(ctx, d); err != nil {
			return err
		}
		if err := tx.addIntervals(ctx, m, d.head); err != nil { // before those that setHead opens without counting them
			return err
		}
		if err := tx.setHead(ctx, m, ref, false); err != nil {
			return err
		}
		raw, err := m.Encode()
		if err != nil {
			return err
		}
		f := &flows{}
		f.step(d.head, m, int64(len(raw)), true)
		if err := tx.writeFlows(ctx, now, f); err != nil {
			return err
		}
		if err := tx.setCitations(ctx, m, now); err != nil {
			return err
		}
	}
	if err := tx.audit(ctx, auditRow{id: d.id(), at: now, actor: d.in.Owner, action: action, m: m, ref: ref, job: d.in.Job, attempt: d.in.Attempt, note: d.in.Note}); err != nil {
		return err
	}
	if err := tx.addEvent(ctx, d.id(), action, m, d.next != nil, now); err != nil {
		return err
	}
	if job.Side {
		err = tx.endJob(ctx, job.ID, now)
	} else {
		err = tx.closeArrivals(ctx, d.in, m.Generation, now)
	}
	if err != nil {
		return err
	}
	return d.in.Hooks.Step(ctx, StepInDecide)
}

// quiet refuses with ErrBusy while an arrival waits or is worked on.
func (c conn) quiet(ctx context.Context, tenant, hash string) error {
	var busy int64
	if err := c.row(ctx, `SELECT COUNT(*) FROM study WHERE tenant = ? AND hash = ? AND want > done`, tenant, hash).Scan(&busy); err != nil {
		return err
	}
	if busy > 0 {
		return ErrBusy
	}
	return nil
}

// checkRemovals refuses a manifest that names an object which a sweep removes: it was listed as an orphan, and adopted too late.
func (c conn) checkRemovals(ctx context.Context, d *decision) error {
	old := map[string]bool{}
	if d.head != nil {
		d.head.Objects(func(key string, _ Class, _ string, _ int64) { old[key] = true })
	}
	keys := []string{d.ref.Key}
	d.next.Objects(func(key string, _ Class, _ string, _ int64) {
		if !old[key] {
			keys = append(keys, key)
		}
	})
	for _, key := range keys {
		var n int64
		if err := c.row(ctx, `SELECT COUNT(*) FROM removal WHERE tenant = ? AND hash = ? AND key = ?`, d.in.Key.Tenant, d.in.Key.Hash(), key).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("object %s: %w", key, ErrRemoved)
		}
	}
	return nil
}

// closeArrivals ends what a commit covers: clean-up rows for source files that
// are not kept, arrivals gone, and the job done, or queued again when more has come.
func (c conn) closeArrivals(ctx context.Context, in CommitInput, generation int64, now time.Time) error {
	tenant, hash := in.Key.Tenant, in.Key.Hash()
	if err := c.exec(ctx, `INSERT INTO cleanup (id, tenant, hash, generation, source, files, disposal, move_to, ready_at, created)
		SELECT id, tenant, hash, CAST(? AS BIGINT), source, files, disposal, move_to, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM arrival
		WHERE tenant = ? AND hash = ? AND seq <= ? AND disposal <> 'keep'`, generation, toMS(now), toMS(now), tenant, hash, in.Done); err != nil {
		return err
	}
	if err := c.exec(ctx, `DELETE FROM arrival WHERE tenant = ? AND hash = ? AND seq <= ?`, tenant, hash, in.Done); err != nil {
		return err
	}
	if err := c.exec(ctx, `UPDATE study SET done = ? WHERE tenant = ? AND hash = ? AND done < ?`, in.Done, tenant, hash, in.Done); err != nil {
		return err
	}
	if err := c.exec(ctx, `UPDATE job SET state = 'done', updated = ? WHERE tenant = ? AND hash = ? AND side = 0 AND state = 'failed'`, toMS(now), tenant, hash); err != nil {
		return err
	}
	var ready int64
	err := c.row(ctx, `SELECT ready_at FROM arrival WHERE tenant = ? AND hash = ? ORDER BY seq DESC LIMIT 1`, tenant, hash).Scan(&ready)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c.endJob(ctx, in.Job, now)
	case err != nil:
		return err
	}
	return c.exec(ctx, `UPDATE job SET state = 'queued', owner = '', lease_until = 0, claimed_until = 0, crashes = 0, failures = 0, last_error = '', ready_at = ?, updated = ? WHERE id = ?`,
		ready, toMS(now), in.Job)
}

// endJob ends a job that did what it was for.
func (c conn) endJob(ctx context.Context, id string, now time.Time) error {
	return c.exec(ctx, `UPDATE job SET state = 'done', owner = '', lease_until = 0, claimed_until = 0, last_error = '', updated = ? WHERE id = ?`, toMS(now), id)
}

// auditRow says who decided what, when. It is written in the transaction that decides.
type auditRow struct {
	id, actor, action, note string
	at                      time.Time
	m                       *Manifest
	ref                     Ref // empty if nothing was written
	job                     string
	attempt                 int
}

// noteDecision writes a row for a decision that makes no generation. The same id again changes nothing.
func (c conn) noteDecision(ctx context.Context, id string, at time.Time, actor, action, tenant, hash string, generation int64, note string) error {
	return c.exec(ctx, `INSERT INTO audit (id, at, actor, action, tenant, hash, generation, job, attempt, manifest_key, manifest_sha256, note) VALUES (?, ?, ?, ?, ?, ?, ?, '', 0, '', '', ?) ON CONFLICT (tenant, hash, id) DO NOTHING`,
		id, toMS(at), actor, action, tenant, hash, generation, note)
}

func (c conn) audit(ctx context.Context, a auditRow) error {
	return c.exec(ctx, `INSERT INTO audit (id, at, actor, action, tenant, hash, generation, job, attempt, manifest_key, manifest_sha256, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.id, toMS(a.at), a.actor, a.action, a.m.Tenant, a.m.Study().Hash(), a.m.Generation, a.job, a.attempt, a.ref.Key, a.ref.SHA256, a.note)
}
