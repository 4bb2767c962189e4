package htj2k

import (
	"math"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/codecs/internal/jp2k/ht"
	"github.com/radtier/radtier/codecs/internal/jp2k/mct"
	"github.com/radtier/radtier/codecs/internal/jp2k/packet"
	"github.com/radtier/radtier/codecs/internal/jp2k/wavelet"
)

// Options changes what an Encoder writes. The zero value is the default.
type Options struct {
	// Plain keeps the encoder from using the processor's kernels. It writes the same bytes.
	Plain bool
}

// Encoder makes lossless codestreams for transfer syntax .202: reversible 5/3
// wavelet, one HT cleanup pass for each code-block of 64 x 64, progression RPCL, one tile-part
// for each resolution level, TLM. It implements codecs.Encoder.
type Encoder struct {
	head    codestream.Header
	writer  codestream.Writer
	tile    geom.Tile
	packets packet.Writer
	blocks  *ht.Encoder
	arena   []byte // coded code-blocks
	comps   [3]componentEncoder
	bytes   []byte // a line of one component
	ends    []int64
	levels  int // -1: as Levels says; tests force others
	kernels bool
}

var _ codecs.Encoder = (*Encoder)(nil)

// NewEncoder returns an encoder; it takes its memory at the first frame.
func NewEncoder(o Options) *Encoder {
	e := &Encoder{levels: -1, blocks: ht.NewEncoder(o.Plain), kernels: !o.Plain && haveKernels()}
	for i := range e.comps {
		e.comps[i].init(e, o.Plain)
	}
	return e
}

// Levels is how many times an image is halved: until its smaller side is at
// most 64, so that the lowest resolution shows a series at once (PS3.5 10.18
// asks for one side), and further for long images while both sides can be halved.
func Levels(width, height int) int {
	small, large := min(width, height), max(width, height)
	n := 0
	for small > 64<<n {
		n++
	}
	for large > 64<<n && 2<<n <= small {
		n++
	}
	return n
}

const (
	blockExponent = 6       // code-blocks are 64 x 64
	guardBits     = 1       // G
	maxArena      = 1 << 32 // bytes that code-blocks can refer to
)

// setHeader describes the image.
func (e *Encoder) setHeader(v *codecs.View, rgb bool) {
	h := &e.head
	*h = codestream.Header{}
	levels := Levels(v.Width, v.Height)
	if e.levels >= 0 {
		levels = e.levels
	}
	h.Size = codestream.Size{X1: uint32(v.Width), Y1: uint32(v.Height), TileW: uint32(v.Width), TileH: uint32(v.Height), N: v.Components}
	h.Order, h.Layers, h.MCT = codestream.RPCL, 1, rgb
	k := codestream.Coding{Levels: uint8(levels), BlockW: blockExponent, BlockH: blockExponent, Style: codestream.StyleHT, Reversible: true}
	k.DefaultPrecincts()
	most := 0
	for c := range v.Components {
		h.Comps[c] = codestream.Component{Bits: uint8(v.Bits), Signed: v.Signed, DX: 1, DY: 1}
		h.Coding[c] = k
		bits := v.Bits
		if rgb && c > 0 {
			bits++ // differences (G.2.1)
		}
		q := &h.Quant[c]
		*q = codestream.Quant{Style: codestream.QuantNone, Guard: guardBits, N: uint8(3*levels + 1)}
		for b := range q.N {
			planes := planesOf(bits, levels, int(b))
			most = max(most, planes)
			q.Steps[b] = uint16(planes+1-guardBits) << 11 // E-2
		}
	}
	h.HT = codestream.Capability(true, most)
	h.Prepare()
}

// planesOf is Mb of sub-band b of a component: no coefficient needs more bits, whatever its samples are.
func planesOf(bits, levels, b int) int {
	if b == 0 {
		return wavelet.MagnitudeBits(bits, levels, geom.LL)
	}
	return wavelet.MagnitudeBits(bits, levels-(b-1)/3, geom.HL+geom.Orient((b-1)%3))
}

// outputBound bounds a frame's codestream.
func outputBound(v *codecs.View) int64 {
	samples := int64(v.Width) * int64(v.Height) * int64(v.Components)
	// Noise costs a little over a bit a sample more than it has, in sparse levels up to three.
	return samples*int64(v.Bits+4)/8 + 64<<10 + samples/64
}

// MemoryNeeded bounds what Encode takes. Output and coded blocks may exist twice while they move to larger arrays.
func (e *Encoder) MemoryNeeded(v codecs.View) int64 {
	out := outputBound(&v)
	rows := int64(0)
	for w, n := int64(v.Width), 0; n <= Levels(v.Width, v.Height); n++ {
		rows += (w + 32) * 4 * (2*64 + 16) // strips and lines of a level
		w = (w + 1) / 2
	}
	blocks := (int64(v.Width)/64 + 40) * (int64(v.Height)/64 + 40) * 2 * 96
	return 4*out + int64(v.Components)*(rows+blocks) + 1<<20
}

