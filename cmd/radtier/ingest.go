package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/worker"
)

type ingestFlags struct {
	tenant, after, moveTo, quiet string
	wait, json                   bool
}

func newIngest(p *program) *cobra.Command {
	var f ingestFlags
	cmd := &cobra.Command{
		Use:   "ingest SRC...",
		Short: "Queue the studies in directories, files or buckets",
		Long: `Finds the DICOM files below SRC, whatever their names, groups them into studies
by their UIDs, and queues one job per study. Files are only read, unless --after says otherwise.

Queueing the same files again is no new work. Files that are DICOM but cannot be
read go to quarantine with their reason; everything else is skipped and counted.

  radtier ingest --wait DIR                        # and store them now, in this process
  radtier ingest DIR && radtier worker --once      # the same in two steps
  radtier ingest --tenant hospital-b DIR
  radtier ingest s3://incoming/2026/               # every object whose key begins so; see sources in the configuration
  radtier ingest --after move --move-to done DIR   # once committed
  radtier ingest --quiet 10m DIR                   # more may come: wait until none came for 10 minutes

With --wait and the embedded queue this process does the work, unless another one
already works on the data directory; then it only waits. Ctrl-C once lets studies under way finish,
twice stops at once; what is not done stays queued.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.ingest(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "`TENANT` of the studies (default: tenant of the configuration)")
	cmd.Flags().StringVar(&f.after, "after", catalog.AfterKeep, "what happens to source files once their study is committed: keep, move or delete-when-committed")
	cmd.Flags().StringVar(&f.moveTo, "move-to", "", "`DIR` for --after move")
	cmd.Flags().StringVar(&f.quiet, "quiet", "", "`DURATION` without new instances before a study is worked on (default: worker.quiet)")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait until the studies are stored")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func (p *program) ingest(ctx context.Context, roots []string, f ingestFlags) error {
	o, cfg, err := p.ingestOptions(&f)
	if err != nil {
		return err
	}
	sources := make([]string, len(roots))
	for i, root := range roots { // before anything is made
		if sources[i], err = worker.SourceRoot(root); err != nil {
			return usagef("%w", err)
		}
		if worker.IsBucketSource(root) {
			continue
		}
		if _, err := os.Stat(sources[i]); err != nil {
			return sourceError(roots, err)
		}
	}
	a, err := p.openWith(ctx, cfg, openOrMake, quietLevel)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := p.newProgress()
	found, err := discover(ctx, a.sources, roots, bar)
	if err != nil {
		return err
	}
	// Store is the hot tier; Queue stays nil: workers find the jobs in the catalog within a second.
	client := worker.Client{DB: a.db, Store: a.stores.Hot(), Sources: a.sources}
	jobs, err := client.Enqueue(ctx, found, sources[0], o)
	bar.clear()
	if err != nil {
		if len(jobs) > 0 {
			bar.say("%d of %s queued; the same command again queues the rest", len(jobs), plural(len(found.Studies), "study"))
		}
		return err
	}
	w := a.newWaiter(found, o.Tenant, jobs, bar)
	if f.wait {
		if err := w.work(ctx); err != nil {
			return err
		}
	}
	return w.report(found, f)
}

// ingestOptions checks the flags before anything is opened.
func (p *program) ingestOptions(f *ingestFlags) (worker.EnqueueOptions, *config.Config, error) {
	o := worker.EnqueueOptions{After: f.after}
	cfg, err := p.load()
	if err != nil {
		return o, nil, err
	}
	o.Tenant, o.Quiet = cfg.Tenant, cfg.Worker.Quiet
	if f.tenant != "" {
		o.Tenant = f.tenant
		if err := catalog.CheckTenant(o.Tenant); err != nil {
			return o, nil, usagef("--tenant: %w", err)
		}
	}
	if f.quiet != "" {
		if o.Quiet, err = config.ParseDuration(f.quiet); err != nil {
			return o, nil, usagef("--quiet: %w", err)
		}
	}
	switch f.after {
	case catalog.AfterKeep, catalog.AfterDelete, catalog.AfterMove:
	default:
		return o, nil, usagef("--after %q is not known: use %s, %s or %s", f.after, catalog.AfterKeep, catalog.AfterMove, catalog.AfterDelete)
	}
	if (f.after == catalog.AfterMove) != (f.moveTo != "") {
		return o, nil, usagef("--after move and --move-to DIR belong together")
	}
	if f.moveTo != "" {
		if o.MoveTo, err = filepath.Abs(f.moveTo); err != nil {
			return o, nil, err
		}
	}
	return o, cfg, nil
}

// discover reads the headers below the roots.
func discover(ctx context.Context, sources *worker.Sources, roots []string, bar *progress) (*worker.Found, error) {
	var looked atomic.Int64
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if n := looked.Load(); n > 0 {
					bar.show(-1, fmt.Sprintf("looked at %d files", n))
				}
			}
		}
	}()
	found, err := sources.Discover(ctx, roots, func() { looked.Add(1) })
	close(done)
	<-ended
	bar.clear()
	return found, sourceError(roots, err)
}

// sourceError says which of the roots cannot be read. Names of files below them stay out of it: they may hold patient data.
func sourceError(roots []string, err error) error {
	var pe *fs.PathError
	if !errors.As(err, &pe) {
		return err
	}
	for _, root := range roots {
		abs, absErr := filepath.Abs(root)
		if absErr != nil {
			continue
		}
		if abs == pe.Path {
			return fmt.Errorf("source %s: %w", root, pe.Err)
		}
		if rel, relErr := filepath.Rel(abs, pe.Path); relErr == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("source %s: something below it cannot be read: %w; `find %s ! -readable` lists such files", root, pe.Err, root)
		}
	}
	return fmt.Errorf("source: %w", pe.Err)
}
