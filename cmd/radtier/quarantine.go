package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

type quarantineLine struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"` // "file", or "study" whose job was set aside
	Tenant string    `json:"tenant"`
	Study  string    `json:"study,omitempty"` // hash
	State  string    `json:"state"`
	SHA256 string    `json:"sha256,omitempty"`
	SOPUID string    `json:"sop_uid,omitempty"`
	Bytes  int64     `json:"bytes,omitempty"`
	Key    string    `json:"key,omitempty"` // where the bytes are
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Path   string    `json:"path,omitempty"` // of the source; only when asked for
}

func newQuarantine(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List, show, retry or export what could not be stored",
		Long: `Files that are DICOM but cannot be read are kept, bytes and reason, because they may be the only
copy. Studies whose job failed too often are set aside. Neither holds up anything else.

  radtier quarantine list
  radtier quarantine show ID
  radtier quarantine export ID -o file.dcm
  radtier quarantine retry ID
  radtier quarantine retry --all

ID is that of the list, or 6 or more digits that the file's SHA-256 begins with.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQuarantineList(p), newQuarantineShow(p), newQuarantineExport(p), newQuarantineRetry(p), newQuarantineGiveUp(p))
	return cmd
}

func fileLine(q catalog.QuarantineEntry) quarantineLine {
	return quarantineLine{ID: q.ID, Kind: "file", Tenant: q.Tenant, Study: q.Hash, State: q.State, SHA256: q.SHA256, SOPUID: q.SOPUID, Bytes: q.Size, Key: q.Key, Reason: q.Reason, At: q.At}
}

func jobLine(j catalog.Job) quarantineLine {
	return quarantineLine{ID: j.ID, Kind: "study", Tenant: j.Tenant, Study: j.Hash(), State: string(j.State), Reason: j.LastError, At: j.Updated}
}

// quarantined lists files, then studies that were set aside. Files that a retry has stored are taken off first.
func (a *app) quarantined(ctx context.Context, tenant string) ([]catalog.QuarantineEntry, []catalog.Job, error) {
	var files, left []catalog.QuarantineEntry
	if err := a.db.QuarantineList(ctx, tenant, func(q catalog.QuarantineEntry) error { files = append(files, q); return nil }); err != nil {
		return nil, nil, err
	}
	for _, q := range files {
		if gone, err := a.settleRetry(ctx, q); err != nil {
			return nil, nil, err
		} else if !gone {
			left = append(left, q)
		}
	}
	var jobs []catalog.Job
	err := a.db.Jobs(ctx, func(j catalog.Job) error {
		if tenant == "" || j.Tenant == tenant {
			jobs = append(jobs, j)
		}
		return nil
	}, catalog.JobFailed)
	return left, jobs, err
}

// minID is the shortest part of a digest that names a file.
const minID = 6

// entry finds a quarantined file by its id or by the beginning of its digest.
func (a *app) entry(ctx context.Context, id string) (catalog.QuarantineEntry, error) {
	var found []catalog.QuarantineEntry
	err := a.db.QuarantineList(ctx, "", func(q catalog.QuarantineEntry) error {
		if q.ID == id || len(id) >= minID && strings.HasPrefix(q.SHA256, strings.ToLower(id)) {
			found = append(found, q)
		}
		return nil
	})
	switch {
	case err != nil:
		return catalog.QuarantineEntry{}, err
	case len(found) == 0:
		return catalog.QuarantineEntry{}, fmt.Errorf("%q: %w; `radtier quarantine list` lists them", id, catalog.ErrNoEntry)
	case len(found) > 1:
		return catalog.QuarantineEntry{}, fmt.Errorf("%q: %d quarantined files match: give more digits, or the id of the list", id, len(found))
	}
	return found[0], nil
}

func newQuarantineList(p *program) *cobra.Command {
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List quarantined files and studies that were set aside",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := p.open(cmd.Context(), openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			files, jobs, err := a.quarantined(cmd.Context(), tenant)
			if err != nil {
				return err
			}
			var lines []quarantineLine
			for _, q := range files {
				lines = append(lines, fileLine(q))
			}
			for _, j := range jobs {
				lines = append(lines, jobLine(j))
			}
			t := table{head: []string{"id", "kind", "tenant", "study", ">bytes", "sha256", "since", "state", "reason"}}
			for _, l := range lines {
				if asJSON {
					if err := printLine(p.stdout, l); err != nil {
						return err
					}
					continue
				}
				t.add(l.ID, l.Kind, l.Tenant, or(cut(l.Study, 8), "-"), bytesText(l.Bytes), or(cut(l.SHA256, 12), "-"), timeText(l.At), l.State, shown(l.Reason))
			}
			switch {
			case asJSON:
				return nil
			case len(lines) == 0:
				_, err := fmt.Fprintln(p.stdout, "nothing is quarantined")
				return err
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

func newQuarantineShow(p *program) *cobra.Command {
	var path bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything that is known of a quarantined file, as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.open(cmd.Context(), openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			if j, err := a.db.Job(cmd.Context(), args[0]); err == nil && j.State == catalog.JobFailed {
				return printJSON(p.stdout, jobLine(j))
			}
			q, err := a.entry(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			line := fileLine(q)
			if path {
				line.Path = q.Path
			}
			return printJSON(p.stdout, line)
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "also where the file came from: names of files may tell who the patient is")
	return cmd
}

func newQuarantineExport(p *program) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Write the bytes of a quarantined file as they were received",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			q, err := a.entry(ctx, args[0])
			if err != nil {
				return err
			}
			to, err := openTarget(or(out, q.SHA256+".dcm"), true, p.stdout)
			if err != nil {
				return err
			}
			defer to.close()
			if to.stream == nil && to.file == "" {
				to.file = q.SHA256 + ".dcm"
			}
			_, err = to.write("", "", func(w io.Writer) error { return a.copyQuarantined(ctx, q, w) })
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` or DIR, or - for stdout (default: named by the digest)")
	return cmd
}

// copyQuarantined writes the bytes of a quarantined file and compares them with their digest.
func (a *app) copyQuarantined(ctx context.Context, q catalog.QuarantineEntry, w io.Writer) error {
	r, _, err := a.stores.Hot().Get(ctx, q.Key, 0, -1)
	if errors.Is(err, objstore.ErrNotFound) {
		return fmt.Errorf("the bytes of %s are not in the store: %w", q.ID, err)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return copyChecked(w, r, q.Key, q.SHA256)
}
