package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// slowTile has the precincts of a tile by component, level and number.
type slowTile struct {
	tile      geom.Tile
	precincts [][][]*slowPrecinct
}

func newSlowTile(rng *rand.Rand, h *codestream.Header, index int) (*slowTile, error) {
	s := &slowTile{}
	if err := s.tile.Set(&h.Size, &h.Params, index, 1<<28); err != nil {
		return nil, err
	}
	for c := range s.tile.N {
		tc := &s.tile.Comps[c]
		s.precincts = append(s.precincts, nil)
		for r := range tc.Res {
			res := &tc.Res[r]
			var list []*slowPrecinct
			for py := range res.PH {
				for px := range res.PW {
					p := &slowPrecinct{}
					for b := range res.NBands {
						band := slowBand{area: res.Bands[b].PrecinctBlocks(res, px, py)}
						w, hh := band.area.W(), band.area.H()
						for range w * hh {
							band.blocks = append(band.blocks, planBlock(rng, h.Coding[c].Style, int(h.Layers), int(res.Bands[b].Planes)))
						}
						blocks, w1 := band.blocks, w
						band.incl = newSlowTree(w, hh, func(x, y int) int {
							if k := blocks[y*w1+x]; k.first >= 0 {
								return k.first
							}
							return int(h.Layers) + 5
						})
						band.zero = newSlowTree(w, hh, func(x, y int) int { return blocks[y*w1+x].zero })
						p.bands = append(p.bands, band)
					}
					list = append(list, p)
				}
			}
			s.precincts[c] = append(s.precincts[c], list)
		}
	}
	return s, nil
}

// visit calls f for the packets of one progression in its order, by the loops of B.12.1.
func (s *slowTile) visit(v codestream.Change, f func(c, r, k, layer int)) {
	t := &s.tile
	levels := min(int(v.ResEnd), t.MaxLevels()+1)
	comps := min(int(v.CompEnd), t.N)
	each := func(c, r int, f func(k int)) {
		if r < len(s.precincts[c]) {
			for k := range s.precincts[c][r] {
				f(k)
			}
		}
	}
	// at finds the precinct that a position on the reference grid belongs to, -1 if the loops do not stop there.
	at := func(c, r, x, y int) int {
		if r >= len(s.precincts[c]) {
			return -1
		}
		tc := &t.Comps[c]
		res := &tc.Res[r]
		n := tc.Levels - r
		stop := func(v, edge, start, d int, pp uint8) bool {
			return v%(d<<(int(pp)+n)) == 0 || v == edge && (start<<n)%(1<<(int(pp)+n)) != 0
		}
		if len(s.precincts[c][r]) == 0 || !stop(y, t.Y0, res.Y0, tc.DY, res.PPy) || !stop(x, t.X0, res.X0, tc.DX, res.PPx) {
			return -1
		}
		ceil := func(v, d int) int { return (v + d - 1) / d }
		px := ceil(x, tc.DX<<n)>>res.PPx - res.X0>>res.PPx // B-20
		py := ceil(y, tc.DY<<n)>>res.PPy - res.Y0>>res.PPy
		if px >= res.PW || py >= res.PH {
			return -1
		}
		return py*res.PW + px
	}
	walk := func(f func(x, y int)) {
		for y := t.Y0; y < t.Y1; y++ {
			for x := t.X0; x < t.X1; x++ {
				f(x, y)
			}
		}
	}
	layers := func(c, r, k int) {
		if k >= 0 {
			for l := range int(v.LayerEnd) {
				f(c, r, k, l)
			}
		}
	}
	switch v.Order {
	case codestream.LRCP:
		for l := range int(v.LayerEnd) {
			for r := int(v.ResStart); r < levels; r++ {
				for c := int(v.CompStart); c < comps; c++ {
					each(c, r, func(k int) { f(c, r, k, l) })
				}
			}
		}
	case codestream.RLCP:
		for r := int(v.ResStart); r < levels; r++ {
			for l := range int(v.LayerEnd) {
				for c := int(v.CompStart); c < comps; c++ {
					each(c, r, func(k int) { f(c, r, k, l) })
				}
			}
		}
	case codestream.RPCL:
		for r := int(v.ResStart); r < levels; r++ {
			walk(func(x, y int) {
				for c := int(v.CompStart); c < comps; c++ {
					layers(c, r, at(c, r, x, y))
				}
			})
		}
	case codestream.PCRL:
		walk(func(x, y int) {
			for c := int(v.CompStart); c < comps; c++ {
				for r := int(v.ResStart); r < levels; r++ {
					layers(c, r, at(c, r, x, y))
				}
			}
		})
	case codestream.CPRL:
		for c := int(v.CompStart); c < comps; c++ {
			walk(func(x, y int) {
				for r := int(v.ResStart); r < levels; r++ {
					layers(c, r, at(c, r, x, y))
				}
			})
		}
	}
}

