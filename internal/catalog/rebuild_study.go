package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/radtier/radtier/internal/objstore"
)

// study rebuilds one study. What is wrong with it is listed and does not stop the others.
func (b *shardRebuild) study(ctx context.Context, k ObjectKey, infos []objstore.Info) error {
	m, err := b.head(ctx, k, infos)
	var fork *ForkError
	var damaged *DamagedError
	switch {
	case errors.As(err, &fork):
		b.found.Forks = append(b.found.Forks, fork)
	case errors.As(err, &damaged):
		b.found.Damaged = append(b.found.Damaged, damaged)
	case err != nil:
		return err
	case m == nil:
		b.found.Unpublished++
	default:
		b.found.Studies++
		b.found.Instances += m.Totals.Instances
	}
	return nil
}

// head makes the row of one study and returns its head manifest, nil if none was ever published.
func (b *shardRebuild) head(ctx context.Context, k ObjectKey, infos []objstore.Info) (*Manifest, error) {
	row, err := b.db.reader().head(ctx, k.Tenant, k.Hash)
	if errors.Is(err, ErrNoStudy) {
		row, err = &Head{}, nil
	}
	if err != nil {
		return nil, err
	}
	gone := false // the catalog's head is not in the bucket
	// What was decided here and not published yet must not be forgotten, nor be taken for published: somebody may decide while this looks.
	for first := true; row.Generation > 0 && !gone && (first || !row.Published); first = false {
		_, _, err := Heal(ctx, b.db, b.store, k.Tenant, k.Hash)
		if err != nil {
			_, headErr := b.store.Head(ctx, row.Key)
			gone = errors.Is(headErr, objstore.ErrNotFound)
		}
		if err != nil && !gone {
			return nil, err
		}
		if !gone {
			if row, err = b.db.reader().head(ctx, k.Tenant, k.Hash); err != nil {
				return nil, err
			}
		}
	}
	list, err := ManifestsOf(infos)
	if err != nil {
		return nil, err
	}
	top, err := PublishedHead(list)
	ref := Ref{}
	switch {
	case err != nil:
	case top != nil:
		ref.Key = top.Key
	case row.Generation > 0 && !gone:
		ref = row.Ref
	default:
		return nil, nil
	}
	if top != nil && !gone && row.Generation > top.Generation { // healed and published after it was listed
		ref = row.Ref
	}
	var m *Manifest
	var chain []*Manifest
	if err == nil {
		m, ref, err = loadManifest(ctx, b.store, ref)
	}
	if err == nil {
		chain, err = Ancestors(ctx, b.store, list, m, true)
	}
	if errors.Is(err, objstore.ErrNotFound) {
		err = &DamagedError{ref.Key, "it or one of its ancestors is not in the bucket"}
	}
	var fork *ForkError
	if errors.As(err, &fork) {
		return nil, errors.Join(err, b.db.markFork(ctx, b.store, k.Tenant, k.Hash, fork))
	}
	if err != nil {
		return nil, err
	}
	unknown, known := chain, 0 // to the ledger
	if row.Generation > 0 {
		unknown, known = chain[:1], 1 // a head that was lost: what the ledger knows of it stays
		for i, a := range chain {
			if a.Key() == row.Key {
				unknown, known = chain[:i+1], 1
			}
		}
	}
	err = b.db.adopt(ctx, unknown, known, ref, row.Key, "rebuilt from the bucket")
	if errors.Is(err, errMoved) { // somebody commits to this very study
		m, _, err = Heal(ctx, b.db, b.store, k.Tenant, k.Hash)
	}
	if err != nil {
		return nil, err
	}
	if gone {
		b.found.Missing = append(b.found.Missing, m.Study())
	}
	return m, b.db.change(ctx, func(tx conn) error {
		for _, a := range chain[1:] {
			if err := tx.addIntervals(ctx, a, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxNoteBytes bounds the note beside a quarantined file.
const maxNoteBytes = 1 << 20

// quarantineNote reports whether key is the note of a quarantined file, and of which tenant.
func quarantineNote(key string) (tenant string, ok bool) {
	part := strings.Split(key, "/")
	if len(part) != 5 || part[0] != "t" || part[2] != "q" {
		return "", false
	}
	sum, ok := strings.CutSuffix(part[4], ".json")
	return part[1], ok && isHex(sum, 64) && CheckTenant(part[1]) == nil && key == QuarantineNote(QuarantineKey(part[1], sum))
}

// quarantine lists a file by the note beside it.
func (b *shardRebuild) quarantine(ctx context.Context, info objstore.Info) error {
	raw, err := objstore.ReadAll(ctx, b.store, info.Key, maxNoteBytes)
	if err != nil {
		return err
	}
	var q Quarantined
	if err := json.Unmarshal(raw, &q); err != nil || QuarantineNote(QuarantineKey(b.tenant, q.SHA256)) != info.Key {
		b.found.Damaged = append(b.found.Damaged, &DamagedError{info.Key, "it is not the note of a quarantined file"})
		return nil
	}
	b.found.Quarantined++
	return b.db.QuarantineAdd(ctx, QuarantineEntry{Tenant: b.tenant, Quarantined: q, At: info.Modified})
}
