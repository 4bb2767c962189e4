package packet

import "github.com/radtier/radtier/codecs/internal/jp2k/geom"

// node is a node of the two tag trees of a precinct in a sub-band, which have
// the same shape (B.10.2): the inclusion tree (B.10.4) and the one of missing bit-planes (B.10.5).
// A value below its bound is not known yet; it is at least the bound.
type node struct {
	incl              uint16
	zero              uint8
	inclKnown, zeroOK bool
}

// treeLevels is the most levels that a tag tree has: 8192 x 8192 code-blocks of 4 x 4 in a precinct.
const treeLevels = 16

// tree is the shape of a tag tree, and its nodes: level 0 are the leaves, the last one is the root.
type tree struct {
	nodes  []node
	off    [treeLevels]int
	w      [treeLevels]int
	levels int
}

// shape lays out a tree over w x h leaves and returns its number of nodes.
func (t *tree) shape(w, h int) int {
	n := 0
	for t.levels = 0; ; {
		t.off[t.levels], t.w[t.levels] = n, w
		n += w * h
		t.levels++
		if w <= 1 && h <= 1 || n == 0 {
			return n
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// treeNodes is the number of nodes of a tree over the code-blocks of a precinct.
func treeNodes(r geom.Rect) int {
	var t tree
	return t.shape(r.W(), r.H())
}

func (t *tree) at(level, x, y int) *node {
	return &t.nodes[t.off[level]+(y>>uint(level))*t.w[level]+x>>uint(level)]
}

// included reads whether leaf (x, y) is included up to a layer, as far as that is not known.
func (t *tree) included(b *bitReader, x, y int, layer uint16) bool {
	low := uint16(0)
	for l := t.levels - 1; l >= 0; l-- {
		n := t.at(l, x, y)
		if n.incl < low {
			n.incl = low
		}
		for !n.inclKnown && n.incl <= layer && !b.over {
			if b.bit() != 0 {
				n.inclKnown = true
			} else {
				n.incl++
			}
		}
		if low = n.incl; low > layer {
			return false
		}
	}
	return !b.over
}

// zeroPlanes reads the missing bit-planes of leaf (x, y). ok is false if they are more than 254.
func (t *tree) zeroPlanes(b *bitReader, x, y int) (planes uint8, ok bool) {
	low := uint8(0)
	for l := t.levels - 1; l >= 0; l-- {
		n := t.at(l, x, y)
		if n.zero < low {
			n.zero = low
		}
		for !n.zeroOK && !b.over {
			switch {
			case b.bit() != 0:
				n.zeroOK = true
			case n.zero == 254:
				return 0, false
			default:
				n.zero++
			}
		}
		low = n.zero
	}
	return low, true
}

// The writer's side. Leaves are given their values first, summarise then takes
// the least of every four upwards, and put writes what a reader of layer 0 asks for.

func (t *tree) summarise(w, h int) {
	for l := 1; l < t.levels; l++ {
		lw, lh := w, h
		w, h = (w+1)/2, (h+1)/2
		for y := range h {
			for x := range w {
				best := node{incl: 0xFFFF, zero: 0xFF}
				for _, c := range [4][2]int{{2 * x, 2 * y}, {2*x + 1, 2 * y}, {2 * x, 2*y + 1}, {2*x + 1, 2*y + 1}} {
					if c[0] < lw && c[1] < lh {
						k := &t.nodes[t.off[l-1]+c[1]*lw+c[0]]
						best.incl, best.zero = min(best.incl, k.incl), min(best.zero, k.zero)
					}
				}
				t.nodes[t.off[l]+y*w+x] = best
			}
		}
	}
}

// putIncluded writes whether leaf (x, y) is included in layer 0. Values are 0, or 1 for not included.
func (t *tree) putIncluded(b *bitWriter, x, y int) {
	for l := t.levels - 1; l >= 0; l-- {
		n := t.at(l, x, y)
		if !n.inclKnown {
			b.bit(uint32(1 - n.incl))
			n.inclKnown = true
		}
		if n.incl > 0 {
			return
		}
	}
}

// putZero writes the missing bit-planes of leaf (x, y).
func (t *tree) putZero(b *bitWriter, x, y int) {
	low := uint8(0)
	for l := t.levels - 1; l >= 0; l-- {
		n := t.at(l, x, y)
		if !n.zeroOK {
			for ; low < n.zero; low++ {
				b.bit(0)
			}
			b.bit(1)
			n.zeroOK = true
		}
		low = n.zero
	}
}
