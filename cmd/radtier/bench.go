package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/bench"
	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/testkit/synth"
)

func newBench(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newBenchPipeline(p), newBenchCodecs(p), newBenchQueue(p))
	return cmd
}

func newBenchPipeline(p *program) *cobra.Command {
	var asJSON, rivals bool
	var memory int64
	var rounds, studies, copies int
	var delay time.Duration
	var tier string
	cmd := &cobra.Command{
		Use:   "pipeline [DIR]",
		Short: "Measure the derive pipeline by stage, on one core and on all",
		Long: `Runs the whole pipeline (read, hash, scan, encode, prove, write, read back, commit)
over the DICOM files in DIR, or over a synthetic chest CT, into a temporary
directory store and SQLite catalog; on one core and on all. The best of several rounds counts.

"codecs" is what encoding, proving and hashing the same frames costs alone, on
one core and in memory, divided by the CPU time of the whole pipeline.`,
		Example: `  radtier bench pipeline
  radtier bench pipeline --rivals DIR   # beside dcmcjpls and gdcmconv, one process per file`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			var dir string
			if len(args) == 1 {
				dir = args[0]
			} else {
				tmp, err := os.MkdirTemp("", "radtier-bench-source-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(tmp)
				ct := synth.CT(synth.Options{Seed: 1})
				if _, _, err := ct.WriteTo(tmp); err != nil {
					return err
				}
				dir = tmp
			}
			report := benchReport{Machine: bench.ThisMachine(), Version: version()}
			o := bench.PipelineOptions{Dir: dir, Budget: memory, Studies: studies, Copies: copies, Delay: delay}
			if tier != "" {
				cfg, err := p.load()
				if err != nil {
					return err
				}
				s, err := openTier(ctx, cfg, tier)
				if err != nil {
					return err
				}
				defer s.Close()
				o.Store = s
			}
			cores := []int{1}
			if n := runtime.NumCPU(); n > 1 {
				cores = append(cores, n)
			}
			for _, n := range cores {
				var best bench.PipelineResult
				for i := range max(rounds, 1) {
					r, err := bench.Pipeline(ctx, o.On(n))
					if err != nil {
						return err
					}
					if i == 0 || r.Wall < best.Wall {
						best = r
					}
				}
				report.Runs = append(report.Runs, best)
			}
			bare, err := bench.Bare(ctx, dir)
			if err != nil {
				return err
			}
			report.Bare = bare
			report.CodecShare = float64(bare.CPU) * float64(max(copies, 1)) / float64(report.Runs[0].CPU)
			if rivals {
				for _, r := range bench.Rivals {
					res, err := bench.RunRival(ctx, r, dir)
					if errors.Is(err, exec.ErrNotFound) {
						fmt.Fprintf(p.stderr, "%s is not installed\n", r.Name)
						continue
					}
					if err != nil {
						return err
					}
					report.Rivals = append(report.Rivals, res)
				}
			}
			if asJSON {
				return printJSON(p.stdout, report)
			}
			return report.print(p)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&rivals, "rivals", false, "also run dcmcjpls and gdcmconv over the same files")
	cmd.Flags().Int64Var(&memory, "memory", 512<<20, "byte budget of the pipeline")
	cmd.Flags().IntVar(&studies, "studies", 1, "`N` studies worked on at once")
	cmd.Flags().IntVar(&copies, "copies", 1, "queue every study `N` times, each time for another tenant")
	cmd.Flags().DurationVar(&delay, "delay", 0, "delay every request to the store by this `DURATION`, as one far away does")
	cmd.Flags().StringVar(&tier, "tier", "", "write to this `TIER` of the configuration, as tenants named bench-...; what it wrote stays there")
	cmd.Flags().IntVar(&rounds, "rounds", 3, "`N` rounds, of which the best counts")
	return cmd
}

// openTier opens one tier of the configuration.
func openTier(ctx context.Context, cfg *config.Config, name string) (openedStore, error) {
	for _, t := range cfg.Tiers {
		if t.Name == name {
			return openStore(ctx, t, openOrMake)
		}
	}
	return openedStore{}, fmt.Errorf("the configuration has no tier %q", name)
}

// benchReport is what bench pipeline prints.
type benchReport struct {
	Machine    bench.Machine          `json:"machine"`
	Version    string                 `json:"version"`
	Runs       []bench.PipelineResult `json:"runs"`
	Bare       bench.BareResult       `json:"bare"`
	CodecShare float64                `json:"codec_share"` // of the CPU time on one core
	Rivals     []bench.RivalResult    `json:"rivals,omitempty"`
}

func (r *benchReport) print(p *program) error {
	first := r.Runs[0]
	fmt.Fprintf(p.stdout, "%s, %d cores, %s/%s, %s, radtier %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Arch, r.Machine.GoVersion, r.Version)
	fmt.Fprintf(p.stdout, "%d studies, %d instances, %.1f MB, ratio %.2f\n\n", first.Studies, first.Instances, float64(first.RawBytes)/1e6, float64(first.RawBytes)/float64(first.Stored))
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/1e6) }
	fmt.Fprintln(t, "\tMB/s\twall\tCPU\tread\thash\tscan\tencode\tprove\tpeak RSS\t")
	for _, x := range r.Runs {
		fmt.Fprintf(t, "pipeline, %d core\t%.1f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f MB\t\n", x.Cores, x.MBps(), ms(x.Wall), ms(x.CPU), ms(x.Read), ms(x.Hash), ms(x.Scan), ms(x.Encode), ms(x.Rebuild), float64(x.PeakRSS)/1e6)
	}
	fmt.Fprintf(t, "codecs alone\t%.1f\t\t%s\t\t%s\t\t%s\t%s\t\t\n", float64(r.Bare.RawBytes)/1e6/r.Bare.CPU.Seconds(), ms(r.Bare.CPU), ms(r.Bare.Hash), ms(r.Bare.Encode), ms(r.Bare.Compare))
	for _, x := range r.Rivals {
		fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\t\t\t\t\t\t\t\n", x.Name, float64(x.RawBytes)/1e6/x.Wall.Seconds(), ms(x.Wall), ms(x.CPU))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	t = tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "waiting\tcores busy\trequests\tfor memory\tfor the store\thot bundle\tcommit\t")
	for _, x := range r.Runs {
		fmt.Fprintf(t, "%d core\t%.0f %%\t%d\t%s\t%s\t%s\t%s\t\n", x.Cores, 100*x.CoresBusy(), x.Requests, ms(x.WaitBudget), ms(x.WaitStored), ms(x.WaitBundle), ms(x.WaitCommit))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\ncodecs and hashing are %.0f %% of the CPU time on one core", 100*r.CodecShare)
	if len(r.Runs) > 1 {
		fmt.Fprintf(p.stdout, "; %d cores are %.2fx one", r.Runs[1].Cores, r.Runs[1].MBps()/first.MBps())
	}
	fmt.Fprintln(p.stdout)
	for _, x := range r.Rivals {
		fmt.Fprintf(p.stdout, "%s: %d files, %d failed, ratio %.2f; no proof, no packing; %.1fx our CPU time\n", x.Name, x.Files, x.Failed, float64(x.RawBytes)/float64(max(x.Stored, 1)), float64(x.CPU)/float64(first.CPU))
	}
	return nil
}
