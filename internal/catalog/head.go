package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Status of a study in the catalog, beside those of manifests.
const (
	StatusNew  Status = "new"  // queued, and nothing committed yet
	StatusFork Status = "fork" // stopped: two published manifests of one generation
)

// Head is the newest decided generation of a study.
type Head struct {
	Ref
	Generation int64
	Published  bool // its .ok is in the bucket; readers need not care, it will be
	Status     Status
}

// Head returns the head of a study, ErrNoStudy if there is none.
func (db *DB) Head(ctx context.Context, k StudyKey) (*Head, error) {
	h, err := db.reader().head(ctx, k.Tenant, k.Hash())
	if err == nil && h.Generation == 0 {
		err = ErrNoStudy
	}
	if err != nil {
		return nil, fmt.Errorf("study %s: %w", k.Hash(), err)
	}
	return h, nil
}

const selectHead = `SELECT head_key, head_sha256, generation, published, status FROM study WHERE tenant = ? AND hash = ?`

func (c conn) head(ctx context.Context, tenant, hash string) (*Head, error) {
	return scanHead(c.row(ctx, selectHead, tenant, hash))
}

func scanHead(row scanner) (*Head, error) {
	h := &Head{}
	var published int64
	err := row.Scan(&h.Key, &h.SHA256, &h.Generation, &published, &h.Status)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoStudy
	}
	h.Published = published != 0
	return h, err
}

// LoadHead reads the head manifest of a study as the catalog knows it. ErrNoStudy if there is none.
func LoadHead(ctx context.Context, db *DB, store objstore.Store, k StudyKey) (*Manifest, error) {
	h, err := db.Head(ctx, k)
	if err != nil {
		return nil, err
	}
	return LoadManifest(ctx, store, h.Ref)
}

// RowOf is what rows say of a study whose head is m and for which nothing waits.
func RowOf(m *Manifest) Study {
	s := Study{StudyKey: m.Study(), Head: Head{Ref: Ref{Key: m.Key()}, Generation: m.Generation, Status: m.Status}, Want: m.Arrivals, Done: m.Arrivals, Totals: m.Totals,
		Quarantined: len(m.Quarantined), Withdrawn: len(m.Withdrawn), Conflicts: len(m.Conflicts), Holds: m.standing(), Created: m.FirstCreated, Updated: m.Created}
	if m.Regions != nil {
		s.RegionState, s.RegionPlan = m.Regions.State, m.Regions.Plan
	}
	if a := m.Answered(); a != nil {
		s.Reviewed = a.Kind
	}
	return s
}

// setHead writes everything that rows say of a study and that its manifest
// knows: the head, sums and holdings. Commit, heal and Rebuild all use it, so that a rebuilt row is the row that was lost.
// What it adds to the ledger is for the caller to say.
func (c conn) setHead(ctx context.Context, m *Manifest, ref Ref, published bool) error {
	hash := m.Study().Hash()
	t, row := m.Totals, RowOf(m)
	facts, err := BriefOf(m).encode()
	if err != nil {
		return err
	}
	if err := c.exec(ctx, `UPDATE study SET head_key = ?, head_sha256 = ?, generation = ?, published = ?, status = ?,
		instances = ?, frames = ?, series = ?, passed = ?, raw_bytes = ?, stored_bytes = ?, quarantined = ?, withdrawn = ?, conflicts = ?, holds = ?, hold_until = ?,
		created = ?, updated = ?, region_state = ?, region_plan = ?, reviewed = ?, facts = ?, check_epoch = 0, check_day = 0 WHERE tenant = ? AND hash = ?`,
		ref.Key, ref.SHA256, m.Generation, flag(published), m.Status,
		t.Instances, t.Frames, t.Series, t.Passed, t.RawBytes, t.StoredBytes, row.Quarantined, row.Withdrawn, row.Conflicts, row.Holds, m.heldUntil(),
		toMS(m.FirstCreated), toMS(m.Created), row.RegionState, row.RegionPlan, row.Reviewed, facts, m.Tenant, hash); err != nil {
		return err
	}
	if err := c.exec(ctx, `DELETE FROM holding WHERE tenant = ? AND hash = ?`, m.Tenant, hash); err != nil {
		return err
	}
	for _, h := range HoldingsOf(m) {
		if err := c.exec(ctx, `INSERT INTO holding (tenant, hash, class, copy, tier, since, bytes, objects) VALUES (?, ?, ?, 0, ?, ?, ?, ?)`,
			m.Tenant, hash, h.Class, h.Tier, toMS(h.Since), h.Bytes, h.Objects); err != nil {
			return err
		}
	}
	if err := c.addIntervals(ctx, m, nil); err != nil {
		return err
	}
	listed := slices.Clone(m.Quarantined) // two studies may have the same files: both lock them in the same order
	slices.SortFunc(listed, func(a, b Quarantined) int { return strings.Compare(a.SHA256, b.SHA256) })
	for _, q := range listed {
		if err := c.addQuarantine(ctx, QuarantineEntry{Tenant: m.Tenant, Hash: hash, Quarantined: q, At: m.Created}); err != nil {
			return err
		}
	}
	return nil
}

// addIntervals opens a row for every object that a generation superseded. prev is the generation before, if the ledger counts them as superseded from now on.
func (c conn) addIntervals(ctx context.Context, m, prev *Manifest) error {
	was := stockOf(prev)
	for _, iv := range m.Intervals {
		counted := ""
		if s, ok := was[iv.Key]; ok {
			s.State = StockSuperseded
			counted = s.encode()
		}
		if err := c.exec(ctx, `INSERT INTO interval_row (key, tenant, hash, tier, class, bytes, since, until, superseded, counted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, hash, key) DO NOTHING`, iv.Key, m.Tenant, m.Study().Hash(), iv.Tier, iv.Class, iv.Bytes, toMS(iv.From), toMS(iv.To), toMS(iv.To), counted); err != nil {
			return err
		}
	}
	return nil
}

// Holding is what a study has in one class and tier.
type Holding struct {
	Class   Class
	Tier    string    // "" is the hot tier, where hot bundles are
	Since   time.Time // of its oldest object
	Bytes   int64
	Objects int
}

// HoldingsOf sums up the objects of a manifest by class and tier.
func HoldingsOf(m *Manifest) []Holding {
	type name struct {
		class Class
		tier  string
	}
	at := map[name]int{}
	var list []Holding
	add := func(class Class, tier string, since time.Time, bytes int64) {
		id := name{class, tier}
		i, ok := at[id]
		if !ok {
			i = len(list)
			at[id] = i
			list = append(list, Holding{Class: class, Tier: tier, Since: since})
		}
		h := &list[i]
		h.Bytes += bytes
		h.Objects++
		if since.Before(h.Since) {
			h.Since = since
		}
	}
	m.objects(func(_ string, class Class, tier string, bytes int64, since time.Time) { add(class, tier, since, bytes) })
	return list
}
