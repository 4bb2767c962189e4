package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// restoreLine is a restore that was queued.
type restoreLine struct {
	Study    string    `json:"study"`
	Class    string    `json:"class"`
	To       string    `json:"to"`
	Until    time.Time `json:"until"`
	Packs    int       `json:"packs"` // to be brought back
	Bytes    int64     `json:"bytes"`
	Archived int       `json:"archived"`          // of them in archive classes: the provider is asked for them first
	Speed    string    `json:"speed,omitempty"`   // that the provider is asked for, the fastest of them
	Seconds  int64     `json:"seconds,omitempty"` // that the provider takes at most
	Late     bool      `json:"late,omitempty"`    // no speed meets the deadline
	Job      string    `json:"job,omitempty"`
}

// deadline reads a duration from now on, or a time; zero for "".
func deadline(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Minute), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !at.After(now) {
		return time.Time{}, usagef("--deadline %s: must be a duration such as 2h, or a time to come such as 2026-12-01T08:00:00+08:00", text)
	}
	return at.UTC(), nil
}

func newRestore(p *program) *cobra.Command {
	var tenant, class, to, keep, by string
	var a lifecycle.RestoreArgs
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore STUDY",
		Short: "Bring a study back from a colder tier for a while",
		Long: `Queues a job that brings what a study has of a class to the hot tier (or another one). What lies in an archive class is asked for first, each pack once; while the provider
works no worker waits. Then it is copied, verified, and stays for --for: no policy moves it down before, and the next plan after that does. The same wish again changes nothing.
With --deadline the cheapest speed is asked for that is over by then; without, the cheapest.

  radtier restore STUDY --by NAME --reason TEXT
  radtier restore STUDY --for 30d --by NAME --reason TEXT
  radtier restore STUDY --deadline 2h --by NAME --reason TEXT
  radtier restore STUDY --series UID --deadline 2026-12-01T08:00:00+08:00 --by NAME --reason TEXT
  radtier restore STUDY --class region --to warm --by NAME --reason TEXT`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if a.By == "" || a.Reason == "" {
				return usagef("a restore needs --by NAME and --reason TEXT")
			}
			if a.Class = catalog.Class(class); !slices.Contains(policy.Classes, a.Class) {
				return usagef("--class %q is not known: use full, region, result or preview", class)
			}
			d, err := config.ParseDuration(keep)
			if err != nil || d <= 0 {
				return usagef("--for %s: must be a duration such as 7d", keep)
			}
			if a.Deadline, err = deadline(by, time.Now()); err != nil {
				return err
			}
			ctx := cmd.Context()
			app, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer app.Close()
			a.To, a.Until = or(to, app.cfg.Tiers[0].Name), time.Now().Add(d).UTC().Truncate(time.Minute)
			if _, err := app.stores.Tier(a.To); err != nil {
				return usagef("--to: %w", err)
			}
			s, err := app.find(ctx, tenant, args[0])
			if err != nil {
				return err
			}
			m, err := catalog.LoadHead(ctx, app.db, app.stores.Hot(), s.StudyKey)
			if err != nil {
				return err
			}
			if hidden := inTrash(m, a.Class); hidden != nil {
				return hidden
			}
			line := restoreLine{Study: s.Hash(), Class: class, To: a.To, Until: a.Until}
			if !slices.ContainsFunc(m.Packs, func(k catalog.Pack) bool { return k.Class == a.Class }) {
				return fmt.Errorf("study %s has nothing of class %s: `radtier show %s`", s.Hash()[:8], class, s.Hash()[:8])
			}
			list, err := lifecycle.SeriesPacks(ctx, app.stores, m, a.Class, a.To, a.Series)
			if errors.Is(err, lifecycle.ErrNotDue) {
				return fmt.Errorf("study %s has no series %s: `radtier show %s`", s.Hash()[:8], shown(a.Series), s.Hash()[:8])
			} else if err != nil {
				return err
			}
			for _, k := range list {
				t, err := lifecycle.ThawOf(ctx, app.stores, app.stores.restores, k, a.Deadline, time.Now())
				if err != nil {
					return err
				}
				if line.Packs, line.Bytes = line.Packs+1, line.Bytes+k.Size; !t.Archived {
					continue
				}
				line.Archived++
				if s := int64(t.Takes / time.Second); s >= line.Seconds {
					line.Seconds, line.Speed = s, t.Speed.String()
				}
				line.Late = line.Late || !t.InTime
			}
			job, err := app.db.QueueSide(ctx, s.Tenant, s.Hash(), lifecycle.ActionRestore, a.String())
			if err != nil {
				return err
			}
			line.Job = job.ID
			if asJSON {
				return printJSON(p.stdout, line)
			}
			how := ""
			if line.Archived > 0 {
				how = fmt.Sprintf(", %d of them from an archive class, at speed %s within %s", line.Archived, line.Speed, config.FormatDuration(time.Duration(line.Seconds)*time.Second))
				if line.Late {
					how += ", which is after the deadline: no speed is faster"
				}
			}
			_, err = fmt.Fprintf(p.stdout, "study %s: %s, %s, to %s until %s%s; workers carry it out: `radtier worker --once`, or a worker that runs\n",
				line.Study[:8], plural(line.Packs, "pack"), bytesText(line.Bytes), shown(line.To), timeText(line.Until), how)
			return err
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&class, "class", string(catalog.ClassFull), "`CLASS`: full, region, result or preview")
	cmd.Flags().StringVar(&to, "to", "", "`TIER` (default: the hot one)")
	cmd.Flags().StringVar(&keep, "for", "7d", "how long it stays there, a `DURATION`")
	cmd.Flags().StringVar(&by, "deadline", "", "by when it should be readable, a `DURATION` or time (2026-12-01T08:00:00+08:00)")
	cmd.Flags().StringVar(&a.Series, "series", "", "only packs that hold something of the series with this `UID`")
	cmd.Flags().StringVar(&a.By, "by", "", "`NAME` of who wants it")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "`TEXT`: why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
