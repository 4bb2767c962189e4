package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/lifecycle"
)

// clock compares the clocks before anything is removed.
func (a *app) clock() *lifecycle.Clock {
	return &lifecycle.Clock{DB: a.db, Store: a.stores.Hot(), Now: time.Now}
}

func newClock(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Check the clocks that deletions rely on",
		Long: `A clock that is wrong could let everything expire at once. So nothing is removed unless the clocks of this machine, the database and the store agree within a
minute, and time has neither gone back nor more than a day ahead since something was last removed. Where a day or more passed because nobody removed anything, somebody says so.

  radtier clock check
  radtier clock approve --by NAME --reason TEXT`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newClockCheck(p), newClockApprove(p))
	return cmd
}

func newClockCheck(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say whether the clocks let anything be removed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			if err := a.clock().Check(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, "the clocks agree")
			return err
		},
	}
}

func newClockApprove(p *program) *cobra.Command {
	var by, reason string
	cmd := &cobra.Command{
		Use:   "approve",
		Short: "Say that a clock which is far ahead of the last removal is right",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if by == "" || reason == "" {
				return usagef("approving a clock needs --by NAME and --reason TEXT")
			}
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			if err := a.clock().Approve(cmd.Context(), by, reason); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "the clock was approved by %s\n", shown(by))
			return err
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT`: why")
	return cmd
}
