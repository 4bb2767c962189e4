package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

func newPlan(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Say what a policy would move and delete now, and why",
		Long: `A plan lists, for every study with something due, what a policy would do with it and why. It is written into the hot
tier as lines that are chained by their digests, and named by the digest of the whole: who approves the name approves every line. Making
a plan moves and deletes nothing.

  radtier plan make policy.yaml
  radtier plan make policy.yaml --at 2027-06-01    # a rehearsal for another day
  radtier plan show DIGEST
  radtier plan apply DIGEST policy.yaml --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPlanMake(p), newPlanShow(p), newPlanApply(p))
	return cmd
}

// planLine is a plan in short.
type planLine struct {
	Digest string `json:"digest"`
	*lifecycle.Plan
}

func newPlanMake(p *program) *cobra.Command {
	var o lifecycle.PlanOptions
	var at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "make POLICY",
		Short: "Make a plan",
		Long: `Decides about every study that is due: those that changed, those of which time has changed what the policy says, and all of
them after a change of the policy. A study with nothing to do is not looked at again before the day that its answer names.

Where the tiers have prices (tiers[].prices), every move is judged: what it costs, what it saves, and after how many months it has paid for itself. Moves that would
cost more than they save are refused and listed with the terms of the formula; --force moves them all the same.

  radtier plan make policy.yaml
  radtier plan make policy.yaml --limit 1000
  radtier plan make policy.yaml --at 2027-06-01    # as of the beginning of that day; it looks at all studies, and cannot be applied`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Force && o.By == "" {
				return usagef("--force needs --by NAME")
			}
			if o.Limit < 0 {
				return usagef("--limit %d: must be 1 or more, 0 is all", o.Limit)
			}
			if o.Policy, err = policy.LoadFile(args[0]); err != nil {
				return usageError{err}
			}
			o.Now = time.Now()
			if at != "" {
				day, err := policy.ParseDay(at)
				if err != nil {
					return usagef("--at: %w", err)
				}
				o.Now, o.Rehearse = day.Start(o.Policy.Zone), true
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			o.Hot = a.cfg.Tiers[0].Name
			if o.Prices, err = a.prices(o.Now, o.Policy); err != nil {
				return err
			}
			bar := p.newProgress()
			o.Progress = func(n int64) { bar.show(-1, fmt.Sprintf("%d studies looked at", n)) }
			plan, digest, err := lifecycle.MakePlan(ctx, a.db, a.stores.Hot(), o)
			bar.clear()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, planLine{digest, plan})
			}
			return printPlan(p.stdout, plan, digest)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "decide as of the beginning of this `DAY` (2027-06-01), not now")
	cmd.Flags().IntVar(&o.Limit, "limit", 0, "look at so many studies at most")
	cmd.Flags().StringVar(&o.By, "by", "", "`NAME` of who makes the plan")
	cmd.Flags().BoolVar(&o.Force, "force", false, "move also what costs more to move than it saves; needs --by")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printPlan prints what a plan comes to.
func printPlan(w io.Writer, plan *lifecycle.Plan, digest string) error {
	fmt.Fprintf(w, "plan %s of policy %s: %s looked at, %s with something to do\n", digest[:16], shown(plan.Policy), plural(int(plan.Studies), "study"), plural(int(plan.Lines), "study"))
	if len(plan.Totals) > 0 {
		fmt.Fprintln(w)
		t := table{head: []string{"action", "what", "from", "to", ">studies", ">objects", ">bytes"}}
		for _, x := range plan.Totals {
			t.add(string(x.Action), string(x.Class), shown(x.Tier), or(shown(x.To), "-"), fmt.Sprint(x.Studies), fmt.Sprint(x.Objects), bytesText(x.Bytes))
		}
		if err := t.print(w); err != nil {
			return err
		}
	}
	if err := printCosts(w, plan); err != nil {
		return err
	}
	if len(plan.Blocked) > 0 {
		fmt.Fprintln(w, "\ndue to be deleted, and kept because of:")
		t := table{head: []string{"what", "reason", ">studies", ">bytes"}}
		for _, x := range plan.Blocked {
			t.add(string(x.Class), string(x.Reason), fmt.Sprint(x.Count), bytesText(x.Bytes))
		}
		if err := t.print(w); err != nil {
			return err
		}
	}
	for _, s := range plan.Skipped {
		fmt.Fprintf(w, "left out: study %s: %s\n", cut(s.Study, 8), shown(s.Reason))
	}
	if plan.Unlisted > 0 {
		fmt.Fprintf(w, "left out: %d more\n", plan.Unlisted)
	}
	end := "nothing was moved or deleted"
	if plan.Rehearsal {
		end = "a rehearsal for " + timeText(plan.At) + ": it cannot be applied"
	}
	_, err := fmt.Fprintf(w, "\n%s; `radtier plan show %s` prints every line with its reasons\n", end, digest[:16])
	return err
}

