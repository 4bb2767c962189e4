package interleave

import (
	"context"
	"path/filepath"

	"github.com/radtier/radtier/internal/catalog/catalogtest"
)

// restoreCatalog copies the catalog, and some time later puts it back to that
// moment: what an operator does who restores a backup while everything is running.
func (p *process) restoreCatalog(ctx context.Context) error {
	backup := filepath.Join(p.w.dir, p.a.name+".backup")
	if p.a.gate(opStart, "back up") != proceed {
		return nil
	}
	if err := catalogtest.BackUp(ctx, p.w.dsn, backup); err != nil {
		return err
	}
	for range 20 { // time passes
		if p.a.gate(opStart, "wait") != proceed {
			return nil
		}
	}
	p.w.amnesia = true
	return catalogtest.PutBack(ctx, p.w.dsn, backup)
}
