package main

import (
	"context"
	"fmt"
	"io"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
)

// resolution says which part of a frame (from 0) is asked for.
func (g *getting) resolution(in study.Instance, n int) (study.Resolution, error) {
	if g.flags.level < 0 {
		return study.Resolution{Most: g.flags.maxSize}, nil
	}
	ends := g.st.Levels(in, n)
	if ends == nil {
		return study.Resolution{}, &codecs.UnsupportedError{Codec: "level", What: "the frame is stored without resolution levels; --max-size makes a smaller picture of any frame"}
	}
	drop := len(ends) - 1 - g.flags.level
	if drop < 0 {
		return study.Resolution{}, fmt.Errorf("there is no level %d: the frame has 0 (%d x %d) to %d (%d x %d)", g.flags.level,
			preview.Ceil(in.Image.Columns, len(ends)-1), preview.Ceil(in.Image.Rows, len(ends)-1), len(ends)-1, in.Image.Columns, in.Image.Rows)
	}
	return study.Resolution{Drop: drop}, nil
}

// previews gives the small pictures of the selected instances: whole series by one request each.
func (g *getting) previews(ctx context.Context, list []study.Instance) error {
	packs, err := g.st.Previews(ctx, g.stores)
	if err != nil {
		return err
	}
	if len(packs) == 0 {
		return fmt.Errorf("study %s has no preview pack: no pack is made of objects without pictures, and while worker.preview_samples is 0; --max-size makes small pictures from the frames", g.result.Study[:8])
	}
	left := study.ByInstance(list)
	selected := study.ByInstance(list)
	wanted := func(q *study.PreviewPack, s *preview.Series) int {
		n := 0
		for i := range s.Instances {
			if _, ok := q.Shown(selected, &s.Instances[i]); ok {
				n++
			}
		}
		return n
	}
	p := &previewGetter{getting: g, maker: preview.NewMaker(g.set)}
	for _, q := range packs {
		for i := range q.Index.Series {
			s := &q.Index.Series[i]
			n := wanted(q, s)
			if n == 0 {
				continue
			}
			for k := range s.Instances { // what has none is named once
				in, ok := q.Shown(selected, &s.Instances[k])
				if ok {
					delete(left, [2]int{in.Pack, in.Index})
					p.missing(in, &s.Instances[k])
				}
			}
			see := func(in *preview.Instance, frame int, small []byte, damage error) error {
				x, ok := q.Shown(selected, in)
				if !ok || g.flags.frame > 0 && frame != g.flags.frame-1 {
					return nil
				}
				if damage == nil {
					damage = p.one(ctx, x, frame, &q.Index.Images[in.Image], &in.Frames[frame], len(in.Frames) > 1, small)
				}
				if damage != nil && (ctx.Err() != nil || fatal(damage)) {
					return damage
				}
				if damage != nil {
					g.fail(x, damage)
				}
				return nil
			}
			if g.flags.frame > 0 || n < len(s.Instances) {
				err = p.some(ctx, q, s, selected, see)
			} else {
				err = q.Each(ctx, s, see)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, in := range list {
		if _, none := left[[2]int{in.Pack, in.Index}]; none && in.Image != nil {
			g.fail(in, fmt.Errorf("it has no preview"))
		}
	}
	return nil
}

type previewGetter struct {
	*getting
	maker *preview.Maker
}

// missing says which frames have no small picture, and why.
func (p *previewGetter) missing(x study.Instance, in *preview.Instance) {
	for n := range in.Frames {
		if f := &in.Frames[n]; f.Size == 0 && (p.flags.frame == 0 || n == p.flags.frame-1) {
			p.fail(x, fmt.Errorf("frame %d has no preview: %s", n+1, f.Reason))
			return
		}
	}
	if p.flags.frame > len(in.Frames) {
		p.fail(x, fmt.Errorf("there is no frame %d: it has %d", p.flags.frame, len(in.Frames)))
	}
}

// some reads single frames, each by one request.
func (p *previewGetter) some(ctx context.Context, q *study.PreviewPack, s *preview.Series, selected map[[2]int]study.Instance, see func(in *preview.Instance, n int, small []byte, err error) error) error {
	for i := range s.Instances {
		in := &s.Instances[i]
		if _, ok := q.Shown(selected, in); !ok {
			continue
		}
		for n := range in.Frames {
			if in.Frames[n].Size == 0 || p.flags.frame > 0 && n != p.flags.frame-1 {
				continue
			}
			small, err := q.Frame(ctx, in, n)
			if err := see(in, n, small, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *previewGetter) one(ctx context.Context, x study.Instance, n int, img *preview.Image, f *preview.Frame, several bool, small []byte) error {
	suffix := "-preview"
	if several {
		suffix = fmt.Sprintf("-preview-%04d", n+1)
	}
	if p.flags.as == asStored {
		return p.file(x, suffix+"."+codingExt(pack.CodingHTJ2K), func(w io.Writer) (bool, error) {
			_, err := w.Write(small)
			return true, err
		})
	}
	picture, err := p.st.PreviewPicture(ctx, p.maker, x, n, img, f, small)
	if err != nil {
		return err
	}
	return p.file(x, suffix+".png", func(w io.Writer) (bool, error) { return true, render.EncodePNG(w, picture) })
}
