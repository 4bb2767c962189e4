package geom

import (
	"unsafe"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
)

const codec = "htj2k"

// Count is how much of everything a tile has.
type Count struct {
	Blocks, Precincts int64
	Nodes             int64 // of the tag trees of all precincts and sub-bands (B.10.2), at most
}

// Bytes bounds the memory that a Tile and the reader or writer of its packets take for it.
func (n Count) Bytes() int64 {
	const perBlock, perNode, perPrecinct, fixed = int64(unsafe.Sizeof(Block{})) + 48, 8, 32, 1 << 17
	return sum(sum(mul(n.Blocks, perBlock), mul(n.Nodes, perNode)), sum(mul(n.Precincts, perPrecinct), fixed))
}

// huge is where counting stops: sums and products of counts stay below it.
const huge = 1 << 62

func mul(a, b int64) int64 {
	if a != 0 && b > huge/a {
		return huge
	}
	return a * b
}

func sum(a, b int64) int64 { return min(a, huge-b) + b }

// TileRect is the area of a tile on the reference grid (B-7 to B-10).
func TileRect(s *codestream.Size, index int) Rect {
	across, _ := s.Tiles()
	p, q := int64(index%across), int64(index/across)
	x, y := int64(s.TileX0)+p*int64(s.TileW), int64(s.TileY0)+q*int64(s.TileH)
	return Rect{
		X0: int(max(x, int64(s.X0))), Y0: int(max(y, int64(s.Y0))),
		X1: int(min(x+int64(s.TileW), int64(s.X1))), Y1: int(min(y+int64(s.TileH), int64(s.Y1))),
	}
}

// CountTile counts what a tile has, without building it and without allocating, in time
// that depends on the number of resolution levels only.
func CountTile(s *codestream.Size, p *codestream.Params, index int) Count {
	var n Count
	tile := TileRect(s, index)
	for i := range s.N {
		c := component(s, i, tile)
		k := &p.Coding[i]
		for r := range int(k.Levels) + 1 {
			var res Resolution
			res.set(c, k, r)
			n.Precincts = sum(n.Precincts, mul(int64(res.PW), int64(res.PH)))
			for b := range res.NBands {
				band := &res.Bands[b]
				blocks := mul(int64(band.GridW), int64(band.GridH))
				n.Blocks = sum(n.Blocks, blocks)
				// Each of the two trees of a precinct has, level by level, at most
				// half the columns and rows, rounded up.
				w := min(int64(band.GridW), 1<<(band.precinctW-uint(band.BlockW)))
				h := min(int64(band.GridH), 1<<(band.precinctH-uint(band.BlockH)))
				if w > 0 && h > 0 {
					n.Nodes = sum(n.Nodes, mul(treeNodes(w, h), mul(int64(res.PW), int64(res.PH))))
				}
			}
		}
	}
	return n
}

// treeNodes counts the nodes of a tag tree over w x h leaves.
func treeNodes(w, h int64) int64 {
	n := mul(w, h)
	for w > 1 || h > 1 {
		w, h = (w+1)/2, (h+1)/2
		n = sum(n, mul(w, h))
	}
	return n
}

// component is the area of component i of a tile (B-12).
func component(s *codestream.Size, i int, tile Rect) Rect {
	dx, dy := int64(s.Comps[i].DX), int64(s.Comps[i].DY)
	return Rect{
		X0: int(ceilDiv(int64(tile.X0), dx)), Y0: int(ceilDiv(int64(tile.Y0), dy)),
		X1: int(ceilDiv(int64(tile.X1), dx)), Y1: int(ceilDiv(int64(tile.Y1), dy)),
	}
}

