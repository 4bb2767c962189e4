package htj2k

import (
	"fmt"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/codecs/internal/jp2k/ht"
	"github.com/radtier/radtier/codecs/internal/jp2k/packet"
)

// Defaults of codecs.Limits.
const (
	defaultMaxPixels = 1 << 32
	defaultMaxBytes  = 1 << 30
	usualMaxBytes    = 128 << 20 // and two bytes for each sample
)

// Decoder reads codestreams of HT code-blocks: whatever DICOM's transfer
// syntaxes .201, .202 and .203 may carry. It implements codecs.Decoder.
type Decoder struct {
	cs      codestream.Reader
	params  codestream.Params // of the tile
	tile    geom.Tile
	packets packet.Reader
	blocks  *ht.Decoder
	joined  []byte // fragments put together
	scratch []byte // refinement segments put together
	comps   [codestream.MaxComponents]componentDecoder
	views   [codestream.MaxComponents]codecs.View // of the single components
	words   []byte                                // a line of a view, for comparison
	kernels bool                                  // use the processor's kernels
}

var _ codecs.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder; it takes its memory at the first frame.
func NewDecoder() *Decoder { return newDecoder(false) }

// NewPlainDecoder returns a decoder that uses none of the processor's kernels, so that it can vouch for them.
func NewPlainDecoder() *Decoder { return newDecoder(true) }

func newDecoder(plain bool) *Decoder {
	d := &Decoder{blocks: ht.NewDecoder(plain), kernels: !plain && haveKernels()}
	for i := range d.comps {
		d.comps[i].init(d, plain)
	}
	return d
}

// Probe reads the main header. Lossless means that the reversible transform is used for all components; a codestream may have lost
// bit-planes all the same, which only the transfer syntax can deny.
func (d *Decoder) Probe(src [][]byte) (codecs.Info, error) {
	whole, err := d.join(src, codecs.Limits{MaxBytes: defaultMaxBytes})
	if err != nil {
		return codecs.Info{}, err
	}
	if err := d.cs.Open(whole, codecs.Limits{MaxPixels: 1 << 62}); err != nil {
		return codecs.Info{}, err
	}
	return d.info()
}

// firstOf is the source, as far as it lies in one piece.
func firstOf(src [][]byte) []byte {
	if len(src) == 0 {
		return nil
	}
	return src[0]
}

// info is what the open main header says of an image whose components are alike.
func (d *Decoder) info() (codecs.Info, error) {
	h := &d.cs.Header
	first := h.Comps[0]
	w, height := h.ComponentSize(0, 0)
	info := codecs.Info{Width: w, Height: height, Components: h.N, Bits: int(first.Bits), Signed: first.Signed, Lossless: true, Levels: codestream.MaxLevels}
	for i := range h.N {
		c := &h.Comps[i]
		if c.DX != 1 || c.DY != 1 {
			return codecs.Info{}, unsupported("sub-sampled components")
		}
		if c.Bits != first.Bits || c.Signed != first.Signed {
			return codecs.Info{}, unsupported("components of different precision or sign")
		}
		k := &h.Coding[i]
		info.Lossless = info.Lossless && k.Reversible
		info.Levels = min(info.Levels, int(k.Levels))
	}
	if w > 65535 || height > 65535 {
		return codecs.Info{}, unsupported(fmt.Sprintf("image of %d x %d", w, height))
	}
	if info.Bits > 16 {
		return codecs.Info{}, unsupported(fmt.Sprintf("samples of %d bits", info.Bits))
	}
	info.Scratch = d.memory()
	return info, nil
}

func unsupported(what string) error { return &codecs.UnsupportedError{Codec: codecName, What: what} }

// Decode writes the samples into dst. See codecs.Decoder.
func (d *Decoder) Decode(dst codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.decode(&dst, src, opts, false)
}

// Compare decodes and compares. See codecs.Decoder.
func (d *Decoder) Compare(view codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.decode(&view, src, opts, true)
}

// decode works on a view of components that are alike.
func (d *Decoder) decode(v *codecs.View, src [][]byte, opts codecs.DecodeOptions, compare bool) error {
	if err := v.Check(codecName); err != nil {
		return err
	}
	if err := d.open(src, &opts); err != nil {
		return err
	}
	info, err := d.info()
	if err != nil {
		return err
	}
	w, h := d.cs.ComponentSize(0, min(max(opts.Reduce, 0), info.Levels))
	switch {
	case opts.Reduce < 0 || opts.Reduce > info.Levels:
		return unsupported(fmt.Sprintf("dropping %d of %d resolution levels", opts.Reduce, info.Levels))
	case v.Width != w || v.Height != h || v.Components != info.Components:
		return unsupported(fmt.Sprintf("codestream of %d x %d x %d in a view of %d x %d x %d", w, h, info.Components, v.Width, v.Height, v.Components))
	case v.Container < info.Bits:
		return unsupported(fmt.Sprintf("samples of %d bits in words of %d", info.Bits, v.Container))
	}
	for c := range v.Components {
		d.views[c] = *v
		d.views[c].Components, d.views[c].Pix = 1, v.Pix[c*v.PlaneStride:]
	}
	return d.run(opts, compare)
}

