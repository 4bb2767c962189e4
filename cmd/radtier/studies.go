package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/catalog"
)

// studyLine is one study as lists print it.
type studyLine struct {
	Tenant      string         `json:"tenant"`
	StudyUID    string         `json:"study_uid"`
	Study       string         `json:"study"` // hash
	Status      catalog.Status `json:"status"`
	Generation  int64          `json:"generation"`
	Series      int            `json:"series"`
	Instances   int            `json:"instances"`
	Frames      int            `json:"frames"`
	Passed      int            `json:"passed_through"`
	RawBytes    int64          `json:"raw_bytes"`
	StoredBytes int64          `json:"stored_bytes"`
	Ratio       float64        `json:"ratio"`
	Quarantined int            `json:"quarantined"`
	Withdrawn   int            `json:"withdrawn"`
	Conflicts   int            `json:"conflicts"`
	Holds       int            `json:"holds"`
	Waiting     int64          `json:"waiting"` // arrivals not yet covered
	Created     time.Time      `json:"created,omitzero"`
	Updated     time.Time      `json:"updated,omitzero"`
}

func lineOf(s catalog.Study) studyLine {
	return studyLine{Tenant: s.Tenant, StudyUID: s.UID, Study: s.Hash(), Status: s.Status, Generation: s.Generation, Series: s.Series, Instances: s.Instances, Frames: s.Frames,
		Passed: s.Passed, RawBytes: s.RawBytes, StoredBytes: s.StoredBytes, Ratio: ratio(s.RawBytes, s.StoredBytes), Quarantined: s.Quarantined, Withdrawn: s.Withdrawn,
		Conflicts: s.Conflicts, Holds: s.Holds, Waiting: s.Want - s.Done, Created: s.Created, Updated: s.Updated}
}

func newStudies(p *program) *cobra.Command {
	var tenant, status, since string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "studies",
		Short: "List studies",
		Long: `Lists studies by tenant and hash, one a line.

  radtier studies
  radtier studies --status partial --tenant hospital-b
  radtier studies --since 24h --json     # one JSON object a line`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := catalog.Filter{Tenant: tenant, Status: catalog.Status(status), Limit: limit}
			switch f.Status {
			case "", catalog.StatusStored, catalog.StatusPartial, catalog.StatusNew, catalog.StatusFork:
			default:
				return usagef("--status %q is not known: use stored, partial, new or fork", status)
			}
			if since != "" {
				d, err := config.ParseDuration(since)
				if err != nil {
					return usagef("--since: %w", err)
				}
				f.Since = time.Now().Add(-d)
			}
			a, err := p.open(cmd.Context(), openCatalog)
			if err != nil {
				return err
			}
			defer a.Close()
			t := table{head: []string{"study", "tenant", "status", ">series", ">instances", ">received", ">stored", ">ratio", "updated", "study uid"}}
			for s, err := range a.db.Studies(cmd.Context(), f) {
				if err != nil {
					return err
				}
				if asJSON {
					if err := printLine(p.stdout, lineOf(s)); err != nil {
						return err
					}
					continue
				}
				t.add(s.Hash()[:8], s.Tenant, string(s.Status), fmt.Sprint(s.Series), fmt.Sprint(s.Instances), bytesText(s.RawBytes), bytesText(s.StoredBytes),
					ratioText(s.RawBytes, s.StoredBytes), timeText(s.Updated), shown(s.UID))
			}
			if asJSON {
				return nil
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT` (default: all)")
	cmd.Flags().StringVar(&status, "status", "", "only stored, partial, new or fork")
	cmd.Flags().StringVar(&since, "since", "", "only those changed within this `DURATION`")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}
