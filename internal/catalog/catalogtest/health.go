package catalogtest

import (
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// What an operator sees is what there is.
func testHealth(t *testing.T, f *Fixture) {
	h, err := f.DB.Health(f.Ctx)
	f.OK(err)
	if h.Server == "" || h.Where == "" || h.Schema < 2 || h.Bytes == 0 || h.RoundTrip <= 0 || h.Skew.Abs() > time.Minute || !h.OldestWaiting.IsZero() || len(h.Owners) != 0 {
		t.Fatalf("of an empty catalog: %+v", h)
	}
	f.Done(Study(1), "a")
	waiting := f.Clock.Now()
	f.Arrive(Study(2), "a")
	f.Own(f.Arrive(Study(3), "a").ID)
	f.quarantined("north", "xx", "not DICOM")
	a := f.Work(f.Arrive(Study(4), "a").ID)
	a.Input.Hooks = CrashAt(catalog.StepDecided)
	_, err = a.Commit()
	f.wantErr(err, ErrCrash)
	h, err = f.DB.Health(f.Ctx)
	f.OK(err)
	if h.Jobs[catalog.JobQueued] != 1 || h.Jobs[catalog.JobRunning] != 1 || !h.OldestWaiting.Equal(waiting) || h.ExpiredLeases != 0 || h.Unpublished != 1 || h.Quarantine != 1 || h.Forks != 0 ||
		len(h.Owners) != 1 || h.Owners[0].Name != "worker" || h.Owners[0].Jobs != 1 || !h.Owners[0].LeaseUntil.Equal(waiting.Add(lease)) {
		t.Fatalf("got %+v", h)
	}
	f.Clock.Move(2 * lease)
	if h, err = f.DB.Health(f.Ctx); err != nil || h.ExpiredLeases != 1 {
		t.Fatalf("after the lease: %+v, %v; want one expired", h, err)
	}
}