// DecodeComponents decodes components that may differ in size and precision, each into a view of its own with one component.
func (d *Decoder) DecodeComponents(dst []codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	if err := d.open(src, &opts); err != nil {
		return err
	}
	if len(dst) != d.cs.N {
		return unsupported(fmt.Sprintf("%d components in %d views", d.cs.N, len(dst)))
	}
	for c := range dst {
		if err := dst[c].Check(codecName); err != nil {
			return err
		}
		k := &d.cs.Comps[c]
		if opts.Reduce < 0 || opts.Reduce > int(d.cs.Coding[c].Levels) {
			return unsupported(fmt.Sprintf("dropping %d of %d resolution levels", opts.Reduce, d.cs.Coding[c].Levels))
		}
		if w, h := d.cs.ComponentSize(c, opts.Reduce); dst[c].Width != w || dst[c].Height != h || dst[c].Components != 1 {
			return unsupported(fmt.Sprintf("component of %d x %d in a view of %d x %d x %d", w, h, dst[c].Width, dst[c].Height, dst[c].Components))
		}
		if int(k.Bits) > dst[c].Container {
			return unsupported(fmt.Sprintf("samples of %d bits in words of %d", k.Bits, dst[c].Container))
		}
		d.views[c] = dst[c]
	}
	return d.run(opts, false)
}

// Components describes the components of a codestream: width, height and precision of each.
func (d *Decoder) Components(src [][]byte) ([]codecs.Info, error) {
	if err := d.open(src, &codecs.DecodeOptions{}); err != nil {
		return nil, err
	}
	list := make([]codecs.Info, d.cs.N)
	for c := range list {
		k := &d.cs.Comps[c]
		list[c] = codecs.Info{Components: 1, Bits: int(k.Bits), Signed: k.Signed, Lossless: d.cs.Coding[c].Reversible, Levels: int(d.cs.Coding[c].Levels)}
		list[c].Width, list[c].Height = d.cs.ComponentSize(c, 0)
	}
	return list, nil
}

// open reads the main header, and puts in the defaults of limits.
func (d *Decoder) open(src [][]byte, opts *codecs.DecodeOptions) error {
	if opts.Limits.MaxPixels <= 0 {
		opts.Limits.MaxPixels = defaultMaxPixels
	}
	usual := opts.Limits.MaxBytes <= 0
	if usual {
		opts.Limits.MaxBytes = defaultMaxBytes
	}
	whole, err := d.join(src, opts.Limits)
	if err != nil {
		return err
	}
	if err := d.cs.Open(whole, opts.Limits); err != nil || !usual {
		return err
	}
	// A header of some bytes can ask for code-blocks of 4 x 4 samples all over a huge image: beside the samples themselves nobody who
	// means it needs more than this.
	var samples int64
	for c := range d.cs.Size.N {
		w, h := d.cs.ComponentSize(c, 0)
		samples += int64(w) * int64(h)
	}
	opts.Limits.MaxBytes = min(opts.Limits.MaxBytes, usualMaxBytes+2*samples)
	return nil
}

// run decodes the open codestream into d.views, or compares it with them.
func (d *Decoder) run(opts codecs.DecodeOptions, compare bool) error {
	defer d.release()
	if need := d.memory(); need > opts.Limits.MaxBytes {
		return &codecs.LimitError{Codec: codecName, What: "bytes of memory to decode", Need: need, Most: opts.Limits.MaxBytes}
	}
	if err := d.cs.Scan(opts.Reduce > 0); err != nil {
		return err
	}
	across, down := d.cs.Tiles()
	for i := range across * down {
		if err := d.decodeTile(i, &opts, compare); err != nil {
			return err
		}
	}
	return nil
}

// release forgets memory of the caller, so that a decoder that waits for its next frame does not keep the last one alive.
func (d *Decoder) release() {
	clear(d.views[:])
	d.cs.Release()
	d.packets.Release()
}

// origin is where component c of the image begins in its own coordinates after dropping resolution levels (B-12, B-14).
func origin(s *codestream.Size, c, reduce int) (x, y int) {
	up := uint64(1)<<reduce - 1
	dx, dy := uint64(s.Comps[c].DX), uint64(s.Comps[c].DY)
	return int(((uint64(s.X0)+dx-1)/dx + up) >> reduce), int(((uint64(s.Y0)+dy-1)/dy + up) >> reduce)
}