// set computes everything of a resolution level except quantisation and code-blocks.
func (res *Resolution) set(c Rect, k *codestream.Coding, r int) {
	n := uint(k.Levels) - uint(r)
	ppx, ppy := k.Precinct(r)
	*res = Resolution{Rect: c.at(n, 0, 0), PPx: uint8(ppx), PPy: uint8(ppy)}
	if !res.Empty() { // B-16
		res.PX0, res.PW = cells(res.X0, res.X1, ppx)
		res.PY0, res.PH = cells(res.Y0, res.Y1, ppy)
	}
	if r == 0 {
		res.NBands = 1
		res.Bands[0].set(res.Rect, LL, k, ppx, ppy)
		return
	}
	res.NBands = 3
	half := int64(1) << n // 2^(nb-1), with nb = n + 1
	for b := range 3 {
		o := HL + Orient(b)
		var ox, oy int64
		if o != LH {
			ox = half
		}
		if o != HL {
			oy = half
		}
		res.Bands[b].set(c.at(n+1, ox, oy), o, k, ppx-1, ppy-1)
	}
}

// set computes the grid of code-blocks (B-17, B-18). ppx and ppy are the exponents of the precinct in the sub-band.
func (b *Band) set(r Rect, o Orient, k *codestream.Coding, ppx, ppy uint) {
	*b = Band{Rect: r, Orient: o, precinctW: ppx, precinctH: ppy, BlockW: uint8(min(uint(k.BlockW), ppx)), BlockH: uint8(min(uint(k.BlockH), ppy))}
	if !r.Empty() {
		b.GridX0, b.GridW = cells(r.X0, r.X1, uint(b.BlockW))
		b.GridY0, b.GridH = cells(r.Y0, r.Y1, uint(b.BlockH))
	}
}

// Set makes t the tile with an index, all its code-blocks empty. It reuses the memory of
// earlier tiles, and returns a *codecs.LimitError before it takes memory if the tile and its packets need more
// than most bytes.
func (t *Tile) Set(s *codestream.Size, p *codestream.Params, index int, most int64) error {
	n := CountTile(s, p, index)
	if need := n.Bytes(); need > most {
		return &codecs.LimitError{Codec: codec, What: "bytes for the code-blocks of a tile", Need: need, Most: most}
	}
	if int64(cap(t.blocks)) < n.Blocks {
		t.blocks = make([]Block, n.Blocks)
	}
	t.blocks = t.blocks[:n.Blocks]
	clear(t.blocks)
	t.Chunks = t.Chunks[:0]
	t.Rect, t.Index, t.N = TileRect(s, index), index, s.N
	rest := t.blocks
	for i := range s.N {
		c := &t.Comps[i]
		c.Rect, c.Coding, c.ROI = component(s, i, t.Rect), p.Coding[i], p.ROI[i]
		c.DX, c.DY, c.Levels = int(s.Comps[i].DX), int(s.Comps[i].DY), int(p.Coding[i].Levels)
		if cap(c.Res) < c.Levels+1 {
			c.Res = make([]Resolution, c.Levels+1)
		}
		c.Res = c.Res[:c.Levels+1]
		for r := range c.Res {
			res := &c.Res[r]
			res.set(c.Rect, &c.Coding, r)
			for b := range res.NBands {
				band := &res.Bands[b]
				if err := band.quantise(&p.Quant[i], r, b); err != nil {
					return err
				}
				n := band.GridW * band.GridH
				band.Blocks, rest = rest[:n:n], rest[n:]
			}
		}
	}
	return nil
}

// quantise sets step size and bit-planes of sub-band b of level r (E-2, E-3).
func (b *Band) quantise(q *codestream.Quant, r, i int) error {
	n := 0
	if r > 0 {
		n = 3*(r-1) + 1 + i
	}
	e, m, ok := q.Band(n)
	if !ok {
		return &codecs.MalformedError{Codec: codec, Offset: -1, Clause: "E.1.1", What: "a sub-band has no quantisation step"}
	}
	b.Exponent, b.Mantissa = uint8(e), uint16(m)
	b.Planes = uint8(max(0, int(q.Guard)+e-1))
	return nil
}
