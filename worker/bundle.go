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
// the store, so it also proves that the new volumes can be read.
func (d *derivation) makeBundle(made []*volume) (*catalog.Bundle, []catalog.Withdrawn, error) {
	ctx := d.ctx
	m := &catalog.Manifest{}
	var open []*pack.Volume
	if d.parent != nil {
		*m = *d.parent.Manifest
		open = append(open, d.parent.Volumes...)
	}
	m.Hot = nil
	m.Packs = m.Packs[:len(m.Packs):len(m.Packs)]
	for _, v := range made {
		m.Packs = append(m.Packs, v.pack)
		open = append(open, pack.NewVolume(v.index, pack.StoreRanger(d.store, v.pack.Key), nil))
	}
	view := study.Assemble(m, open, d.set)

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
	thumbs, withdrawn, err := d.lookThrough(ctx, view, len(view.Volumes)-len(made))
	if err != nil {
		return nil, nil, err
	}
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
	if err := readBack(ctx, d.store, key, pack.Summary{Size: int64(buf.Len()), SHA256: sum}); err != nil {
		return nil, nil, err
	}
	b := &catalog.Bundle{Key: key, Size: int64(buf.Len()), SHA256: hex.EncodeToString(sum[:]), Since: d.now().UTC().Truncate(time.Millisecond), Thumbs: map[string]catalog.Range{}}
	for _, p := range layout.Parts {
		part := catalog.BundlePart{Index: catalog.Range(p.Index)}
		for _, r := range p.Blocks {
			part.Blocks = append(part.Blocks, catalog.Range(r))
		}
		b.Parts = append(b.Parts, part)
	}
	for i, t := range thumbs {
		b.Thumbs[t.name] = catalog.Range(layout.Thumbs[fmt.Sprintf("%03d", i)])
	}
	return b, withdrawn, nil
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
	p := catalog.Pack{Key: key, Class: catalog.ClassFull, Tier: tier, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
		Instances: len(x.Instances), Since: since.UTC().Truncate(time.Millisecond)}
	for i := range x.Instances {
		p.Frames += len(x.Instances[i].Frames)
		p.RawBytes += x.Instances[i].FileSize
	}
	return p
}
