package preview

import (
	"context"
	"errors"

	"github.com/radtier/radtier/codecs"
)

// Maker makes small codestreams and proves them. One goroutine uses it for many frames.
type Maker struct {
	syntax codecs.Syntax
	enc    codecs.Encoder
	dec    codecs.Decoder
}

// Able reports whether a set of codecs can make small codestreams.
func Able(set *codecs.Set) bool {
	s, ok := set.Lookup(Syntax)
	return ok && s.NewEncoder != nil && s.NewDecoder != nil && s.Reduce != nil
}

// NewMaker returns a maker that uses the codec of Syntax in set; it must be Able.
func NewMaker(set *codecs.Set) *Maker {
	s, _ := set.Lookup(Syntax)
	return &Maker{syntax: s}
}

// Prefix is how many bytes of the full codestream Reduce needs to drop that many levels.
func Prefix(ends []int64, drop int) int64 { return ends[len(ends)-1-drop] }

// Reduce cuts the small codestream of a frame of width x height out of the
// prefix of the full one and describes it in f, whose LevelEnds and Factor (levels to drop) are set. An *codecs.UnsupportedError means that the
// codestream cannot be cut: a small one must be made from samples.
func (m *Maker) Reduce(dst []byte, f *Frame, prefix []byte, width, height int) ([]byte, error) {
	if what := notCut(prefix); what != "" {
		return nil, &codecs.UnsupportedError{Codec: "preview", What: "a small codestream out of one with " + what}
	}
	small, err := m.syntax.Reduce(dst[:0], prefix, f.Factor)
	if err != nil {
		return nil, err
	}
	f.Method, f.Width, f.Height = Reduced, Ceil(width, f.Factor), Ceil(height, f.Factor)
	f.SetUpgrade(small, prefix)
	return small, nil
}

// Encode makes the small codestream from samples: f.Factor x f.Factor of them become one, as f.Method says.
func (m *Maker) Encode(ctx context.Context, dst []byte, f *Frame, samples codecs.View, photometric string) ([]byte, error) {
	v, err := Shrink(samples, f.Factor, f.Method)
	if err != nil {
		return nil, err
	}
	if m.enc == nil {
		m.enc = m.syntax.NewEncoder()
	}
	small, _, err := m.enc.Encode(dst[:0], v, codecs.EncodeOptions{Context: ctx, RGB: photometric == "RGB" && v.Components == 3})
	if err != nil {
		return nil, err
	}
	f.Width, f.Height = v.Width, v.Height
	return small, nil
}

// Decode gives the samples of a small codestream, interleaved and little endian, with sign extension.
func (m *Maker) Decode(ctx context.Context, img *Image, f *Frame, small []byte) (codecs.View, error) {
	v := img.view(f)
	if m.dec == nil {
		m.dec = m.syntax.NewDecoder()
	}
	return v, m.dec.Decode(v, [][]byte{small}, codecs.DecodeOptions{Context: ctx})
}

// view is memory for the samples of a small picture.
func (img *Image) view(f *Frame) codecs.View {
	bits, signed, container := img.Bits, img.Signed, 8
	if f.Scaled {
		bits, signed = 16, false
	}
	if bits > 8 {
		container = 16
	}
	return codecs.Interleaved(make([]byte, f.Width*f.Height*img.Samples*container/8), f.Width, f.Height, img.Samples, container, bits, signed)
}

// CheckReduced proves that a small codestream decodes to what the full one
// does without the levels dropped. prefix is that of the full codestream, or all of it. The error is that of a codec, a *codecs.MismatchError for other samples.
func (m *Maker) CheckReduced(ctx context.Context, img *Image, f *Frame, small, prefix []byte) error {
	want := img.view(f)
	if m.dec == nil {
		m.dec = m.syntax.NewDecoder()
	}
	if err := m.dec.Decode(want, [][]byte{prefix}, codecs.DecodeOptions{Context: ctx, Reduce: f.Factor}); err != nil {
		return err
	}
	return m.dec.Compare(want, [][]byte{small}, codecs.DecodeOptions{Context: ctx})
}

// CheckMade proves that a small codestream decodes to the picture that is made of the full frame's samples.
func (m *Maker) CheckMade(ctx context.Context, f *Frame, small []byte, samples codecs.View) error {
	want, err := Shrink(samples, f.Factor, f.Method)
	if err != nil {
		return err
	}
	if want.Width != f.Width || want.Height != f.Height {
		return errors.New("preview: its size is not that of the frame")
	}
	if m.dec == nil {
		m.dec = m.syntax.NewDecoder()
	}
	return m.dec.Compare(want, [][]byte{small}, codecs.DecodeOptions{Context: ctx})
}
