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

// TestSlowPublish: an attempt that decided a generation and takes longer than its lease to publish it is not stopped: the job is
// closed, so there is no lease that it could have lost.
func TestSlowPublish(t *testing.T) {
	const lease = 100 * time.Millisecond
	var cause error
	decided := false
	r := newRig(t, func(o *PipelineOptions) {
		o.Lease = lease
		o.Hooks = func(ctx context.Context, step string) error {
			if step != catalog.StepDecided {
				return nil
			}
			decided = true
			select {
			case <-ctx.Done():
				cause = context.Cause(ctx)
			case <-time.After(5 * lease):
			}
			return nil
		}
	})
	job := r.queue("a", write(t, small{}.bytes(t)))[0]
	for {
		err := r.p.Run(context.Background(), job.ID)
		if !decided && errors.Is(err, catalog.ErrStale) {
			continue // this machine is so slow that the lease ran out before
		}
		if err != nil || cause != nil {
			t.Fatalf("the attempt ended with %v, its work was cancelled by %v; want neither", err, cause)
		}
		break
	}
	if head, err := r.db.Head(context.Background(), job.StudyKey); err != nil || !head.Published {
		t.Errorf("published: %v, %v", head.Published, err)
	}
}
