package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// TestLeaseRunsOut: an attempt whose lease ran out, with nobody there to take
// the job, does not commit; the job is queued again and not blamed, and the next attempt uses what is in the store.
func TestLeaseRunsOut(t *testing.T) {
	late := true
	var r *rig
	r = newRig(t, func(o *PipelineOptions) {
		o.Hooks = func(_ context.Context, step string) error {
			if step == "written" && late {
				late = false
				r.later.Add(int64(3 * time.Hour)) // as if the database had been away
			}
			return nil
		}
	})
	job := r.queue("a", write(t, small{}.bytes(t)))[0]
	if err := r.p.Run(context.Background(), job.ID); !errors.Is(err, catalog.ErrStale) {
		t.Fatalf("an attempt without a lease ended with %v, want ErrStale", err)
	}
	j, err := r.db.Job(context.Background(), job.ID)
	if err != nil || j.State != catalog.JobQueued || j.Crashes+j.Failures != 0 {
		t.Fatalf("the job is %s with %d crashes and %d failures, %v; want queued and none", j.State, j.Crashes, j.Failures, err)
	}
	if err := r.p.Run(context.Background(), job.ID); err != nil {
		t.Fatal(err)
	}
	s := r.open(job.StudyKey)
	verifyAll(t, s)
	if n := s.Manifest.Attempt >> 32; n != 2 || s.Manifest.Generation != 1 {
		t.Errorf("stored by attempt %d as generation %d, want 2 and 1", n, s.Manifest.Generation)
	}
}
