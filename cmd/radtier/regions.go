package main

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/worker"
)

func newRegions(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "regions",
		Short: "Look at what is kept of a study's lesions",
		Long: `Key-lesion regions are the slices and rectangles that stay when the full images of a study expire: found
in structured reports, key objects, presentation states, segmentations, structure sets, overlays and
JSON annotations, with margins around every lesion.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRegionsShow(p), newRegionsGet(p))
	return cmd
}

// regions opens a study with its region record; nil if nothing says where lesions are.
func (a *app) regions(ctx context.Context, tenant, name string) (*study.Study, *roi.Record, error) {
	s, err := a.find(ctx, tenant, name)
	if err != nil {
		return nil, nil, err
	}
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if e := st.Manifest.Erase; e != nil && e.Taken.IsZero() {
		return nil, nil, inTrash(st.Manifest)
	}
	if st.Manifest.Regions == nil {
		return st, nil, nil
	}
	rec, err := worker.ReadRecord(ctx, a.stores.Hot(), st.Manifest.Regions)
	if err != nil {
		return nil, nil, err
	}
	if r := st.Manifest.Review; r != nil {
		rec.Hear(&roi.Answer{Kind: roi.AnswerKind(r.Kind), By: r.By, Reason: r.Reason, At: r.At, Plan: r.Plan})
	}
	return st, rec, nil
}

func newRegionsShow(p *program) *cobra.Command {
	var tenant, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show STUDY",
		Short: "Show the lesions of a study and what is kept of them",
		Long: `Shows the region record of a study: its state, every annotation object and what became of it, the
lesions, and the regions that are kept of each series.

  radtier regions show STUDY
  radtier regions show STUDY --png out.png    # reference slices with the kept rectangles and outlines, crops beside them
  radtier regions show STUDY --json           # the whole record

States: extracted, key-slices and negative let the full images expire; extracted-open (nobody says that these
are all lesions), none, partial, unreadable and unresolved keep them. ` + "`radtier review list`" + ` lists what a person must look at.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "-" && asJSON {
				return usagef("--json and --png - both want stdout: choose one")
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			st, rec, err := a.regions(ctx, tenant, args[0])
			if err != nil {
				return err
			}
			if rec == nil {
				if out != "" {
					return fmt.Errorf("there is nothing to draw: nothing in the study says where lesions are")
				}
				rec = &roi.Record{Schema: roi.RecordSchema, Tenant: st.Manifest.Tenant, StudyUID: st.Manifest.StudyUID, State: roi.StateNone,
					Why: []string{"nothing says where lesions are"}, Sources: []roi.Source{}, Lesions: []roi.Lesion{}, Regions: []roi.Region{}}
			}
			if out != "" {
				to, err := openTarget(out, true, p.stdout)
				if err != nil {
					return err
				}
				defer to.close()
				if _, err := to.write("", "", func(w io.Writer) error { return a.drawRegions(ctx, w, st, rec) }); err != nil {
					return err
				}
				if out == "-" {
					return nil
				}
			}
			if asJSON {
				return printJSON(p.stdout, rec)
			}
			return showRegions(p.stdout, st.Manifest, rec)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&out, "png", "", "also draw them to this `FILE`, or - for stdout")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the record as JSON")
	return cmd
}

// drawRegions writes the stored picture; of a study that has none, one that is drawn now.
func (a *app) drawRegions(ctx context.Context, w io.Writer, st *study.Study, rec *roi.Record) error {
	if r := st.Manifest.Regions; r != nil && r.Picture != nil {
		raw, err := worker.ReadPicture(ctx, a.stores.Hot(), r.Picture)
		if err != nil {
			return err
		}
		_, err = w.Write(raw)
		return err
	}
	img, err := worker.DrawRegions(ctx, st, st.NewDecoders(), rec, render.PHIMask)
	if err != nil {
		return err
	}
	return png.Encode(w, img)
}

