package worker

import (
	"context"

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

// move does the work of one attempt at a move.
func (p *Pipeline) move(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	mv := lifecycle.Mover{DB: p.db, Tiers: places{p.stores, p.shared}, Owner: p.owner, Hooks: p.hooks, Now: p.now}
	return mv.Move(ctx, job)
}
