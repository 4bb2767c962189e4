package geom

import "github.com/radtier/radtier/codecs/internal/jp2k/codestream"

// Band is a sub-band of a resolution level.
type Band struct {
	Rect
	Orient               Orient
	Planes               uint8 // Mb, magnitude bit-planes without those of an ROI shift (E-2); 0 if the exponent and guard bits are 0
	Exponent             uint8 // of the quantisation step (E-3)
	Mantissa             uint16
	BlockW, BlockH       uint8 // exponents xcb', ycb' of the code-block size
	GridX0, GridY0       int   // the grid of code-blocks begins at this multiple of their size
	GridW, GridH         int
	Blocks               []Block // raster over the grid: GridW * GridH
	precinctW, precinctH uint    // exponents of the size of a precinct in this sub-band (B.7)
}

// BlockRect is the part of the sub-band that code-block i covers (B.7).
func (b *Band) BlockRect(i int) Rect {
	x, y := b.GridX0+i%b.GridW, b.GridY0+i/b.GridW
	return Rect{
		X0: max(b.X0, x<<b.BlockW), Y0: max(b.Y0, y<<b.BlockH),
		X1: min(b.X1, (x+1)<<b.BlockW), Y1: min(b.Y1, (y+1)<<b.BlockH),
	}
}

// PrecinctBlocks is the part of the grid, in code-blocks from its first, that lies in precinct (px, py)
// of the resolution level, where (0, 0) is the first that the level touches.
// It may be empty although the precinct exists.
func (b *Band) PrecinctBlocks(res *Resolution, px, py int) Rect {
	if b.GridW == 0 || b.GridH == 0 {
		return Rect{}
	}
	cut := func(p int, size uint, block uint8, first, n int) (from, to int) {
		per := size - uint(block) // exponent of the blocks of a precinct
		from, to = p<<per-first, (p+1)<<per-first
		return min(max(from, 0), n), min(max(to, 0), n)
	}
	var r Rect
	r.X0, r.X1 = cut(res.PX0+px, b.precinctW, b.BlockW, b.GridX0, b.GridW)
	r.Y0, r.Y1 = cut(res.PY0+py, b.precinctH, b.BlockH, b.GridY0, b.GridH)
	return r
}

// Resolution is a resolution level of a tile-component.
type Resolution struct {
	Rect
	PPx, PPy uint8 // exponents of the precinct size
	PX0, PY0 int   // the first precinct begins at this multiple of their size
	PW, PH   int   // precincts; 0 if the level is empty
	NBands   int   // 1 (LL) at level 0, else 3 (HL, LH, HH)
	Bands    [3]Band
}

// TileComponent is one component of a tile.
type TileComponent struct {
	Rect
	DX, DY int
	Levels int
	Res    []Resolution // Levels + 1, lowest first
	Coding codestream.Coding
	ROI    uint8 // implicit shift of a region of interest (Annex H)
}

// Precinct is where a precinct begins on the reference grid: where the progressions by position visit it (B.12.1.3).
func (c *TileComponent) Precinct(t *Tile, r, px, py int) (x, y int64) {
	res := &c.Res[r]
	n := uint(c.Levels - r)
	corner := func(p, first int, start int, pp uint8, d int, edge int) int64 {
		if p == 0 && start&(1<<pp-1) != 0 {
			return int64(edge) // cut by the edge of the tile
		}
		return int64(first+p) << (uint(pp) + n) * int64(d)
	}
	return corner(px, res.PX0, res.X0, res.PPx, c.DX, t.X0), corner(py, res.PY0, res.Y0, res.PPy, c.DY, t.Y0)
}

// Tile is the geometry of one tile and its code-blocks.
type Tile struct {
	Rect       // on the reference grid
	Index  int // Isot
	N      int // components
	Comps  [codestream.MaxComponents]TileComponent
	Chunks []Chunk // of Part 1 code-blocks
	blocks []Block
}

// MaxLevels is the largest number of decomposition levels of the components.
func (t *Tile) MaxLevels() int {
	n := 0
	for i := range t.N {
		n = max(n, t.Comps[i].Levels)
	}
	return n
}
