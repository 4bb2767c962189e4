package codestream

import "fmt"

// Violation is a rule that a codestream does not keep.
type Violation struct {
	Clause string
	What   string
}

func (v Violation) String() string { return v.What + " (" + v.Clause + ")" }

// CheckRPCL returns what keeps a codestream, which a Reader has scanned, from
// being HTJ2K Lossless RPCL (PS3.5 10.18, A.4.11 with 1.2.840.10008.1.2.4.202): progression RPCL,
// decomposition levels until the lowest resolution has width or height of at most 64, TLM that is
// there and true, the reversible transform, HT code-blocks only. It allocates, and is for tests and tools.
func CheckRPCL(r *Reader) []Violation {
	var out []Violation
	add := func(clause, format string, args ...any) {
		out = append(out, Violation{clause, fmt.Sprintf(format, args...)})
	}
	if !r.HT.Only() {
		add("T.814 8", "not declared to have HT code-blocks only")
	}
	if r.HT.Present && !r.HT.Reversible() {
		add("T.814 8", "declared to use the irreversible transform")
	}
	across, down := r.Tiles()
	for tile := range across * down {
		var p Params
		if err := r.TileParams(tile, &p); err != nil {
			add("A.3", "tile %d: %v", tile, err)
			continue
		}
		if p.Order != RPCL || p.NPOC > 0 {
			add("PS3.5 10.18", "tile %d: progression is %v with %d changes, not RPCL", tile, p.Order, p.NPOC)
		}
		for c := range r.N {
			k := &p.Coding[c]
			if !k.Reversible {
				add("PS3.5 10.18", "tile %d component %d: irreversible transform", tile, c)
			}
			if k.Style&(StyleHT|StyleMixed) != StyleHT {
				add("T.814 8", "tile %d component %d: code-blocks need not be HT code-blocks", tile, c)
			}
			if w, h := r.ComponentSize(c, int(k.Levels)); w > 64 && h > 64 {
				add("PS3.5 10.18", "tile %d component %d: lowest resolution is %d x %d, above 64 in both directions", tile, c, w, h)
			}
		}
	}
	return append(out, r.checkTLM()...)
}

// checkTLM compares TLM with the tile-parts.
func (r *Reader) checkTLM() []Violation {
	const clause = "A.7.1"
	if !r.tlm {
		return []Violation{{"PS3.5 10.18", "TLM is missing"}}
	}
	list, err := r.AppendTLM(nil)
	if err != nil {
		return []Violation{{clause, err.Error()}}
	}
	if len(list) != len(r.Parts) {
		return []Violation{{clause, fmt.Sprintf("TLM lists %d tile-parts of %d", len(list), len(r.Parts))}}
	}
	for i, x := range list {
		if p := &r.Parts[i]; x.Tile != p.Tile || int64(x.Length) != p.End-p.Offset {
			return []Violation{{clause, fmt.Sprintf("TLM says of tile-part %d: tile %d, %d bytes; it is of tile %d and has %d", i, x.Tile, x.Length, p.Tile, p.End-p.Offset)}}
		}
	}
	return nil
}
