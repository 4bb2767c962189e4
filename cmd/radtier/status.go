package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

type statusResult struct {
	Studies     map[catalog.Status]int   `json:"studies"`
	Instances   int                      `json:"instances"`
	Frames      int                      `json:"frames"`
	RawBytes    int64                    `json:"raw_bytes"`
	StoredBytes int64                    `json:"stored_bytes"`
	Ratio       float64                  `json:"ratio"`
	Backlog     backlog                  `json:"backlog"`
	Jobs        map[catalog.JobState]int `json:"jobs"`
	Quarantine  int                      `json:"quarantine"`
	Storage     []storageLine            `json:"storage"`
}

type backlog struct {
	Instances int       `json:"instances"`
	Bytes     int64     `json:"bytes"`
	Jobs      int       `json:"jobs"`
	Oldest    time.Time `json:"oldest,omitzero"` // when the oldest open job was made
	LastError string    `json:"last_error,omitempty"`
}

type storageLine struct {
	Class   catalog.Class `json:"class"`
	Tier    string        `json:"tier"`
	Studies int           `json:"studies"`
	Objects int           `json:"objects"`
	Bytes   int64         `json:"bytes"`
}

func newStatus(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what is stored, what waits, and what needs a person",
		Long: `Shows counts of studies, the backlog in bytes, instances and jobs, the oldest open job,
the quarantine, and the storage by class and tier.

  radtier status
  radtier status --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := p.open(cmd.Context(), openCatalog)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, s)
			}
			return a.printStatus(s)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) status(ctx context.Context) (*statusResult, error) {
	c, err := a.db.Counts(ctx)
	if err != nil {
		return nil, err
	}
	s := &statusResult{Studies: c.Studies, Instances: c.Totals.Instances, Frames: c.Totals.Frames, RawBytes: c.Totals.RawBytes, StoredBytes: c.Totals.StoredBytes,
		Ratio: ratio(c.Totals.RawBytes, c.Totals.StoredBytes), Jobs: c.Jobs, Quarantine: c.Quarantine, Storage: []storageLine{}}
	s.Backlog = backlog{Instances: c.Instances, Bytes: c.Bytes}
	err = a.db.Jobs(ctx, func(j catalog.Job) error {
		if s.Backlog.Jobs++; s.Backlog.Oldest.IsZero() { // ids sort by time
			s.Backlog.Oldest, s.Backlog.LastError = j.Created, j.LastError
		}
		return nil
	}, catalog.JobQueued, catalog.JobRunning, catalog.JobHeld)
	if err != nil {
		return nil, err
	}
	holdings, err := a.db.HoldingTotals(ctx)
	for _, h := range holdings {
		line := storageLine{h.Class, h.Tier, h.Studies, h.Objects, h.Bytes}
		if line.Tier == "" {
			line.Tier = a.stores.names[0]
		}
		s.Storage = append(s.Storage, line)
	}
	return s, err
}

func (a *app) printStatus(s *statusResult) error {
	w := a.stdout
	total := 0
	for _, n := range s.Studies {
		total += n
	}
	fmt.Fprintf(w, "studies     %d: %d stored, %d partial, %d new, %d stopped by a fork\n", total,
		s.Studies[catalog.StatusStored], s.Studies[catalog.StatusPartial], s.Studies[catalog.StatusNew], s.Studies[catalog.StatusFork])
	fmt.Fprintf(w, "content     %s, %s; %s received, %s stored, ratio %s\n", plural(s.Instances, "instance"), plural(s.Frames, "frame"),
		bytesText(s.RawBytes), bytesText(s.StoredBytes), ratioText(s.RawBytes, s.StoredBytes))
	fmt.Fprintf(w, "backlog     %s, %s, %s", plural(s.Backlog.Jobs, "job"), plural(s.Backlog.Instances, "instance"), bytesText(s.Backlog.Bytes))
	if !s.Backlog.Oldest.IsZero() {
		fmt.Fprintf(w, "; oldest since %s", timeText(s.Backlog.Oldest))
		if s.Backlog.LastError != "" {
			fmt.Fprintf(w, " (%s)", shown(s.Backlog.LastError))
		}
	}
	fmt.Fprintf(w, "\njobs        %d queued, %d running, %d failed\n", s.Jobs[catalog.JobQueued], s.Jobs[catalog.JobRunning], s.Jobs[catalog.JobFailed])
	fmt.Fprintf(w, "quarantine  %s\n", plural(s.Quarantine, "file"))
	if s.Jobs[catalog.JobFailed] > 0 || s.Quarantine > 0 {
		fmt.Fprintln(w, "next: `radtier quarantine list`")
	} else if s.Backlog.Jobs > 0 {
		fmt.Fprintln(w, "next: `radtier worker --once` works on what is due")
	}
	if len(s.Storage) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := table{head: []string{"class", "tier", ">studies", ">objects", ">bytes"}}
	for _, l := range s.Storage {
		t.add(string(l.Class), l.Tier, fmt.Sprint(l.Studies), fmt.Sprint(l.Objects), bytesText(l.Bytes))
	}
	return t.print(w)
}
