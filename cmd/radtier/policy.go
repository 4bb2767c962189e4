package main

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

func newPolicy(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Write and check a lifecycle policy: what is kept for how long, and where",
		Long: `A policy is one YAML file with rules: which parts of which studies are kept for how long, and on which
tiers. Holds, the legal floor and the longest retention go before everything; nothing is deleted because a condition was forgotten.

  radtier policy example > policy.yaml    # the regional default: 3 months, 1 year, 5 years
  radtier policy check policy.yaml        # what is wrong, with the line, or what it does, in sentences
  radtier policy explain policy.yaml STUDY    # what it says of one study, and why, with dates`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyCheck(p), newPolicyExplain(p), newPolicyExample(p))
	return cmd
}

func newPolicyCheck(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy, and say in sentences what it does",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			x, err := policy.LoadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			if asJSON {
				return printJSON(p.stdout, struct {
					Name      string   `json:"name"`
					Digest    string   `json:"digest"`
					Rules     int      `json:"rules"`
					Sentences []string `json:"sentences"`
				}{x.Name, x.Digest, len(x.Rules), x.Sentences()})
			}
			for _, s := range x.Sentences() {
				if _, err := fmt.Fprintln(p.stdout, s); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPolicyExplain(p *program) *cobra.Command {
	var tenant, at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain FILE STUDY",
		Short: "Say what a policy decides about one study, and why",
		Long: `Says of everything that is kept of a study what a policy decides now, or on another day: which rule, every
reason, and the day on which time alone may change the answer. Nothing is moved or deleted.

  radtier policy explain policy.yaml STUDY
  radtier policy explain policy.yaml STUDY --at 2027-01-01`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := policy.LoadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			now := time.Now()
			if at != "" {
				day, err := policy.ParseDay(at)
				if err != nil {
					return usagef("--at: %w", err)
				}
				now = day.Start(x.Zone)
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.find(ctx, tenant, args[1])
			if err != nil {
				return err
			}
			st, err := a.openStudy(ctx, s)
			if err != nil {
				return err
			}
			brief := catalog.BriefOf(st.Manifest)
			f := lifecycle.FactsOf(x, s, &brief, a.cfg.Tiers[0].Name)
			list := x.Decide(now, f)
			if asJSON {
				return printJSON(p.stdout, struct {
					At        time.Time         `json:"at"`
					Policy    string            `json:"policy"`
					Digest    string            `json:"digest"`
					Facts     *policy.Facts     `json:"facts"`
					Decisions []policy.Decision `json:"decisions"`
				}{now, x.Name, x.Digest, f, list})
			}
			return explain(p.stdout, f, list)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&at, "at", "", "decide as of the beginning of this `DAY` (2027-01-01), not now")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print facts and decisions as JSON")
	return cmd
}

func explain(w io.Writer, f *policy.Facts, list []policy.Decision) error {
	var b strings.Builder
	role := string(f.Role)
	if role == "" {
		role = "unknown"
	}
	fmt.Fprintf(&b, "study      %s\ncopy       %s\ndate       %s\nlast new   %s\n", f.StudyUID, role, f.StudyDay, timeText(f.LastArrival))
	for i, d := range list {
		a := f.Artifacts[i]
		fmt.Fprintf(&b, "\n%s, %s on %s: %s", d.Class, bytesText(a.Bytes), a.Tier, d.Action)
		if d.Tier != "" {
			fmt.Fprintf(&b, " to %s", d.Tier)
		}
		if d.Blocked {
			b.WriteString(", though it is due to be deleted")
		}
		b.WriteByte('\n')
		for _, r := range d.Reasons {
			fmt.Fprintf(&b, "  %-12s %s\n", r.Code, r.Text)
		}
		if d.Next != 0 {
			fmt.Fprintf(&b, "  %-12s %s\n", "look again", d.Next)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newPolicyExample(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "example [NAME]",
		Short: "Print a policy that ships: " + strings.Join(policyNames(), ", "),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "regional"
			if len(args) > 0 {
				name = args[0]
			}
			raw, err := policy.Files.ReadFile("files/" + name + ".yaml")
			if err != nil {
				return usagef("there is no policy %q: %s", name, strings.Join(policyNames(), ", "))
			}
			_, err = p.stdout.Write(raw)
			return err
		},
	}
}

func policyNames() (names []string) {
	files, _ := fs.Glob(policy.Files, "files/*.yaml") // the pattern is good
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	return names
}
