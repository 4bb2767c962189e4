package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
)

// allPreviews proves all preview packs; sound says which full packs are without damage, by their number in the manifest.
func (v *verifying) allPreviews(ctx context.Context, s *Study, sound map[int]bool) error {
	for n, p := range v.m.Packs {
		if p.Class != catalog.ClassPreview {
			continue
		}
		if err := v.previews(ctx, s, n, sound); err != nil {
			return fmt.Errorf("verify %s: %w", p.Key, err)
		}
	}
	return nil
}

// previews proves one preview pack: the object by its digest, every small
// codestream by its own, by decoding it, and by comparing its samples with those that the full frame gives at that size.
// Frames that lie in packs which are damaged are compared by digest only.
func (v *verifying) previews(ctx context.Context, s *Study, n int, sound map[int]bool) error {
	p := v.m.Packs[n]
	store, err := v.stores.Tier(p.Tier)
	if err != nil {
		return err
	}
	before := len(v.Damage)
	whole, err := v.object(ctx, store, p.Key, p.Size, p.SHA256)
	if err != nil {
		return err
	}
	if _, err := store.Head(ctx, p.Key); errors.Is(err, objstore.ErrNotFound) {
		return nil // said already
	}
	q, err := s.openPreviews(ctx, &ahead{inner: pack.StoreRanger(store, p.Key), size: p.Size}, n)
	if isDamage(err) {
		v.add(p.Key, "cannot be opened: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if !preview.Able(v.set) {
		return nil
	}
	c := &previewCheck{v: v, s: s, q: q, maker: preview.NewMaker(v.set), stored: map[[2]int]Instance{}}
	for _, ok := range sound {
		c.damaged = c.damaged || !ok
	}
	for id, in := range ByInstance(s.Instances()) {
		if sound[id[0]] {
			c.stored[id] = in
		}
	}
	for i := range q.Index.Series {
		if err := q.Each(ctx, &q.Index.Series[i], func(in *preview.Instance, n int, small []byte, err error) error {
			return c.frame(ctx, in, n, small, err)
		}); err != nil {
			if !isDamage(err) {
				return err
			}
			v.add(p.Key, "series %d: %v", i, err)
		}
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	if !whole && len(v.Damage) > before+1 { // parts say more than the whole
		v.Damage = append(v.Damage[:before], v.Damage[before+1:]...)
	}
	return nil
}

type previewCheck struct {
	v       *verifying
	s       *Study
	q       *PreviewPack
	maker   *preview.Maker
	stored  map[[2]int]Instance // in packs without damage
	damaged bool                // there are others
	waiting []waiting           // to be compared with frames of the full packs
	bytes   int64               // of their small codestreams
}

// waiting is a small codestream that is compared when the turn of its frame in the full pack comes.
type waiting struct {
	stored Instance
	in     *preview.Instance
	n      int // frame
	small  []byte
}

// waitingBytes is how many bytes of small codestreams are held, so that frames are read in the order in which they lie in the full packs.
const waitingBytes = 32 << 20

// frame takes one small codestream; data is nil and err set if it is damaged. The error is that of a store.
func (c *previewCheck) frame(ctx context.Context, in *preview.Instance, n int, small []byte, damage error) error {
	if damage != nil {
		c.v.add(c.q.key, "%v", damage)
		return nil
	}
	x, ok := c.q.Shown(c.stored, in)
	if !ok && c.damaged {
		return nil
	}
	if !ok && c.q.volume[in.Volume] < 0 && c.v.m.Purged(catalog.ClassFull) != nil { // it outlives its frame
		if _, err := c.maker.Decode(ctx, &c.q.Index.Images[in.Image], &in.Frames[n], small); err != nil && ctx.Err() == nil {
			c.v.add(c.q.key, "preview of frame %d of %q: %v", n, in.SOPUID, err)
		}
		return ctx.Err()
	}
	if !ok {
		c.v.add(c.q.key, "preview of frame %d of %q: its instance is not stored", n, in.SOPUID)
		return nil
	}
	c.waiting = append(c.waiting, waiting{x, in, n, small})
	if c.bytes += int64(len(small)); c.bytes < waitingBytes {
		return nil
	}
	return c.flush(ctx)
}

// flush compares what waits.
func (c *previewCheck) flush(ctx context.Context) error {
	slices.SortStableFunc(c.waiting, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.stored.Pack, b.stored.Pack), cmp.Compare(a.stored.Index, b.stored.Index), cmp.Compare(a.n, b.n))
	})
	for _, w := range c.waiting {
		err := c.compare(ctx, w)
		if ctx.Err() != nil || objstore.IsTransient(err) {
			return err
		}
		if err != nil {
			c.v.add(c.q.key, "preview of frame %d of %q: %v", w.n, w.in.SOPUID, err)
		}
	}
	clear(c.waiting) // lets go of the codestreams
	c.waiting, c.bytes = c.waiting[:0], 0
	return nil
}

func (c *previewCheck) compare(ctx context.Context, w waiting) error {
	x, n, small, f := w.stored, w.n, w.small, &w.in.Frames[w.n]
	img := &c.q.Index.Images[w.in.Image]
	if f.Method == preview.Reduced {
		prefix, _, err := x.Volume.FramePrefix(ctx, x.Index, n, preview.Prefix(f.LevelEnds, f.Factor))
		if err != nil {
			return err
		}
		return c.maker.CheckReduced(ctx, img, f, small, prefix)
	}
	file, r, err := x.Scan(ctx)
	if err != nil {
		return err
	}
	samples, err := c.s.Samples(ctx, c.v.dec, x, file, r, n)
	if err != nil {
		return err
	}
	return c.maker.CheckMade(ctx, f, small, samples.View)
}