// slowPart is a tile-part: packet headers may lie apart.
type slowPart struct {
	tile, index     int
	headers, bodies []byte
}

// parts writes all packets of a tile and cuts them into tile-parts.
func (s *slowTile) parts(rng *rand.Rand, p *codestream.Params, packed bool) []slowPart {
	out := []slowPart{{tile: s.tile.Index}}
	changes := p.POC[:p.NPOC]
	if p.NPOC == 0 {
		changes = []codestream.Change{{ResEnd: 33, CompEnd: 4, LayerEnd: p.Layers, Order: p.Order}}
	}
	number := uint16(0)
	for _, v := range changes {
		v.LayerEnd = min(v.LayerEnd, p.Layers)
		s.visit(v, func(c, r, k, layer int) {
			q := s.precincts[c][r][k]
			if layer < q.next {
				return
			}
			q.next++
			header, body := q.packet(rng, layer)
			if rng.IntN(10) == 0 && len(out) < 20 {
				out = append(out, slowPart{tile: s.tile.Index, index: len(out)})
			}
			x := &out[len(out)-1]
			if p.SOP && rng.IntN(3) > 0 {
				x.bodies = append(x.bodies, 0xFF, 0x91, 0, 4)
				x.bodies = binary.BigEndian.AppendUint16(x.bodies, number)
			}
			number++
			if p.EPH {
				header = append(header, 0xFF, 0x92)
			}
			if packed {
				x.headers = append(x.headers, header...)
			} else {
				x.bodies = append(x.bodies, header...)
			}
			x.bodies = append(x.bodies, body...)
		})
	}
	return out
}

