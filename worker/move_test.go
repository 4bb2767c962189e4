package worker

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
)

// twoStores are a hot and a cold tier.
type twoStores struct{ hot, cold objstore.Store }

func (s twoStores) Hot() objstore.Store { return s.hot }
func (s twoStores) Tier(name string) (objstore.Store, error) {
	if name == "cold" {
		return s.cold, nil
	}
	return s.hot, nil
}

// TestMoveThroughQueue: a move is handed out like any job; the study reads the same from the other tier, and late images go on beside it.
func TestMoveThroughQueue(t *testing.T) {
	cold, err := file.Open(filepath.Join(t.TempDir(), "cold"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *PipelineOptions) { o.Stores = twoStores{o.Stores.Hot(), cold} })
	first := small{study: "1.2.3", sop: "1.2.3.1", seed: 1}.bytes(t)
	s := r.ingest("a", write(t, first))[0]
	k := s.Manifest.Study()
	full := lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "cold"}
	job, err := r.db.QueueSide(t.Context(), k.Tenant, k.Hash(), lifecycle.ActionMove, full.String())
	if err != nil {
		t.Fatal(err)
	}
	server := startRedisProcess(t, nil)
	pool := startPool(t, r, asynq.RedisClientOpt{Addr: server.addr})
	until(t, "the move is done", func() bool { return r.state(job.ID) == catalog.JobDone })
	late := small{study: "1.2.3", sop: "1.2.3.2", seed: 2}.bytes(t)
	jobs := r.queue("a", write(t, late))
	until(t, "the late image is stored", func() bool { return r.state(jobs[0].ID) == catalog.JobDone })
	if err := pool.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	m, err := catalog.LoadHead(t.Context(), r.db, r.store, k)
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]int{}
	for _, p := range m.Packs {
		if p.Class == catalog.ClassFull {
			on[p.Tier]++
		}
	}
	if m.Generation != 3 || on["cold"] != 1 || on["hot"] != 1 {
		t.Fatalf("generation %d has full packs %v, want one on each tier", m.Generation, on)
	}
	s, err = study.Open(t.Context(), twoStores{r.store, cold}, m, all.Set())
	if err != nil {
		t.Fatal(err)
	}
	verifyAll(t, s)
	got := originals(t, s)
	for n, f := range [][]byte{first, late} {
		if _, ok := got[sha256.Sum256(f)]; !ok || len(got) != 2 {
			t.Errorf("file %d is not among the %d that come back", n, len(got))
		}
	}
}
