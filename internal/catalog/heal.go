package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/radtier/radtier/internal/objstore"
)

// Heal makes catalog and bucket agree about one study and returns its head
// manifest, nil if it has none, and all its manifests. It lists the bucket's manifests first. A catalog older than the bucket
// gets its row from the highest published manifest; a head that was decided and not published is published now. The
// study is named by tenant and hash because the catalog may not know it yet.
// Errors: ErrFork, ErrBucketBehind, *DamagedError, and those of the store; then no head was changed.
func Heal(ctx context.Context, db *DB, store objstore.Store, tenant, hash string) (*Manifest, []Stored, error) {
	for {
		m, list, err := healOnce(ctx, db, store, tenant, hash)
		var fork *ForkError
		if errors.As(err, &fork) {
			err = errors.Join(err, db.markFork(ctx, store, tenant, hash, fork))
		}
		if !errors.Is(err, errMoved) {
			return m, list, err
		}
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
	}
}

func healOnce(ctx context.Context, db *DB, store objstore.Store, tenant, hash string) (*Manifest, []Stored, error) {
	// The row is read before the bucket is listed: what it names was put before it was decided, so the listing has it.
	row, err := db.reader().head(ctx, tenant, hash)
	if errors.Is(err, ErrNoStudy) {
		row, err = &Head{}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	list, err := listSwept(ctx, db, store, tenant, hash)
	if err != nil {
		return nil, nil, err
	}
	top, err := PublishedHead(list)
	if err != nil {
		return nil, list, err
	}
	if top == nil && row.Generation == 0 {
		return nil, list, nil
	}
	if top != nil && top.Generation > row.Generation {
		m, err := db.reload(ctx, store, row, top, list)
		return m, list, err
	}
	m, err := LoadManifest(ctx, store, row.Ref)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, list, fmt.Errorf("study %s: %w: %w", hash, ErrBucketBehind, err)
	}
	if err != nil {
		return nil, list, err
	}
	skipped := top == nil && m.Generation > 1 || top != nil && top.Generation < m.Generation-1
	if _, err := Ancestors(ctx, store, list, m, skipped); err != nil {
		return nil, list, err
	}
	if top == nil || top.Generation < row.Generation || !row.Published || row.Status == StatusFork {
		if err := publish(ctx, db, store, m, row.Ref, nil); err != nil {
			return nil, list, err
		}
	}
	return m, list, nil
}

// listSwept lists the manifests of a study. A published mark whose manifest a sweep removed is removed too: its publisher was
// overtaken by a catalog that was put back to a moment before the decision, and acknowledged nothing.
func listSwept(ctx context.Context, db *DB, store objstore.Store, tenant, hash string) ([]Stored, error) {
	for {
		list, err := listManifests(ctx, store, studyPrefix(tenant, hash))
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			return list, err
		}
		if swept, readErr := db.swept(ctx, tenant, hash, damaged.Key); readErr != nil || !swept {
			return nil, errors.Join(err, readErr)
		}
		if err := store.Delete(ctx, PublishedKey(damaged.Key)); err != nil {
			return nil, fmt.Errorf("take back the mark of %s: %w", damaged.Key, err)
		}
	}
}

// reload writes a study's row anew from the bucket, if its head still is the one that was seen.
func (db *DB) reload(ctx context.Context, store objstore.Store, row *Head, top *Stored, list []Stored) (*Manifest, error) {
	m, ref, err := loadManifest(ctx, store, Ref{Key: top.Key})
	if err != nil {
		return nil, err
	}
	chain, err := Ancestors(ctx, store, list, m, row.Generation < m.Generation-1)
	if err != nil {
		return nil, err
	}
	if row.Generation > 0 && row.Generation < m.Generation {
		was := m.Parent.Key
		if i := int(m.Generation - row.Generation); i < len(chain) {
			was = chain[i].Key()
		}
		if was != row.Key { // decided here, superseded elsewhere: two catalogs wrote to one bucket
			return nil, &ForkError{m.Study().Prefix(), row.Generation, []string{row.Key, was}}
		}
	}
	known := 0
	if row.Generation > 0 {
		known = 1
	}
	if whole := int(m.Generation - row.Generation); len(chain) < whole+known {
		if chain, err = Ancestors(ctx, store, list, m, true); err != nil {
			return nil, err
		}
	}
	return m, db.adopt(ctx, chain[:min(len(chain), int(m.Generation-row.Generation)+known)], known, ref, row.Key, fmt.Sprintf("the catalog was at generation %d, the bucket is at %d", row.Generation, m.Generation))
}

