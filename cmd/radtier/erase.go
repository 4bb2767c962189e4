package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/worker"
)

// eraseLine is an erasure that was ordered, or would be.
type eraseLine struct {
	Study     string   `json:"study"`
	Instances []string `json:"instances"` // SOP Instance UIDs; empty: all of the study
	Stored    int      `json:"stored"`    // how many stored instances go, all versions
	Files     int      `json:"quarantined"`
	Ordered   bool     `json:"ordered"`
	Job       string   `json:"job,omitempty"`
}

func newErase(p *program) *cobra.Command {
	var tenant string
	var instances []string
	var e catalog.Erasure
	var yes, cancel, asJSON bool
	cmd := &cobra.Command{
		Use:   "erase STUDY",
		Short: "Erase a study, or instances of it, everywhere",
		Long: `Erases what must not be here: images of another patient, or what a patient or an authority demands to be erased. There is no trash and no grace period. From the order on
nobody is shown it; a worker then writes what is left of the study anew, without it, on every tier: packs, headers, previews, thumbnails, regions, quarantined files, what earlier
generations left; and deletes the bytes. A certificate lists every object (radtier certificate).

A hold forbids it. A copy that is not known to be a secondary one takes a second person (--approved-by). Source files that were kept or moved when they were read are
not erased, and nor is what is sent again afterwards. Who and why are stored in the audit log: write no patient data.

  radtier erase STUDY                                              # says what would go
  radtier erase STUDY --yes --by NAME --reason TEXT --approved-by NAME
  radtier erase STUDY --instance UID --yes --by NAME --reason TEXT --approved-by NAME
  radtier erase STUDY --cancel --by NAME --reason TEXT             # as long as no worker has done it`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (yes || cancel) && (e.By == "" || e.Reason == "") {
				return usagef("an erasure needs --by NAME and --reason TEXT")
			}
			if yes && cancel {
				return usagef("--yes and --cancel exclude each other")
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.find(ctx, tenant, args[0])
			if err != nil {
				return err
			}
			if cancel {
				if _, err := lifecycle.CancelErasure(ctx, a.db, a.stores.Hot(), s.StudyKey, e.By, e.Reason); err != nil {
					return err
				}
				_, err = fmt.Fprintf(p.stdout, "study %s: nothing is ordered to be erased any more\n", s.Hash()[:8])
				return err
			}
			slices.Sort(instances)
			e.SOPUIDs, e.At = slices.Compact(instances), time.Now().UTC().Truncate(time.Millisecond)
			line := eraseLine{Study: s.Hash(), Instances: append([]string{}, e.SOPUIDs...)}
			if err := a.countErased(ctx, s, &e, &line); err != nil {
				return err
			}
			if yes {
				job, err := lifecycle.OrderErasure(ctx, a.db, a.stores.Hot(), s.StudyKey, e)
				switch {
				case errors.Is(err, lifecycle.ErrApproval):
					return fmt.Errorf("%w: --approved-by NAME", err)
				case errors.Is(err, catalog.ErrErasing):
					return fmt.Errorf("%w: `radtier show %s`", err, s.Hash()[:8])
				case err != nil:
					return err
				}
				line.Ordered, line.Job = true, job.ID
			}
			if asJSON {
				return printJSON(p.stdout, line)
			}
			what := "all of it"
			if len(line.Instances) > 0 {
				what = plural(len(line.Instances), "instance")
			}
			counts := plural(line.Stored, "stored file")
			if line.Files > 0 {
				counts += ", " + plural(line.Files, "quarantined file")
			}
			if !yes {
				_, err = fmt.Fprintf(p.stdout, "study %s: %s would be erased (%s); nothing was done\nnext: `radtier erase %s --yes --by NAME --reason TEXT --approved-by NAME`\n", line.Study[:8], what, counts, line.Study[:8])
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "study %s: %s (%s) is hidden, and is erased by workers: `radtier worker --once`, or a worker that runs; then `radtier certificate %s`\n", line.Study[:8], what, counts, line.Study[:8])
			return err
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringArrayVar(&instances, "instance", nil, "only the instance with this SOP Instance `UID` (may be repeated)")
	cmd.Flags().StringVar(&e.By, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&e.Reason, "reason", "", "`TEXT`: why")
	cmd.Flags().StringVar(&e.Approved, "approved-by", "", "`NAME` of a second person")
	cmd.Flags().BoolVar(&yes, "yes", false, "order it")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take an order back")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// countErased counts what an order is about. An instance that is not there is an error: a wrong UID must not look like success.
func (a *app) countErased(ctx context.Context, s catalog.Study, e *catalog.Erasure, line *eraseLine) error {
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return err
	}
	m := st.Manifest
	found := map[string]bool{}
	for _, in := range st.Instances() {
		if e.Erases(in.SOPUID) {
			found[in.SOPUID] = true
			line.Stored++
		}
	}
	for _, q := range m.Quarantined {
		if e.Erases(q.SOPUID) {
			found[q.SOPUID] = true
			line.Files++
		}
	}
	if m.Purged(catalog.ClassFull) != nil { // regions of instances that are gone
		regions, err := study.OpenRegions(ctx, a.stores, m, a.set)
		if err != nil {
			return err
		}
		for _, in := range regions.Instances() {
			found[in.SOPUID] = true
		}
		rec, err := a.regionSources(ctx, m)
		if err != nil {
			return err
		}
		for _, uid := range rec {
			found[uid] = true
		}
	}
	for _, uid := range e.SOPUIDs {
		if !found[uid] {
			return fmt.Errorf("study %s has no instance %s: `radtier show %s --instances` lists them; nothing was done", s.Hash()[:8], shown(uid), s.Hash()[:8])
		}
	}
	return nil
}

// regionSources lists the instances that the regions of a study were made from.
func (a *app) regionSources(ctx context.Context, m *catalog.Manifest) (list []string, err error) {
	if m.Regions == nil {
		return nil, nil
	}
	rec, err := worker.ReadRecord(ctx, a.stores.Hot(), m.Regions)
	if err != nil {
		return nil, err
	}
	for i := range rec.Regions {
		for _, it := range rec.Regions[i].Items {
			list = append(list, it.SOPUID)
		}
	}
	return list, nil
}
