package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// errTrashed: what is asked for is in the trash.
var errTrashed = errors.New("it is in the trash")

// errErasing: what is asked for may be ordered to be erased.
var errErasing = errors.New("an erasure was ordered")

// inTrash says what of a study is in the trash, for somebody who does not find it; nil if nothing of the classes is.
func inTrash(m *catalog.Manifest, classes ...catalog.Class) error {
	var what []string
	for _, t := range m.Trash {
		if slices.Contains(classes, t.Class) {
			what = append(what, fmt.Sprintf("%s since %s by rule %s", t.Class, timeText(t.Since), shown(t.Rule)))
		}
	}
	if e := m.Erase; e != nil && e.Taken.IsZero() {
		return fmt.Errorf("%w %s by %s: readers are not shown what it is about; `radtier erase %s --cancel` takes it back", errErasing, timeText(e.At), shown(e.By), m.Study().Hash()[:8])
	}
	if what == nil {
		return nil
	}
	return fmt.Errorf("%w (%s): `radtier undelete %s --by NAME --reason TEXT` brings it back", errTrashed, strings.Join(what, ", "), m.Study().Hash()[:8])
}

func newUndelete(p *program) *cobra.Command {
	var tenant, by, reason string
	var classes []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "undelete STUDY",
		Short: "Take what expired out of the trash again",
		Long: `Brings back what a plan put into the trash, at once and whole: nothing of it was deleted. Its rule lets it expire all the same, so the
next plan puts it there again, unless something new comes for the study or a hold forbids it. Who and why are stored in the audit log: write no patient data.

  radtier undelete STUDY --by NAME --reason TEXT
  radtier undelete STUDY --class full --by NAME --reason TEXT
  radtier hold add STUDY --kind legal --owner NAME --reason TEXT    # keeps it out`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" || reason == "" {
				return usagef("taking something out of the trash needs --by NAME and --reason TEXT")
			}
			var list []catalog.Class
			for _, c := range classes {
				if !slices.Contains(policy.Classes, catalog.Class(c)) {
					return usagef("--class %q is not known: use full, region, result or preview", c)
				}
				list = append(list, catalog.Class(c))
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
			m, err := lifecycle.Undelete(ctx, a.db, a.stores.Hot(), s.StudyKey, list, by, reason)
			if errors.Is(err, catalog.ErrNotTrashed) {
				return fmt.Errorf("%w: `radtier show %s` says what is there", err, s.Hash()[:8])
			} else if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, struct {
					Study      string            `json:"study"`
					Generation int64             `json:"generation"`
					Trash      []catalog.Trashed `json:"trash"`
				}{s.Hash(), m.Generation, append([]catalog.Trashed{}, m.Trash...)})
			}
			what := "nothing of it is in the trash any more"
			if len(m.Trash) > 0 {
				what = inTrash(m, policy.Classes...).Error()
			}
			_, err = fmt.Fprintf(p.stdout, "study %s: %s\n", s.Hash()[:8], what)
			return err
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringSliceVar(&classes, "class", nil, "only this `CLASS`: full, region, result or preview (may be repeated)")
	cmd.Flags().StringVar(&by, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT`: why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