// Encode appends the codestream of the view. See codecs.Encoder.
func (e *Encoder) Encode(dst []byte, v codecs.View, opts codecs.EncodeOptions) ([]byte, codecs.Layout, error) {
	if err := v.Check(codecName); err != nil {
		return dst, codecs.Layout{}, err
	}
	if v.Components != 1 && v.Components != 3 {
		return dst, codecs.Layout{}, unsupported("images of other than 1 or 3 components")
	}
	if opts.RGB && v.Components != 3 {
		return dst, codecs.Layout{}, unsupported("colour transform of other than 3 components")
	}
	e.setHeader(&v, opts.RGB)
	if err := e.tile.Set(&e.head.Size, &e.head.Params, 0, math.MaxInt64); err != nil {
		return dst, codecs.Layout{}, err
	}
	e.arena = e.arena[:0]
	for c := range v.Components {
		e.comps[c].set(&e.tile.Comps[c])
	}
	if err := e.transform(&v, &opts); err != nil {
		return dst, codecs.Layout{}, err
	}
	return e.assemble(dst)
}

// transform sends all lines through the colour and wavelet transforms; what comes out is coded on the way.
func (e *Encoder) transform(v *codecs.View, opts *codecs.EncodeOptions) error {
	if cap(e.bytes) < v.Width {
		e.bytes = make([]byte, v.Width)
	}
	for y := range v.Height {
		if opts.Context != nil && y&15 == 0 {
			if err := opts.Context.Err(); err != nil {
				return err
			}
		}
		for c := range v.Components {
			loadLine(e.comps[c].forward.Line(), v, c, y, e.bytes[:cap(e.bytes)], e.kernels)
		}
		if opts.RGB {
			mct.ForwardRCT(e.comps[0].forward.Line(), e.comps[1].forward.Line(), e.comps[2].forward.Line(), e.kernels)
		}
		for c := range v.Components {
			e.comps[c].forward.Push()
		}
		if int64(len(e.arena)) >= maxArena {
			return &codecs.LimitError{Codec: codecName, What: "bytes of a codestream", Need: int64(len(e.arena)), Most: maxArena - 1}
		}
	}
	return nil
}

// assemble appends headers and packets.
func (e *Encoder) assemble(dst []byte) ([]byte, codecs.Layout, error) {
	start := len(dst)
	levels := e.tile.Comps[0].Levels
	e.ends = e.ends[:0]
	dst = e.writer.Begin(dst, &e.head, &codestream.Layout{Parts: levels + 1, TLM: true})
	for r := range levels + 1 {
		var err error
		dst = e.writer.BeginPart(dst)
		if dst, err = e.packets.Append(dst, &e.tile, r, e.arena); err != nil {
			return dst[:start], codecs.Layout{}, err
		}
		dst = e.writer.EndPart(dst)
		e.ends = append(e.ends, int64(len(dst)-start))
	}
	dst = e.writer.End(dst)
	e.ends[levels] = int64(len(dst) - start) // the highest level is the whole codestream
	return dst, codecs.Layout{LevelEnds: e.ends}, nil
}

// componentEncoder sends the lines of a component through the wavelet transform and codes what comes out.
type componentEncoder struct {
	forward *wavelet.Forward
	bands   []strip // of resolution level r: 3*r to 3*r+2
	all     *Encoder
}

func (c *componentEncoder) init(e *Encoder, plain bool) {
	c.all = e
	c.forward = wavelet.NewForward(c, plain)
}

// set prepares for a tile-component.
func (c *componentEncoder) set(tc *geom.TileComponent) {
	if need := 3 * (tc.Levels + 1); cap(c.bands) < need {
		c.bands = make([]strip, need)
	}
	c.bands = c.bands[:3*(tc.Levels+1)]
	for r := range tc.Res {
		for b := range tc.Res[r].NBands {
			c.bands[3*r+b].set(&tc.Res[r].Bands[b], false)
		}
	}
	c.forward.Set(tc.Rect, tc.Levels)
}

// bandIndex is where the strip of a sub-band is.
func bandIndex(r int, o geom.Orient) int {
	if o == geom.LL {
		return 0
	}
	return 3*r + int(o-geom.HL)
}

// Row returns where row y of a sub-band goes. It implements wavelet.Sink.
func (c *componentEncoder) Row(r int, o geom.Orient, y int) []int32 {
	s := &c.bands[bandIndex(r, o)]
	s.begin(y)
	return s.words[s.at(y):][:s.band.W()]
}

// Done is called when row y of a sub-band has been written: with the last one of a row of code-blocks that row is coded.
func (c *componentEncoder) Done(r int, o geom.Orient, y int) {
	s := &c.bands[bandIndex(r, o)]
	b := s.band
	if y+1 < b.Y1 && (y+1)&(1<<b.BlockH-1) != 0 {
		return
	}
	e := c.all
	first := s.row * b.GridW
	for i := range b.GridW {
		k := &b.Blocks[first+i]
		area := b.BlockRect(first + i)
		off := len(e.arena)
		e.arena = e.blocks.Cleanup(e.arena, s.words[s.at(area.Y0)+area.X0-b.X0:], s.stride, area.W(), area.H())
		k.Off, k.Len = uint32(off), uint32(len(e.arena)-off)
		k.Zero, k.Passes = b.Planes-1, 1
	}
}
