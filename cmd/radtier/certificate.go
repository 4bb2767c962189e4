package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle"
)

// certificateLine is a certificate and what became of its objects.
type certificateLine struct {
	Key string `json:"key"`
	*lifecycle.Deletion
	Left []string `json:"left"` // keys that the sweep has not removed yet
}

func newCertificate(p *program) *cobra.Command {
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "certificate STUDY",
		Short: "Show what was purged or erased of a study, and whether its bytes are gone",
		Long: `Every purge and every erasure leaves a certificate in the bucket: each object and instance that was deleted, with its digest, when, by which rule of which
policy, who applied the plan, and what proved that the primary copy exists. The manifest names its digest. The command checks that, and asks the
store for every object: those that are still there go with the next sweep after its grace period, unless a hold stands.

  radtier certificate STUDY
  radtier certificate STUDY --json    # with every instance`,
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
			if len(m.Certificates) == 0 {
				return fmt.Errorf("nothing of study %s was ever purged or erased", s.Hash()[:8])
			}
			for i := range m.Certificates {
				c := &m.Certificates[i]
				line, err := a.certificate(ctx, c)
				if err != nil {
					return err
				}
				if asJSON {
					err = printLine(p.stdout, line)
				} else {
					err = p.printCertificate(line)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a certificate")
	return cmd
}

// certificate reads a certificate and looks for its objects.
func (a *app) certificate(ctx context.Context, c *catalog.Certificate) (certificateLine, error) {
	line := certificateLine{Key: c.Key, Left: []string{}}
	d, err := lifecycle.ReadDeletion(ctx, a.stores.Hot(), c)
	if err != nil {
		return line, err
	}
	line.Deletion = d
	for _, o := range d.Objects {
		store, err := a.stores.Tier(or(o.Tier, a.stores.names[0]))
		if err != nil {
			return line, err
		}
		if _, err := store.Head(ctx, o.Key); err == nil {
			line.Left = append(line.Left, o.Key)
		} else if !errors.Is(err, objstore.ErrNotFound) {
			return line, err
		}
	}
	return line, nil
}

func (p *program) printCertificate(c certificateLine) error {
	bytes, instances := int64(0), 0
	for _, o := range c.Objects {
		bytes, instances = bytes+o.Bytes, instances+len(o.Instances)
	}
	w := p.stdout
	if e := c.Erasure; e != nil {
		what := "all of it"
		if !e.Whole() {
			what = plural(len(e.SOPUIDs), "instance")
		}
		approved := ""
		if e.Approved != "" {
			approved = ", approved by " + shown(e.Approved)
		}
		fmt.Fprintf(w, "%s erased %s, ordered %s by %s%s\n", what, timeText(c.At), timeText(e.At), shown(e.By), approved)
	} else {
		fmt.Fprintf(w, "%s purged %s by %s, rule %s of policy %.12s, plan %.16s\n", c.Class, timeText(c.At), shown(c.By), shown(c.Rule), c.Policy, c.Plan)
	}
	for _, why := range c.Why {
		fmt.Fprintf(w, "  %s\n", shown(why))
	}
	if x := c.Proof; x != nil {
		fmt.Fprintf(w, "  the primary copy was proved (%s) %s by %s\n", x.Level, timeText(x.At), shown(x.Keeper))
	}
	left := "all of them are gone from the store"
	if len(c.Left) > 0 {
		left = fmt.Sprintf("%d are still there and go with a sweep", len(c.Left))
	}
	_, err := fmt.Fprintf(w, "  %s of %s with %s: %s\n", plural(len(c.Objects), "object"), bytesText(bytes), plural(instances, "instance"), left)
	return err
}

// tellTooLate says, pack by pack, what a hold comes too late for.
func (a *app) tellTooLate(ctx context.Context, m *catalog.Manifest) {
	for i := range m.Certificates {
		c := &m.Certificates[i]
		line, err := a.certificate(ctx, c)
		what, how := string(c.Class), "purged"
		if c.Erasure {
			what, how = "what was ordered to be erased", "erased"
		}
		if err != nil {
			fmt.Fprintf(a.stderr, "radtier: too late for %s, which was %s %s; %v\n", what, how, timeText(c.At), err)
			continue
		}
		for _, o := range line.Objects {
			still := ""
			if slices.Contains(line.Left, o.Key) {
				still = "; its bytes are still in the store, and stay while a hold stands"
			}
			fmt.Fprintf(a.stderr, "radtier: too late for %s: %s, %s, was %s %s%s\n", what, o.Key, plural(len(o.Instances), "instance"), how, timeText(c.At), still)
		}
	}
}
