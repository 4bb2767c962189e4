package catalog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// attemptBits are the low bits of an attempt's number that are random.
const attemptBits = 32

// freshAttempt is the number after last: one more in the high bits, and random low bits.
func freshAttempt(last int) int { return (last>>attemptBits+1)<<attemptBits | int(rand.Uint32()) }

// Begin is DB.Own for an attempt that writes to a store: it also makes sure
// that no key of the attempt is in use, or will be. A catalog restored from a backup counts attempts from
// where the backup was; an attempt that it forgot may have keys in the bucket, perhaps named by manifests, and may be about to put more. So
// the number of an attempt has random bits, and is above all that the bucket has seen of this job. Errors are those of Own and of the store;
// after one of the store the lease runs on, and Own finds the job again when it has expired.
func Begin(ctx context.Context, db *DB, store objstore.Store, jobID, owner string, lease time.Duration) (Job, error) {
	job, err := db.own(ctx, jobID, owner, lease, freshAttempt)
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
	began := job.Attempt
	job.Attempt = freshAttempt(seen)
	err = db.mine(ctx, jobID, began, func(j Job) bool {
		return j.State == JobRunning && j.Attempt == job.Attempt && j.Token == job.Token
	}, func(tx conn, now time.Time) error {
		return tx.exec(ctx, `UPDATE job SET attempt = ?, updated = ? WHERE id = ?`, job.Attempt, toMS(now), jobID)
	})
	return job, err
}