// adopt makes a published manifest the head of its study. errMoved if the head is not the one that is expected.
// chain is what the ledger of this catalog does not know, that manifest first; known is 1 if the last of it is the present head, 0 if there is none.
func (db *DB) adopt(ctx context.Context, chain []*Manifest, known int, ref Ref, expect, note string) error {
	m := chain[0]
	f, err := chainFlows(chain, known)
	if err != nil {
		return err
	}
	hash := m.Study().Hash()
	return db.change(ctx, func(tx conn) error {
		now := db.now()
		var done int64
		var head string
		if err := tx.lockCited(ctx, m, hash, func() (err error) {
			_, done, head, err = tx.lockStudy(ctx, m.Study(), now)
			return err
		}); err != nil {
			return err
		}
		if head != expect {
			return errMoved
		}
		if err := tx.setHead(ctx, m, ref, true); err != nil {
			return err
		}
		if err := tx.writeFlows(ctx, now, f); err != nil {
			return err
		}
		if known == 0 { // when it was read is not in the bucket: nothing goes earlier for that
			if err := tx.exec(ctx, `UPDATE study SET accessed = ? WHERE tenant = ? AND hash = ?`, toMS(now), m.Tenant, hash); err != nil {
				return err
			}
		}
		// Arrivals that this catalog has open came, for all it knows, after those
		// that the manifest covers: they keep their order and are worked on (again).
		if shift := m.Arrivals - done; shift > 0 {
			if err := tx.exec(ctx, `UPDATE arrival SET seq = seq + ? WHERE tenant = ? AND hash = ?`, shift, m.Tenant, hash); err != nil {
				return err
			}
			if err := tx.exec(ctx, `UPDATE study SET want = want + ?, done = done + ? WHERE tenant = ? AND hash = ?`, shift, shift, m.Tenant, hash); err != nil {
				return err
			}
		}
		if err := tx.setCitations(ctx, m, now); err != nil {
			return err
		}
		if err := tx.reopenUnseen(ctx, m.Tenant, hash, now); err != nil {
			return err
		}
		if head == ref.Key {
			return nil
		}
		return tx.audit(ctx, auditRow{id: "heal-" + newID(now), at: now, actor: "catalog", action: "heal", m: m, ref: ref, note: note})
	})
}

// markFork stops a study: nothing of it is committed or removed until its bucket has one truth again and is healed or rebuilt.
func (db *DB) markFork(ctx context.Context, store objstore.Store, tenant, hash string, fork *ForkError) error {
	const stop = `UPDATE study SET status = ? WHERE tenant = ? AND hash = ?`
	var known int64
	err := db.change(ctx, func(tx conn) (err error) {
		known, err = tx.affected(ctx, stop, StatusFork, tenant, hash)
		return err
	})
	if err != nil || known > 0 {
		return err
	}
	m, err := LoadManifest(ctx, store, Ref{Key: fork.Keys[0]}) // its hash does not tell the UID
	if err != nil {
		return err
	}
	return db.change(ctx, func(tx conn) error {
		if err := tx.ensureStudy(ctx, m.Study(), m.FirstCreated); err != nil {
			return err
		}
		return tx.exec(ctx, stop, StatusFork, tenant, hash)
	})
}
