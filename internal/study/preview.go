package study

import (
	"context"
	"encoding/hex"
	"fmt"
	"image"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/render"
)

// PreviewPack is one preview pack of a study, open for reading.
type PreviewPack struct {
	*preview.Pack
	Number int // in Manifest.Packs
	key    string
	study  *Study
	volume []int // for each of the index's volumes its number in Study.Volumes, -1 if the study has it no more
}

// Previews opens the preview packs of a study: one request for each.
func (s *Study) Previews(ctx context.Context, stores Stores) ([]*PreviewPack, error) {
	var list []*PreviewPack
	for n, p := range s.Manifest.Packs {
		if p.Class != catalog.ClassPreview || s.hides && s.Manifest.Hidden(p.Class) {
			continue
		}
		store, err := stores.Tier(p.Tier)
		if err != nil {
			return nil, err
		}
		q, err := s.openPreviews(ctx, pack.StoreRanger(store, p.Key), n)
		if err != nil {
			return nil, fmt.Errorf("preview pack %s: %w", p.Key, err)
		}
		list = append(list, q)
	}
	return list, nil
}

func (s *Study) openPreviews(ctx context.Context, r pack.Ranger, n int) (_ *PreviewPack, err error) {
	p := s.Manifest.Packs[n]
	q := &PreviewPack{Number: n, key: p.Key, study: s}
	if p.Index != nil {
		q.Pack, err = preview.Open(ctx, r, pack.Range(*p.Index))
	} else {
		q.Pack, err = preview.Find(ctx, r, p.Size)
	}
	if err != nil {
		return nil, err
	}
	for _, v := range q.Index.Volumes { // by digest: a pack that was moved has another key
		at, sum := -1, hex.EncodeToString(v.SHA256[:])
		for i, k := range s.packs {
			if s.Manifest.Packs[k].SHA256 == sum {
				at = i
			}
		}
		q.volume = append(q.volume, at)
	}
	return q, nil
}

// Key is the object that the pack is in.
func (q *PreviewPack) Key() string { return q.key }

// ByInstance arranges instances for Shown.
func ByInstance(list []Instance) map[[2]int]Instance {
	m := make(map[[2]int]Instance, len(list))
	for _, in := range list {
		m[[2]int{in.Pack, in.Index}] = in
	}
	return m
}

// Shown finds the stored instance that a preview shows among those of a selection.
func (q *PreviewPack) Shown(selected map[[2]int]Instance, in *preview.Instance) (Instance, bool) {
	v := q.volume[in.Volume]
	if v < 0 {
		return Instance{}, false
	}
	x, ok := selected[[2]int{q.study.packs[v], in.Index}]
	return x, ok
}

// Upgrade makes the full codestream of a frame from its small one and one
// more range of the full pack, and compares it with the digest in the full pack's index.
func (q *PreviewPack) Upgrade(ctx context.Context, in Instance, frame int, f *preview.Frame, small []byte) ([]byte, error) {
	if f.Full[1] == 0 {
		return nil, &codecs.UnsupportedError{Codec: "upgrade", What: "the frame has no codestream with resolution levels"}
	}
	rest, err := in.Volume.Read(ctx, f.Rest())
	if err != nil {
		return nil, err
	}
	whole, err := preview.Upgrade(make([]byte, 0, f.Full[1]), f, small, rest)
	if err != nil {
		return nil, err
	}
	return whole, in.Volume.CheckFrame(in.Index, frame, whole)
}

// PreviewPicture draws a small codestream as people see it, with the header of its instance.
func (s *Study) PreviewPicture(ctx context.Context, maker *preview.Maker, in Instance, frame int, img *preview.Image, f *preview.Frame, small []byte) (image.Image, error) {
	file, r, err := in.Scan(ctx)
	if err != nil {
		return nil, err
	}
	ds, err := dcm.ReadDataset(r, file, dcm.Limits{})
	if err != nil {
		return nil, err
	}
	if file.Image == nil {
		return nil, noLevels()
	}
	p, err := render.ParamsFrom(ds, file.Image, frame)
	if err != nil {
		return nil, err
	}
	view, err := maker.Decode(ctx, img, f, small)
	if err != nil {
		return nil, fmt.Errorf("preview of %s, frame %d: %w", in.SOPUID, frame+1, err)
	}
	p.Photometric = img.Photometric
	if f.Scaled { // its samples are stored values on another scale
		if p.Slope == 0 {
			p.Slope = 1
		}
		p.Slope, p.Intercept = p.Slope*f.Scale, p.Slope*f.Base+p.Intercept
		p.Padding, p.FloatPadding = nil, nil
	}
	return render.Frame(view, p)
}
