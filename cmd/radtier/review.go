package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

// reviewLine is one study that waits for a person.
type reviewLine struct {
	Tenant     string    `json:"tenant"`
	StudyUID   string    `json:"study_uid"`
	Study      string    `json:"study"` // hash
	State      string    `json:"state"`
	Plan       string    `json:"plan"`
	Generation int64     `json:"generation"`
	Instances  int       `json:"instances"`
	Updated    time.Time `json:"updated"`
}

// answerLine is an answer that was recorded.
type answerLine struct {
	Tenant     string             `json:"tenant"`
	StudyUID   string             `json:"study_uid"`
	Study      string             `json:"study"` // hash
	Generation int64              `json:"generation"`
	Kind       catalog.ReviewKind `json:"kind"`
	By         string             `json:"by"`
	Reason     string             `json:"reason"`
	At         time.Time          `json:"at"`
	Plan       string             `json:"plan"`
}

func newReview(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "review",
		Short: "List studies whose lesions a person must look at, and record the answer",
		Long: `Where documents do not say beyond doubt what the lesions of a study are, its full images stay until a person
has looked at it.

  radtier review list
  radtier regions show STUDY
  radtier review ack STUDY --negative --by NAME --reason TEXT
  radtier review ack STUDY --keep-whole --by NAME --reason TEXT

An answer holds for the evidence that was there: late evidence makes a new plan, which needs a new answer.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newReviewList(p), newReviewAck(p))
	return cmd
}

func newReviewList(p *program) *cobra.Command {
	var f catalog.ReviewFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List studies that a person must look at",
		Long: `Lists studies by tenant and hash, whose state does not let their full images expire and needs a person:
extracted-open, partial, unreadable, unresolved. Studies without any evidence (none) are no work for a
person; --state none lists them all the same.

  radtier review list
  radtier review list --state unresolved --tenant hospital-b
  radtier review list --json --limit 100`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Limit < 0 {
				return usagef("--limit %d: must be 1 or more, 0 is all", f.Limit)
			}
			if f.Tenant != "" {
				if err := catalog.CheckTenant(f.Tenant); err != nil {
					return usagef("--tenant: %w", err)
				}
			}
			switch f.State {
			case "", "extracted", "extracted-open", "key-slices", "negative", "none", "partial", "unreadable", "unresolved":
			default:
				return usagef("--state %q is not known: use extracted-open, partial, unreadable, unresolved, none, extracted, key-slices or negative", f.State)
			}
			a, err := p.open(cmd.Context(), openCatalog)
			if err != nil {
				return err
			}
			defer a.Close()
			t := table{head: []string{"study", "tenant", "state", ">instances", "updated", "study uid"}}
			any := false
			for s, err := range a.db.ReviewList(cmd.Context(), f) {
				if err != nil {
					return err
				}
				any = true
				if asJSON {
					if err := printLine(p.stdout, reviewLine{s.Tenant, s.UID, s.Hash(), s.RegionState, s.RegionPlan, s.Generation, s.Instances, s.Updated}); err != nil {
						return err
					}
					continue
				}
				t.add(s.Hash()[:8], s.Tenant, s.RegionState, fmt.Sprint(s.Instances), timeText(s.Updated), shown(s.UID))
			}
			switch {
			case asJSON:
				return nil
			case !any:
				_, err := fmt.Fprintln(p.stdout, "no study waits for a person")
				return err
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().StringVar(&f.Tenant, "tenant", "", "only this `TENANT` (default: all)")
	cmd.Flags().StringVar(&f.State, "state", "", "only this `STATE`")
	cmd.Flags().IntVar(&f.Limit, "limit", 0, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func newReviewAck(p *program) *cobra.Command {
	var in catalog.AnswerInput
	var tenant string
	var negative, whole, asJSON bool
	cmd := &cobra.Command{
		Use:   "ack STUDY",
		Short: "Record what a person says about the lesions of a study",
		Long: `Records that there is no lesion (--negative: the full images may expire), or that the full images stay (--keep-whole).
Who and why are stored with the study and in the audit log: write no patient data.

  radtier review ack STUDY --negative --by NAME --reason TEXT
  radtier review ack STUDY --keep-whole --by NAME --reason TEXT --plan PLAN   # refused if the plan is another one by now

Refused while work on the study waits or is under way, because that may change what the answer is about.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case negative == whole:
				return usagef("give --negative or --keep-whole")
			case in.By == "" || in.Reason == "":
				return usagef("an answer needs --by NAME and --reason TEXT")
			}
			if in.Kind = catalog.ReviewKeepWhole; negative {
				in.Kind = catalog.ReviewNegative
			}
			return p.answer(cmd.Context(), tenant, args[0], in, asJSON)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().BoolVar(&negative, "negative", false, "there is no lesion")
	cmd.Flags().BoolVar(&whole, "keep-whole", false, "keep the full images")
	cmd.Flags().StringVar(&in.By, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "`TEXT`: why")
	cmd.Flags().StringVar(&in.Plan, "plan", "", "the `PLAN` that was looked at (default: the present one)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func (p *program) answer(ctx context.Context, tenant, name string, in catalog.AnswerInput, asJSON bool) error {
	a, err := p.open(ctx, openExisting)
	if err != nil {
		return err
	}
	defer a.Close()
	s, err := a.find(ctx, tenant, name)
	if err != nil {
		return err
	}
	if s.RegionPlan == "" {
		return fmt.Errorf("study %q: %w", s.UID, catalog.ErrNotPlanned)
	}
	if in.Kind == catalog.ReviewNegative && s.RegionState == "partial" {
		return fmt.Errorf("study %q: files of it are in quarantine, so nobody can say that it shows no lesion: see `radtier quarantine list`", s.UID)
	}
	in.Key, in.Plan = s.StudyKey, or(in.Plan, s.RegionPlan)
	m, err := catalog.Answer(ctx, a.db, a.stores.Hot(), in)
	switch {
	case errors.Is(err, catalog.ErrPlanChanged):
		return fmt.Errorf("study %q: %w: `radtier regions show %s`", s.UID, catalog.ErrPlanChanged, s.Hash()[:8])
	case errors.Is(err, catalog.ErrBusy):
		return fmt.Errorf("study %q: %w: `radtier worker --once` does it, `radtier quarantine list` lists what failed", s.UID, catalog.ErrBusy)
	case err != nil:
		return err
	}
	r := m.Answered()
	if asJSON {
		return printJSON(p.stdout, answerLine{m.Tenant, m.StudyUID, s.Hash(), m.Generation, r.Kind, r.By, r.Reason, r.At, r.Plan})
	}
	_, err = fmt.Fprintf(p.stdout, "study %s: %s, said by %s, for plan %s\n", s.Hash()[:8], r.Kind, shown(r.By), cut(r.Plan, 12))
	return err
}
