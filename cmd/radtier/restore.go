package main

import (
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
	Archived int       `json:"archived"` // of them in archive classes: the provider is asked for them first
	Job      string    `json:"job,omitempty"`
}

func newRestore(p *program) *cobra.Command {
	var tenant, class, to, keep string
	var a lifecycle.RestoreArgs
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore STUDY",
		Short: "Bring a study back from a colder tier for a while",
		Long: `Queues a job that brings what a study has of a class to the hot tier (or another one). What lies in an archive class is asked for first, each pack once; while the provider
works no worker waits. Then it is copied, verified, and stays for --for: no policy moves it down before, and the next plan after that does. The same wish again changes nothing.

  radtier restore STUDY --by NAME --reason TEXT
  radtier restore STUDY --for 30d --by NAME --reason TEXT
  radtier restore STUDY --class region --to warm --by NAME --reason TEXT`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
			have := 0
			for _, k := range m.Packs {
				if k.Class != a.Class {
					continue
				}
				if have++; k.Tier == a.To {
					continue
				}
				store, err := app.stores.Tier(k.Tier)
				if err != nil {
					return err
				}
				info, err := store.Head(ctx, k.Key)
				if err != nil {
					return err
				}
				if line.Packs, line.Bytes = line.Packs+1, line.Bytes+k.Size; !info.Restore.Readable(time.Now()) {
					line.Archived++
				}
			}
			if have == 0 {
				return fmt.Errorf("study %s has nothing of class %s: `radtier show %s`", s.Hash()[:8], class, s.Hash()[:8])
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
				how = fmt.Sprintf(", %d of them from an archive class, which takes hours", line.Archived)
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
	cmd.Flags().StringVar(&a.By, "by", "", "`NAME` of who wants it")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "`TEXT`: why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
