package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Unclaim gives back what was claimed, more than one batch of it, and leaves alone what is owned.
func TestUnclaim(t *testing.T) {
	for name, maker := range onBoth {
		t.Run(name, func(t *testing.T) {
			const jobs, owned = 1010, 3
			db := open(t, maker.Catalog(t))
			ctx := t.Context()
			for n := range jobs {
				k := catalog.StudyKey{Tenant: "north", UID: fmt.Sprint(n)}
				if _, err := db.Enqueue(ctx, catalog.Arrival{StudyKey: k, Files: []catalog.SourceFile{{Path: "x", Size: 1}}, Complete: true}, 0); err != nil {
					t.Fatal(err)
				}
			}
			claim := func(want int) []catalog.Job {
				t.Helper()
				list, err := db.Claim(ctx, 2*jobs, time.Hour)
				if err != nil || len(list) != want {
					t.Fatalf("claimed %d jobs (%v), want %d", len(list), err, want)
				}
				return list
			}
			list := claim(jobs)
			claim(0)
			for _, j := range list[:owned] {
				if _, err := db.Own(ctx, j.ID, "w", time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Unclaim(ctx); err != nil {
				t.Fatal(err)
			}
			for _, j := range claim(jobs - owned) {
				if j.State != catalog.JobQueued {
					t.Errorf("job %s, which is %s, was claimed again", j.ID, j.State)
				}
			}
		})
	}
}