// printCosts says what the moves of a plan cost and save, and which were refused because they would cost more.
func printCosts(w io.Writer, plan *lifecycle.Plan) error {
	if plan.Prices == "" {
		return nil
	}
	c := strings.ToLower(plan.Currency)
	t := table{head: []string{"move of", "from", "to", ">" + c + " a month now", ">then", ">to move", ">months to pay back", ">saves"}}
	for _, x := range plan.Totals {
		if x.Action != policy.Move {
			continue
		}
		back := "never"
		if months, ok := x.Payback(); ok {
			back = months.StringFixed(1)
		}
		t.add(string(x.Class), shown(x.Tier), shown(x.To), moneyText(x.Now), moneyText(x.After), moneyText(x.Fees), back, moneyText(x.Saves))
	}
	if len(t.rows) > 0 {
		fmt.Fprintln(w)
		if err := t.print(w); err != nil {
			return err
		}
	}
	for _, r := range plan.Refused {
		if _, err := fmt.Fprintf(w, "\nrefused: %s of %s from %s to %s, %s, would cost %s %s more than they save; for one of them, study %s:\n  %s\n", plural(int(r.Studies), "move"), r.Class, shown(r.Tier), shown(r.To), bytesText(r.Bytes),
			moneyText(r.Loses), c, cut(r.Study, 8), r.Terms); err != nil {
			return err
		}
	}
	if plan.Forced {
		_, err := fmt.Fprintln(w, "\nforced: also moves that cost more than they save are in it")
		return err
	}
	return nil
}

// moneyText is a sum with as many places as it takes to see it.
func moneyText(d decimal.Decimal) string {
	for _, places := range []int32{2, 4, 6} {
		if d.Round(places).Abs().GreaterThanOrEqual(decimal.New(1, 1-places)) {
			return d.StringFixed(places)
		}
	}
	if d.Sign() == 0 {
		return "0"
	}
	return d.StringFixed(8)
}

