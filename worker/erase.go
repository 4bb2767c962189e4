package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/roi"
)

// without makes what is left of a study when the instances go that its head orders to be erased. Volumes that hold one are written anew without it, frame by frame as they are
// stored; previews, thumbnails and the hot bundle are made anew from what is left, and so are regions, as long as there are images to make them from.
func (p *Pipeline) without(ctx context.Context, job catalog.Job, head *catalog.Manifest, log *slog.Logger) (*lifecycle.Left, error) {
	e := &erasing{head: head, order: head.Erase, m: *head}
	e.derivation = &derivation{Pipeline: p, rank: p.started.Add(1), key: job.StudyKey, job: job, store: p.stores.Hot(), tier: p.tier, class: p.class, log: log, ctx: ctx}
	if err := e.volumes(ctx); err != nil {
		return nil, fmt.Errorf("erase instances: %w", err)
	}
	if len(e.kept)+len(e.made) == 0 && !e.frozen() {
		return &lifecycle.Left{On: e.on}, nil // nothing at all: all instances were named
	}
	if err := e.derived(ctx); err != nil {
		return nil, fmt.Errorf("erase instances: %w", err)
	}
	return &lifecycle.Left{On: e.on, Citations: e.res.regions.citations}, nil
}

// erasing is a derivation whose parent is a study without what is erased.
type erasing struct {
	*derivation
	head  *catalog.Manifest
	order *catalog.Erasure
	m     catalog.Manifest // head without packs that hold what is erased, and without all that is made anew
	kept  []*volume        // volumes that stay as they are
	made  []*volume        // that are written anew
	res   *result
}

// frozen reports whether regions outlive images that they were made from, so that they cannot be made anew.
func (e *erasing) frozen() bool {
	return e.head.Regions != nil && (e.head.Purged(catalog.ClassFull) != nil || e.head.Purged(catalog.ClassResult) != nil)
}

// volumes writes the volumes that hold an instance anew, and makes the study that is left the parent.
func (e *erasing) volumes(ctx context.Context) error {
	whole, err := study.Open(ctx, e.stores, e.head, e.set)
	if err != nil {
		return err
	}
	e.m.Packs = nil
	hot := catalog.Bundle{}
	if e.head.Hot != nil {
		hot = *e.head.Hot
		hot.Parts, hot.Thumbs = nil, maps.Clone(e.head.Hot.Thumbs)
		e.m.Hot = &hot
	}
	free, err := e.puts.Acquire(ctx, e.store.Capabilities().PutBytes)
	if err != nil {
		return err
	}
	defer free()
	w := newVolumes(ctx, e.derivation)
	for n, v := range whole.Volumes {
		k := whole.PackOf(n)
		of := e.head.Packs[k]
		if of.Class == catalog.ClassRegion {
			continue
		}
		if !e.holds(v.Index) {
			store, err := e.stores.Tier(of.Tier)
			if err != nil {
				w.abort(err)
				return err
			}
			e.kept = append(e.kept, &volume{pack: of, index: v.Index, in: store})
			e.m.Packs = append(e.m.Packs, of)
			if e.head.Hot != nil {
				hot.Parts = append(hot.Parts, e.head.Hot.Parts[k])
			}
			continue
		}
		for i := range v.Index.Instances {
			in := &v.Index.Instances[i]
			if e.order.Erases(in.SOPUID) {
				delete(hot.Thumbs, in.SeriesUID)
				continue
			}
			if _, err := w.copy(ctx, of.Class, v, i); err != nil {
				w.abort(err)
				return err
			}
		}
	}
	delete(hot.Thumbs, "study") // which of the series it shows is not known
	if e.made, err = w.close(); err != nil {
		return err
	}
	e.m.Withdrawn = slices.DeleteFunc(slices.Clone(e.m.Withdrawn), func(x catalog.Withdrawn) bool { return e.order.Erases(x.SOPUID) })
	e.m.Quarantined = slices.DeleteFunc(slices.Clone(e.m.Quarantined), func(q catalog.Quarantined) bool { return e.order.Erases(q.SOPUID) })
	if !e.frozen() {
		e.m.Regions = nil
	}
	e.parent, err = study.Open(ctx, e.stores, &e.m, e.set)
	return err
}

func (e *erasing) holds(x *pack.Index) bool {
	return slices.ContainsFunc(x.Instances, func(in pack.Instance) bool { return e.order.Erases(in.SOPUID) })
}

