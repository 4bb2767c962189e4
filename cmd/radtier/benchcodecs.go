package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/bench"
)

func newBenchCodecs(p *program) *cobra.Command {
	var asJSON, rivals bool
	var o bench.CodecsOptions
	var frames int
	cmd := &cobra.Command{
		Use:   "codecs DIR",
		Short: "Measure the codecs on the frames of DICOM files, by modality",
		Long: `Encodes and decodes every native frame in DIR with each codec that frames may be
stored with, on one core and in memory, and compares what comes back. MB/s are 10^6 bytes of raw
pixels per second of CPU time; of several rounds the best counts.

Rivals run as whole processes, one per frame: their times hold the start of the process and
the reading and writing of files, which matters for small frames.`,
		Example: `  radtier bench codecs DIR
  radtier bench codecs --rivals DIR   # beside ojph_compress and ojph_expand`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			if o.Rounds < 1 || frames < 1 {
				return usagef("--rounds and --rival-frames must be 1 or more")
			}
			if rivals {
				o.RivalFrames = frames
			}
			r, err := bench.Codecs(cmd.Context(), o)
			if err != nil {
				return err
			}
			report := codecsReport{Machine: bench.ThisMachine(), Version: version(), CodecsReport: r}
			if asJSON {
				return printJSON(p.stdout, report)
			}
			return report.print(p)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&o.Rounds, "rounds", 3, "`N` rounds, of which the best counts")
	cmd.Flags().BoolVar(&rivals, "rivals", false, "also run ojph_compress and ojph_expand")
	cmd.Flags().IntVar(&frames, "rival-frames", 20, "`N` frames of each modality for rivals")
	return cmd
}

// codecsReport is what bench codecs prints.
type codecsReport struct {
	Machine bench.Machine `json:"machine"`
	Version string        `json:"version"`
	bench.CodecsReport
}

func (r *codecsReport) print(p *program) error {
	fmt.Fprintf(p.stdout, "%s, %s/%s, %s, radtier %s, one core\n\n", r.Machine.CPU, r.Machine.OS, r.Machine.Arch, r.Machine.GoVersion, r.Version)
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "modality\tcodec\tkernels\tframes\tMB\tratio\tencode MB/s\tdecode MB/s\t")
	for _, x := range append(r.Results, r.Rivals...) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.1f\t%.3f\t%.1f\t%.1f\t\n", or(x.Modality, "all"), x.Codec, or(x.Kernels, "-"), x.Frames, float64(x.RawBytes)/1e6, x.Ratio(), x.EncodeMBps(), x.DecodeMBps())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Skipped > 0 {
		fmt.Fprintf(p.stdout, "\n%d instances have no native frames that the codecs take\n", r.Skipped)
	}
	for _, m := range r.Missing {
		fmt.Fprintln(p.stderr, m)
	}
	return nil
}
