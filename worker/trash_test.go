package worker

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// expiry keeps what is held to the legal floor for 15 years.
const expiry = `schema: radtier.policy/1
name: test
tiers: [hot]
roles: {"*": primary}
quiet: P1D
proof: {level: attested, age: P30D}
rules:
  - name: all
    match: {class: [full, region, result, preview]}
    keep: P15Y
    from: arrival
    tiers: [{tier: hot, after: P0D}]
`

// hide puts classes of a study into the trash.
func (r *rig) hide(k catalog.StudyKey, classes ...catalog.Class) *catalog.Manifest {
	r.t.Helper()
	m, err := catalog.CommitAside(r.t.Context(), r.db, r.store, catalog.Aside{Key: k, Action: lifecycle.ActionTrash, By: "ops", Note: "test", Change: func(m *catalog.Manifest) error {
		for _, c := range classes {
			if err := m.PutInTrash(catalog.Trashed{Class: c, Since: time.Now().UTC(), By: "ops", Rule: "r"}); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// TestTrashHides: readers see nothing of what is in the trash, workers all of it; whatever comes for the study brings everything back.
func TestTrashHides(t *testing.T) {
	first, second := small{study: "1.2.3", sop: "1.2.3.1", seed: 1}.bytes(t), small{study: "1.2.3", sop: "1.2.3.2", seed: 2}.bytes(t)
	for name, c := range map[string]struct {
		again     []byte
		instances int
	}{"something new": {second, 2}, "the same again": {first, 1}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			s := r.ingest("a", write(t, first))[0]
			k := s.Manifest.Study()
			m := r.hide(k, catalog.ClassFull, catalog.ClassPreview)
			stores := oneStore{r.store}
			seen, err := study.OpenShown(t.Context(), stores, m, all.Set())
			if err != nil {
				t.Fatal(err)
			}
			previews, err := seen.Previews(t.Context(), stores)
			if err != nil {
				t.Fatal(err)
			}
			if _, thumb := seen.Thumb("study"); len(seen.Instances()) != 0 || len(previews) != 0 || thumb {
				t.Fatalf("readers see %d instances, %d preview packs, a thumbnail: %v", len(seen.Instances()), len(previews), thumb)
			}
			verifyAll(t, r.open(k))
			r.ingest("a", write(t, c.again))
			m = r.open(k).Manifest
			if len(m.Trash) != 0 || m.Totals.Instances != c.instances {
				t.Fatalf("after it came the study has %d instances and in the trash %+v", m.Totals.Instances, m.Trash)
			}
			seen, err = study.OpenShown(t.Context(), stores, m, all.Set())
			if err != nil || len(seen.Instances()) != c.instances {
				t.Fatalf("readers see %d instances, %v", len(seen.Instances()), err)
			}
			verifyAll(t, seen)
		})
	}
}

// TestTrashThroughQueue: a job that is not to be done any more ends, and is no failure of the study.
func TestTrashThroughQueue(t *testing.T) {
	r := newRig(t, nil)
	k := r.ingest("a", write(t, small{study: "1.2.3"}.bytes(t)))[0].Manifest.Study()
	p, err := policy.Load("policy.yaml", []byte(expiry))
	if err != nil {
		t.Fatal(err)
	}
	plan, _, err := lifecycle.MakePlan(t.Context(), r.db, r.store, lifecycle.PlanOptions{Policy: p, Hot: "hot", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	args := lifecycle.TrashArgs{Class: catalog.ClassFull, Policy: p.Digest, Rules: "plans/l/" + plan.ID + "/policy.yaml", Plan: "p", Line: 1, By: "ops"}
	job, err := r.db.QueueSide(t.Context(), k.Tenant, k.Hash(), lifecycle.ActionTrash, args.String())
	if err != nil {
		t.Fatal(err)
	}
	pool := startPool(t, r, asynq.RedisClientOpt{Addr: startRedisProcess(t, nil).addr})
	until(t, "the job is done", func() bool { return r.state(job.ID) == catalog.JobDone })
	if err := pool.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	j, err := r.db.Job(t.Context(), job.ID)
	if m := r.open(k).Manifest; err != nil || len(m.Trash) != 0 || m.Generation != 1 || j.Failures+j.Crashes != 0 {
		t.Fatalf("the study is at generation %d with %+v in the trash, the job %+v, %v", m.Generation, m.Trash, j, err)
	}
}
