package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/radtier/radtier/internal/objstore"
)

// RebuildOptions narrows a rebuild.
type RebuildOptions struct {
	Tenant   string              // "" is all
	Progress func(RebuildReport) // called after every study; may be nil
}

// RebuildReport is what a rebuild found. A person must look at the studies of the last three lists.
type RebuildReport struct {
	Studies     int // rows written from a published head
	Unpublished int // studies without any published manifest: their jobs were not acknowledged
	Quarantined int // files
	Instances   int
	Forks       []*ForkError
	Damaged     []*DamagedError
	Missing     []StudyKey // the catalog's head is not in the bucket; an older generation took its place if there is one
}

// Rebuild makes the rows of studies, holdings, intervals and quarantine from
// the bucket alone. A study's head is the published manifest of the highest generation. Into an
// empty catalog it brings back the rows that were lost; in one that is in use it heals every study. It deletes
// nothing in the bucket, and what it cannot decide it lists.
func Rebuild(ctx context.Context, db *DB, store objstore.Store, o RebuildOptions) (RebuildReport, error) {
	b := &rebuild{db: db, store: store, o: o, seen: map[string]bool{}}
	prefix := "t/"
	if o.Tenant != "" {
		if err := CheckTenant(o.Tenant); err != nil {
			return b.RebuildReport, err
		}
		prefix += o.Tenant + "/"
	}
	err := b.run(ctx, prefix)
	if err != nil {
		err = fmt.Errorf("rebuild: %w", err)
	}
	return b.RebuildReport, err
}

type rebuild struct {
	RebuildReport
	db    *DB
	store objstore.Store
	o     RebuildOptions
	seen  map[string]bool // prefixes of studies the catalog had a head of
}

func (b *rebuild) run(ctx context.Context, prefix string) error {
	var study ObjectKey // whose manifests are gathered
	var infos []objstore.Info
	flush := func() error {
		if len(infos) == 0 {
			return nil
		}
		err := b.study(ctx, study, infos)
		infos = infos[:0]
		return err
	}
	for info, err := range b.store.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if tenant, ok := quarantineNote(info.Key); ok {
			if err := b.quarantine(ctx, tenant, info); err != nil {
				return err
			}
			continue
		}
		o, ok := ParseKey(info.Key)
		if !ok || o.Kind != KindManifest && o.Kind != KindPublished {
			continue
		}
		if o.Tenant != study.Tenant || o.Hash != study.Hash {
			if err := flush(); err != nil {
				return err
			}
			study = o
		}
		infos = append(infos, info)
	}
	if err := flush(); err != nil {
		return err
	}
	for s, err := range b.db.Studies(ctx, Filter{Tenant: b.o.Tenant}) {
		if err != nil {
			return err
		}
		if s.Generation > 0 && !b.seen[s.Prefix()] {
			b.Missing = append(b.Missing, s.StudyKey)
		}
	}
	return nil
}

// study rebuilds one study. What is wrong with it is listed and does not stop the others.
func (b *rebuild) study(ctx context.Context, k ObjectKey, infos []objstore.Info) error {
	b.seen[k.Prefix()] = true
	m, err := b.head(ctx, k, infos)
	var fork *ForkError
	var damaged *DamagedError
	switch {
	case errors.As(err, &fork):
		b.Forks = append(b.Forks, fork)
	case errors.As(err, &damaged):
		b.Damaged = append(b.Damaged, damaged)
	case err != nil:
		return err
	case m == nil:
		b.Unpublished++
	default:
		b.Studies++
		b.Instances += m.Totals.Instances
	}
	if b.o.Progress != nil {
		b.o.Progress(b.RebuildReport)
	}
	return nil
}

func (b *rebuild) head(ctx context.Context, k ObjectKey, infos []objstore.Info) (*Manifest, error) {
	row, err := b.db.reader().head(ctx, k.Tenant, k.Hash)
	if errors.Is(err, ErrNoStudy) {
		row, err = &Head{}, nil
	}
	if err != nil {
		return nil, err
	}
	gone := false           // the catalog's head is not in the bucket
	if row.Generation > 0 { // what was decided here and not published yet must not be forgotten
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
	err = b.db.adopt(ctx, m, ref, row.Key, "rebuilt from the bucket")
	if errors.Is(err, errMoved) { // somebody commits to this very study
		m, _, err = Heal(ctx, b.db, b.store, k.Tenant, k.Hash)
	}
	if err != nil {
		return nil, err
	}
	if gone {
		b.Missing = append(b.Missing, m.Study())
	}
	return m, b.db.change(ctx, func(tx conn) error {
		for _, a := range chain[1:] {
			if err := tx.addIntervals(ctx, a); err != nil {
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
	return part[1], ok && isHex(sum, 64) && CheckTenant(part[1]) == nil && key == QuarantineKey(part[1], sum)+".json"
}

func (b *rebuild) quarantine(ctx context.Context, tenant string, info objstore.Info) error {
	raw, err := objstore.ReadAll(ctx, b.store, info.Key, maxNoteBytes)
	if err != nil {
		return err
	}
	var q Quarantined
	if err := json.Unmarshal(raw, &q); err != nil || QuarantineKey(tenant, q.SHA256)+".json" != info.Key {
		b.Damaged = append(b.Damaged, &DamagedError{info.Key, "it is not the note of a quarantined file"})
		return nil
	}
	b.Quarantined++
	return b.db.QuarantineAdd(ctx, QuarantineEntry{Tenant: tenant, Quarantined: q, At: info.Modified})
}
