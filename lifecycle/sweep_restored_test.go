package lifecycle_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle"
)

// meanwhile does something once, when a manifest was read.
type meanwhile struct {
	objstore.Store
	once sync.Once
	do   func()
}

func (m *meanwhile) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	r, info, err := m.Store.Get(ctx, key, offset, length)
	if strings.Contains(key, "/m/") {
		m.once.Do(m.do)
	}
	return r, info, err
}

// The catalog is put back to an earlier moment in the middle of a sweep: after the bucket was listed, and after a commit of which the
// catalog that is there now knows nothing. What that commit named stays, and the next sweep sees it.
func TestSweepCatalogPutBack(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	s.Done(k, "a")
	a := s.Work(s.Arrive(k, "b").ID)
	older, err := catalog.Open(s.Ctx, maker.Catalog(t)) // knows nothing: it heals from what the bucket has
	s.OK(err)
	t.Cleanup(func() { older.Close() })
	store := &meanwhile{Store: s.Store, do: func() {
		_, err := a.Commit()
		s.OK(err)
	}}
	sweep := func() lifecycle.SweepReport {
		t.Helper()
		rep, err := lifecycle.Sweep(s.Ctx, older, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: store}},
			lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return s.Clock.Now().Add(time.Hour) }})
		s.OK(err)
		return rep
	}
	if rep := sweep(); len(rep.Objects) != 0 || len(rep.Skipped) != 1 {
		t.Fatalf("removed %v, skipped %v; want nothing and the study", keys(rep), rep.Skipped)
	}
	if marks, err := older.Removals(s.Ctx); err != nil || len(marks) != 0 {
		t.Errorf("%v is marked as being removed (%v), want nothing", marks, err)
	}
	s.Whole(k, 2, 2)
	if rep := sweep(); len(rep.Skipped) != 0 {
		t.Errorf("the next sweep skipped %v", rep.Skipped)
	}
	s.Whole(k, 2, 2)
}

// A commit is decided; before its manifest is marked as published the catalog is put back to a moment before the decision, and a
// sweep takes the manifest for one that nobody decided. The commit must not end with a mark without a manifest, and acknowledges
// nothing: the work is done again.
func TestSweepDecidedBeforePutBack(t *testing.T) {
	for name, crash := range map[string]bool{"goes on": false, "crashes with the mark put": true} {
		t.Run(name, func(t *testing.T) {
			s := newSweeper(t)
			k := catalogtest.Study(1)
			s.Done(k, "a")
			backup := filepath.Join(t.TempDir(), "backup")
			s.OK(catalogtest.BackUp(s.Ctx, s.Config().DSN, backup))
			a := s.Work(s.Arrive(k, "b").ID)
			a.Input.Hooks = func(_ context.Context, step string) error {
				switch {
				case step == catalog.StepDecided:
					s.OK(catalogtest.PutBack(s.Ctx, s.Config().DSN, backup))
					s.Clock.Move(2 * grace)
					if rep := s.sweep(false); len(rep.Objects) == 0 || !strings.Contains(rep.Objects[0].Key, "/m/0000000002") {
						t.Errorf("the sweep removed %v; want the manifest that the catalog does not know, and its packs", keys(rep))
					}
				case step == catalog.StepOKPut && crash:
					return catalogtest.ErrCrash
				}
				return nil
			}
			_, err := a.Commit()
			if err == nil {
				t.Error("a commit was acknowledged whose manifest a sweep had removed")
			}
			s.Clock.Move(2 * grace)
			if rep := s.sweep(false); len(rep.Skipped) != 0 {
				t.Errorf("the next sweep skipped %v", rep.Skipped)
			}
			s.Whole(k, 1, 1)
			s.Done(k, "b")
			s.Whole(k, 2, 2)
		})
	}
}
