package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// holdLine is one hold of a study.
type holdLine struct {
	Tenant   string `json:"tenant"`
	StudyUID string `json:"study_uid"`
	Study    string `json:"study"` // hash
	catalog.Hold
	Stands bool `json:"stands"`
}

func newHold(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Forbid deletions of a study, and lift that again",
		Long: `A hold beats every rule: while it stands, nothing of the study is deleted. It is recorded at once, whatever is
going on with the study, and survives the loss of the catalog.

  radtier hold add STUDY --kind legal --owner NAME --reason TEXT
  radtier hold add STUDY --kind appointment --owner NAME --reason TEXT --until 2027-01-31
  radtier hold list
  radtier hold lift STUDY ID --by NAME --reason TEXT`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newHoldAdd(p), newHoldList(p), newHoldLift(p))
	return cmd
}

// zoneOfDays is where days that people write begin and end.
func zoneOfDays() (*time.Location, error) { return time.LoadLocation(policy.DefaultZone) }

func newHoldAdd(p *program) *cobra.Command {
	h := catalog.Hold{}
	var kind, tenant, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "add STUDY",
		Short: "Put a hold on a study",
		Long: `Forbids to delete anything of a study until the hold is lifted, or through the last day of --until (a day in
` + policy.DefaultZone + `). The same hold again changes nothing. Who and why are stored with the study and in the audit log: write no patient data.

  radtier hold add STUDY --kind legal --owner NAME --reason TEXT
  radtier hold add STUDY --kind research --owner NAME --reason TEXT --until 2030-12-31

Kinds: legal (a dispute, an authority), research (a collection), appointment (the patient comes back; nothing is moved to a colder tier either).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind == "" || h.Owner == "" || h.Reason == "" {
				return usagef("a hold needs --kind legal, research or appointment, --owner NAME and --reason TEXT")
			}
			h.Kind, h.Since = catalog.HoldKind(kind), time.Now().UTC().Truncate(time.Millisecond)
			switch h.Kind {
			case catalog.HoldLegal, catalog.HoldResearch, catalog.HoldAppointment:
			default:
				return usagef("--kind %q is not known: use legal, research or appointment", kind)
			}
			if until != "" {
				zone, err := zoneOfDays()
				if err != nil {
					return err
				}
				day, err := policy.ParseDay(until)
				if err != nil {
					return usagef("--until: %w", err)
				}
				if h.Until = (day + 1).Start(zone).UTC(); !h.Until.After(h.Since) {
					return usagef("--until %s is over", day)
				}
			} else if h.Kind == catalog.HoldAppointment {
				return usagef("a hold for an appointment needs --until DAY")
			}
			if h.ID == "" {
				h.ID = lifecycle.HoldID(h)
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
			m, err := lifecycle.AddHold(ctx, a.db, a.stores.Hot(), s.StudyKey, h)
			switch {
			case errors.Is(err, catalog.ErrHoldExists):
				return fmt.Errorf("%w: `radtier hold list %s`; give this one another --id", err, s.Hash()[:8])
			case err != nil:
				return err
			}
			a.tellTooLate(ctx, m)
			return p.printHold(m, h.ID, asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND`: legal, research or appointment")
	cmd.Flags().StringVar(&h.Owner, "owner", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&h.Reason, "reason", "", "`TEXT`: why")
	cmd.Flags().StringVar(&until, "until", "", "the last `DAY` of it (default: until it is lifted)")
	cmd.Flags().StringVar(&h.ID, "id", "", "`ID` to lift it by, such as a case number (default: made from what it says)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the hold as JSON")
	return cmd
}

// printHold prints one hold of a study after it was changed.
func (p *program) printHold(m *catalog.Manifest, id string, asJSON bool) error {
	for _, h := range m.Holds {
		if h.ID != id {
			continue
		}
		line := holdLine{m.Tenant, m.StudyUID, m.Study().Hash(), h, h.StandsAt(time.Now())}
		if asJSON {
			return printJSON(p.stdout, line)
		}
		_, err := fmt.Fprintf(p.stdout, "study %s: %s hold %s %s\n", line.Study[:8], kindOf(h), shown(h.ID), endOf(h))
		return err
	}
	return nil
}

func kindOf(h catalog.Hold) string { return or(string(h.Kind), string(catalog.HoldLegal)) }

// endOf says until when a hold stands.
func endOf(h catalog.Hold) string {
	switch {
	case h.Lifted != nil:
		return "was lifted " + timeText(h.Lifted.At)
	case h.Until.IsZero():
		return "stands until it is lifted"
	}
	return "stands until " + timeText(h.Until)
}

func newHoldList(p *program) *cobra.Command {
	var tenant string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "list [STUDY]",
		Short: "List holds that stand",
		Long: `Lists the holds of one study, or of all studies that are held, by tenant and hash.

  radtier hold list
  radtier hold list STUDY --all    # also those that are over or were lifted, with who lifted them`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) == 0 {
				return usagef("--all needs a study")
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			studies := a.db.Held(ctx, tenant)
			if len(args) > 0 {
				s, err := a.find(ctx, tenant, args[0])
				if err != nil {
					return err
				}
				studies = func(yield func(catalog.Study, error) bool) { yield(s, nil) }
			}
			now := time.Now()
			t := table{head: []string{"study", "tenant", "kind", "hold", "owner", "since", "end", "reason"}}
			any := false
			for s, err := range studies {
				if err != nil {
					return err
				}
				m, err := catalog.LoadHead(ctx, a.db, a.stores.Hot(), s.StudyKey)
				if errors.Is(err, catalog.ErrNoStudy) {
					continue
				} else if err != nil {
					return err
				}
				for _, h := range m.Holds {
					if !all && !h.StandsAt(now) {
						continue
					}
					any = true
					if asJSON {
						if err := printLine(p.stdout, holdLine{m.Tenant, m.StudyUID, s.Hash(), h, h.StandsAt(now)}); err != nil {
							return err
						}
						continue
					}
					t.add(s.Hash()[:8], s.Tenant, kindOf(h), shown(h.ID), shown(or(h.Owner, "(a document of the study)")), timeText(h.Since), endOf(h), shown(h.Reason))
				}
			}
			switch {
			case asJSON:
				return nil
			case !any:
				_, err := fmt.Fprintln(p.stdout, "no hold stands")
				return err
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT` (default: all)")
	cmd.Flags().BoolVar(&all, "all", false, "also holds of the study that are over or were lifted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func newHoldLift(p *program) *cobra.Command {
	var tenant, by, reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lift STUDY ID",
		Short: "Lift a hold",
		Long: `Ends a hold before its time. It stays in the list, with who lifted it and why; a document of the study that asked
for it does not put it there again. Nothing is deleted by this.

  radtier hold lift STUDY ID --by NAME --reason TEXT`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" || reason == "" {
				return usagef("lifting a hold needs --by NAME and --reason TEXT")
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
			m, err := lifecycle.LiftHold(ctx, a.db, a.stores.Hot(), s.StudyKey, args[1], by, reason)
			if errors.Is(err, catalog.ErrNoHold) {
				return fmt.Errorf("%w: `radtier hold list %s --all`", err, s.Hash()[:8])
			} else if err != nil {
				return err
			}
			return p.printHold(m, args[1], asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&by, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT`: why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the hold as JSON")
	return cmd
}
