package packet

import "github.com/radtier/radtier/codecs/internal/jp2k/codestream"

// stream is the precincts of one resolution level of a component, which every
// progression visits in raster order, and where it stands.
type stream struct {
	c, level int
	px, py   int   // the next precinct
	x, y     int64 // where that begins on the reference grid
}

// walk reads packets in the order of the tile's progressions: one, or those of POC (B.12). It returns
// errStop when all wanted packets are there, and nil if the progressions end before.
func (r *Reader) walk() error {
	if r.p.NPOC == 0 {
		return r.progress(&codestream.Change{
			LayerEnd: r.p.Layers, ResEnd: codestream.MaxLevels + 1, CompEnd: codestream.MaxComponents, Order: r.p.Order,
		})
	}
	for i := range r.p.NPOC {
		if err := r.progress(&r.p.POC[i]); err != nil {
			return err
		}
	}
	return nil
}

// progress reads the packets of one progression that did not come before. Passing one
// that did come costs less than that one did, in bytes, so changes cannot cost more than their number allows.
func (r *Reader) progress(v *codestream.Change) error {
	x := *v
	x.LayerEnd = min(x.LayerEnd, r.p.Layers)
	x.CompEnd = min(x.CompEnd, uint8(r.t.N))
	x.ResEnd = min(x.ResEnd, uint8(r.t.MaxLevels()+1))
	if !r.any(&x) {
		return nil
	}
	switch x.Order {
	case codestream.LRCP:
		for layer := range x.LayerEnd {
			for level := int(x.ResStart); level < int(x.ResEnd); level++ {
				if err := r.components(&x, level, layer, layer+1); err != nil {
					return err
				}
			}
		}
	case codestream.RLCP:
		for level := int(x.ResStart); level < int(x.ResEnd); level++ {
			for layer := range x.LayerEnd {
				if err := r.components(&x, level, layer, layer+1); err != nil {
					return err
				}
			}
		}
	case codestream.RPCL:
		for level := int(x.ResStart); level < int(x.ResEnd); level++ {
			if err := r.positions(x.CompStart, x.CompEnd, level, level+1, x.LayerEnd); err != nil {
				return err
			}
		}
	case codestream.PCRL:
		return r.positions(x.CompStart, x.CompEnd, int(x.ResStart), int(x.ResEnd), x.LayerEnd)
	case codestream.CPRL:
		for c := x.CompStart; c < x.CompEnd; c++ {
			if err := r.positions(c, c+1, int(x.ResStart), int(x.ResEnd), x.LayerEnd); err != nil {
				return err
			}
		}
	}
	return nil
}

// any reports whether a progression visits any precinct.
func (r *Reader) any(v *codestream.Change) bool {
	for c := int(v.CompStart); c < int(v.CompEnd); c++ {
		tc := &r.t.Comps[c]
		for level := int(v.ResStart); level < int(v.ResEnd) && level <= tc.Levels; level++ {
			if tc.Res[level].PW > 0 && tc.Res[level].PH > 0 {
				return true
			}
		}
	}
	return false
}

// components reads layers [from, to) of all precincts of a resolution level, component by component.
func (r *Reader) components(v *codestream.Change, level int, from, to uint16) error {
	for c := int(v.CompStart); c < int(v.CompEnd); c++ {
		tc := &r.t.Comps[c]
		if level > tc.Levels {
			continue
		}
		res := &tc.Res[level]
		k := r.first[c][level]
		for py := range res.PH {
			for px := range res.PW {
				if err := r.layers(c, level, k, px, py, from, to); err != nil {
					return err
				}
				k++
			}
		}
	}
	return nil
}

// layers reads the packets of one precinct up to a layer, unless they came before.
func (r *Reader) layers(c, level, k, px, py int, from, to uint16) error {
	for layer := max(from, r.state[k].layer); layer < to; layer++ {
		if err := r.packet(c, level, k, px, py); err != nil {
			return err
		}
	}
	return nil
}

// positions reads precincts by their place on the reference grid: down, then
// across; of those at one place by component, then by resolution level (B.12.1.3 to B.12.1.5). Every precinct
// has one place, and those of a level are in order, so this is a merge, which takes no
// longer for a large image with few precincts.
func (r *Reader) positions(compStart, compEnd uint8, resStart, resEnd int, layers uint16) error {
	n := 0
	for c := int(compStart); c < int(compEnd); c++ {
		tc := &r.t.Comps[c]
		for level := resStart; level < resEnd && level <= tc.Levels; level++ {
			if tc.Res[level].PW > 0 && tc.Res[level].PH > 0 {
				s := &r.streams[n]
				*s = stream{c: c, level: level}
				s.x, s.y = tc.Precinct(r.t, level, 0, 0)
				n++
			}
		}
	}
	streams := r.streams[:n]
	for len(streams) > 0 {
		best := 0
		for i := 1; i < len(streams); i++ {
			if s, b := &streams[i], &streams[best]; s.y < b.y || s.y == b.y && s.x < b.x {
				best = i
			}
		}
		s := &streams[best]
		tc := &r.t.Comps[s.c]
		res := &tc.Res[s.level]
		if err := r.layers(s.c, s.level, r.first[s.c][s.level]+s.py*res.PW+s.px, s.px, s.py, 0, layers); err != nil {
			return err
		}
		if s.px++; s.px == res.PW {
			s.px = 0
			if s.py++; s.py == res.PH {
				copy(streams[best:], streams[best+1:])
				streams = streams[:len(streams)-1]
				continue
			}
		}
		s.x, s.y = tc.Precinct(r.t, s.level, s.px, s.py)
	}
	return nil
}
