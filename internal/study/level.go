package study

import (
	"context"
	"fmt"
	"image"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/render"
)

// Resolution chooses how much of a frame is read and decoded, where its
// codestream has resolution levels. The zero value is all of it.
type Resolution struct {
	Drop    int // levels to leave out, from the highest
	Most    int // else, if not 0: the highest level whose longer side has at most so many samples, or the lowest
	AtLeast int // else, if not 0: the lowest level whose longer side has at least so many
}

// drop is how many of the levels go.
func (r Resolution) drop(width, height, levels int) int {
	switch {
	case r.Most > 0:
		return preview.Drop(width, height, levels, r.Most)
	case r.AtLeast > 0:
		drop := 0
		for drop < levels-1 && max(preview.Ceil(width, drop+1), preview.Ceil(height, drop+1)) >= r.AtLeast {
			drop++
		}
		return drop
	}
	return r.Drop
}

// ReasonKept is why codestreams that are decoded here are kept as received.
const ReasonKept = "already compressed; kept as received"

// FrameSyntax is the transfer syntax that a frame's stored codestream is decoded by: that of its coding, or the one it was received in. Empty if it has none.
func FrameSyntax(in Instance, e pack.Entry) string {
	switch {
	case in.Reason == "":
		return e.Coding.Syntax()
	case in.Reason == ReasonKept && e.Coding == pack.CodingBytes:
		return in.Syntax
	}
	return ""
}

// Levels are the ends of the resolution levels of a frame's codestream, lowest first; nil if it has none that can be decoded
// alone, or if its samples are indexes or labels, which have no lower resolution.
func (s *Study) Levels(in Instance, frame int) []int64 {
	if in.Image == nil || PreviewMethod(in.Instance, in.Image.Photometric, in.Image.BitsStored) != preview.Averaged {
		return nil
	}
	e, err := in.Volume.FrameEntry(in.Index, frame)
	if err != nil || len(e.LevelEnds) == 0 {
		return nil
	}
	if known, ok := s.set.Lookup(FrameSyntax(in, e)); !ok || known.NewDecoder == nil {
		return nil
	}
	return e.LevelEnds
}

// FrameLevel returns a complete codestream of a frame at a lower resolution,
// cut out of the stored one, of which only the prefix is read.
func (s *Study) FrameLevel(ctx context.Context, in Instance, frame int, r Resolution) ([]byte, error) {
	ends := s.Levels(in, frame)
	if ends == nil {
		return nil, noLevels()
	}
	drop := r.drop(in.Image.Columns, in.Image.Rows, len(ends))
	if drop < 0 || drop >= len(ends) {
		return nil, fmt.Errorf("there are no %d levels to leave out: it has %d", drop, len(ends))
	}
	data, e, err := in.Volume.FramePrefix(ctx, in.Index, frame, preview.Prefix(ends, drop))
	if err != nil {
		return nil, err
	}
	known, _ := s.set.Lookup(FrameSyntax(in, e))
	if known.Reduce == nil {
		return nil, noLevels()
	}
	return known.Reduce(nil, data, drop)
}

func noLevels() error {
	return &codecs.UnsupportedError{Codec: "resolution", What: "the stored frame has no resolution levels"}
}

// PictureAt draws one frame (from 0) of an instance at a lower resolution.
// Only the bytes that it needs are read. A frame without resolution levels is read and decoded completely and then made smaller for Most; for Drop it is an *codecs.UnsupportedError.
func (s *Study) PictureAt(ctx context.Context, dec *pack.Decoders, in Instance, frame int, r Resolution) (image.Image, render.Params, error) {
	f, sparse, err := in.Scan(ctx)
	if err != nil {
		return nil, render.Params{}, err
	}
	ds, err := dcm.ReadDataset(sparse, f, dcm.Limits{})
	if err != nil {
		return nil, render.Params{}, fmt.Errorf("%s: %w", in.SOPUID, err)
	}
	named := func(err error) error { return fmt.Errorf("picture of %s, frame %d: %w", in.SOPUID, frame+1, err) }
	img, p, reduced, err := s.drawAt(ctx, dec, in, f, ds, frame, r)
	if err == nil && !reduced {
		if r.Drop > 0 {
			return nil, p, named(noLevels())
		}
		img, p, err = s.draw(ctx, dec, in, f, sparse, ds, frame)
	}
	if err == nil && r.Most > 0 && max(img.Bounds().Dx(), img.Bounds().Dy()) > r.Most { // also of the lowest level
		img = render.Thumbnail(img, 1, r.Most)
	}
	if err != nil {
		return nil, p, named(err)
	}
	return img, p, nil
}

// drawAt draws a frame at a lower resolution; reduced is false if it has none, or if the full one is asked for.
func (s *Study) drawAt(ctx context.Context, dec *pack.Decoders, in Instance, f *dcm.File, ds *dcm.Dataset, frame int, r Resolution) (_ image.Image, p render.Params, reduced bool, err error) {
	if f.Image == nil || frame < 0 || frame >= len(in.Frames) {
		return nil, p, false, nil // draw says what is wrong
	}
	ends := s.Levels(in, frame)
	if ends == nil {
		return nil, p, false, nil
	}
	drop := r.drop(in.Image.Columns, in.Image.Rows, len(ends))
	if drop == 0 {
		return nil, p, false, nil
	}
	if drop < 0 || drop >= len(ends) {
		return nil, p, false, fmt.Errorf("there are no %d levels to leave out: it has %d", drop, len(ends))
	}
	if p, err = render.ParamsFrom(ds, f.Image, frame); err != nil {
		return nil, p, false, err
	}
	data, e, err := in.Volume.FramePrefix(ctx, in.Index, frame, preview.Prefix(ends, drop))
	if err != nil {
		return nil, p, false, err
	}
	known, _ := s.set.Lookup(FrameSyntax(in, e))
	small := *in.Image
	small.Columns, small.Rows = preview.Ceil(small.Columns, drop), preview.Ceil(small.Rows, drop)
	view := pack.FrameView(&small, make([]byte, small.FrameBytes()), small.Signed)
	if err := known.NewDecoder().Decode(view, [][]byte{data}, codecs.DecodeOptions{Context: ctx, Reduce: drop}); err != nil {
		return nil, p, false, err
	}
	p.Photometric = decodedPhotometric(p.Photometric)
	p.Regions = shrunk(p.Regions, drop)
	img, err := render.Frame(view, p)
	return img, p, true, err
}

// shrunk gives ultrasound regions at a lower resolution. What is outside is
// hidden where policy says so: pixels that mix inside and outside are taken for outside.
func shrunk(list []image.Rectangle, drop int) []image.Rectangle {
	out := make([]image.Rectangle, 0, len(list))
	for _, r := range list {
		out = append(out, image.Rect(preview.Ceil(r.Min.X, drop), preview.Ceil(r.Min.Y, drop), max(r.Max.X>>drop, preview.Ceil(r.Min.X, drop)), max(r.Max.Y>>drop, preview.Ceil(r.Min.Y, drop))))
	}
	return out
}