// randomHeader makes up an image with all that a header can say.
func randomHeader(rng *rand.Rand) codestream.Header {
	var h codestream.Header
	s := &h.Size
	s.X0, s.Y0 = uint32(rng.IntN(20)), uint32(rng.IntN(20))
	s.X1, s.Y1 = s.X0+4+uint32(rng.IntN(60)), s.Y0+4+uint32(rng.IntN(60))
	s.TileX0, s.TileY0 = uint32(rng.IntN(int(s.X0)+1)), uint32(rng.IntN(int(s.Y0)+1))
	s.TileW, s.TileH = s.X1, s.Y1
	if rng.IntN(2) == 0 {
		s.TileW, s.TileH = s.X0-s.TileX0+1+uint32(rng.IntN(50)), s.Y0-s.TileY0+1+uint32(rng.IntN(50))
	}
	s.N = 1 + rng.IntN(4)
	p := &h.Params
	p.Order, p.Layers = codestream.Order(rng.IntN(5)), uint16(1+rng.IntN(4))
	p.SOP, p.EPH = rng.IntN(2) == 0, rng.IntN(2) == 0
	style := [...]uint8{codestream.StyleHT, codestream.StyleHT, codestream.StyleHT, 0, codestream.StyleBypass, codestream.StyleTermAll, codestream.StyleBypass | codestream.StyleTermAll}[rng.IntN(7)]
	if style&codestream.StyleHT != 0 {
		h.HT = codestream.Capability(true, 10)
		h.Ccap15 |= 1 << 13 // several sets
	}
	for c := range s.N {
		s.Comps[c] = codestream.Component{Bits: 8, DX: 1 + uint8(rng.IntN(2)), DY: 1 + uint8(rng.IntN(2))}
		k := &p.Coding[c]
		*k = codestream.Coding{Levels: uint8(rng.IntN(5)), BlockW: 2 + uint8(rng.IntN(3)), BlockH: 2 + uint8(rng.IntN(3)), Style: style, Reversible: true}
		k.DefaultPrecincts()
		if rng.IntN(2) == 0 {
			for r := range k.Levels + 1 {
				k.Precincts[r] = uint8(1+rng.IntN(6)) | uint8(1+rng.IntN(6))<<4
			}
		}
		p.Quant[c] = codestream.Quant{Guard: 2, N: 3*k.Levels + 1}
		for i := range p.Quant[c].N {
			p.Quant[c].Steps[i] = uint16(8+i%3) << 11
		}
	}
	if rng.IntN(3) == 0 {
		for range 1 + rng.IntN(3) {
			x := codestream.Change{LayerEnd: uint16(1 + rng.IntN(5)), ResEnd: uint8(1 + rng.IntN(5)), CompEnd: uint8(1 + rng.IntN(4)), Order: codestream.Order(rng.IntN(5))}
			x.ResStart, x.CompStart = uint8(rng.IntN(int(x.ResEnd))), uint8(rng.IntN(int(x.CompEnd)))
			p.POC[p.NPOC] = x
			p.NPOC++
		}
		p.POC[p.NPOC] = codestream.Change{LayerEnd: p.Layers, ResEnd: 33, CompEnd: 255, Order: codestream.Order(rng.IntN(5))}
		p.NPOC++
	}
	h.Prepare()
	return h
}

// numbered cuts data into marker segments of at most some bytes, numbered from 0.
func numbered(dst []byte, marker uint16, data []byte, most int) []byte {
	for z := 0; len(data) > 0; z++ {
		n := min(most, len(data))
		dst = binary.BigEndian.AppendUint16(dst, marker)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n+3))
		dst = append(append(dst, byte(z)), data[:n]...)
		data = data[n:]
	}
	return dst
}

// assemble writes a codestream of tile-parts, packet headers in place or packed.
func assemble(rng *rand.Rand, h *codestream.Header, parts []slowPart, ppm bool) []byte {
	var w codestream.Writer
	dst := w.Begin(nil, h, &codestream.Layout{})
	if ppm {
		var all []byte
		for _, p := range parts {
			all = append(binary.BigEndian.AppendUint32(all, uint32(len(p.headers))), p.headers...)
		}
		dst = numbered(dst, 0xFF60, all, len(all)/7+10)
	}
	for i, p := range parts {
		sot := len(dst)
		dst = append(dst, 0xFF, 0x90, 0, 10, byte(p.tile>>8), byte(p.tile), 0, 0, 0, 0, byte(p.index), 0)
		if !ppm && len(p.headers) > 0 {
			dst = numbered(dst, 0xFF61, p.headers, len(p.headers)/3+10)
		}
		dst = append(append(dst, 0xFF, 0x93), p.bodies...)
		if i < len(parts)-1 || rng.IntN(2) == 0 {
			binary.BigEndian.PutUint32(dst[sot+6:], uint32(len(dst)-sot))
		}
	}
	return w.End(dst)
}

