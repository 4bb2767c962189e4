package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

func newAudit(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show and check the log of who decided what",
		Long: `Every decision about a study (stored, moved, held, trashed, purged, repaired, answered) is a row that is written in the transaction that decides. Workers seal the rows into the
hot tier every few minutes: lines that are chained by SHA-256, one chain for each first digit of the studies' hashes, and every hour a root that names the ends of all chains.
Keep a copy of a root elsewhere, and nobody can change what came before it without being found.

  radtier audit list STUDY
  radtier audit verify
  radtier audit seal      # at once`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditList(p), newAuditVerify(p), newAuditSeal(p))
	return cmd
}

func newAuditList(p *program) *cobra.Command {
	var tenant, action string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [STUDY]",
		Short: "List entries: of one study, or all that are sealed",
		Long: `Lists the entries of a study, oldest first, sealed or not; without a study all sealed entries, by shard.

  radtier audit list STUDY
  radtier audit list --action purge
  radtier audit list --json    # one JSON object a line`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			show := func(e catalog.AuditEntry) error {
				if action != "" && e.Action != action {
					return nil
				}
				if asJSON {
					return printLine(p.stdout, e)
				}
				sealed := "not sealed yet"
				if e.Number > 0 {
					sealed = fmt.Sprintf("sealed as %c/%d", e.Study[0], e.Number)
				}
				text := shown(e.Note)
				if text != "" {
					text = ": " + text
				}
				_, err := fmt.Fprintf(p.stdout, "%s  study %s generation %d  %s by %s%s  (%s)\n", timeText(e.At), e.Study[:8], e.Generation, shown(e.Action), shown(e.Actor), text, sealed)
				return err
			}
			if len(args) == 1 {
				s, err := a.find(ctx, tenant, args[0])
				if err != nil {
					return err
				}
				list, err := a.db.AuditOf(ctx, s.StudyKey)
				for _, e := range list {
					if err == nil {
						err = show(e)
					}
				}
				return err
			}
			for e, err := range catalog.Audit(ctx, a.db, a.stores.Hot()) {
				if err == nil && (tenant == "" || e.Tenant == tenant) {
					err = show(e)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only of this `TENANT`")
	cmd.Flags().StringVar(&action, "action", "", "only this `ACTION`: derive, move, hold, trash, purge, ...")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func newAuditVerify(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read the whole log and check every chain",
		Long: `Reads every segment and root, and checks that each line follows the one before, that no number is missing, that the roots name what is there, and that the rows of
the catalog say the same. Of a chain the first wrong place is told: what follows it proves nothing.

What it cannot see: a log whose end was cut off together with the roots and the catalog's rows. Keep copies of roots elsewhere.

  radtier audit verify
  radtier audit verify --json

Exit codes: 0 all is as it was sealed, 3 something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := catalog.VerifyAudit(ctx, a.db, a.stores.Hot(), nil)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, r)
			} else {
				for _, w := range r.Wrong {
					fmt.Fprintf(p.stdout, "wrong: %s\n", strings.TrimPrefix(shown(w), "audit log: "))
				}
				end := "all as it was sealed"
				if len(r.Wrong) > 0 {
					end = plural(len(r.Wrong), "fault")
				}
				_, err = fmt.Fprintf(p.stdout, "%s in %s, %s, %d not sealed yet: %s\n", plural(int(r.Entries), "entry"), plural(int(r.Segments), "segment"), plural(int(r.Roots), "root"), r.Loose, end)
			}
			if err == nil && len(r.Wrong) > 0 {
				return errPartial
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newAuditSeal(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "seal",
		Short: "Seal what workers have not sealed yet",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			n, err := catalog.SealAudit(cmd.Context(), a.db, a.stores.Hot(), nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s sealed\n", plural(int(n), "entry"))
			return err
		},
	}
}
