package packet

import (
	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// Writer writes packets. The zero value is ready; a Writer keeps its memory from one call to the next.
type Writer struct {
	bits  bitWriter
	trees [3]tree
	nodes []node
}

// Append appends all packets of resolution level r of a tile in the order RPCL,
// for a single quality layer: of each code-block one HT cleanup pass, whose
// bytes are arena[Off:Off+Len] and whose missing bit-planes are Zero; blocks with Len 0 are not included. It
// changes Lblock of the blocks, and nothing else of the tile. Components must be sampled alike and have precincts of
// the same size, so that those of all components at one place follow each other.
func (w *Writer) Append(dst []byte, t *geom.Tile, r int, arena []byte) ([]byte, error) {
	var first *geom.Resolution
	for c := range t.N {
		tc := &t.Comps[c]
		if r > tc.Levels {
			return dst, &codecs.UnsupportedError{Codec: codec, What: "writing components of different decomposition levels"}
		}
		res := &tc.Res[r]
		if first == nil {
			first = res
		}
		if res.Rect != first.Rect || res.PPx != first.PPx || res.PPy != first.PPy {
			return dst, &codecs.UnsupportedError{Codec: codec, What: "writing components of different sizes"}
		}
	}
	for py := range first.PH {
		for px := range first.PW {
			for c := range t.N {
				var err error
				if dst, err = w.packet(dst, &t.Comps[c].Res[r], px, py, arena); err != nil {
					return dst, err
				}
			}
		}
	}
	return dst, nil
}

// packet appends one packet (B.9).
func (w *Writer) packet(dst []byte, res *geom.Resolution, px, py int, arena []byte) ([]byte, error) {
	var areas [3]geom.Rect
	any, nodes := false, 0
	for b := range res.NBands {
		areas[b] = res.Bands[b].PrecinctBlocks(res, px, py)
		nodes += treeNodes(areas[b])
	}
	if cap(w.nodes) < nodes {
		w.nodes = make([]node, nodes)
	}
	rest := w.nodes[:nodes]
	clear(rest)
	for b := range res.NBands {
		t := &w.trees[b]
		n := t.shape(areas[b].W(), areas[b].H())
		t.nodes, rest = rest[:n:n], rest[n:]
		if w.fill(t, &res.Bands[b], areas[b]) {
			any = true
		}
	}
	w.bits.open(dst)
	if !any {
		w.bits.bit(0) // an empty packet (B.10.3)
		return w.bits.close(), nil
	}
	w.bits.bit(1)
	for b := range res.NBands {
		w.header(&w.trees[b], &res.Bands[b], areas[b])
	}
	dst = w.bits.close()
	for b := range res.NBands {
		band := &res.Bands[b]
		for y := areas[b].Y0; y < areas[b].Y1; y++ {
			for x := areas[b].X0; x < areas[b].X1; x++ {
				k := &band.Blocks[y*band.GridW+x]
				if uint64(k.Off)+uint64(k.Len) > uint64(len(arena)) {
					return dst, &codecs.LimitError{Codec: codec, What: "bytes of the arena of code-blocks", Need: int64(k.Off) + int64(k.Len), Most: int64(len(arena))}
				}
				dst = append(dst, arena[k.Off:][:k.Len]...)
			}
		}
	}
	return dst, nil
}

// fill gives the leaves of the tag trees their values and reports whether any code-block is included.
func (w *Writer) fill(t *tree, band *geom.Band, area geom.Rect) (any bool) {
	i := 0
	for y := area.Y0; y < area.Y1; y++ {
		for x := area.X0; x < area.X1; x++ {
			k := &band.Blocks[y*band.GridW+x]
			if k.Len > 0 {
				any = true
				t.nodes[i].zero = k.Zero
			} else {
				// A block that never comes may count as one with any number of missing bit-planes; the
				// largest does not lower what its neighbours' parents say.
				t.nodes[i] = node{incl: 1, zero: 0xFF}
			}
			i++
		}
	}
	if i > 0 {
		t.summarise(area.W(), area.H())
	}
	return any
}

// header writes what the packet header says of one sub-band.
func (w *Writer) header(t *tree, band *geom.Band, area geom.Rect) {
	for y := area.Y0; y < area.Y1; y++ {
		for x := area.X0; x < area.X1; x++ {
			k := &band.Blocks[y*band.GridW+x]
			t.putIncluded(&w.bits, x-area.X0, y-area.Y0)
			if k.Len == 0 {
				continue
			}
			t.putZero(&w.bits, x-area.X0, y-area.Y0)
			w.bits.bit(0) // one pass (Table B.4)
			k.Lblock = 3
			for uint64(k.Len)>>k.Lblock != 0 {
				w.bits.bit(1)
				k.Lblock++
			}
			w.bits.bit(0)
			w.bits.bits(k.Len, uint(k.Lblock))
		}
	}
}
