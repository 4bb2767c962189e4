package study

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/render"
)

// Samples are the decoded samples of a frame, as a small picture is made of them.
type Samples struct {
	render.Samples
	Photometric string // of the samples, after a decoder undid a component transform
	Method      preview.Method
}

// PreviewImage describes an image's samples as previews have them.
func PreviewImage(img *dcm.Image) preview.Image {
	return preview.Image{Rows: img.Rows, Columns: img.Columns, Samples: img.Samples, Bits: img.BitsStored, Signed: img.Signed, Photometric: decodedPhotometric(img.Photometric)}
}

// PreviewMethod says how small pictures of an instance are made from samples: means of palette indexes, labels and masks would be other indexes, labels and masks.
func PreviewMethod(in *pack.Instance, photometric string, bits int) preview.Method {
	const segmentation, labelMap = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
	if photometric == "PALETTE COLOR" || bits == 1 || in.ClassUID == segmentation || in.ClassUID == labelMap {
		return preview.Picked
	}
	return preview.Averaged
}

// Samples decodes a frame (from 0) completely. f and r are what Scan returned. What no codec here decodes is an *codecs.UnsupportedError.
func (s *Study) Samples(ctx context.Context, dec *pack.Decoders, in Instance, f *dcm.File, r io.ReaderAt, frame int) (Samples, error) {
	if f.Image == nil || f.Pixel == nil {
		return Samples{}, &codecs.UnsupportedError{Codec: "picture", What: "the object has no pixel data"}
	}
	out := Samples{Photometric: decodedPhotometric(f.Image.Photometric), Method: PreviewMethod(in.Instance, f.Image.Photometric, f.Image.BitsStored)}
	var err error
	switch {
	case in.Image == nil || f.Inflated() != nil || len(in.Frames) == 0:
		if f.Pixel.Encapsulated {
			return out, &codecs.UnsupportedError{Codec: "picture", What: cmp.Or(in.Reason, "transfer syntax "+in.Syntax+" is not decoded here")}
		}
		out.Samples, err = rawSamples(r, f, frame)
	case frame >= len(in.Frames):
		err = fmt.Errorf("there is no frame %d: %d are stored", frame+1, len(in.Frames))
	case f.Pixel.Encapsulated && in.Exact:
		out.Samples, err = s.keptSamples(ctx, in, frame)
	default:
		var native []byte
		if native, err = in.Volume.Frame(ctx, dec, in.Index, frame, nil); err != nil {
			break
		}
		if in.Reason != "" {
			out.Samples, err = rawSamples(oneFrame{native, f.Pixel.ValueOffset + int64(frame)*f.FrameSize()}, f, frame)
			break
		}
		out.View = pack.FrameView(in.Image, native, in.Image.Signed)
	}
	return out, err
}

func rawSamples(r io.ReaderAt, f *dcm.File, frame int) (render.Samples, error) {
	raw, err := render.ReadNative(r, f, frame)
	if err != nil {
		return render.Samples{}, err
	}
	return raw.Samples()
}

// keptSamples decodes a codestream that is kept as received.
func (s *Study) keptSamples(ctx context.Context, in Instance, frame int) (render.Samples, error) {
	known, err := s.sourceDecoder(in)
	if err != nil {
		return render.Samples{}, err
	}
	if strings.HasPrefix(in.Reason, undecodable) {
		return render.Samples{}, &codecs.UnsupportedError{Codec: "picture", What: in.Reason}
	}
	stream, _, err := in.Volume.FrameBytes(ctx, in.Index, frame)
	if err != nil {
		return render.Samples{}, err
	}
	view := pack.FrameView(in.Image, make([]byte, in.Image.FrameBytes()), in.Image.Signed)
	if err := known.Decode(view, [][]byte{stream}, codecs.DecodeOptions{Context: ctx}); err != nil {
		return render.Samples{}, err
	}
	return render.Samples{View: view}, nil
}

// undecodable is how the reason of a frame begins that was tried to decode and could not be.
const undecodable = "frames cannot be decoded: "
