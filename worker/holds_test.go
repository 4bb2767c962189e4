package worker

import (
	"context"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
)

// TestHeldMeanwhile: a hold that is put on a study while new images of it are worked on is recorded at once, and the work goes on where it was.
func TestHeldMeanwhile(t *testing.T) {
	var r *rig
	held := false
	written := 0
	r = newRig(t, func(o *PipelineOptions) {
		o.Hooks = func(ctx context.Context, step string) error {
			if step != "written" {
				return nil
			}
			if written++; written == 2 {
				k := catalog.StudyKey{Tenant: "a", UID: "1.2.3"}
				m, err := lifecycle.AddHold(ctx, r.db, r.store, k, catalog.Hold{ID: "case", Kind: catalog.HoldLegal, Owner: "office", Reason: "dispute", Since: time.Now()})
				held = err == nil && m.Generation == 2 && m.Totals.Instances == 1
			}
			return nil
		}
	})
	r.ingest("a", write(t, small{study: "1.2.3", sop: "1.2.3.1", seed: 1}.bytes(t)))
	s := r.ingest("a", write(t, small{study: "1.2.3", sop: "1.2.3.2", seed: 2}.bytes(t)))[0]
	if m := s.Manifest; !held || written != 2 || m.Generation != 3 || m.Totals.Instances != 2 || !m.HeldAt(time.Now()) {
		t.Fatalf("held is %v, %d times written, generation %d with %d instances and holds %+v", held, written, m.Generation, m.Totals.Instances, m.Holds)
	}
}

// TestAbandonedSideJob: a worker that is handed a side job whose process died ends it, and the study is as it was.
func TestAbandonedSideJob(t *testing.T) {
	r := newRig(t, nil)
	s := r.ingest("a", write(t, small{study: "1.2.3"}.bytes(t)))[0]
	ctx, kill := context.WithCancel(t.Context())
	db := r.db
	r.openCatalog() // the dying process has the other connection
	_, err := catalog.CommitAside(ctx, db, r.store, catalog.Aside{Key: s.Manifest.Study(), Action: lifecycle.ActionHold, By: "office", Note: "dispute",
		Change: func(m *catalog.Manifest) error {
			return m.AddHold(catalog.Hold{ID: "case", Kind: catalog.HoldLegal, Owner: "office", Reason: "dispute", Since: time.Now()}, time.Now())
		},
		Hooks: func(context.Context, string) error {
			kill()
			db.Close()
			return context.Canceled
		}})
	if err == nil {
		t.Fatal("a process that died recorded something")
	}
	r.p.db = r.db
	r.makeDue()
	due, err := r.db.Due(t.Context(), 10)
	if err != nil || len(due) != 1 || !due[0].Side {
		t.Fatalf("due are %+v, %v; want the side job", due, err)
	}
	if err := r.p.Run(t.Context(), due[0].ID); err != nil {
		t.Fatal(err)
	}
	if state := r.state(due[0].ID); state != catalog.JobDone {
		t.Errorf("the side job is %s", state)
	}
	if m := r.open(s.Manifest.Study()).Manifest; m.Generation != 1 || len(m.Holds) != 0 {
		t.Errorf("the study is at generation %d with holds %+v", m.Generation, m.Holds)
	}
}
