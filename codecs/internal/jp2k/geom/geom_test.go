package geom

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
)

// plan is a random image of small size with its coding parameters.
func plan(rng *rand.Rand) (codestream.Size, codestream.Params) {
	var s codestream.Size
	s.X0, s.Y0 = uint32(rng.IntN(20)), uint32(rng.IntN(20))
	s.X1, s.Y1 = s.X0+1+uint32(rng.IntN(60)), s.Y0+1+uint32(rng.IntN(60))
	s.TileX0, s.TileY0 = uint32(rng.IntN(int(s.X0)+1)), uint32(rng.IntN(int(s.Y0)+1))
	s.TileW, s.TileH = s.X0-s.TileX0+1+uint32(rng.IntN(50)), s.Y0-s.TileY0+1+uint32(rng.IntN(50))
	s.N = 1 + rng.IntN(4)
	var p codestream.Params
	p.Layers = 1
	for c := range s.N {
		s.Comps[c] = codestream.Component{Bits: 8, DX: 1 + uint8(rng.IntN(3)), DY: 1 + uint8(rng.IntN(3))}
		k := &p.Coding[c]
		*k = codestream.Coding{Levels: uint8(rng.IntN(6)), BlockW: 2 + uint8(rng.IntN(3)), BlockH: 2 + uint8(rng.IntN(3)), Reversible: true}
		for r := range k.Precincts {
			k.Precincts[r] = uint8(1+rng.IntN(6)) | uint8(1+rng.IntN(6))<<4
		}
		if rng.IntN(3) == 0 {
			k.Precincts[0] = 0
		}
		p.Quant[c] = codestream.Quant{Guard: 2, N: codestream.MaxBands}
		for i := range p.Quant[c].Steps {
			p.Quant[c].Steps[i] = uint16(8+i%3) << 11
		}
	}
	return s, p
}

func ceil(x, d int) int {
	n := x / d
	for n*d < x {
		n++
	}
	return n
}

// Everything against the formulas of Annex B, written out sample by sample.
func TestGeometryByCounting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var tile Tile
	for range 400 {
		s, p := plan(rng)
		across, down := s.Tiles()
		for i := range across * down {
			if err := tile.Set(&s, &p, i, 1<<28); err != nil {
				t.Fatal(err)
			}
			n := Count{}
			for c := range s.N {
				tc := &tile.Comps[c]
				dx, dy := int(s.Comps[c].DX), int(s.Comps[c].DY)
				// B-12: the samples of the component are at multiples of DX and DY.
				for r := range tc.Res {
					res := &tc.Res[r]
					checkResolution(t, &tile, tc, res, r, dx, dy)
					n.Precincts += int64(res.PW * res.PH)
					for b := range res.NBands {
						checkBand(t, &tile, tc, res, &res.Bands[b], r, dx, dy)
						n.Blocks += int64(len(res.Bands[b].Blocks))
					}
				}
			}
			if got := CountTile(&s, &p, i); got.Blocks != n.Blocks || got.Precincts != n.Precincts {
				t.Fatalf("CountTile of %+v: got %+v, want %d code-blocks and %d precincts", s, got, n.Blocks, n.Precincts)
			}
			if t.Failed() {
				t.Fatalf("tile %d of %+v, %+v", i, s, p.Coding[:s.N])
			}
		}
	}
}