// join puts fragments together if there are several.
func (d *Decoder) join(src [][]byte, limits codecs.Limits) ([]byte, error) {
	if len(src) < 2 {
		return firstOf(src), nil
	}
	n := int64(0)
	for _, s := range src {
		n += int64(len(s))
	}
	if n > limits.MaxBytes {
		return nil, &codecs.LimitError{Codec: codecName, What: "bytes of fragments", Need: n, Most: limits.MaxBytes}
	}
	d.joined = d.joined[:0]
	for _, s := range src {
		d.joined = append(d.joined, s...)
	}
	return d.joined, nil
}

// decodeTile decodes tile i of the codestream.
func (d *Decoder) decodeTile(i int, opts *codecs.DecodeOptions, compare bool) error {
	if d.cs.First(i) < 0 {
		return &codecs.MalformedError{Codec: codecName, Offset: d.cs.Stop, Clause: "A.4.2", What: "truncated codestream lacks a tile"}
	}
	if err := d.cs.TileParams(i, &d.params); err != nil {
		return err
	}
	if err := d.tile.Set(&d.cs.Size, &d.params, i, opts.Limits.MaxBytes); err != nil {
		return err
	}
	if err := d.packets.Read(&d.tile, &d.cs, &d.params, opts.Reduce); err != nil {
		return err
	}
	if d.params.MCT && d.tile.N < 3 {
		return &codecs.MalformedError{Codec: codecName, Offset: d.cs.End, Clause: "G.2", What: "component transform of fewer than three components"}
	}
	need := int64(0)
	for c := range d.tile.N {
		need += d.comps[c].bytes(&d.tile.Comps[c], opts.Reduce)
	}
	if need > opts.Limits.MaxBytes {
		return &codecs.LimitError{Codec: codecName, What: "bytes of memory to decode", Need: need, Most: opts.Limits.MaxBytes}
	}
	for c := range d.tile.N {
		if err := d.comps[c].set(&d.tile.Comps[c], int(d.cs.Comps[c].Bits), opts.Reduce); err != nil {
			return err
		}
	}
	return d.deliver(opts, compare)
}

// deliver stores or compares the components of a tile: those that are transformed together line by line, the others one after the other.
func (d *Decoder) deliver(opts *codecs.DecodeOptions, compare bool) error {
	from := 0
	if d.params.MCT {
		if err := d.deliverLines(0, 3, opts, compare); err != nil {
			return err
		}
		from = 3
	}
	for c := from; c < d.tile.N; c++ {
		if err := d.deliverLines(c, c+1, opts, compare); err != nil {
			return err
		}
	}
	return nil
}

// deliverLines pulls the lines of components [from, to), undoes their transform if there are three, and stores or compares them.
func (d *Decoder) deliverLines(from, to int, opts *codecs.DecodeOptions, compare bool) error {
	area := d.comps[from].area
	for c := from + 1; c < to; c++ {
		if d.comps[c].area != area {
			return &codecs.MalformedError{Codec: codecName, Offset: d.cs.End, Clause: "G.1", What: "component transform of components of different sizes"}
		}
	}
	if area.Empty() {
		return nil
	}
	if need := 2 * area.W(); cap(d.words) < need {
		d.words = make([]byte, need)
	}
	x0, y0 := origin(&d.cs.Size, from, opts.Reduce)
	var formats [3]format
	for c := from; c < to; c++ {
		formats[c-from] = formatFor(int(d.cs.Comps[c].Bits), d.cs.Comps[c].Signed, &d.views[c])
	}
	var lines [3][]int32
	for y := area.Y0; y < area.Y1; y++ {
		if opts.Context != nil && (y-area.Y0)&15 == 0 {
			if err := opts.Context.Err(); err != nil {
				return err
			}
		}
		for c := from; c < to; c++ {
			var err error
			if lines[c-from], err = d.comps[c].line(); err != nil {
				return err
			}
		}
		if to-from == 3 {
			if err := d.untransform(&lines); err != nil {
				return err
			}
		}
		for c := from; c < to; c++ {
			v, row, f := &d.views[c], lines[c-from], &formats[c-from]
			if !compare {
				storeLine(v, 0, area.X0-x0, y-y0, row, f, d.words[:cap(d.words)], d.kernels)
			} else if x := compareLine(v, 0, area.X0-x0, y-y0, row, f, d.words[:cap(d.words)], d.kernels); x >= 0 {
				return &codecs.MismatchError{Codec: codecName, Component: c, X: area.X0 - x0 + x, Y: y - y0}
			}
		}
	}
	return nil
}