func showRegions(w io.Writer, m *catalog.Manifest, r *roi.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "study      %s\nstate      %s\n", r.StudyUID, r.State)
	for i, why := range r.Why {
		label := "because"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(&b, "%-10s %s\n", label, why)
	}
	expires := "stay"
	if r.State.Expires() {
		expires = "may expire by policy"
	}
	fmt.Fprintf(&b, "full       %s, images %s\n", bytesText(r.Totals.FullBytes), expires)
	if r.Totals.FullBytes > 0 && r.Totals.Bytes > 0 {
		fmt.Fprintf(&b, "regions    %s, %.2f %% of the full class\n", bytesText(r.Totals.Bytes), 100*float64(r.Totals.Bytes)/float64(r.Totals.FullBytes))
	}
	if v := r.Review; v != nil {
		fmt.Fprintf(&b, "review     %s by %s at %s: %s\n", v.Kind, v.By, v.At.Format("2006-01-02 15:04"), v.Reason)
	}
	if len(r.Sources) > 0 {
		fmt.Fprintf(&b, "\nSOURCES\n")
	}
	for _, s := range r.Sources {
		fmt.Fprintf(&b, "  %-13s %-12s %s", s.Kind, s.State, s.SOPUID)
		if s.StudyUID != "" {
			fmt.Fprintf(&b, "  of study %s", s.StudyUID)
		}
		if s.Findings > 0 {
			fmt.Fprintf(&b, "  %s", plural(s.Findings, "finding"))
		}
		if s.Complete {
			fmt.Fprint(&b, "  complete")
		}
		fmt.Fprintln(&b)
		for _, why := range s.Reasons {
			fmt.Fprintf(&b, "      %s\n", why)
		}
		for i, x := range s.Excluded {
			if i == 10 {
				fmt.Fprintf(&b, "      and %d more left out\n", len(s.Excluded)-i)
				break
			}
			fmt.Fprintf(&b, "      left out: %s\n", x)
		}
	}
	if len(r.Lesions) > 0 {
		fmt.Fprintf(&b, "\nLESIONS\n")
	}
	for _, l := range r.Lesions {
		fmt.Fprintf(&b, "  %-4s %-14s", l.ID, l.Extent)
		if l.Box != nil {
			d := l.Box.Max.Sub(l.Box.Min)
			fmt.Fprintf(&b, " %.1f x %.1f x %.1f mm", d[0], d[1], d[2])
		}
		if len(l.Codes) > 0 {
			fmt.Fprintf(&b, "  %s", strings.Join(l.Codes, " "))
		}
		fmt.Fprintln(&b)
		for _, why := range l.Unsure {
			fmt.Fprintf(&b, "       %s\n", why)
		}
	}
	if len(r.Regions) > 0 {
		fmt.Fprintf(&b, "\nREGIONS\n")
	}
	for _, g := range r.Regions {
		fmt.Fprintf(&b, "  %-4s %-6s %d x %d at %d, %d  %s  %s  %s\n", g.ID, g.Mode, g.Rect.W, g.Rect.H, g.Rect.X, g.Rect.Y, plural(len(g.Items), "instance"), bytesText(g.Bytes), strings.Join(g.Lesions, " "))
		fmt.Fprintf(&b, "       series %s: %s\n", g.SeriesUID, g.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newRegionsGet(p *program) *cobra.Command {
	var tenant, out string
	cmd := &cobra.Command{
		Use:   "get STUDY",
		Short: "Write the kept slices and crops of a study as DICOM files",
		Long: `Writes what is kept of a study's lesions: whole slices as they were received, and derived instances with
their own UIDs, as DICOM files in Explicit VR Little Endian.

  radtier regions get STUDY -o out`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.find(ctx, tenant, args[0])
			if err != nil {
				return err
			}
			m, err := catalog.LoadHead(ctx, a.db, a.stores.Hot(), s.StudyKey)
			if err != nil {
				return err
			}
			if hidden := inTrash(m, catalog.ClassRegion); hidden != nil {
				return hidden
			}
			st, err := study.OpenRegions(ctx, a.stores, m, a.set)
			if err != nil {
				return err
			}
			list := st.Instances()
			if len(list) == 0 {
				return fmt.Errorf("no regions are kept of study %s: `radtier regions show %s` says why", s.UID, s.Hash()[:8])
			}
			to, err := openTarget(or(out, safeName(s.UID)+"-regions"), false, p.stdout)
			if err != nil {
				return err
			}
			defer to.close()
			dec := st.NewDecoders()
			var n int64
			for _, in := range list {
				size, err := to.write(in.SeriesUID, in.SOPUID+".dcm", func(w io.Writer) error { return st.WriteExplicitLE(ctx, dec, in, w) })
				if err != nil {
					return fmt.Errorf("%s: %w", in.SOPUID, err)
				}
				n += size
			}
			fmt.Fprintf(p.stdout, "%s, %s\n", plural(len(list), "file"), bytesText(n))
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVarP(&out, "output", "o", "", "`DIR` (default: named by the study's UID)")
	return cmd
}
