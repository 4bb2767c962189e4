package packet

import (
	"math/bits"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// bandHeader reads what a packet header says of the code-blocks of one sub-band (B.10.3 to B.10.7).
func (r *Reader) bandHeader(tc *geom.TileComponent, res *geom.Resolution, band *geom.Band, state *precinct, nr, px, py int) error {
	area := band.PrecinctBlocks(res, px, py)
	if area.Empty() {
		return nil
	}
	w, h := area.W(), area.H()
	if r.work -= int64(w) * int64(h); r.work < 0 {
		return &codecs.LimitError{Codec: codec, What: "code-blocks visited by packet headers", Need: 1, Most: 0}
	}
	n := r.tree.shape(w, h)
	r.tree.nodes = r.nodes[state.tree[nr]:][:n:n]
	for y := range h {
		row := band.Blocks[(area.Y0+y)*band.GridW+area.X0:][:w:w]
		for x := range row {
			b := &row[x]
			if b.Included {
				if r.bits.bit() == 0 {
					continue
				}
			} else {
				if !r.tree.included(&r.bits, x, y, state.layer) {
					continue
				}
				zero, ok := r.tree.zeroPlanes(&r.bits, x, y)
				if !ok || int(zero) > int(band.Planes)+int(tc.ROI) {
					return r.wrongHeader("B.10.5", "more missing bit-planes than the sub-band has")
				}
				b.Included, b.Zero, b.Missing, b.Lblock = true, zero, zero, 3
				if tc.Coding.Style&codestream.StyleHT == 0 {
					b.Kind = geom.MQ
				}
			}
			if err := r.contribution(b, tc.Coding.Style); err != nil {
				return err
			}
		}
		if r.bits.over {
			return r.short()
		}
	}
	return nil
}

// contribution reads passes and lengths of one code-block that the packet includes (B.10.6, B.10.7, T.814 B.3).
func (r *Reader) contribution(b *geom.Block, style uint8) error {
	n := r.bits.passes()
	for r.bits.bit() != 0 {
		if b.Lblock++; b.Lblock > 32 {
			return r.wrongHeader("B.10.7", "length of a codeword segment above 32 bits")
		}
	}
	if int(b.Total)+n > 3*255 {
		return r.wrongHeader("B.10.6", "more coding passes than bit-planes can have")
	}
	switch b.Kind {
	case geom.HT:
		return r.laterSets(b, n)
	case geom.MQ:
		return r.codewords(b, n, style)
	}
	return r.beforeFirstSet(b, n, style)
}

// length reads the length of a piece of so many passes (B.10.7.1).
func (r *Reader) length(b *geom.Block, passes int) (uint32, error) {
	n := uint(b.Lblock) + log2(passes)
	if n > 32 {
		return 0, r.wrongHeader("B.10.7", "length of a codeword segment above 32 bits")
	}
	return r.bits.bits(n), nil
}

// log2 is the logarithm rounded down; n is 1 or more.
func log2(n int) uint { return uint(bits.Len(uint(n)) - 1) }

// beforeFirstSet reads the lengths of an HT code-block of which no bytes came
// yet. The packet's n passes may be placeholder passes, three for each set that is left out, which have no bytes, then
// one HT set. The first length is that of all passes up to the last possible
// cleanup pass in the packet, and coded for so many. If it is zero, all
// passes are placeholders, and the length must have the bits of n passes, as for any code-block of
// Part 1. In a mixed tile-component (T.814 B.3) a length that is not zero belongs to an HT cleanup pass if its
// first bit is 0, which Lblock was made one larger for, else to a Part 1 code-block.
func (r *Reader) beforeFirstSet(b *geom.Block, n int, style uint8) error {
	mixed := style&codestream.StyleMixed != 0
	after := (int(b.Total) + n - 1) % 3 // refinement passes behind the last cleanup pass
	head := n - after
	if head < 1 {
		head = n // no cleanup pass
		size, err := r.length(b, n)
		if err != nil {
			return err
		}
		return r.notHT(b, n, size, mixed)
	}
	size, err := r.length(b, head)
	if err != nil {
		return err
	}
	more := log2(n) - log2(head)
	if size != 0 && (!mixed || b.Lblock > 3 && size > 1 && size>>(uint(b.Lblock)+log2(head)-1) == 0) {
		b.Kind = geom.HT
		b.Total += uint16(head)
		if err := r.cleanup(b, size); err != nil || after == 0 {
			return err
		}
		return r.refinement(b, after)
	}
	if more > 0 {
		if uint(b.Lblock)+log2(n) > 32 {
			return r.wrongHeader("B.10.7", "length of a codeword segment above 32 bits")
		}
		size = size<<more | r.bits.bits(more)
	}
	return r.notHT(b, n, size, mixed)
}

// notHT takes n passes that are not part of an HT set: placeholders, or those of a Part 1 code-block.
func (r *Reader) notHT(b *geom.Block, n int, size uint32, mixed bool) error {
	if size != 0 {
		if !mixed {
			return r.wrongHeader("T.814 B.3", "placeholder passes with bytes")
		}
		b.Kind = geom.MQ
		if err := r.add(piece{b, size, uint8(n), pieceNew}); err != nil {
			return err
		}
	}
	b.Total += uint16(n)
	return nil
}

// laterSets reads the lengths of an HT code-block whose first HT set has begun: cleanup
// passes alone, SigProp and MagRef together.
func (r *Reader) laterSets(b *geom.Block, n int) error {
	for n > 0 {
		done := int(b.Total) % 3
		if done > 0 {
			k := min(n, 3-done)
			if err := r.refinement(b, k); err != nil {
				return err
			}
			n -= k
			continue
		}
		size, err := r.length(b, 1)
		if err != nil {
			return err
		}
		b.Total++
		n--
		if size > 0 { // an empty set adds nothing to the one before
			if err := r.cleanup(b, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanup takes in the cleanup pass that b.Total counts as the last one. It codes all bit-planes
// down to its own, so what came before is not needed any more (T.814 7.1).
func (r *Reader) cleanup(b *geom.Block, size uint32) error {
	set := int(b.Total-1) / 3
	switch {
	case size < 2:
		return r.wrongHeader("T.814 7.1.1", "cleanup segment shorter than 2 bytes")
	case int(b.Zero)+set > 254:
		return r.wrongHeader("T.814 B.3", "more missing bit-planes than the sub-band has")
	}
	b.Missing, b.Passes = b.Zero+uint8(set), 1
	return r.add(piece{b, size, 1, pieceCleanup})
}

// refinement takes in n refinement passes of the current set.
func (r *Reader) refinement(b *geom.Block, n int) error {
	size, err := r.length(b, n)
	if err != nil {
		return err
	}
	b.Total += uint16(n)
	current := int(b.Missing-b.Zero) == int(b.Total-1)/3
	if size > 0 {
		if !current {
			return r.wrongHeader("T.814 B.3", "refinement of an empty HT set")
		}
		if err := r.add(piece{b, size, uint8(n), pieceRefinement}); err != nil {
			return err
		}
	}
	if current && (size > 0 || b.Passes > 1) {
		// Passes without any bytes refine nothing; once there are bytes, all passes share them.
		b.Passes = uint8((b.Total-1)%3) + 1
	}
	return nil
}

// codewords reads the lengths of a Part 1 code-block (B.10.7.2): one for each codeword segment, which
// ends after the passes that the style terminates (Table D.9).
func (r *Reader) codewords(b *geom.Block, n int, style uint8) error {
	for n > 0 {
		left, begins := n, b.Total == 0
		at := int(b.Total)
		switch {
		case style&codestream.StyleTermAll != 0:
			left, begins = 1, true
		case style&codestream.StyleBypass != 0 && at < 10:
			left = 10 - at
		case style&codestream.StyleBypass != 0: // two raw passes, one coded
			k := (at - 10) % 3
			left = 2 - k&1
			if k == 2 {
				left = 1
			}
			begins = k != 1
		}
		k := min(n, left)
		size, err := r.length(b, k)
		if err != nil {
			return err
		}
		what := pieceAgain
		if begins {
			what = pieceNew
		}
		if err := r.add(piece{b, size, uint8(k), what}); err != nil {
			return err
		}
		b.Total += uint16(k)
		n -= k
	}
	return nil
}

// add remembers a piece until the header ends. Pieces cost a header a few bits each, so their memory is
// compared with the limit: geom.Count has room for two of each code-block.
func (r *Reader) add(p piece) error {
	const pieceBytes, chunkBytes = 24, 16
	if need := int64(len(r.pending))*pieceBytes + int64(len(r.t.Chunks))*chunkBytes; need > r.most {
		return &codecs.LimitError{Codec: codec, What: "bytes for the pieces of code-blocks", Need: need, Most: r.most}
	}
	r.pending = append(r.pending, p)
	return nil
}

// wrongHeader is the error for the packet header being read.
func (r *Reader) wrongHeader(clause, what string) error {
	if r.bits.over {
		return r.short()
	}
	at := r.body.at
	if !r.packed {
		at += int64(r.bits.i)
	}
	return &codecs.MalformedError{Codec: codec, Offset: at, Clause: clause, What: what}
}
