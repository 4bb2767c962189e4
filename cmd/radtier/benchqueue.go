package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/bench"
)

func newBenchQueue(p *program) *cobra.Command {
	var asJSON bool
	var o bench.QueueOptions
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Measure catalog and queue without work",
		Long: `Queues studies in an empty catalog and works them off without deriving anything:
each job is claimed, put into Redis, taken, owned and given back. SQLite is measured in a
temporary folder, PostgreSQL where a DSN is given: use an empty database, it stays full.
The Redis must have no other work; without an address it is an embedded one.`,
		Example: `  radtier bench queue
  radtier bench queue --studies 1000 --redis 127.0.0.1:6379 --dsn postgres://radtier@127.0.0.1/bench`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Studies < 1 {
				return usagef("--studies must be 1 or more")
			}
			runs, err := bench.Queue(cmd.Context(), o)
			if err != nil {
				return err
			}
			report := queueReport{Machine: bench.ThisMachine(), Version: version(), Runs: runs}
			if asJSON {
				return printJSON(p.stdout, report)
			}
			return report.print(p)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&o.Studies, "studies", 10_000, "`N` studies queued in each run")
	cmd.Flags().StringVar(&o.Redis, "redis", "", "`ADDR` (host:port) of a Redis without other work")
	cmd.Flags().StringVar(&o.DSN, "dsn", "", "`DSN` of an empty PostgreSQL database")
	return cmd
}

// queueReport is what bench queue prints.
type queueReport struct {
	Machine bench.Machine    `json:"machine"`
	Version string           `json:"version"`
	Runs    []bench.QueueRun `json:"runs"`
}

func (r *queueReport) print(p *program) error {
	fmt.Fprintf(p.stdout, "%s, %d cores, %s/%s, %s, radtier %s\n\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Arch, r.Machine.GoVersion, r.Version)
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "catalog\tstudies\tsenders\tqueued/s\twindow\tready in Redis\tat once\thandled/s\t")
	for _, x := range r.Runs {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t%d\t%d\t%d\t%.0f\t\n", x.Catalog, x.Studies, x.Senders, x.EnqueueRate(), x.Window, x.Ready, x.AtOnce, x.HandleRate())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range r.Runs {
		for _, m := range x.Memory {
			fmt.Fprintf(p.stdout, "\n%d tasks waiting: %d bytes of Redis, %.0f for each; the last %d were claimed and put there in %.2f s",
				m.Waiting, m.Bytes, m.PerTask(), m.Dispatched, m.Dispatch.Seconds())
		}
		if x.Skipped != "" {
			fmt.Fprintf(p.stdout, "\nmemory is not measured: %s", x.Skipped)
		}
	}
	fmt.Fprintln(p.stdout)
	return nil
}