func newPlanShow(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DIGEST",
		Short: "Print every line of a plan, and check its chain",
		Long: `Prints a plan, line by line, with its reasons. The plan is named by its digest or by 8 or more digits that it begins with. Lines that
are not those that the digest stands for are an error, and nothing of that part is printed.

  radtier plan show 1f3c5d7e9a0b2c4d
  radtier plan show 1f3c5d7e9a0b2c4d --json    # one JSON object a line`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			plan, digest, err := lifecycle.LoadPlan(ctx, a.stores.Hot(), args[0])
			if err != nil {
				return err
			}
			for l, err := range plan.Read(ctx, a.stores.Hot()) {
				if err == nil && asJSON {
					err = printLine(p.stdout, l)
				} else if err == nil {
					err = printPlanned(p.stdout, l)
				}
				if err != nil {
					return err
				}
			}
			if asJSON {
				return nil
			}
			return printPlan(p.stdout, plan, digest)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func newPlanApply(p *program) *cobra.Command {
	var o lifecycle.ApplyOptions
	var yes, asJSON bool
	var percent float64
	cmd := &cobra.Command{
		Use:   "apply DIGEST POLICY",
		Short: "Carry out a plan that was approved",
		Long: `Decides every line of a plan again. Lines of studies that have changed since are skipped and listed. Without --yes it only says what would be
done. The work is side jobs of the workers. A move copies a class of a study to a new key on its tier, verifies the copy, and commits; the old
objects go with the next sweep after its grace period. What expired goes into the trash: reads do not show it, no byte of it is deleted, and
"radtier undelete" brings it back. What was long enough in the trash is purged: no generation names it any more, a certificate says what it was
("radtier certificate"), and the next sweep after its grace period deletes the bytes. Each job asks the policy once more, about what the study is at that moment.

Refused as a whole: a plan of another policy or edition, a rehearsal, one that is older than 7 days, one of which too many lines were skipped, and
one that, with what other plans queued within 24 hours, deletes more of a hospital than the breaker of the policy allows; --allow-large, with a reason, overrides that.

  radtier plan apply 1f3c5d7e9a0b2c4d policy.yaml
  radtier plan apply 1f3c5d7e9a0b2c4d policy.yaml --yes --by NAME
  radtier plan apply 1f3c5d7e9a0b2c4d policy.yaml --yes --by NAME --allow-large REASON
  radtier worker --once`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if percent < 0 || percent > 100 {
				return usagef("--max-skipped %g: must be 0 to 100 percent", percent)
			}
			if o.Large != "" && o.By == "" {
				return usagef("--allow-large needs --by NAME")
			}
			if o.Policy, err = policy.LoadFile(args[1]); err != nil {
				return usageError{err}
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			o.Hot, o.Now, o.Queue, o.MaxSkipped, o.Guard = a.cfg.Tiers[0].Name, time.Now(), yes, max(percent/100, 1e-9), a.clock().Check
			if o.Prices, err = a.prices(o.Now, o.Policy); err != nil {
				return err
			}
			for _, tier := range o.Policy.Tiers {
				if _, err := a.stores.Tier(tier); err != nil {
					return fmt.Errorf("policy %s names tier %q, which the configuration does not have: add it to `tiers`", o.Policy.Name, tier)
				}
			}
			bar := p.newProgress()
			o.Progress = func(n int64) { bar.show(-1, fmt.Sprintf("%d lines looked at", n)) }
			r, err := lifecycle.Apply(ctx, a.db, a.stores.Hot(), args[0], o)
			bar.clear()
			if r != nil {
				err = errors.Join(p.printApplied(r, err != nil, asJSON), err)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "queue the work, do not only say what would be done")
	cmd.Flags().StringVar(&o.By, "by", "", "`NAME` of who applies it; needed where something is deleted")
	cmd.Flags().StringVar(&o.Large, "allow-large", "", "delete more than the breaker allows, for this `REASON`")
	cmd.Flags().Float64Var(&percent, "max-skipped", 100*lifecycle.DefaultMaxSkipped, "refuse the plan if more than so many `PERCENT` of its lines were skipped")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) printApplied(r *lifecycle.Applied, refused, asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, r)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(p.stdout, "skipped: study %s: %s\n", cut(s.Study, 8), shown(s.Reason))
	}
	what, next := "would be queued", "; nothing was done: --yes queues them"
	switch {
	case refused && !r.Queued:
		next = "; nothing was done"
	case r.Queued:
		what, next = "queued", "; workers carry them out: `radtier worker --once`, or a worker that runs"
	}
	list := []string{fmt.Sprintf("%s, %s", plural(int(r.Moves), "move"), bytesText(r.Bytes))}
	if r.Trash > 0 {
		list = append(list, fmt.Sprintf("%d for the trash, %s", r.Trash, bytesText(r.Trashed)))
	}
	if r.Purge > 0 {
		list = append(list, fmt.Sprintf("%d to purge, %s", r.Purge, bytesText(r.Purged)))
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s; %d skipped%s\n", strings.Join(list, "; "), what, r.Skips, next)
	return err
}

func printPlanned(w io.Writer, l lifecycle.Line) error {
	for _, s := range l.Steps {
		to := ""
		if s.To != "" {
			to = " to " + shown(s.To)
		}
		if _, err := fmt.Fprintf(w, "study %s, %s, %s on %s: %s%s\n", l.Study[:8], s.Class, bytesText(s.Bytes), shown(s.Tier), s.Action, to); err != nil {
			return err
		}
		if s.Cost != nil {
			s.Why = append(s.Why, s.Cost.String())
		}
		for _, why := range s.Why {
			if _, err := fmt.Fprintf(w, "  %s\n", shown(why)); err != nil {
				return err
			}
		}
	}
	return nil
}