// checkResolution checks B-14 and B-16, and that precincts have their places in raster order.
func checkResolution(t *testing.T, tile *Tile, tc *TileComponent, res *Resolution, r, dx, dy int) {
	t.Helper()
	d := 1 << (tc.Levels - r)
	want := Rect{ceil(ceil(tile.X0, dx), d), ceil(ceil(tile.Y0, dy), d), ceil(ceil(tile.X1, dx), d), ceil(ceil(tile.Y1, dy), d)}
	if res.Rect != want {
		t.Errorf("resolution level %d: got %v, want %v", r, res.Rect, want)
	}
	across, down := map[int]bool{}, map[int]bool{}
	for x := want.X0; x < want.X1; x++ {
		across[x/(1<<res.PPx)] = true
	}
	for y := want.Y0; y < want.Y1; y++ {
		down[y/(1<<res.PPy)] = true
	}
	pw, ph := len(across), len(down)
	if want.Empty() {
		pw, ph = 0, 0
	}
	if res.PW != pw || res.PH != ph {
		t.Errorf("precincts of resolution level %d, %v: got %d x %d, want %d x %d", r, res.Rect, res.PW, res.PH, pw, ph)
	}
	// B.12.1.3: the positions that the loops over x and y stop at.
	var xs, ys []int
	for x := tile.X0; x < tile.X1; x++ {
		if step := dx << (int(res.PPx) + tc.Levels - r); x%step == 0 || x == tile.X0 && (res.X0*d)%(1<<(int(res.PPx)+tc.Levels-r)) != 0 {
			xs = append(xs, x)
		}
	}
	for y := tile.Y0; y < tile.Y1; y++ {
		if step := dy << (int(res.PPy) + tc.Levels - r); y%step == 0 || y == tile.Y0 && (res.Y0*d)%(1<<(int(res.PPy)+tc.Levels-r)) != 0 {
			ys = append(ys, y)
		}
	}
	for py := range res.PH {
		for px := range res.PW {
			x, y := tc.Precinct(tile, r, px, py)
			if px >= len(xs) || py >= len(ys) || int(x) != xs[px] || int(y) != ys[py] {
				t.Errorf("precinct %d, %d of level %d: got place %d, %d, want one of %v, %v", px, py, r, x, y, xs, ys)
			}
		}
	}
}

// checkBand checks B-15, B-17, B-18, and that precincts and code-blocks divide the sub-band.
func checkBand(t *testing.T, tile *Tile, tc *TileComponent, res *Resolution, b *Band, r, dx, dy int) {
	t.Helper()
	nb, half := tc.Levels, 0
	if r > 0 {
		nb = tc.Levels - r + 1
		half = 1 << (nb - 1)
	}
	ox, oy := 0, 0
	if b.Orient == HL || b.Orient == HH {
		ox = half
	}
	if b.Orient == LH || b.Orient == HH {
		oy = half
	}
	d := 1 << nb
	want := Rect{ceil(ceil(tile.X0, dx)-ox, d), ceil(ceil(tile.Y0, dy)-oy, d), ceil(ceil(tile.X1, dx)-ox, d), ceil(ceil(tile.Y1, dy)-oy, d)}
	if b.Rect != want {
		t.Errorf("sub-band %d of level %d: got %v, want %v", b.Orient, r, b.Rect, want)
	}
	if len(b.Blocks) != b.GridW*b.GridH {
		t.Errorf("sub-band %d of level %d: got %d code-blocks, want %d x %d", b.Orient, r, len(b.Blocks), b.GridW, b.GridH)
	}
	area := 0
	for i := range b.Blocks {
		k := b.BlockRect(i)
		if k.Empty() || k.W() > 1<<b.BlockW || k.H() > 1<<b.BlockH {
			t.Errorf("code-block %d of %v: got %v", i, b.Rect, k)
		}
		area += k.W() * k.H()
	}
	if !b.Empty() && area != b.W()*b.H() {
		t.Errorf("code-blocks of %v: got %d samples, want %d", b.Rect, area, b.W()*b.H())
	}
	seen := make([]int, len(b.Blocks))
	for py := range res.PH {
		for px := range res.PW {
			q := b.PrecinctBlocks(res, px, py)
			for y := q.Y0; y < q.Y1; y++ {
				for x := q.X0; x < q.X1; x++ {
					seen[y*b.GridW+x]++
					k := b.BlockRect(y*b.GridW + x)
					down := uint(0)
					if r > 0 {
						down = 1 // sub-bands have half the size of their resolution level
					}
					if k.X0>>(uint(res.PPx)-down) != res.PX0+px || k.Y0>>(uint(res.PPy)-down) != res.PY0+py {
						t.Errorf("code-block %v of level %d is said to lie in precinct %d, %d", k, r, px, py)
					}
				}
			}
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("code-block %d of %v lies in %d precincts, want 1", i, b.Rect, n)
		}
	}
}

