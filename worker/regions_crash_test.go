package worker

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/roi"
)

// TestRegionsCrash: a worker that loses its store for good at each of its operations, in a study with lesions, and another that
// takes over: the same plan and the same outputs as without any of this, a catalog that a rebuild makes again, and a sweep that leaves what is named.
func TestRegionsCrash(t *testing.T) {
	dir := t.TempDir()
	a := axialSlab(1)
	a.n = 8
	a.write(t, dir)
	writeObjects(t, dir, map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(4), 100, 120, 112, 120)))})
	ctx := context.Background()
	var want string
	outputs := func(rec *roi.Record) string {
		for i := range rec.Regions {
			rec.Regions[i].Bytes = 0
			for k := range rec.Regions[i].Items {
				rec.Regions[i].Items[k].OutFile = "" // holds the time of the plan
			}
		}
		raw, err := json.Marshal([]any{rec.Plan, rec.State, rec.Regions, rec.Lesions, rec.Sources})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var operations atomic.Int64
	step := int64(1)
	if testing.Short() {
		step = 7
	}
	for dies := int64(0); dies == 0 || dies < operations.Load(); dies += step {
		var seen atomic.Int64
		var faulty *faultstore.Store
		r := newRig(t, func(o *PipelineOptions) {
			o.Sequential = true
			faulty = faultstore.New(o.Stores.Hot(), func(faultstore.Call) faultstore.Fault {
				if n := seen.Add(1); dies > 0 && n >= dies {
					return faultstore.Unavailable
				}
				return faultstore.None
			})
			o.Stores = oneStore{faulty}
		})
		job := r.queue("a", dir)[0]
		err := r.p.Run(ctx, job.ID)
		if dies == 0 {
			operations.Store(seen.Load())
		} else if err == nil && seen.Load() < dies {
			break // with retries there are fewer than in the first run
		}
		faulty.SetScript(healthy)
		for range 4 {
			if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
				t.Fatal(err)
			}
			j, err := r.db.Job(ctx, job.ID)
			if err != nil {
				t.Fatal(err)
			}
			if j.State == catalog.JobDone {
				break
			}
			r.makeDue()
			_ = r.p.Run(ctx, job.ID)
		}
		s := r.open(job.StudyKey)
		rec := recordOf(t, r, s)
		provesRegions(t, r, s, rec)
		verifyAll(t, s)
		got := outputs(rec)
		if dies == 0 {
			want = got
			if rec.State != roi.StateExtracted || len(rec.Regions) == 0 {
				t.Fatalf("state %s, %d regions", rec.State, len(rec.Regions))
			}
		}
		if got != want {
			t.Fatalf("dead at operation %d: got\n%s\nwant\n%s", dies, got, want)
		}
		r.later.Add(int64(100 * time.Hour))
		if _, err := lifecycle.Sweep(ctx, r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
			lifecycle.SweepOptions{Now: func() time.Time { return time.Now().Add(100 * time.Hour) }}); err != nil {
			t.Fatal(err)
		}
		provesRegions(t, r, r.open(job.StudyKey), recordOf(t, r, r.open(job.StudyKey)))
	}
	t.Logf("%d operations", operations.Load())
}