// derived makes anew what is made from instances.
func (e *erasing) derived(ctx context.Context) (err error) {
	e.known, e.sizes, e.arrived = map[pack.Digest]bool{}, map[sizedInstance]bool{}, map[string]bool{}
	e.res = &result{volumes: e.made}
	all := append(slices.Clone(e.kept), e.made...)
	if slices.ContainsFunc(e.head.Packs, func(p catalog.Pack) bool { return p.Class == catalog.ClassPreview }) && !e.previews.Off && preview.Able(e.set) {
		if e.res.previews, err = e.makePreviews(all, len(e.made)); err != nil {
			return fmt.Errorf("previews: %w", err)
		}
	}
	if e.res.bundle, e.res.withdrawn, err = e.makeBundle(e.made, len(e.res.previews)); err != nil {
		return err
	}
	if e.frozen() {
		e.res.regions, err = e.keptRegions(ctx)
	} else {
		e.overlays.Store(e.head.Regions != nil) // they may be all that said where lesions are
		e.res.regions, err = e.makeRegions(ctx, e.res)
	}
	if err != nil {
		return fmt.Errorf("regions: %w", err)
	}
	return nil
}

// keptRegions takes what was made of erased instances out of regions that cannot be made anew. A person must look at what is left.
func (e *erasing) keptRegions(ctx context.Context) (*regioned, error) {
	rec, err := ReadRecord(ctx, e.store, e.head.Regions)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{} // derived instances
	for i := range rec.Regions {
		r := &rec.Regions[i]
		r.Items = slices.DeleteFunc(r.Items, func(it roi.Item) bool {
			erased := e.order.Erases(it.SOPUID)
			if erased {
				gone[it.OutSOPUID] = true
			}
			return erased
		})
	}
	rec.Regions = slices.DeleteFunc(rec.Regions, func(r roi.Region) bool { return len(r.Items) == 0 })
	for i := range rec.Lesions {
		l := &rec.Lesions[i]
		l.Outlines = slices.DeleteFunc(l.Outlines, func(o roi.Outline) bool { return e.order.Erases(o.SOPUID) })
	}
	open, err := study.OpenRegions(ctx, e.stores, e.head, e.set)
	if err != nil {
		return nil, err
	}
	free, err := e.puts.Acquire(ctx, e.store.Capabilities().PutBytes)
	if err != nil {
		return nil, err
	}
	defer free()
	out := &regioned{cites: e.head.Cites, changed: true}
	w := newVolumes(ctx, e.derivation)
	w.number = len(e.made) + len(e.res.previews)
	for n, v := range open.Volumes {
		erased := func(in *pack.Instance) bool { return gone[in.SOPUID] || e.order.Erases(in.SOPUID) }
		if !slices.ContainsFunc(v.Index.Instances, func(in pack.Instance) bool { return erased(&in) }) {
			out.packs = append(out.packs, e.head.Packs[open.PackOf(n)])
			continue
		}
		for i := range v.Index.Instances {
			if erased(&v.Index.Instances[i]) {
				continue
			}
			if _, err := w.copy(ctx, catalog.ClassRegion, v, i); err != nil {
				w.abort(err)
				return nil, err
			}
		}
	}
	list, err := w.close()
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		out.packs = append(out.packs, v.pack)
	}
	rec.Totals.Regions, rec.Totals.Bytes = len(rec.Regions), 0
	for _, k := range out.packs {
		rec.Totals.Bytes += k.Size
	}
	shareBytes(rec)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s erased %s %q", rec.Plan, e.order.At.UTC().Format(time.RFC3339Nano), e.order.SOPUIDs))
	rec.State, rec.Plan = StateReopened, hex.EncodeToString(sum[:])
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	out.record = &catalog.RegionRecord{Key: catalog.RecordKey(e.key, e.job.ID, e.job.Attempt), Size: int64(len(raw)), State: string(rec.State), Plan: rec.Plan,
		Sources: rec.Totals.Sources, Lesions: rec.Totals.Lesions, Regions: rec.Totals.Regions, Bytes: rec.Totals.Bytes, Since: e.now().UTC().Truncate(time.Millisecond)}
	out.record.SHA256, err = e.putHot(ctx, out.record.Key, raw)
	return out, err
}

// on changes a manifest that names the same objects as the head to what is left.
func (e *erasing) on(m *catalog.Manifest) error {
	if e.res == nil { // nothing is
		m.Packs, m.Hot, m.Regions, m.Cites, m.Review, m.Totals = nil, nil, nil, nil, nil, catalog.Totals{}
		m.Totals.StoredBytes = m.StoredBytes()
		return nil
	}
	m.Packs = slices.Clone(e.m.Packs)
	for _, v := range e.made {
		m.Packs = append(m.Packs, v.pack)
	}
	m.Packs = append(append(m.Packs, e.res.previews...), e.res.regions.packs...)
	hot := *e.res.bundle
	hot.Parts = append(slices.Clone(hot.Parts), make([]catalog.BundlePart, len(e.res.regions.packs))...)
	m.Hot = &hot
	m.Holds = withHolds(m.Holds, e.res.regions.holds)
	m.Regions, m.Cites = e.res.regions.record, e.res.regions.cites
	m.Withdrawn = mergeWithdrawn(m.Withdrawn, e.res.withdrawn)
	e.summarise(m, e.res)
	return nil
}
