package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/lifecycle"
)

func newScrub(p *program) *cobra.Command {
	var share float64
	var tenant string
	var repair, asJSON bool
	cmd := &cobra.Command{
		Use:   "scrub",
		Short: "Read today's share of all objects again, and repair what another copy can",
		Long: `Reads the objects of the studies whose turn it is today, and compares them with the SHA-256 in their manifests. With --share 1 every study has
its turn once in 100 days: run it every day. What lies in an archive class is counted and not read. "radtier verify" proves more of fewer studies.

With --repair a job is queued for each damaged pack: if any object of the study, on any tier, has the right bytes (the original of a move that was not swept
yet), a worker copies it to a new key. A pack without another copy stays named, and its job is set aside for a person: "radtier queue".

  radtier scrub
  radtier scrub --share 100 --json
  radtier scrub --share 3 --repair && radtier worker --once

Exit codes: 0 all is intact, 3 something is damaged.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(share > 0 && share <= 100) {
				return usagef("--share %g: must be more than 0 and at most 100 percent", share)
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			bar := p.newProgress()
			started := time.Now()
			o := lifecycle.ScrubOptions{Turns: int64(100/share + 0.5), Day: time.Now().Unix() / 86400, Tenant: tenant,
				Progress: func(n int, read int64) {
					bar.show(-1, fmt.Sprintf("%d studies, %s read, %s MB/s", n, bytesText(read), rateText(read, time.Since(started))))
				}}
			if repair {
				o.Tiers = a.stores.names
			}
			r, err := lifecycle.Scrub(ctx, a.db, a.stores, o)
			bar.clear()
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, r)
			} else {
				err = p.printScrub(r)
			}
			if err == nil && len(r.Damaged) > 0 {
				return errPartial
			}
			return err
		},
	}
	cmd.Flags().Float64Var(&share, "share", 1, "`PERCENT` of the studies that have their turn today")
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().BoolVar(&repair, "repair", false, "queue a repair for each damaged pack")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) printScrub(r *lifecycle.ScrubReport) error {
	for _, b := range r.Damaged {
		next := ""
		if b.Queued {
			next = "; its repair is queued"
		}
		fmt.Fprintf(p.stdout, "damaged: study %s: %s: %s%s\n", cut(b.Study, 8), b.Key, shown(b.What), next)
	}
	end := "all intact"
	if len(r.Damaged) > 0 {
		end = plural(len(r.Damaged), "object") + " damaged"
	}
	_, err := fmt.Fprintf(p.stdout, "%s, %s, %s read, %d in archive classes not read: %s\n", plural(r.Studies, "study"), plural(r.Objects, "object"), bytesText(r.Bytes), r.Archived, end)
	return err
}
