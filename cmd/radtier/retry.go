package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/worker"
)

func newQuarantineRetry(p *program) *cobra.Command {
	var all, wait bool
	cmd := &cobra.Command{
		Use:   "retry ID | --all",
		Short: "Try quarantined files and studies again",
		Long: `Queues quarantined files again, from the bytes that were kept, and studies that were set aside.
Worth trying after an upgrade. A file that still cannot be read stays where it is.

  radtier quarantine retry ID --wait
  radtier quarantine retry --all && radtier worker --once`,
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return fmt.Errorf("name one ID, or give --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if !all {
				id = args[0]
			}
			return p.retry(cmd.Context(), id, wait)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that is quarantined")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is stored, and work on it if nobody else does")
	return cmd
}

// retry tries one entry or job again, or all with id "".
func (p *program) retry(ctx context.Context, id string, wait bool) error {
	a, err := p.open(ctx, openExisting)
	if err != nil {
		return err
	}
	defer a.Close()
	files, failed, err := a.quarantined(ctx, "")
	if err != nil {
		return err
	}
	if id != "" {
		files, failed, err = a.chosen(ctx, id, failed)
		if err != nil {
			return err
		}
	}
	w := a.newWaiter(&worker.Found{}, "", nil, p.newProgress())
	for _, j := range failed {
		again, err := a.db.Reopen(ctx, j.ID)
		if errors.Is(err, catalog.ErrClosed) {
			continue // somebody was faster, or the study has another open job
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "study %s is queued again\n", j.Hash()[:8])
		w.list = append(w.list, &awaited{StudyKey: again.StudyKey, job: again.ID, want: again.Want})
	}
	byTenant := map[string][]catalog.QuarantineEntry{}
	for _, q := range files {
		byTenant[q.Tenant] = append(byTenant[q.Tenant], q)
	}
	stuck := 0
	for tenant, list := range byTenant {
		n, err := a.retryFiles(ctx, tenant, list, w)
		if err != nil {
			return err
		}
		stuck += n
	}
	if wait && len(w.list) > 0 {
		if err := w.work(ctx); err != nil {
			return err
		}
		left, _, err := a.quarantined(ctx, "")
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s left in quarantine\n", plural(len(left), "file"))
	} else if len(w.list) > 0 {
		fmt.Fprintln(p.stdout, "next: `radtier worker --once`")
	} else if len(files)+len(failed) == 0 {
		fmt.Fprintln(p.stdout, "nothing is quarantined")
	}
	if stuck > 0 {
		return errPartial
	}
	return nil
}

func (a *app) chosen(ctx context.Context, id string, failed []catalog.Job) ([]catalog.QuarantineEntry, []catalog.Job, error) {
	for _, j := range failed {
		if j.ID == id {
			return nil, []catalog.Job{j}, nil
		}
	}
	q, err := a.entry(ctx, id)
	return []catalog.QuarantineEntry{q}, nil, err
}

// retryFiles queues those of a tenant's files that can be read now, from their place in quarantine. It returns how many still cannot be read.
func (a *app) retryFiles(ctx context.Context, tenant string, list []catalog.QuarantineEntry, w *waiter) (stuck int, err error) {
	byPath := map[string]catalog.QuarantineEntry{}
	var paths []string
	for _, q := range list {
		path := worker.ObjectSource(quarantineBucket, q.Key)
		byPath[path] = q
		paths = append(paths, path)
	}
	found, err := a.sources.Discover(ctx, paths, nil)
	if err != nil {
		return 0, fmt.Errorf("the bytes of the quarantined files: %w", err)
	}
	still := func(path, reason string) {
		stuck++
		fmt.Fprintf(a.stdout, "%s stays: %s\n", byPath[path].ID, shown(reason))
	}
	for _, b := range found.Broken {
		still(b.Path, b.Reason)
	}
	for _, path := range found.SkippedPaths {
		still(path, "it is no DICOM instance")
	}
	found.Broken = nil
	client := worker.Client{DB: a.db, Store: a.stores.Hot(), Sources: a.sources}
	jobs, err := client.Enqueue(ctx, found, worker.ObjectSource(quarantineBucket, ""), worker.EnqueueOptions{Tenant: tenant})
	if err != nil {
		return stuck, err
	}
	for i, s := range found.Studies {
		for _, f := range s.Files {
			q := byPath[f.Path]
			q.Hash = catalog.StudyKey{Tenant: tenant, UID: s.UID}.Hash()
			if err := errors.Join(a.db.QuarantineAdd(ctx, q), a.db.QuarantineRetry(ctx, q.ID)); err != nil {
				return stuck, err
			}
			fmt.Fprintf(a.stdout, "%s is queued again, with study %s\n", q.ID, q.Hash[:8])
		}
		w.list = append(w.list, &awaited{StudyKey: catalog.StudyKey{Tenant: tenant, UID: s.UID}, job: jobs[i].ID, want: jobs[i].Want, files: len(s.Files), bytes: s.Bytes})
	}
	return stuck, nil
}

// settleRetry takes a file off the list when its study has it now.
func (a *app) settleRetry(ctx context.Context, q catalog.QuarantineEntry) (gone bool, err error) {
	if q.State != catalog.QuarantineRetry || q.Hash == "" {
		return false, nil
	}
	s, err := a.db.FindStudy(ctx, q.Tenant, q.Hash)
	if errors.Is(err, catalog.ErrNoStudy) || err == nil && s.Generation == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return false, err
	}
	for _, v := range st.Volumes {
		for i := range v.Index.Instances {
			if hexOf(v.Index.Instances[i].FileSHA256) == q.SHA256 && v.Index.Instances[i].FileSHA256 != (pack.Digest{}) {
				return true, a.db.QuarantineRemove(ctx, q.ID)
			}
		}
	}
	return false, nil
}

// copyChecked copies bytes that must have a SHA-256, in hex.
func copyChecked(w io.Writer, r io.Reader, key, sum string) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("object %s: SHA-256 is %s, want %s", key, got, sum)
	}
	return nil
}
