package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
)

// makeBundle writes the hot bundle of the next generation: the parts of the
// parent's volumes, those of the new ones, and thumbnails. Everything in it is read from
// the store, so it also proves that the new volumes can be read. previews is how many preview packs follow the new volumes in the manifest.
func (d *derivation) makeBundle(made []*volume, previews int) (*catalog.Bundle, []catalog.Withdrawn, error) {
	ctx := d.ctx
	view := d.assemble(made)
	m := view.Manifest
	fresh := len(m.Packs) - len(made)

	var buf bytes.Buffer
	w := pack.NewBundleWriter(&buf)
	for n, v := range view.Volumes {
		raw, err := pack.EncodeIndex(v.Index)
		if err != nil {
			return nil, nil, fmt.Errorf("index of volume %d: %w", n, err)
		}
		blocks := make([][]byte, len(v.Index.Blocks))
		for i := range blocks {
			if blocks[i], err = v.Block(ctx, i); err != nil {
				return nil, nil, fmt.Errorf("header block %d of volume %d: %w", i, n, err)
			}
		}
		if err := w.AddPart(raw, blocks); err != nil {
			return nil, nil, err
		}
	}
	thumbs, withdrawn, err := d.lookThrough(ctx, view, fresh)
	if err != nil {
		return nil, nil, err
	}
	thumbs = d.withExpired(thumbs)
	for i, t := range thumbs { // series UIDs are no file names: thumbnails are numbered
		if err := w.AddThumb(fmt.Sprintf("%03d", i), t.jpeg); err != nil {
			return nil, nil, err
		}
	}
	layout, err := w.Close()
	if err != nil {
		return nil, nil, err
	}
	key := catalog.HotKey(d.key, d.job.ID, d.job.Attempt)
	sum := sha256.Sum256(buf.Bytes())
	if _, err := d.store.Put(ctx, key, bytes.NewReader(buf.Bytes()), objstore.PutOptions{Class: d.class, Size: int64(buf.Len()), SHA256: sum}); err != nil {
		return nil, nil, fmt.Errorf("put %s: %w", key, err)
	}
	if _, err := readBack(ctx, d.store, key, pack.Summary{Size: int64(buf.Len()), SHA256: sum}, nil); err != nil {
		return nil, nil, err
	}
	b := &catalog.Bundle{Key: key, Size: int64(buf.Len()), SHA256: hex.EncodeToString(sum[:]), Since: d.now().UTC().Truncate(time.Millisecond), Thumbs: map[string]catalog.Range{}}
	b.Parts = make([]catalog.BundlePart, len(m.Packs)+previews) // those of preview packs stay empty: these hold their index themselves and are as hot
	for n, p := range layout.Parts {
		part := catalog.BundlePart{Index: catalog.Range(p.Index)}
		for _, r := range p.Blocks {
			part.Blocks = append(part.Blocks, catalog.Range(r))
		}
		b.Parts[view.PackOf(n)] = part
	}
	for i, t := range thumbs {
		b.Thumbs[t.name] = catalog.Range(layout.Thumbs[fmt.Sprintf("%03d", i)])
	}
	return b, withdrawn, nil
}

// assemble is the study as it is with what an attempt made: the parent's packs but those of regions, which come last in every manifest and
// are made anew when they change, then the new ones. The manifest is a copy.
func (d *derivation) assemble(made []*volume) *study.Study {
	m := &catalog.Manifest{Tenant: d.key.Tenant, StudyUID: d.key.UID}
	var open []*pack.Volume
	if d.parent != nil {
		*m = *d.parent.Manifest
		open = d.received()
	}
	m.Hot = nil
	m.Packs = withoutRegions(m.Packs)
	for _, v := range made {
		m.Packs = append(m.Packs, v.pack)
		open = append(open, v.open(d.store))
	}
	return study.Assemble(m, open, d.set)
}

// received are the parent's volumes of what came: where the full images are expired, it opens the regions in their place, and an instance of these may
// come again and is to be stored like any other.
func (d *derivation) received() (list []*pack.Volume) {
	if d.parent == nil {
		return nil
	}
	for n, v := range d.parent.Volumes {
		if d.parent.Manifest.Packs[d.parent.PackOf(n)].Class != catalog.ClassRegion {
			list = append(list, v)
		}
	}
	return list
}

func withoutRegions(packs []catalog.Pack) []catalog.Pack {
	var out []catalog.Pack
	for _, p := range packs {
		if p.Class != catalog.ClassRegion {
			out = append(out, p)
		}
	}
	return out
}

// digestOf reads an object and returns its size and SHA-256.
func digestOf(ctx context.Context, store objstore.Store, key string) (pack.Summary, error) {
	r, _, err := store.Get(ctx, key, 0, -1)
	if err != nil {
		return pack.Summary{}, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, r, make([]byte, pipeBytes))
	return pack.Summary{Size: n, SHA256: pack.Digest(h.Sum(nil))}, err
}

// packOf describes a volume found in the store.
func packOf(x *pack.Index, key, tier string, sum pack.Summary, since time.Time) catalog.Pack {
	p := catalog.Pack{Key: key, Class: catalog.ClassResult, Tier: tier, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
		Instances: len(x.Instances), Since: since.UTC().Truncate(time.Millisecond)}
	for i := range x.Instances {
		if classOf(x.Instances[i].ClassUID) == catalog.ClassFull {
			p.Class = catalog.ClassFull
		}
		p.Frames += len(x.Instances[i].Frames)
		p.RawBytes += x.Instances[i].FileSize
	}
	return p
}
