package packet

import (
	"encoding/binary"
	"errors"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

const codec = "htj2k"

// Reader reads the packets of tiles. The zero value is ready; a Reader is used
// for many tiles, keeps its memory, and may be used again after any error.
type Reader struct {
	// Ends has, after Read, for each resolution level r that was read the offset in the
	// codestream behind the last packet of level r or below. Levels count from
	// the lowest of each component.
	Ends [codestream.MaxLevels + 1]int64
	// Packets is how many packets Read has read.
	Packets int64
	// Unused is how many bytes of the tile-parts follow the last packet, 0 if Read stopped early.
	Unused int64

	t    *geom.Tile
	p    *codestream.Params
	src  []byte
	body bodies

	packed   bool   // headers are apart from the bodies
	headers  []byte // the packed headers of the tile
	headerAt int

	state   []precinct
	first   [codestream.MaxComponents][codestream.MaxLevels + 1]int // in state, of each resolution level
	keep    [codestream.MaxComponents]int                           // the highest resolution level that is wanted
	nodes   []node
	pending []piece
	wanted  int64 // packets that are still to come for them
	most    int64 // bytes that pieces may take
	work    int64 // code-blocks that may still be looked at
	bits    bitReader
	tree    tree
	params  codestream.Params // of LevelEnds
	streams [codestream.MaxComponents * (codestream.MaxLevels + 1)]stream
}

// precinct is what is remembered of a precinct between packets.
type precinct struct {
	layer uint16   // the next one: packets of those below came
	tree  [3]int32 // in nodes, of each sub-band
}

// piece is a contribution to a code-block whose place in the body is not known before the header ends.
type piece struct {
	block  *geom.Block
	size   uint32
	passes uint8
	what   pieceKind
}

type pieceKind uint8

const (
	pieceCleanup pieceKind = iota
	pieceRefinement
	pieceNew   // of a Part 1 block: begins a codeword segment
	pieceAgain // continues the segment of an earlier layer
)

// errStop ends the walk when no wanted packet can follow.
var errStop = errors.New("packet: all wanted packets are read")

// Read reads the packets of tile t, which was Set from cs and p: all of them, or, if reduce is not 0,
// at least those of all resolution levels but the reduce highest of each component (of
// a component that has fewer levels, the lowest one), after which it stops.
// Descriptors of code-blocks above those are then not complete. A truncated codestream is
// an error only if a wanted packet is not there whole.
func (r *Reader) Read(t *geom.Tile, cs *codestream.Reader, p *codestream.Params, reduce int) error {
	r.t, r.p, r.src, r.most = t, p, cs.Source(), cs.Limits().MaxBytes
	r.Ends, r.Packets, r.Unused = [codestream.MaxLevels + 1]int64{}, 0, 0
	r.body.open(cs, t.Index)
	r.packed, r.headers, r.headerAt = cs.PackedHeaders(t.Index), r.headers[:0], 0
	if r.packed {
		for i := cs.First(t.Index); i >= 0; i = int(cs.Parts[i].Next) {
			var err error
			if r.headers, err = cs.AppendPackedHeaders(r.headers, i); err != nil {
				return err
			}
		}
	}
	r.prepare(reduce)
	err := errStop
	if r.wanted > 0 {
		err = r.walk()
	}
	switch {
	case err == errStop:
		err = nil
		if reduce == 0 {
			r.Unused = r.body.unused()
		}
	case err == nil:
		err = r.malformed("B.12", "progressions do not cover all packets")
	}
	for i := 1; i < len(r.Ends); i++ {
		r.Ends[i] = max(r.Ends[i], r.Ends[i-1])
	}
	return err
}

// Release forgets the source and the tile that were read last.
func (r *Reader) Release() {
	r.t, r.p, r.src, r.bits, r.body = nil, nil, nil, bitReader{}, bodies{}
}

// prepare lays out the state of all precincts. geom.Tile.Set has checked that there is memory for it.
func (r *Reader) prepare(reduce int) {
	t := r.t
	r.state, r.wanted = r.state[:0], 0
	nodes, blocks := 0, 0
	for c := range t.N {
		tc := &t.Comps[c]
		r.keep[c] = max(0, tc.Levels-reduce)
		for i := range tc.Res {
			res := &tc.Res[i]
			r.first[c][i] = len(r.state)
			if i <= r.keep[c] {
				r.wanted += int64(res.PW) * int64(res.PH) * int64(r.p.Layers)
			}
			for py := range res.PH {
				for px := range res.PW {
					var k precinct
					for b := range res.NBands {
						k.tree[b] = int32(nodes)
						nodes += treeNodes(res.Bands[b].PrecinctBlocks(res, px, py))
					}
					r.state = append(r.state, k)
				}
			}
			for b := range res.NBands {
				blocks += len(res.Bands[b].Blocks)
			}
		}
	}
	if cap(r.nodes) < nodes {
		r.nodes = make([]node, nodes)
	}
	r.nodes = r.nodes[:nodes]
	clear(r.nodes)
	// A packet looks at every code-block of its precinct, also at those that cost no bit. Sixteen layers
	// may do so for nothing, more only at a price in bytes.
	r.work = 16*int64(blocks) + 256*int64(r.body.size()) + 1<<16
}

// packet reads the next packet of a precinct, which is that of r.state[k].layer.
func (r *Reader) packet(c, level, k, px, py int) error {
	state, res := &r.state[k], &r.t.Comps[c].Res[level]
	if !r.body.next() && !r.packed {
		return r.short()
	}
	if err := r.startOfPacket(); err != nil {
		return err
	}
	if r.packed {
		r.bits.open(r.headers[r.headerAt:])
	} else {
		r.bits.open(r.body.rest(r.src))
	}
	r.pending = r.pending[:0]
	if r.bits.bit() != 0 {
		for b := range res.NBands {
			if err := r.bandHeader(&r.t.Comps[c], res, &res.Bands[b], state, b, px, py); err != nil {
				return err
			}
		}
	}
	r.bits.close()
	if r.bits.over {
		return r.short()
	}
	if r.packed {
		r.headerAt += r.bits.i
	} else {
		r.body.at += int64(r.bits.i)
	}
	if err := r.endOfHeader(); err != nil {
		return err
	}
	if err := r.takeBody(); err != nil {
		return err
	}
	state.layer++
	r.Packets++
	r.Ends[level] = max(r.Ends[level], r.body.at)
	if level <= r.keep[c] {
		if r.wanted--; r.wanted == 0 {
			return errStop
		}
	}
	return nil
}

// startOfPacket passes an SOP marker segment (A.8.1).
func (r *Reader) startOfPacket() error {
	rest := r.body.rest(r.src)
	if !r.p.SOP || len(rest) < 2 || rest[0] != 0xFF || rest[1] != 0x91 {
		return nil
	}
	if len(rest) < 6 {
		return r.short()
	}
	if binary.BigEndian.Uint16(rest[2:]) != 4 {
		return r.malformed("A.8.1", "length of SOP")
	}
	r.body.at += 6
	return nil
}

// endOfHeader passes the EPH marker (A.8.2).
func (r *Reader) endOfHeader() error {
	if !r.p.EPH {
		return nil
	}
	rest := r.headers[min(r.headerAt, len(r.headers)):]
	if !r.packed {
		rest = r.body.rest(r.src)
	}
	if len(rest) < 2 {
		return r.short()
	}
	if rest[0] != 0xFF || rest[1] != 0x92 {
		return r.malformed("A.8.2", "packet header without the EPH marker that COD announces")
	}
	if r.packed {
		r.headerAt += 2
	} else {
		r.body.at += 2
	}
	return nil
}

// takeBody gives the pieces of the packet their places.
func (r *Reader) takeBody() error {
	at, end := r.body.at, r.body.end
	for i := range r.pending {
		q := &r.pending[i]
		if int64(q.size) > end-at {
			return r.short()
		}
		r.place(q, uint32(at))
		at += int64(q.size)
	}
	r.body.at = at
	return nil
}

// place notes where a piece of a code-block lies.
func (r *Reader) place(q *piece, at uint32) {
	b := q.block
	switch q.what {
	case pieceCleanup:
		b.Off, b.Len, b.Ref = at, q.size, [2]geom.Span{}
	case pieceRefinement:
		i := 0
		if b.Ref[0].Len > 0 {
			i = 1
		}
		b.Ref[i] = geom.Span{Off: at, Len: q.size}
	default:
		r.t.Chunks = append(r.t.Chunks, geom.Chunk{Off: at, Len: q.size, Passes: q.passes, New: q.what == pieceNew})
		n := int32(len(r.t.Chunks))
		if b.Last > 0 {
			r.t.Chunks[b.Last-1].Next = n
		} else {
			b.First = n
		}
		b.Last = n
	}
}

// short is the error for a packet that the codestream does not hold whole.
func (r *Reader) short() error {
	if r.body.truncated {
		return r.malformed("B.9", "truncated codestream lacks packets of the wanted resolution levels")
	}
	if r.packed && r.headerAt >= len(r.headers) {
		return r.malformed("A.7", "packed packet headers end before the last packet")
	}
	return r.malformed("B.9", "packet goes past the end of its tile-part")
}

func (r *Reader) malformed(clause, what string) error {
	return &codecs.MalformedError{Codec: codec, Offset: r.body.at, Clause: clause, What: what}
}

// LevelEnds appends, for each resolution level from the lowest, the length of the
// prefix of the codestream that holds the packets of that level and all below, in all tiles; for the
// highest level, the length of the whole codestream. It reads all packet headers of cs, which has scanned
// the codestream; tile is scratch memory.
func (r *Reader) LevelEnds(dst []int64, cs *codestream.Reader, tile *geom.Tile) ([]int64, error) {
	p := &r.params
	var ends [codestream.MaxLevels + 1]int64
	levels := 0
	across, down := cs.Tiles()
	for i := range across * down {
		if err := cs.TileParams(i, p); err != nil {
			return dst, err
		}
		if err := tile.Set(&cs.Size, p, i, cs.Limits().MaxBytes); err != nil {
			return dst, err
		}
		if err := r.Read(tile, cs, p, 0); err != nil {
			return dst, err
		}
		levels = max(levels, tile.MaxLevels())
		for l := range ends {
			ends[l] = max(ends[l], r.Ends[l])
		}
	}
	ends[levels] = cs.Stop
	return append(dst, ends[:levels+1]...), nil
}