// Random codestreams with everything in them, written by the loops of the standard.
func TestSyntheticStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var k parsed
	n := 600
	if testing.Short() {
		n = 60
	}
	for i := range n {
		h := randomHeader(rng)
		across, down := h.Tiles()
		packed := rng.IntN(3) == 0
		ppm := packed && rng.IntN(2) == 0
		var tiles []*slowTile
		var parts []slowPart
		for index := range across * down {
			s, err := newSlowTile(rng, &h, index)
			if err != nil {
				t.Fatal(err)
			}
			tiles = append(tiles, s)
			parts = append(parts, s.parts(rng, &h.Params, packed)...)
		}
		if rng.IntN(2) == 0 { // tile-parts of tiles may alternate
			parts = shuffle(rng, parts, len(tiles))
		}
		src := assemble(rng, &h, parts, ppm)
		name := fmt.Sprintf("stream %d: %+v, %d tiles, packed %v %v, changes %+v", i, h.Size, len(tiles), packed, ppm, h.POC[:h.NPOC])
		if err := k.parse(src, 0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if k.unused != 0 {
			t.Errorf("%s: got %d bytes behind the packets, want 0", name, k.unused)
		}
		for _, s := range tiles {
			if err := k.cs.TileParams(s.tile.Index, &k.p); err != nil {
				t.Fatal(err)
			}
			if err := k.t.Set(&k.cs.Size, &k.p, s.tile.Index, 1<<28); err != nil {
				t.Fatal(err)
			}
			if err := k.r.Read(&k.t, &k.cs, &k.p, 0); err != nil {
				t.Fatal(err)
			}
			s.compare(t, name, &k.t, src)
		}
	}
}

// shuffle mixes the tile-parts of tiles but keeps the order in each.
func shuffle(rng *rand.Rand, parts []slowPart, tiles int) []slowPart {
	queues := make([][]slowPart, tiles)
	for _, p := range parts {
		queues[p.tile] = append(queues[p.tile], p)
	}
	var out []slowPart
	for len(out) < len(parts) {
		if q := rng.IntN(tiles); len(queues[q]) > 0 {
			out = append(out, queues[q][0])
			queues[q] = queues[q][1:]
		}
	}
	return out
}

// compare checks what a Reader found.
func (s *slowTile) compare(t *testing.T, name string, read *geom.Tile, src []byte) {
	t.Helper()
	var scratch []byte
	for c := range s.tile.N {
		for r := range s.tile.Comps[c].Res {
			res := &read.Comps[c].Res[r]
			for k, p := range s.precincts[c][r] {
				for b := range p.bands {
					band := &p.bands[b]
					for i, want := range band.blocks {
						x, y := band.area.X0+i%band.area.W(), band.area.Y0+i/band.area.W()
						got := &res.Bands[b].Blocks[y*res.Bands[b].GridW+x]
						place := fmt.Sprintf("%s: component %d, level %d, precinct %d, sub-band %d, code-block %d", name, c, r, k, b, i)
						if got.Kind != want.kind {
							t.Fatalf("%s: kind: got %v, want %v", place, got.Kind, want.kind)
						}
						if want.first >= 0 && int(got.Zero) != want.zero {
							t.Fatalf("%s: missing bit-planes: got %d, want %d", place, got.Zero, want.zero)
						}
						switch want.kind {
						case geom.HT:
							var ref []byte
							ref, scratch = got.Refinement(src, scratch)
							if !bytes.Equal(got.Cleanup(src), want.cleanup) || !bytes.Equal(ref, want.rest) || int(got.Missing) != want.missing || int(got.Passes) != want.passes {
								t.Fatalf("%s: got %+v, want %+v", place, *got, *want)
							}
						case geom.MQ:
							var data []byte
							passes, segments := 0, 0
							for j := got.First; j > 0; j = read.Chunks[j-1].Next {
								q := read.Chunks[j-1]
								data = append(data, src[q.Off:][:q.Len]...)
								passes += int(q.Passes)
								if q.New {
									segments++
								}
							}
							if !bytes.Equal(data, want.chunks) || passes != want.chunkPasses || segments != want.segments {
								t.Fatalf("%s: got %d bytes, %d passes, %d segments, want %d, %d, %d", place, len(data), passes, segments, len(want.chunks), want.chunkPasses, want.segments)
							}
						}
					}
				}
			}
		}
	}
}
