package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

// rebuildResult is what `rebuild --json` prints last; lines before it are rebuildLine.
type rebuildResult struct {
	Event       string   `json:"event"` // "done"
	Studies     int      `json:"studies"`
	Resumed     int      `json:"resumed,omitempty"` // of these, done before by a rebuild that was stopped
	Instances   int      `json:"instances"`
	Unpublished int      `json:"unpublished"` // studies without any published manifest
	Quarantined int      `json:"quarantined"`
	Seconds     float64  `json:"seconds"`
	Forks       []string `json:"forks,omitempty"`
	Damaged     []string `json:"damaged,omitempty"`
	Missing     []string `json:"missing,omitempty"` // known to the catalog, not in the bucket
}

type rebuildLine struct {
	Event   string  `json:"event"` // "progress"
	Studies int     `json:"studies"`
	Resumed int     `json:"resumed,omitempty"`
	Percent float64 `json:"percent"`
	Rate    float64 `json:"studies_per_second"`
	Left    float64 `json:"seconds_left,omitempty"` // estimate
}

type rebuildFlags struct {
	tenant, shard        string
	workers              int
	force, restart, json bool
}

func newRebuild(p *program) *cobra.Command {
	var f rebuildFlags
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the catalog anew from the object store alone",
		Long: `Reads all published manifests and writes the rows of studies, holdings and quarantine.
Nothing in the object store is changed. What is queued and not stored yet is not in the object
store: queue it again with ` + "`radtier ingest`" + `.

A catalog that has studies is left alone unless --force is given; then every study is healed
and nothing is lost. With --shard it is healed in any case.

A rebuild that was stopped or killed goes on where it was when the same command is given again: the
catalog keeps marks of what is done. Studies that come meanwhile are not missed, whatever is marked: their commits
write their rows. --restart begins anew.

Large buckets are rebuilt in shards: a shard is all studies whose hash begins with the same one or two
digits, and q the quarantine. Several machines may each take some, with one catalog.

  mv radtier-data/catalog.db* /somewhere/safe/ && radtier rebuild
  radtier rebuild --force --workers 16
  radtier rebuild --shard 0f --tenant hospital-b
  radtier rebuild --shard q`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.rebuild(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().StringVar(&f.shard, "shard", "", "only this `SHARD`: 1 or 2 digits 0-9 a-f, or q for the quarantine")
	cmd.Flags().IntVar(&f.workers, "workers", 8, "`N` shards at once")
	cmd.Flags().BoolVar(&f.force, "force", false, "also if the catalog has studies")
	cmd.Flags().BoolVar(&f.restart, "restart", false, "begin anew, not where an earlier rebuild was stopped")
	cmd.Flags().BoolVar(&f.json, "json", false, "print lines of JSON: progress, then the result")
	return cmd
}

func (p *program) rebuild(ctx context.Context, f rebuildFlags) error {
	if f.workers < 1 || f.workers > 256 {
		return usagef("--workers: must be 1 to 256")
	}
	a, err := p.open(ctx, openOrMake)
	if err != nil {
		return err
	}
	defer a.Close()
	pending, err := a.db.RebuildPending(ctx)
	if err != nil {
		return err
	}
	if !f.force && !pending && f.shard == "" {
		for _, err := range a.db.Studies(ctx, catalog.Filter{Limit: 1}) {
			if err != nil {
				return err
			}
			return usagef("%s has studies: --force heals each of them from the object store", a.cfg.Catalog.Where())
		}
	}
	bar := p.newProgress()
	started := time.Now()
	next := started.Add(plainEvery)
	last := catalog.RebuildProgress{}
	o := catalog.RebuildOptions{Tenant: f.tenant, Shard: f.shard, Workers: f.workers, Restart: f.restart, Progress: func(r catalog.RebuildProgress) {
		last = r
		if p.rebuilt != nil {
			p.rebuilt(r.Studies)
		}
		line := rebuildProgress(r, time.Since(started))
		if !f.json {
			bar.show(r.Fraction, line.text())
		} else if now := time.Now(); now.After(next) {
			next = now.Add(plainEvery)
			_ = printLine(p.stdout, line)
		}
	}}
	found, err := catalog.Rebuild(ctx, a.db, a.stores.Hot(), o)
	bar.clear()
	if err != nil {
		if pending, pendingErr := a.db.RebuildPending(context.WithoutCancel(ctx)); pendingErr == nil && pending {
			bar.say("%s done; the same command again goes on from here", plural(found.Studies, "study"))
		}
		return err
	}
	return p.reportRebuild(found, last.Resumed, time.Since(started), f)
}

// rebuildProgress makes the estimate: what is left takes as long as what was done since the beginning of this run.
func rebuildProgress(r catalog.RebuildProgress, spent time.Duration) rebuildLine {
	line := rebuildLine{Event: "progress", Studies: r.Studies, Resumed: r.Resumed, Percent: 100 * min(r.Fraction, 1)}
	if s := spent.Seconds(); s > 0 {
		line.Rate = float64(r.Studies-r.Resumed) / s
	}
	if done := r.Fraction - r.ResumedAt; done > 0 && spent > time.Second && r.Fraction < 1 {
		line.Left = spent.Seconds() * (1 - r.Fraction) / done
	}
	return line
}

func (l rebuildLine) text() string {
	text := fmt.Sprintf("%.1f %%  %d studies  %.0f/s", l.Percent, l.Studies, l.Rate)
	if l.Left > 0 {
		text += "  " + (time.Duration(l.Left) * time.Second).String() + " left"
	}
	return text
}

func (p *program) reportRebuild(found catalog.RebuildReport, resumed int, spent time.Duration, f rebuildFlags) error {
	r := rebuildResult{Event: "done", Studies: found.Studies, Resumed: resumed, Instances: found.Instances, Unpublished: found.Unpublished, Quarantined: found.Quarantined, Seconds: spent.Seconds()}
	for _, e := range found.Forks {
		r.Forks = append(r.Forks, e.Error())
	}
	for _, e := range found.Damaged {
		r.Damaged = append(r.Damaged, e.Error())
	}
	for _, k := range found.Missing {
		r.Missing = append(r.Missing, k.Prefix())
	}
	if f.json {
		if err := printLine(p.stdout, r); err != nil {
			return err
		}
	} else {
		for _, list := range [][]string{r.Forks, r.Damaged} {
			for _, e := range list {
				fmt.Fprintln(p.stdout, shown(e))
			}
		}
		for _, k := range r.Missing {
			fmt.Fprintf(p.stdout, "%s: the catalog knows it and the object store does not have its newest manifest\n", k)
		}
		fmt.Fprintf(p.stdout, "%s, %s, %s quarantined", plural(r.Studies, "study"), plural(r.Instances, "instance"), plural(r.Quarantined, "file"))
		if r.Resumed > 0 {
			fmt.Fprintf(p.stdout, "; %d of them were done before it was stopped", r.Resumed)
		}
		if r.Unpublished > 0 {
			fmt.Fprintf(p.stdout, "; %s never committed: queue them again", plural(r.Unpublished, "study"))
		}
		fmt.Fprintln(p.stdout, "\nnext: `radtier verify --all` proves them")
	}
	if len(r.Forks)+len(r.Damaged)+len(r.Missing) > 0 {
		return errPartial
	}
	return nil
}
