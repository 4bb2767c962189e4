package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
)

// Levels of a check.
const (
	levelOK   = "ok"
	levelNote = "note"
	levelWarn = "warn"
	levelFail = "FAIL"
)

// check is one line of a doctor's report.
type check struct {
	Area  string `json:"area"` // configuration, catalog, queue, tier NAME, clock, workers, disk
	Level string `json:"level"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

type doctorReport struct {
	Healthy bool    `json:"healthy"` // no check failed
	Checks  []check `json:"checks"`
}

// examination gathers the checks of one area. Other areas run at the same time.
type examination struct {
	area   string
	checks []check
}

func (e *examination) add(level, do, what string, args ...any) {
	e.checks = append(e.checks, check{e.area, level, fmt.Sprintf(what, args...), do})
}

// areaTime bounds each area but the stores, whose probes take longer.
const areaTime = 20 * time.Second

func newDoctor(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check configuration, catalog, queue, stores, clocks and disks, and say what to do",
		Long: `Looks at everything that radtier needs and prints one line for each thing, with what to do where
something is wrong. It works when parts are down: each is asked on its own, for a limited time.
Nothing is changed, except that buckets are probed with objects under radtier-probe/ that are removed again.

  radtier doctor
  radtier doctor --json

Exit codes: 0 nothing fails (there may be warnings), 1 something does.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			r := p.doctor(cmd.Context(), cfg)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, r)
			} else {
				r.print(p)
			}
			if err == nil && !r.Healthy {
				err = errFailed
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// doctor examines all areas at once and reports them in a fixed order.
func (p *program) doctor(ctx context.Context, cfg *config.Config) doctorReport {
	var areas []*examination
	var wg sync.WaitGroup
	examine := func(area string, limit time.Duration, f func(context.Context, *examination)) {
		e := &examination{area: area}
		areas = append(areas, e)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			f(ctx, e)
		})
	}
	examine("configuration", areaTime, func(_ context.Context, e *examination) { checkConfig(cfg, e) })
	examine("catalog", areaTime, func(ctx context.Context, e *examination) { checkCatalog(ctx, cfg, e) })
	examine("queue", areaTime, func(ctx context.Context, e *examination) { checkQueue(ctx, cfg, e) })
	for _, t := range cfg.Tiers {
		examine("tier "+t.Name, probeTime, func(ctx context.Context, e *examination) { checkTier(ctx, t, e) })
	}
	examine("disk", areaTime, func(_ context.Context, e *examination) { checkDisks(cfg, e) })
	wg.Wait()
	r := doctorReport{Healthy: true}
	for _, e := range areas {
		for _, c := range e.checks {
			r.Checks = append(r.Checks, c)
			r.Healthy = r.Healthy && c.Level != levelFail
		}
	}
	return r
}

func (r doctorReport) print(p *program) {
	width, warnings, failures := 0, 0, 0
	for _, c := range r.Checks {
		width = max(width, len(c.Area))
	}
	for _, c := range r.Checks {
		fmt.Fprintf(p.stdout, "%-4s  %-*s  %s\n", c.Level, width, c.Area, shown(c.What))
		if c.Do != "" {
			fmt.Fprintf(p.stdout, "      %*s  do: %s\n", width, "", shown(c.Do))
		}
		switch c.Level {
		case levelWarn:
			warnings++
		case levelFail:
			failures++
		}
	}
	switch {
	case failures > 0:
		fmt.Fprintf(p.stdout, "%s, %s\n", plural(failures, "failure"), plural(warnings, "warning"))
	case warnings > 0:
		fmt.Fprintf(p.stdout, "healthy, %s\n", plural(warnings, "warning"))
	default:
		fmt.Fprintln(p.stdout, "healthy")
	}
}
