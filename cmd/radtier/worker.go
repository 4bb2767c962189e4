package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

func newWorker(p *program) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work on queued studies",
		Long: `Takes queued studies and stores them, until it is told to stop.

  radtier worker            # a service: runs until SIGTERM or Ctrl-C
  radtier worker --once     # until nothing is due

The first SIGTERM or Ctrl-C is a soft stop: no new study is begun, and those under
way have worker.grace to finish. The second stops at once. What is not finished is
given back to the queue and another attempt adopts what was written already.

With queue.kind embedded one worker process runs per data directory; with redis
any number on any number of machines.

Exit codes: 0 stopped and drained, 130 studies were cut off and are queued again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.worker(cmd.Context(), once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end when nothing is due")
	return cmd
}

func (p *program) worker(ctx context.Context, once bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	a, err := p.openWith(ctx, cfg, openOrMake, slog.LevelInfo)
	if err != nil {
		return err
	}
	defer a.Close()
	e, err := a.startEngine(ctx)
	if errors.Is(err, errWorkerRuns) {
		return fmt.Errorf("%w (%s): stop that one, or use queue.kind redis for several", err, lockPath(cfg))
	}
	if err != nil {
		return err
	}
	a.log.Info("worker started", "version", version(), "cores", cfg.Worker.Cores, "studies", cfg.Worker.Studies, "memory_bytes", cfg.Worker.Memory, "tier", a.stores.names[0])
	if once {
		err = a.untilEmpty(ctx)
	} else {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		a.log.Info("stopping: studies under way may finish; a second signal stops at once", "grace", cfg.Worker.Grace.String())
		err = nil
	}
	clean, stopErr := e.stop(p.hard)
	a.log.Info("worker stopped", "drained", clean)
	if err = errors.Join(err, stopErr); err == nil && !clean {
		return errStopped
	}
	return err
}

// untilEmpty returns when no job is running or due. Jobs that wait for a later time do not count.
func (a *app) untilEmpty(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		busy, later := 0, 0
		now := time.Now()
		err := a.db.Jobs(ctx, func(j catalog.Job) error {
			if j.State == catalog.JobRunning || !j.ReadyAt.After(now) {
				busy++
			} else {
				later++
			}
			return nil
		}, catalog.JobQueued, catalog.JobRunning)
		if err != nil {
			return err
		}
		if busy == 0 {
			a.log.Info("nothing is due", "waiting_for_later", later)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
