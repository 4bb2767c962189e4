package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

func newPrefetch(p *program) *cobra.Command {
	var list, tenant, within, keep, budget string
	var o lifecycle.PrefetchOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "prefetch --appointments FILE|-",
		Short: "Warm the last studies of patients who come soon",
		Long: `Reads a list of appointments and brings the priors of those patients back from colder tiers before they come: a restore for each, in the order of the appointments, by
that time, at the cheapest speed. They stay for --keep after the appointment and then go down again by themselves. The same list again changes nothing.

The list is CSV with a head, or JSON lines: study_uid (one of the patient's studies), at (2026-12-01T08:00:00+08:00), group (anything that the patient's studies have in common; it is
not stored) and priority. Of each group and appointment the last --priors are warmed. A line that cannot be read refuses the whole list.

  radtier prefetch --appointments tomorrow.csv --dry-run
  ris-export | radtier prefetch --appointments - --budget 200GiB
  radtier prefetch report --days 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if list == "" {
				return usagef("--appointments FILE is needed, - reads the standard input")
			}
			if o.Within, err = config.ParseDuration(within); err != nil || o.Within <= 0 {
				return usagef("--within %s: must be a duration such as 36h", within)
			}
			if o.Keep, err = config.ParseDuration(keep); err != nil || o.Keep <= 0 {
				return usagef("--keep %s: must be a duration such as 2d", keep)
			}
			if o.Priors < 1 {
				return usagef("--priors %d: must be 1 or more", o.Priors)
			}
			if budget != "" {
				if o.Budget, err = config.ParseBytes(budget); err != nil || o.Budget <= 0 {
					return usagef("--budget %s: must be a size such as 200GiB", budget)
				}
			}
			appointments, err := p.appointments(list)
			if err != nil {
				return usageError{err}
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			o.Now, o.Hot, o.Tenant = time.Now(), a.cfg.Tiers[0].Name, or(tenant, a.cfg.Tenant)
			if o.Prices, err = a.prices(o.Now, &policy.Policy{}); err != nil {
				return err
			}
			r, err := lifecycle.PrefetchFor(ctx, a.db, appointments, o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, r)
			}
			return printPrefetched(p.stdout, r, o.DryRun)
		},
	}
	cmd.Flags().StringVar(&list, "appointments", "", "the list, a `FILE`, or - for the standard input")
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the studies (default: that of the configuration)")
	cmd.Flags().StringVar(&within, "within", config.FormatDuration(lifecycle.DefaultPrefetchWithin), "only appointments within this `DURATION`")
	cmd.Flags().StringVar(&keep, "keep", config.FormatDuration(lifecycle.DefaultPrefetchKeep), "how long they stay after the appointment, a `DURATION`")
	cmd.Flags().IntVar(&o.Priors, "priors", lifecycle.DefaultPriors, "how many of each group")
	cmd.Flags().StringVar(&budget, "budget", "", "bring back so many `BYTES` at most")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would be warmed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(newPrefetchReport(p))
	return cmd
}

// appointments reads a list from a file, or from the standard input.
func (p *program) appointments(name string) ([]lifecycle.Appointment, error) {
	in := io.Reader(p.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return lifecycle.ReadAppointments(in)
}

func printPrefetched(w io.Writer, r *lifecycle.Prefetched, dry bool) error {
	t := table{head: []string{"study", "appointment", "from", ">bytes"}}
	for _, x := range r.Warmed {
		t.add(x.Study[:8], timeText(x.Appointment), shown(x.Tier), bytesText(x.Bytes))
	}
	if len(t.rows) > 0 {
		if err := t.print(w); err != nil {
			return err
		}
	}
	for _, why := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "not warmed: %d %s\n", r.Skipped[why], why)
	}
	what, costs := "are brought back by workers", ""
	if dry {
		what = "would be brought back"
	}
	if r.Currency != "" {
		costs = fmt.Sprintf(", for %s %s", moneyText(r.Cost), r.Currency)
	}
	_, err := fmt.Fprintf(w, "%s: %s, %s%s, %s\n", plural(r.Appointments, "appointment"), plural(len(r.Warmed), "study"), bytesText(r.Bytes), costs, what)
	return err
}

func newPrefetchReport(p *program) *cobra.Command {
	var days int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Say how well warming worked",
		Long: `Compares what was warmed for the appointments of the last days with what was read: hits, what was warmed in vain, what came late, and what was read from a colder tier without
having been warmed. A read belongs to an appointment from the day before to the day after.

  radtier prefetch report
  radtier prefetch report --days 30 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 {
				return usagef("--days %d: must be 1 or more", days)
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openCatalog)
			if err != nil {
				return err
			}
			defer a.Close()
			now := time.Now()
			prices, err := a.prices(now, &policy.Policy{})
			if err != nil {
				return err
			}
			r, err := lifecycle.ReportPrefetch(ctx, a.db, now.AddDate(0, 0, -days), now.AddDate(0, 0, 2), now, prices, a.cfg.Tiers[0].Name)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, r)
			}
			rate := "no appointment of a warmed study is over"
			if share, ok := r.HitRate(); ok {
				rate = fmt.Sprintf("%.0f %% of them were read", 100*share)
			}
			late := ""
			if r.Late > 0 {
				late = fmt.Sprintf(" (by %s at most)", config.FormatDuration((time.Duration(r.LateMost) * time.Second).Truncate(time.Minute)))
			}
			costs := ""
			if r.Currency != "" {
				costs = fmt.Sprintf(", for %s %s", moneyText(r.Cost), r.Currency)
			}
			_, err = fmt.Fprintf(p.stdout, "warmed %s, %s%s; %s\nhits %d, in vain %d, not over yet %d\nlate %d%s, failed %d\nread from a colder tier without having been warmed: %d\n",
				plural(r.Warmed, "study"), bytesText(r.Bytes), costs, rate, r.Hits, r.Unused, r.Open, r.Late, late, r.Failed, r.Misses)
			return err
		},
	}
	cmd.Flags().IntVar(&days, "days", 7, "appointments of so many days")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
