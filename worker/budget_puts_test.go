package worker

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// holding is a store that says that each put of it holds memory.
type holding struct {
	objstore.Store
	bytes int64
}

// Capabilities implements objstore.Store.
func (h holding) Capabilities() objstore.Capabilities {
	c := h.Store.Capabilities()
	c.PutBytes = h.bytes
	return c
}

// Many studies at once, whose puts alone would fill the budget: none waits for
// bytes that another one holds while it waits as well.
func TestPutsDoNotTakeTheBudgetOfFiles(t *testing.T) {
	for _, budget := range []int64{8 << 20, 32 << 20, 100 << 20} {
		r := newRig(t, func(o *PipelineOptions) {
			o.BudgetBytes = budget
			o.Stores = oneStore{holding{o.Stores.Hot(), 6 << 20}}
		})
		var jobs []catalog.Job
		for n := range 12 {
			dir := filepath.Join(t.TempDir(), "src")
			s := synth.Generic(synth.GenericOptions{Options: synth.Options{Seed: uint64(n)}, Instances: 4})
			if _, _, err := s.WriteTo(dir); err != nil {
				t.Fatal(err)
			}
			jobs = append(jobs, r.queue(fmt.Sprint("t", n), dir)...)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		g, ctx := errgroup.WithContext(ctx)
		for _, j := range jobs {
			g.Go(func() error { return r.p.Run(ctx, j.ID) })
		}
		if err := g.Wait(); err != nil {
			t.Fatalf("%d studies at once in a budget of %d bytes: %v", len(jobs), budget, err)
		}
	}
}
