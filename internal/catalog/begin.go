package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Begin is DB.Own for an attempt that writes to a store: it also makes sure
// that no key of the attempt is in use. A catalog restored from a backup counts attempts from
// where the backup was; the keys of those that it forgot are in the bucket, perhaps named by manifests. The
// attempt gets a number above all that the bucket has seen of this job. Errors are those of Own and of the store;
// after one of the store the lease runs on, and Own finds the job again when it has expired.
func Begin(ctx context.Context, db *DB, store objstore.Store, jobID, owner string, lease time.Duration) (Job, error) {
	job, err := db.Own(ctx, jobID, owner, lease)
	if err != nil {
		return job, err
	}
	seen := 0
	for info, err := range store.List(ctx, job.Prefix(), "") {
		if err != nil {
			return job, fmt.Errorf("job %s: list the study: %w", jobID, err)
		}
		if o, ok := ParseKey(info.Key); ok && o.Job == jobID {
			seen = max(seen, o.Attempt)
		}
	}
	if seen < job.Attempt {
		return job, nil
	}
	mine := job.Attempt
	return job, db.mine(ctx, jobID, mine, func(tx conn, _ Job, now time.Time) error {
		if err := tx.exec(ctx, `UPDATE job SET attempt = ?, updated = ? WHERE id = ?`, seen+1, toMS(now), jobID); err != nil {
			return err
		}
		job.Attempt = seen + 1
		return nil
	})
}
