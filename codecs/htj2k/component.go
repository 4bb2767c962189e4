package htj2k

import (
	"fmt"
	"math"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/codecs/internal/jp2k/ht"
	"github.com/radtier/radtier/codecs/internal/jp2k/mct"
	"github.com/radtier/radtier/codecs/internal/jp2k/wavelet"
)

// componentDecoder decodes code-blocks when the inverse wavelet transform asks for their rows.
type componentDecoder struct {
	all    *Decoder
	tc     *geom.TileComponent
	bits   int
	area   geom.Rect // of the component, reduced
	bands  []strip   // of resolution level r: 3*r to 3*r+2
	exact  *wavelet.Inverse
	lossy  *wavelet.Inverse97
	float  []float32 // the line that lossy gave last
	out    []int32   // a line after rounding or the component transform
	colour []float32 // a line after the irreversible component transform
}

func (c *componentDecoder) init(d *Decoder, plain bool) {
	c.all = d
	c.exact = wavelet.NewInverse(c, plain)
	c.lossy = wavelet.NewInverse97((*floatSource)(c), plain)
}

// levels is how many of a component's levels are decoded.
func levelsLeft(tc *geom.TileComponent, reduce int) int { return max(0, tc.Levels-reduce) }

// bytes bounds the memory that the component takes for a tile.
func (c *componentDecoder) bytes(tc *geom.TileComponent, reduce int) int64 {
	n := int64(0)
	for r := range levelsLeft(tc, reduce) + 1 {
		res := &tc.Res[r]
		for b := range res.NBands {
			n += stripBytes(&res.Bands[b], !tc.Coding.Reversible)
		}
		n += lineBytes(res.W())
	}
	return n
}

// lineBytes bounds the lines that the transform keeps of a resolution level.
func lineBytes(width int) int64 { return 16 * 4 * int64(width+32) }

// set prepares for a tile-component.
func (c *componentDecoder) set(tc *geom.TileComponent, bits, reduce int) error {
	c.tc, c.bits = tc, bits
	levels := levelsLeft(tc, reduce)
	c.area = tc.Res[levels].Rect
	if need := 3 * (levels + 1); cap(c.bands) < need {
		c.bands = make([]strip, need)
	}
	c.bands = c.bands[:3*(levels+1)]
	style := tc.Coding.Style
	if style&codestream.StyleHT == 0 {
		return unsupported("code-blocks that are not HT code-blocks")
	}
	for r := range levels + 1 {
		for b := range tc.Res[r].NBands {
			band := &tc.Res[r].Bands[b]
			if int(band.Planes)+int(tc.ROI) > ht.MaxPlanes {
				return unsupported(fmt.Sprintf("%d bit-planes", int(band.Planes)+int(tc.ROI)))
			}
			c.bands[3*r+b].set(band, !tc.Coding.Reversible)
		}
	}
	if cap(c.out) < c.area.W() {
		c.out = make([]int32, c.area.W())
	}
	c.out = c.out[:c.area.W()]
	if tc.Coding.Reversible {
		c.exact.Set(c.area, levels)
		return nil
	}
	if cap(c.colour) < c.area.W() {
		c.colour = make([]float32, c.area.W())
	}
	c.colour = c.colour[:c.area.W()]
	c.lossy.Set(c.area, levels)
	return nil
}

// line is the next line of the component, before the level shift; if the transform is irreversible also in c.float, unrounded.
func (c *componentDecoder) line() ([]int32, error) {
	if c.tc.Coding.Reversible {
		return c.exact.Next()
	}
	var err error
	if c.float, err = c.lossy.Next(); err != nil {
		return nil, err
	}
	if c.all.params.MCT && c != &c.all.comps[3] {
		return nil, nil // rounded after the component transform
	}
	return c.round(c.float), nil
}

// round makes integers of a line.
func (c *componentDecoder) round(line []float32) []int32 {
	out := c.out[:len(line)]
	for i, x := range line {
		// Clamped first: a hostile stream may have anything, and what does not fit an int32 is not defined.
		out[i] = int32(math.RoundToEven(float64(min(max(x, -1<<24), 1<<24))))
	}
	return out
}

// Row returns row y of a sub-band. It implements wavelet.Source.
func (c *componentDecoder) Row(r int, o geom.Orient, y int) ([]int32, error) {
	s := &c.bands[bandIndex(r, o)]
	if !s.begin(y) {
		if err := c.decodeRow(s); err != nil {
			s.row = -1
			return nil, err
		}
	}
	return s.words[s.at(y):][:s.band.W()], nil
}

// floatSource gives the rows of an irreversible transform. It implements wavelet.Source97.
type floatSource componentDecoder

