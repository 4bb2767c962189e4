package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/lifecycle"
)

func newSweep(p *program) *cobra.Command {
	var tenant, grace string
	var apply, asJSON bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Remove objects that nothing names",
		Long: `Finds objects that no published manifest names (left by workers that were killed) or that a later
generation took the place of, once they are older than the grace period. Nothing that an
open job may still adopt and nothing under a hold is touched. Of buckets it also finds uploads in parts that were
never finished; their parts are billed until they are aborted.

Without --apply nothing is removed: the list is what --apply would remove.

  radtier sweep
  radtier sweep --apply
  radtier sweep --grace 7d --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := config.ParseDuration(grace)
			if err != nil {
				return usagef("--grace: %w", err)
			}
			if d <= 0 {
				return usagef("--grace: must be more than nothing: a put that is under way looks like an orphan")
			}
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := lifecycle.Sweep(cmd.Context(), a.db, a.stores.sweep(), lifecycle.SweepOptions{Grace: d, DryRun: !apply, Tenant: tenant, Guard: a.clock().Check})
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, r)
			} else {
				err = p.printSweep(r)
			}
			if err == nil && len(r.Skipped) > 0 {
				return errPartial
			}
			return err
		},
	}
	cmd.Flags().StringVar(&grace, "grace", config.FormatDuration(lifecycle.DefaultGrace), "leave what is younger than this `DURATION`")
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().BoolVar(&apply, "apply", false, "remove, do not only list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// sweep is the stores as a sweep wants them.
func (s *stores) sweep() lifecycle.Stores {
	tier := func(i int) lifecycle.Tier {
		t := lifecycle.Tier{Name: s.names[i], Store: s.byName[s.names[i]], Clean: s.opened[i].clean}
		if s.opened[i].uploads != nil {
			t.Uploads = uploads{s.opened[i].uploads}
		}
		return t
	}
	out := lifecycle.Stores{Hot: tier(0)}
	seen := map[string]bool{place(s.tiers[0]): true}
	for i := 1; i < len(s.names); i++ {
		if at := place(s.tiers[i]); !seen[at] { // each place is listed once
			seen[at] = true
			out.Others = append(out.Others, tier(i))
		}
	}
	return out
}

// uploads are the unfinished uploads of a bucket as a sweep wants them.
type uploads struct{ store *s3.Store }

func (u uploads) Uploads(ctx context.Context, olderThan time.Time) iter.Seq2[lifecycle.Upload, error] {
	return func(yield func(lifecycle.Upload, error) bool) {
		for x, err := range u.store.Uploads(ctx, olderThan) {
			if !yield(lifecycle.Upload(x), err) {
				return
			}
		}
	}
}

func (u uploads) AbortUpload(ctx context.Context, x lifecycle.Upload) error {
	return u.store.AbortUpload(ctx, s3.Upload(x))
}

func (p *program) printSweep(r lifecycle.SweepReport) error {
	t := table{head: []string{">bytes", "tier", "reason", "key"}}
	for _, o := range r.Objects {
		t.add(bytesText(o.Bytes), o.Tier, o.Reason, o.Key)
	}
	if len(t.rows) > 0 {
		if err := t.print(p.stdout); err != nil {
			return err
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(p.stdout, "left alone: study %s: %s\n", s.Study, shown(s.Reason))
	}
	done := "removed"
	if r.DryRun {
		done = "would be removed"
	}
	fmt.Fprintf(p.stdout, "%s, %s %s; %d within the grace period, %d of open jobs, %d under a hold\n",
		plural(len(r.Objects), "object"), bytesText(r.Bytes), done, r.Young, r.Open, r.Held)
	if r.Recent > 0 {
		fmt.Fprintf(p.stdout, "not looked at: %s with nothing older than the grace period\n", plural(r.Recent, "study"))
	}
	if r.DryRun && len(r.Objects) > 0 {
		fmt.Fprintln(p.stdout, "next: `radtier sweep --apply` removes them")
	}
	return nil
}
