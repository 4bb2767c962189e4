package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/worker"
)

// demoRegions is what stays of an annotated lesion.
type demoRegions struct {
	Study     string    `json:"study"` // hash
	State     roi.State `json:"state"`
	Lesions   int       `json:"lesions"`
	Instances int       `json:"instances"` // slices, whole or cropped
	Bytes     int64     `json:"bytes"`
	FullBytes int64     `json:"full_bytes"`
	Picture   string    `json:"picture"` // file
}

// demoRegions queues the annotations in a file, waits until their study was looked at again, and writes the picture of what is kept.
func (a *app) demoRegions(ctx context.Context, lesions, picture string) (*demoRegions, error) {
	fmt.Fprintln(a.stderr, "annotating the lesion, and keeping it")
	client := worker.Client{DB: a.db, Store: a.stores.Hot()}
	list, err := client.Annotate(ctx, []string{lesions}, worker.AnnotateOptions{Tenant: a.cfg.Tenant})
	if err != nil {
		return nil, err
	}
	x := list[0]
	w := a.newWaiter(&worker.Found{}, a.cfg.Tenant, []catalog.Job{x.Job}, a.newProgress())
	if err := w.work(ctx); err != nil {
		return nil, err
	}
	if failed := w.list[0].failed; failed != "" {
		return nil, fmt.Errorf("study %s: %s", x.Hash()[:8], failed)
	}
	st, rec, err := a.regions(ctx, a.cfg.Tenant, x.UID)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("study %s: its annotation left no record of regions", x.Hash()[:8])
	}
	f, err := os.Create(picture)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer f.Close()
	if err := a.drawRegions(ctx, f, st, rec); err != nil {
		return nil, err
	}
	t := rec.Totals
	return &demoRegions{x.Hash(), rec.State, t.Lesions, t.Instances, t.Bytes, t.FullBytes, picture}, f.Close()
}

// print says what stays; of nothing it says nothing.
func (d *demoRegions) print(w io.Writer) {
	if d == nil {
		return
	}
	fmt.Fprintf(w, "\nLesions: what stays when the full images expire (state %s):\n", d.State)
	fmt.Fprintf(w, "  %s  %s on %s: %s = %.1f %% of the full images' %s; look at %s\n", d.Study[:8], plural(d.Lesions, "lesion"), plural(d.Instances, "slice"),
		bytesText(d.Bytes), 100*float64(d.Bytes)/float64(max(d.FullBytes, 1)), bytesText(d.FullBytes), d.Picture)
}