// Row returns row y of a sub-band, dequantised.
func (f *floatSource) Row(r int, o geom.Orient, y int) ([]float32, error) {
	c := (*componentDecoder)(f)
	s := &c.bands[bandIndex(r, o)]
	if !s.begin(y) {
		if err := c.decodeRow(s); err != nil {
			s.row = -1
			return nil, err
		}
		step := quantum(s.band, c.bits)
		rows := min(s.band.Y1, (s.row+s.band.GridY0+1)<<s.band.BlockH) - s.top
		for i, v := range s.words[:rows*s.stride] {
			s.floats[i] = float32(v) * step
		}
	}
	return s.floats[s.at(y):][:s.band.W()], nil
}

// decodeRow decodes the row of code-blocks that the strip has begun.
func (c *componentDecoder) decodeRow(s *strip) error {
	b, d := s.band, c.all
	first := s.row * b.GridW
	for i := range b.GridW {
		k := &b.Blocks[first+i]
		area := b.BlockRect(first + i)
		dst := s.words[s.at(area.Y0)+area.X0-b.X0:]
		w, h := area.W(), area.H()
		if k.Kind == geom.MQ {
			return unsupported("code-blocks that are not HT code-blocks")
		}
		if k.Len == 0 || k.Passes == 0 {
			for y := range h {
				clear(dst[y*s.stride:][:w])
			}
			continue
		}
		block := ht.Block{W: w, H: h, Planes: int(b.Planes) + int(c.tc.ROI), Missing: int(k.Missing), Passes: int(k.Passes),
			Cleanup: k.Cleanup(d.cs.Source()), Causal: c.tc.Coding.Style&codestream.StyleCausal != 0, Reversible: c.tc.Coding.Reversible}
		if k.Passes > 1 {
			block.Refinement, d.scratch = k.Refinement(d.cs.Source(), d.scratch)
		}
		if err := d.blocks.Decode(dst, s.stride, &block); err != nil {
			return &codecs.MalformedError{Codec: codecName, Offset: int64(k.Off) + int64(err.At), Clause: err.Clause, What: err.What}
		}
		if c.tc.ROI > 0 {
			undoROI(dst, s.stride, w, h, uint(c.tc.ROI), !c.tc.Coding.Reversible)
		}
	}
	return nil
}

// untransform undoes the component transform of the first three components (Annex G).
func (d *Decoder) untransform(lines *[3][]int32) error {
	a, b, c := &d.comps[0], &d.comps[1], &d.comps[2]
	if a.tc.Coding.Reversible != b.tc.Coding.Reversible || a.tc.Coding.Reversible != c.tc.Coding.Reversible {
		return &codecs.MalformedError{Codec: codecName, Offset: d.cs.End, Clause: "G.2", What: "component transform of components with different wavelet transforms"}
	}
	// The wavelet transforms keep the lines that they gave: these must stay as they are.
	if a.tc.Coding.Reversible {
		mct.InverseRCT(a.out, b.out, c.out, lines[0], lines[1], lines[2], d.kernels)
		lines[0], lines[1], lines[2] = a.out, b.out, c.out
		return nil
	}
	mct.InverseICT(a.colour, b.colour, c.colour, a.float, b.float, c.float, d.kernels)
	lines[0], lines[1], lines[2] = a.round(a.colour), b.round(b.colour), c.round(c.colour)
	return nil
}

// memory bounds what decoding the open codestream takes beside its source: with one tile's code-blocks and strips at a time.
func (d *Decoder) memory() int64 {
	h := &d.cs.Header
	n := geom.CountTile(&h.Size, &h.Params, 0).Bytes()
	across, _ := h.Tiles()
	tile := geom.TileRect(&h.Size, 0)
	if across > 1 {
		tile.X1 = tile.X0 + int(h.TileW)
	}
	for i := range h.N {
		k := &h.Coding[i]
		w := int64(tile.W()) + 64
		for range int(k.Levels) + 1 {
			rows := int64(1) << k.BlockH
			n += 3*4*rows*(w/2+32) + lineBytes(int(w))
			if !k.Reversible {
				n += 3 * 4 * rows * (w/2 + 32)
			}
			w = (w + 1) / 2
		}
	}
	return n + 1<<20
}

// MemoryNeeded bounds what Decode takes beyond dst and src, which may be in fragments that are put together.
func (d *Decoder) MemoryNeeded(info codecs.Info, _ codecs.DecodeOptions) int64 {
	samples := int64(info.Width) * int64(info.Height) * int64(info.Components)
	if info.Scratch > 0 {
		return info.Scratch + 2*samples*int64(info.Bits+7)/8
	}
	return 4*samples*4 + 4<<20
}
