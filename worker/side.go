package worker

import (
	"context"
	"log/slog"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
)

// places are the pipeline's tiers as moves want them.
type places struct {
	study.Stores
	shared func(from, to string) (bool, objstore.Class)
}

// Shared implements lifecycle.Places.
func (p places) Shared(from, to string) (bool, objstore.Class) { return p.shared(from, to) }

// forWorkers reports whether workers carry out side jobs of a kind. The others are done by whoever makes them.
func forWorkers(kind string) bool {
	switch kind {
	case lifecycle.ActionMove, lifecycle.ActionTrash, lifecycle.ActionPurge, lifecycle.ActionRepair, lifecycle.ActionRestore, lifecycle.ActionErase:
		return true
	}
	return false
}

// side does the work of one attempt at a side job.
func (p *Pipeline) side(ctx context.Context, job catalog.Job, log *slog.Logger) (*catalog.Manifest, error) {
	tiers := places{p.stores, p.shared}
	t := lifecycle.Trasher{DB: p.db, Store: p.stores.Hot(), Hot: p.tier, Owner: p.owner, Hooks: p.hooks, Now: p.now, Guard: p.guard}
	switch job.Kind {
	case lifecycle.ActionTrash:
		return t.Trash(ctx, job)
	case lifecycle.ActionPurge:
		x := lifecycle.Purger{Trasher: t, Tiers: tiers}
		return x.Purge(ctx, job)
	}
	mv := lifecycle.Mover{DB: p.db, Tiers: tiers, Owner: p.owner, Hooks: p.hooks, Now: p.now, Times: p.thaws}
	switch job.Kind {
	case lifecycle.ActionRepair:
		return mv.Repair(ctx, job)
	case lifecycle.ActionRestore:
		return mv.Restore(ctx, job)
	case lifecycle.ActionErase:
		e := lifecycle.Eraser{Mover: mv, Stores: p.all, Guard: p.guard, Without: func(ctx context.Context, job catalog.Job, m *catalog.Manifest) (*lifecycle.Left, error) {
			return p.without(ctx, job, m, log)
		},
			Report: func(err error) {
				if err != nil {
					log.Warn("bytes of what was erased are not all gone; the next sweep removes them", "err", err)
				}
			}}
		return e.Erase(ctx, job)
	}
	return mv.Move(ctx, job)
}
