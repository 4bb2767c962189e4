package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/worker"
)

// annotatedLine is one annotation that was queued.
type annotatedLine struct {
	Tenant     string `json:"tenant"`
	StudyUID   string `json:"study_uid"`
	Study      string `json:"study"` // hash
	DocumentID string `json:"document_id"`
	Revision   int    `json:"revision"`
	Findings   int    `json:"findings"`
	Job        string `json:"job"`
}

func newAnnotate(p *program) *cobra.Command {
	var tenant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "annotate FILE...",
		Short: "Queue JSON annotations: where lesions are, as an AI service or a report system says",
		Long: `Reads JSON annotation documents and queues each for its study, whose regions are planned again.
The study must be here. FILE is a file, an object (s3://bucket/key), or - for stdin, which is kept in the data
directory until it is stored. Nothing is queued if any of them is broken.

  radtier annotate lesions.json && radtier worker --once
  radtier annotate --tenant hospital-b - --json

A document that changed needs a higher revision; the highest counts.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.annotate(cmd.Context(), args, tenant, asJSON) },
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the studies (default: tenant of the configuration)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (p *program) annotate(ctx context.Context, args []string, tenant string, asJSON bool) error {
	if tenant != "" {
		if err := catalog.CheckTenant(tenant); err != nil {
			return usagef("--tenant: %w", err)
		}
	}
	a, err := p.open(ctx, openExisting)
	if err != nil {
		return err
	}
	defer a.Close()
	client := worker.Client{DB: a.db, Store: a.stores.Hot(), Sources: a.sources}
	o := worker.AnnotateOptions{Tenant: or(tenant, a.cfg.Tenant)}
	var list []worker.Annotated
	var files, stdin []string
	for _, arg := range args {
		if arg != "-" {
			files = append(files, arg)
		} else if len(stdin) == 0 {
			path, err := a.keepStdin()
			if err != nil {
				return err
			}
			stdin = append(stdin, path)
		}
	}
	if len(stdin) > 0 { // first: its copy goes again if it is broken
		o := o
		o.After = catalog.AfterDelete
		if list, err = client.Annotate(ctx, stdin, o); err != nil {
			return errors.Join(err, os.Remove(stdin[0]))
		}
	}
	if len(files) > 0 {
		more, err := client.Annotate(ctx, files, o)
		list = append(list, more...)
		if err != nil {
			return err
		}
	}
	for _, x := range list {
		if asJSON {
			err = printLine(p.stdout, annotatedLine{x.Tenant, x.UID, x.Hash(), x.DocumentID, x.Revision, x.Findings, x.Job.ID})
		} else {
			_, err = fmt.Fprintf(p.stdout, "annotation %s, revision %d, %s: study %s is queued\n", shown(x.DocumentID), x.Revision, plural(x.Findings, "finding"), x.Hash()[:8])
		}
		if err != nil {
			return err
		}
	}
	if !asJSON {
		fmt.Fprintln(p.stdout, "next: `radtier worker --once`")
	}
	return nil
}

// keepStdin writes stdin to the data directory, named by its digest, so that a worker can read it. It is removed once it is stored.
func (a *app) keepStdin() (string, error) {
	raw, err := io.ReadAll(io.LimitReader(a.stdin, worker.MaxAnnotationBytes+1))
	if err != nil {
		return "", fmt.Errorf("stdin: %w", err)
	}
	if len(raw) == 0 || len(raw) > worker.MaxAnnotationBytes {
		return "", fmt.Errorf("stdin has %s, an annotation has up to %d", plural(len(raw), "byte"), worker.MaxAnnotationBytes)
	}
	dir := filepath.Join(a.cfg.Data, "annotations")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("data: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, fmt.Sprintf("%x.json", sha256.Sum256(raw))))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil // queued before, and not stored yet
	}
	part := path + ".part"
	if err := errors.Join(os.WriteFile(part, raw, 0o640), os.Rename(part, path)); err != nil {
		return "", fmt.Errorf("data: %w", err)
	}
	return path, nil
}
