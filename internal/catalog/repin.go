package catalog

import (
	"context"
	"errors"
	"fmt"
)

// Repin replaces the files of an open arrival, because its source has others
// now; note says in the audit log what happened, without names. Only the
// attempt that has the job may do that: ErrStale. Doing it again changes nothing.
func (db *DB) Repin(ctx context.Context, jobID string, attempt int, a Arrival, files []SourceFile, note string) error {
	blob, err := encodeFiles(files)
	if err != nil {
		return err
	}
	a.Files = files
	batch := a.digest()
	var size int64
	for _, f := range files {
		size += f.Size
	}
	err = db.change(ctx, func(tx conn) error {
		var locked int64 // the study first, like all who change arrivals
		if err := tx.lock(ctx, `SELECT want FROM study WHERE tenant = ? AND hash = ?`, a.Tenant, a.Hash()).Scan(&locked); err != nil {
			return err
		}
		job, err := tx.lockJob(ctx, jobID)
		if errors.Is(err, ErrNoJob) || err == nil && (job.State != JobRunning || job.Attempt != attempt || job.StudyKey != a.StudyKey) {
			return ErrStale
		}
		if err != nil {
			return err
		}
		var have string
		if err := tx.row(ctx, `SELECT digest FROM arrival WHERE id = ?`, a.ID).Scan(&have); err != nil {
			return err
		}
		if have == batch {
			return nil
		}
		if err := tx.exec(ctx, `UPDATE arrival SET files = ?, digest = ?, instances = ?, bytes = ? WHERE id = ? AND tenant = ? AND hash = ?`,
			blob, batch, len(files), size, a.ID, a.Tenant, a.Hash()); err != nil {
			return err
		}
		return tx.audit(ctx, auditRow{id: fmt.Sprintf("%s.%d.%s", jobID, attempt, a.ID), at: db.now(), actor: job.Owner, action: "repin",
			m: &Manifest{Tenant: a.Tenant, StudyUID: a.UID}, job: jobID, attempt: attempt, note: note})
	})
	if err != nil {
		return fmt.Errorf("job %s, attempt %d: arrival %s: %w", jobID, attempt, a.ID, err)
	}
	return nil
}
