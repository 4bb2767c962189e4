package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/worker"
)

func newQuarantineGiveUp(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "give-up ID",
		Short: "Let a study that was set aside go on without the source files that are gone",
		Long: `A study whose source files vanished before they were read waits for them and is set aside in the end.
Put them back and run "quarantine retry", or give them up: the study is stored with the files that are there.
The audit log keeps how many were given up.

  radtier quarantine list
  radtier quarantine give-up ID && radtier worker --once`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			client := worker.Client{DB: a.db, Store: a.stores.Hot(), Sources: a.sources}
			n, err := client.GiveUp(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s given up; the study is queued again\nnext: `radtier worker --once`\n", plural(n, "file"))
			return nil
		},
	}
}