// whole is an image of one tile and component with the usual parameters.
func whole(w, h uint32, levels, block, precinct uint8) (codestream.Size, codestream.Params) {
	s := codestream.Size{X1: w, Y1: h, TileW: w, TileH: h, N: 1}
	s.Comps[0] = codestream.Component{Bits: 16, DX: 1, DY: 1}
	p := codestream.Params{Layers: 1, Order: codestream.RPCL}
	p.Coding[0] = codestream.Coding{Levels: levels, BlockW: block, BlockH: block, Reversible: true}
	for r := range p.Coding[0].Precincts {
		p.Coding[0].Precincts[r] = precinct | precinct<<4
	}
	p.Quant[0] = codestream.Quant{Guard: 1, N: codestream.MaxBands}
	return s, p
}

func TestLargeImages(t *testing.T) {
	var tile Tile
	for _, row := range []struct {
		w, h                    uint32
		levels, block, precinct uint8
		limited                 bool
		blocks, precincts       int64 // at least
	}{
		{65535, 65535, 10, 6, 15, false, 1024 * 1024, 4 + 10},
		{65535, 1, 10, 6, 15, false, 1024, 2},
		{1, 65535, 10, 6, 15, false, 1024, 2},
		{65535, 65535, 0, 6, 0, true, 0, 0},
		{65535, 65535, 1, 6, 1, true, 0, 0},
		{65535, 65535, 32, 2, 1, true, 0, 0},
		{65535, 65535, 5, 2, 15, true, 0, 0},
		{1<<31 - 1, 1<<31 - 1, 32, 2, 1, true, 0, 0},
		{1<<31 - 1, 1, 32, 10, 15, false, 1 << 21, 1 << 16},
	} {
		s, p := whole(row.w, row.h, row.levels, row.block, row.precinct)
		if row.precinct == 0 {
			p.Coding[0].Precincts[0] = 0
		}
		err := tile.Set(&s, &p, 0, 1<<28)
		var limit *codecs.LimitError
		if errors.As(err, &limit) != row.limited {
			t.Errorf("%+v: got %v", row, err)
		}
		if n := CountTile(&s, &p, 0); n.Blocks < row.blocks || n.Precincts < row.precincts || n.Bytes() < 0 {
			t.Errorf("%+v: got %+v", row, n)
		}
	}
}

// A tile that was set before takes no memory.
func TestSetAllocatesOnce(t *testing.T) {
	var tile Tile
	s, p := whole(512, 512, 3, 6, 15)
	if n := testing.AllocsPerRun(10, func() {
		if err := tile.Set(&s, &p, 0, 1<<30); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Set again: got %v allocations, want 0", n)
	}
}

func TestBitPlanes(t *testing.T) {
	s, p := whole(64, 64, 2, 6, 15)
	for _, row := range []struct {
		name string
		q    codestream.Quant
		want [7]int // Mb of LL, HL2, LH2, HH2, HL1, LH1, HH1
	}{
		{"reversible", codestream.Quant{Guard: 1, N: 7, Steps: [97]uint16{8 << 11, 9 << 11, 9 << 11, 10 << 11, 9 << 11, 9 << 11, 10 << 11}}, [7]int{8, 9, 9, 10, 9, 9, 10}},
		{"expounded", codestream.Quant{Style: 2, Guard: 2, N: 7, Steps: [97]uint16{13<<11 | 5, 13 << 11, 13 << 11, 12 << 11, 12 << 11, 12 << 11, 11 << 11}}, [7]int{14, 14, 14, 13, 13, 13, 12}},
		{"derived", codestream.Quant{Style: 1, Guard: 2, N: 1, Steps: [97]uint16{13<<11 | 5}}, [7]int{14, 14, 14, 14, 13, 13, 13}},
	} {
		p.Quant[0] = row.q
		var tile Tile
		if err := tile.Set(&s, &p, 0, 1<<30); err != nil {
			t.Fatal(err)
		}
		var got [7]int
		i := 0
		for r := range tile.Comps[0].Res {
			res := &tile.Comps[0].Res[r]
			for b := range res.NBands {
				got[i] = int(res.Bands[b].Planes)
				i++
			}
		}
		if got != row.want {
			t.Errorf("%s: bit-planes: got %v, want %v", row.name, got, row.want)
		}
	}
}
