package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

type rebuildResult struct {
	Studies     int      `json:"studies"`
	Instances   int      `json:"instances"`
	Unpublished int      `json:"unpublished"` // studies without any published manifest
	Quarantined int      `json:"quarantined"`
	Forks       []string `json:"forks,omitempty"`
	Damaged     []string `json:"damaged,omitempty"`
	Missing     []string `json:"missing,omitempty"` // known to the catalog, not in the bucket
}

func newRebuild(p *program) *cobra.Command {
	var tenant string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the catalog anew from the object store alone",
		Long: `Reads all published manifests and writes the rows of studies, holdings and quarantine.
Nothing in the object store is changed. What is queued and not stored yet is not in the object
store: queue it again with ` + "`radtier ingest`" + `.

A catalog that has studies is left alone unless --force is given; then every study is healed
and nothing is lost.

  mv radtier-data/catalog.db* /somewhere/safe/ && radtier rebuild
  radtier rebuild --force`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openOrMake)
			if err != nil {
				return err
			}
			defer a.Close()
			if !force {
				for _, err := range a.db.Studies(ctx, catalog.Filter{Limit: 1}) {
					if err != nil {
						return err
					}
					return usagef("the catalog %s has studies: --force heals each of them from the object store", a.cfg.Catalog.Path)
				}
			}
			bar := p.newProgress()
			found, err := catalog.Rebuild(ctx, a.db, a.stores.Hot(), catalog.RebuildOptions{Tenant: tenant, Progress: func(r catalog.RebuildReport) {
				bar.show(-1, fmt.Sprintf("%d studies, %d instances", r.Studies, r.Instances))
			}})
			bar.clear()
			if err != nil {
				return err
			}
			return p.reportRebuild(found, asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().BoolVar(&force, "force", false, "also if the catalog has studies")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) reportRebuild(found catalog.RebuildReport, asJSON bool) error {
	r := rebuildResult{Studies: found.Studies, Instances: found.Instances, Unpublished: found.Unpublished, Quarantined: found.Quarantined}
	for _, e := range found.Forks {
		r.Forks = append(r.Forks, e.Error())
	}
	for _, e := range found.Damaged {
		r.Damaged = append(r.Damaged, e.Error())
	}
	for _, k := range found.Missing {
		r.Missing = append(r.Missing, k.Prefix())
	}
	if asJSON {
		if err := printJSON(p.stdout, r); err != nil {
			return err
		}
	} else {
		for _, list := range [][]string{r.Forks, r.Damaged} {
			for _, e := range list {
				fmt.Fprintln(p.stdout, shown(e))
			}
		}
		for _, k := range r.Missing {
			fmt.Fprintf(p.stdout, "%s: the catalog knows it and the object store has no manifest of it\n", k)
		}
		fmt.Fprintf(p.stdout, "%s, %s, %s quarantined", plural(r.Studies, "study"), plural(r.Instances, "instance"), plural(r.Quarantined, "file"))
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
