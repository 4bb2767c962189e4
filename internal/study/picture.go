package study

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"io"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/render"
)

// Picture draws one frame (from 0) of an instance as people see it, at full
// size. Params.Aspect of what is returned is the height of a pixel divided by its width.
func (s *Study) Picture(ctx context.Context, dec *pack.Decoders, in Instance, frame int) (image.Image, render.Params, error) {
	f, r, err := in.Scan(ctx)
	if err != nil {
		return nil, render.Params{}, err
	}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
	if err != nil {
		return nil, render.Params{}, fmt.Errorf("%s: %w", in.SOPUID, err)
	}
	img, p, err := s.draw(ctx, dec, in, f, r, ds, frame)
	if err != nil {
		return nil, p, fmt.Errorf("picture of %s, frame %d: %w", in.SOPUID, frame+1, err)
	}
	return img, p, nil
}

// Preview draws the frame that stands for an instance, unless the instance
// has no picture or the policy forbids to show one. It has at least the size of a thumbnail: of a frame with resolution levels only those that this takes are read and decoded.
func (s *Study) Preview(ctx context.Context, dec *pack.Decoders, in Instance, policy render.PHIPolicy) (image.Image, render.Params, error) {
	f, r, err := in.Scan(ctx)
	if err != nil {
		return nil, render.Params{}, err
	}
	if why := render.NoPicture(in.ClassUID, in.Syntax, f.Pixel != nil); why != "" {
		return nil, render.Params{}, &codecs.UnsupportedError{Codec: "picture", What: why}
	}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
	if err != nil {
		return nil, render.Params{}, fmt.Errorf("%s: %w", in.SOPUID, err)
	}
	representative := 0
	if v := ds.Ints(0x00286010); len(v) > 0 {
		representative = v[0]
	}
	frame := render.PickFrame(f.Image.Frames, representative, render.FramePositions(ds, f.Image.Frames))
	img, p, reduced, err := s.drawAt(ctx, dec, in, f, ds, frame, Resolution{AtLeast: render.DefaultSide})
	if err == nil && !reduced {
		img, p, err = s.draw(ctx, dec, in, f, r, ds, frame)
	}
	if err != nil {
		return nil, p, fmt.Errorf("picture of %s, frame %d: %w", in.SOPUID, frame+1, err)
	}
	img, err = render.Guard(img, p, policy)
	return img, p, err
}

// draw finds the samples of a frame by the shortest way there is.
func (s *Study) draw(ctx context.Context, dec *pack.Decoders, in Instance, f *dcm.File, r io.ReaderAt, ds *dcm.Dataset, frame int) (image.Image, render.Params, error) {
	if f.Image == nil || f.Pixel == nil {
		return nil, render.Params{}, &codecs.UnsupportedError{Codec: "picture", What: "the object has no pixel data"}
	}
	if frame < 0 || frame >= f.Image.Frames {
		return nil, render.Params{}, fmt.Errorf("there is no frame %d: the instance has %d", frame+1, f.Image.Frames)
	}
	p, err := render.ParamsFrom(ds, f.Image, frame)
	if err != nil {
		return nil, p, err
	}
	if in.Image == nil || f.Inflated() != nil || len(in.Frames) == 0 { // long values: the view is sparse in frames only
		if f.Pixel.Encapsulated {
			return nil, p, &codecs.UnsupportedError{Codec: "picture", What: cmp.Or(in.Reason, "its frames are kept as received, in transfer syntax "+in.Syntax+", which is not decoded here")}
		}
		raw, err := render.ReadNative(r, f, frame)
		if err != nil {
			return nil, p, err
		}
		img, err := render.FrameRaw(raw, p)
		return img, p, err
	}
	if frame >= len(in.Frames) {
		return nil, p, fmt.Errorf("there is no frame %d: %d are stored", frame+1, len(in.Frames))
	}
	if f.Pixel.Encapsulated && in.Exact { // codestreams as received
		known, err := s.sourceDecoder(in)
		if err != nil {
			return nil, p, err
		}
		stream, _, err := in.Volume.FrameBytes(ctx, in.Index, frame)
		if err != nil {
			return nil, p, err
		}
		view := pack.FrameView(in.Image, make([]byte, in.Image.FrameBytes()), in.Image.Signed)
		if err := known.Decode(view, [][]byte{stream}, codecs.DecodeOptions{Context: ctx}); err != nil {
			return nil, p, err
		}
		img, err := render.Frame(view, p)
		return img, p, err
	}
	native, err := in.Volume.Frame(ctx, dec, in.Index, frame, nil)
	if err != nil {
		return nil, p, err
	}
	if in.Reason == "" {
		img, err := render.Frame(pack.FrameView(in.Image, native, in.Image.Signed), p)
		return img, p, err
	}
	raw, err := render.ReadNative(oneFrame{native, f.Pixel.ValueOffset + int64(frame)*f.FrameSize()}, f, frame)
	if err != nil {
		return nil, p, err
	}
	img, err := render.FrameRaw(raw, p)
	return img, p, err
}

// oneFrame is a file of which only one frame can be read.
type oneFrame struct {
	bytes []byte
	at    int64
}

func (o oneFrame) ReadAt(p []byte, off int64) (int, error) {
	off -= o.at
	if off < 0 || off > int64(len(o.bytes)) {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, o.bytes[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
