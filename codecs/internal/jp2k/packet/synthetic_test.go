package packet

import (
	"math/bits"
	"math/rand/v2"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// A second writer of packets, for tests: it does everything that headers can
// say, slowly, straight from the text of the standard, and shares nothing with the Writer but bitWriter.

// share is what one layer has of a code-block: passes, and lengths with the passes that each is coded for.
type share struct {
	passes  int
	lengths [][2]int // length, passes
	data    []byte
}

// planned is a code-block: its shares by layer, and what a reader should find.
type planned struct {
	first  int // layer, -1 if never included
	zero   int
	shares map[int]share
	lblock int

	kind            geom.Kind
	cleanup, rest   []byte
	missing, passes int
	chunks          []byte // Part 1
	chunkPasses     int
	segments        int
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// planBlock makes up a code-block.
func planBlock(rng *rand.Rand, style uint8, layers, planes int) *planned {
	p := &planned{first: -1, lblock: 3, shares: map[int]share{}}
	if rng.IntN(4) == 0 {
		return p
	}
	p.zero = rng.IntN(planes)
	if style&codestream.StyleHT != 0 {
		p.planHT(rng, layers)
	} else {
		p.planMQ(rng, style, layers)
	}
	return p
}

// cuts divides passes among layers.
func cuts(rng *rand.Rand, layers, passes int) []int {
	n := make([]int, layers)
	for layer := rng.IntN(layers); passes > 0; layer++ {
		if layer >= layers-1 {
			n[layers-1] += passes
			break
		}
		k := rng.IntN(passes + 1)
		n[layer] += k
		passes -= k
	}
	return n
}

func (p *planned) add(layer int, s share) {
	if p.first < 0 {
		p.first = layer
	}
	p.shares[layer] = s
}

// planHT makes HT sets behind placeholder sets (T.814 B.3).
func (p *planned) planHT(rng *rand.Rand, layers int) {
	placeholders, sets := rng.IntN(3), 1+rng.IntN(2)
	start := 3 * placeholders
	passes := start + 3*(sets-1) + 1 + rng.IntN(3)
	bytes := make([][]byte, passes)
	for i := start; i < passes; i++ {
		switch {
		case i == start:
			bytes[i] = noise(rng, 2+rng.IntN(300))
		case i%3 == 0 && rng.IntN(3) > 0:
			bytes[i] = noise(rng, 2+rng.IntN(300))
		case i%3 > 0 && bytes[i-i%3] != nil && rng.IntN(4) > 0:
			bytes[i] = noise(rng, 1+rng.IntN(50))
		}
	}
	at := 0
	for layer, n := range cuts(rng, layers, passes) {
		if n == 0 {
			continue
		}
		if at <= start && at+n > start+3 { // the packet that begins the first set ends with it
			n = start + 3 - at
		}
		s := share{passes: n}
		for i, end := at, at+n; i < end; {
			k := 1
			switch {
			case i < start && end <= start:
				k = n
			case i < start:
				k = start + 1 - i
			case i%3 > 0:
				k = min(3-i%3, end-i)
			}
			size := 0
			for _, b := range bytes[i : i+k] {
				size += len(b)
				s.data = append(s.data, b...)
			}
			s.lengths = append(s.lengths, [2]int{size, k})
			i += k
		}
		at += n
		p.add(layer, s)
	}
	for i := start; i < at; i += 3 {
		if bytes[i] == nil {
			continue
		}
		p.kind, p.cleanup, p.rest, p.missing, p.passes = geom.HT, bytes[i], nil, p.zero+i/3, 1
		for j := i + 1; j < min(i+3, at); j++ {
			p.rest = append(p.rest, bytes[j]...)
		}
		if len(p.rest) > 0 {
			p.passes = min(3, at-i)
		}
	}
}

// planMQ makes passes of a Part 1 code-block (B.10.7).
func (p *planned) planMQ(rng *rand.Rand, style uint8, layers int) {
	passes := 1 + rng.IntN(30)
	p.kind = geom.MQ
	// Where codeword segments begin (Table D.9).
	begins := func(i int) bool {
		switch {
		case style&codestream.StyleTermAll != 0:
			return true
		case style&codestream.StyleBypass != 0 && i >= 10:
			return (i-10)%3 != 1
		}
		return i == 0
	}
	at := 0
	for layer, n := range cuts(rng, layers, passes) {
		if n == 0 {
			continue
		}
		s := share{passes: n}
		for end := at + n; at < end; {
			if begins(at) {
				p.segments++
			}
			k := 1
			for at+k < end && !begins(at+k) {
				k++
			}
			b := noise(rng, rng.IntN(40))
			s.data = append(s.data, b...)
			s.lengths = append(s.lengths, [2]int{len(b), k})
			at += k
		}
		p.chunks = append(p.chunks, s.data...)
		p.chunkPasses += n
		p.add(layer, s)
	}
}

// slowTree is a tag tree by the text of B.10.2, over values of leaves.
type slowTree struct {
	w, h  int
	value func(x, y int) int
	low   map[[3]int]int  // of a node: what a reader knows
	known map[[3]int]bool // that a reader knows the value
}

func newSlowTree(w, h int, value func(x, y int) int) *slowTree {
	return &slowTree{w, h, value, map[[3]int]int{}, map[[3]int]bool{}}
}

// least is the value of a node: the least of the leaves below it.
func (t *slowTree) least(level, x, y int) int {
	best := 1 << 30
	for j := y << level; j < min(t.h, (y+1)<<level); j++ {
		for i := x << level; i < min(t.w, (x+1)<<level); i++ {
			best = min(best, t.value(i, j))
		}
	}
	return best
}

// put writes what tells whether a leaf's value is below a threshold.
func (t *slowTree) put(b *bitWriter, x, y, threshold int) {
	top := 0
	for t.w > 1<<top || t.h > 1<<top {
		top++
	}
	low := 0
	for level := top; level >= 0; level-- {
		key := [3]int{level, x >> level, y >> level}
		low = max(low, t.low[key])
		v := t.least(level, x>>level, y>>level)
		for ; low < threshold && low < v; low++ {
			b.bit(0)
		}
		if low < threshold && !t.known[key] {
			b.bit(1)
			t.known[key] = true
		}
		t.low[key] = low
	}
}

// slowBand is a precinct in a sub-band.
type slowBand struct {
	area       geom.Rect
	blocks     []*planned
	incl, zero *slowTree
}

// slowPrecinct writes the packets of one precinct.
type slowPrecinct struct {
	bands []slowBand
	next  int
}

func putPasses(b *bitWriter, n int) {
	switch { // Table B.4
	case n == 1:
		b.bit(0)
	case n == 2:
		b.bits(2, 2)
	case n <= 5:
		b.bits(uint32(0b1100+n-3), 4)
	case n <= 36:
		b.bits(uint32(0b1111<<5+n-6), 9)
	default:
		b.bits(uint32(0b111111111<<7+n-37), 16)
	}
}

// packet returns header and body of a layer's packet.
func (p *slowPrecinct) packet(rng *rand.Rand, layer int) (header, body []byte) {
	var b bitWriter
	b.open(nil)
	any := false
	for _, band := range p.bands {
		for _, k := range band.blocks {
			if _, ok := k.shares[layer]; ok {
				any = true
			}
		}
	}
	if !any && rng.IntN(2) == 0 {
		b.bit(0)
		return b.close(), nil
	}
	b.bit(1)
	for _, band := range p.bands {
		for i, k := range band.blocks {
			x, y := i%band.area.W(), i/band.area.W()
			s, ok := k.shares[layer]
			if k.first >= 0 && k.first < layer {
				if !ok {
					b.bit(0)
					continue
				}
				b.bit(1)
			} else {
				band.incl.put(&b, x, y, layer+1)
				if !ok {
					continue
				}
				band.zero.put(&b, x, y, k.zero+1)
			}
			putPasses(&b, s.passes)
			need := k.lblock + rng.IntN(2)*rng.IntN(3)
			for _, l := range s.lengths {
				need = max(need, bits.Len(uint(l[0]))-bits.Len(uint(l[1]))+1)
			}
			for ; k.lblock < need; k.lblock++ {
				b.bit(1)
			}
			b.bit(0)
			for _, l := range s.lengths {
				b.bits(uint32(l[0]), uint(k.lblock+bits.Len(uint(l[1]))-1))
			}
			body = append(body, s.data...)
		}
	}
	return b.close(), body
}
