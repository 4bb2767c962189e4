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

// custodyLine is what is known of a study beside its images.
type custodyLine struct {
	Tenant     string           `json:"tenant"`
	StudyUID   string           `json:"study_uid"`
	Study      string           `json:"study"` // hash
	Generation int64            `json:"generation"`
	Custody    *catalog.Custody `json:"custody"`
}

func newCustody(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "custody",
		Short: "Tell whose record a study is, and of the patient's last visit",
		Long: `The law protects the copy of record, for years from the last patient event. The images do not say which copy they
are, nor when the patient was last seen: hospitals tell it.

  radtier custody set STUDY --role primary --patient inpatient --last-event 2026-03-31 --by NAME --reason TEXT
  radtier custody show STUDY

Where nothing is told of a study, the policy's role for the tenant holds, and a day that is not known forbids every deletion of a primary copy.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCustodySet(p), newCustodyShow(p))
	return cmd
}

func newCustodySet(p *program) *cobra.Command {
	var told lifecycle.Told
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "set STUDY",
		Short: "Record what is known of a study",
		Long: `Records which copy a study is (primary: the record that the law is about; secondary: another one), how the patient was
treated, and the day of the last visit or discharge. What is not given stays as it is. What lowers the protection of a study needs a second
person: --approved-by. Who and why are stored with the study and in the audit log: write no patient data.

  radtier custody set STUDY --role primary --patient inpatient --last-event 2026-03-31 --by NAME --reason TEXT
  radtier custody set STUDY --role secondary --by NAME --approved-by NAME --reason TEXT    # it was the primary copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if told.Role == "" && told.Patient == "" && told.LastEvent == "" {
				return usagef("give --role, --patient or --last-event")
			}
			if told.By == "" || told.Reason == "" {
				return usagef("it needs --by NAME and --reason TEXT")
			}
			if told.LastEvent != "" {
				day, err := policy.ParseDay(told.LastEvent)
				if err != nil {
					return usagef("--last-event: %w", err)
				}
				zone, err := zoneOfDays()
				if err != nil {
					return err
				}
				if day > policy.DayOf(time.Now(), zone) {
					return usagef("--last-event %s has not come yet", day)
				}
				told.LastEvent = day.Start(time.UTC).Format("20060102")
			}
			if err := (&catalog.Custody{Role: told.Role, Patient: told.Patient}).Check(); err != nil {
				return usageError{err}
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
			m, err := lifecycle.Tell(ctx, a.db, a.stores.Hot(), s.StudyKey, told)
			if errors.Is(err, lifecycle.ErrApproval) {
				return fmt.Errorf("%w: give --approved-by NAME of somebody else", err)
			} else if err != nil {
				return err
			}
			return p.printCustody(m, asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&told.Role, "role", "", "`ROLE` of this copy: primary or secondary")
	cmd.Flags().StringVar(&told.Patient, "patient", "", "`KIND` of the patient: outpatient or inpatient")
	cmd.Flags().StringVar(&told.LastEvent, "last-event", "", "`DAY` of the last visit or discharge")
	cmd.Flags().StringVar(&told.By, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&told.ApprovedBy, "approved-by", "", "`NAME` of a second person, for what lowers the protection")
	cmd.Flags().StringVar(&told.Reason, "reason", "", "`TEXT`: why, or where it is known from")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newCustodyShow(p *program) *cobra.Command {
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show STUDY",
		Short: "Show what was told of a study",
		Args:  cobra.ExactArgs(1),
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
			return p.printCustody(m, asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) printCustody(m *catalog.Manifest, asJSON bool) error {
	line := custodyLine{m.Tenant, m.StudyUID, m.Study().Hash(), m.Generation, m.Custody}
	if asJSON {
		return printJSON(p.stdout, line)
	}
	var c catalog.Custody
	if m.Custody != nil {
		c = *m.Custody
	}
	event := "not known"
	if day, err := policy.ParseDay(c.LastEvent); err == nil {
		event = day.String()
	}
	proof := "none"
	if x := c.Proof; x != nil {
		proof = fmt.Sprintf("%s %s by %s: the same", x.Level, timeText(x.At), shown(x.Keeper))
		switch {
		case x.Same && x.Note != "":
			proof += ", " + shown(x.Note)
		case !x.Same:
			proof = fmt.Sprintf("%s %s by %s: it differs, %s", x.Level, timeText(x.At), shown(x.Keeper), shown(x.Note))
		}
	}
	_, err := fmt.Fprintf(p.stdout, "study       %s\ncopy        %s\npatient     %s\nlast event  %s\nproof       %s\n",
		line.Study[:8], or(c.Role, "as the policy says of the tenant"), or(c.Patient, "not known"), event, proof)
	return err
}
