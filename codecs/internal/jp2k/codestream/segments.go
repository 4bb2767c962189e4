package codestream

import "fmt"

// A scope remembers which components got their own parameters in one header
// (the main one, or that of a tile's first tile-part), because those of COC
// and QCC win over COD and QCD of the same header, whatever their order (A.6).
type scope struct {
	coc, qcc, rgn [MaxComponents]bool
	cod, qcd, poc bool
	clause        string
}

// readCOD parses a COD marker segment (A.6.1).
func (p *Params) readCOD(c *cursor, s *Size, in *scope) error {
	if in.cod {
		return c.wrong("A.6.1", "second COD in one header")
	}
	in.cod = true
	style := c.u8()
	order, layers, mct := Order(c.u8()), c.u16(), c.u8()
	var k Coding
	if err := k.read(c, style&1 != 0, "A.6.1"); err != nil {
		return err
	}
	switch {
	case style > 7:
		return c.wrong("A.6.1", "reserved bits of Scod")
	case order > CPRL:
		return c.wrong("A.6.1", "unknown progression order")
	case layers == 0:
		return c.wrong("A.6.1", "no quality layers")
	case mct > 1:
		return c.wrong("A.6.1", "unknown component transform")
	case mct == 1 && s.N < 3:
		return c.wrong("G.1", "component transform of less than three components")
	}
	p.Order, p.Layers, p.MCT, p.SOP, p.EPH = order, layers, mct == 1, style&2 != 0, style&4 != 0
	for i := range s.N {
		if !in.coc[i] {
			p.Coding[i] = k
		}
	}
	return nil
}

// readCOC parses a COC marker segment (A.6.2).
func (p *Params) readCOC(c *cursor, s *Size, in *scope) error {
	i := int(c.u8())
	if i >= s.N || in.coc[i] {
		return c.wrong("A.6.2", "COC for a component that has one or does not exist")
	}
	in.coc[i] = true
	style := c.u8()
	if style > 1 {
		return c.wrong("A.6.2", "reserved bits of Scoc")
	}
	return p.Coding[i].read(c, style == 1, "A.6.2")
}

// read parses the parameters SPcod or SPcoc (Tables A.15, A.23), which end the segment.
func (k *Coding) read(c *cursor, precincts bool, clause string) error {
	*k = Coding{Levels: c.u8(), BlockW: c.u8() + 2, BlockH: c.u8() + 2, Style: c.u8()}
	wavelet := c.u8()
	switch {
	case c.short:
		return c.wrong(clause, "coding style too short")
	case k.Levels > MaxLevels:
		return c.wrong(clause, "more than 32 decomposition levels")
	case k.BlockW < 2 || k.BlockH < 2 || k.BlockW > 10 || k.BlockH > 10 || k.BlockW+k.BlockH > 12:
		return c.wrong(clause, "code-block size out of range")
	case k.Style&(StyleHT|StyleMixed) == StyleMixed:
		return c.wrong("T.814 A.4", "reserved code-block style")
	case wavelet > 1:
		return unsupported(fmt.Sprintf("wavelet transform %d", wavelet))
	}
	k.Reversible = wavelet == 1
	n := 0
	if precincts {
		n = int(k.Levels) + 1
	}
	if c.left() != n {
		return c.wrong(clause, "coding style does not have the length that its levels ask for")
	}
	for r := range k.Precincts {
		k.Precincts[r] = 0xFF
		if r < n {
			k.Precincts[r] = c.u8()
			if x, y := k.Precinct(r); r > 0 && (x == 0 || y == 0) {
				return c.wrong(clause, "precinct of size 1 above the lowest resolution level")
			}
		}
	}
	return nil
}

// readQCD parses a QCD marker segment (A.6.4).
func (p *Params) readQCD(c *cursor, s *Size, in *scope) error {
	if in.qcd {
		return c.wrong("A.6.4", "second QCD in one header")
	}
	in.qcd = true
	var q Quant
	if err := q.read(c, "A.6.4"); err != nil {
		return err
	}
	for i := range s.N {
		if !in.qcc[i] {
			p.Quant[i] = q
		}
	}
	return nil
}

// readQCC parses a QCC marker segment (A.6.5).
func (p *Params) readQCC(c *cursor, s *Size, in *scope) error {
	i := int(c.u8())
	if i >= s.N || in.qcc[i] {
		return c.wrong("A.6.5", "QCC for a component that has one or does not exist")
	}
	in.qcc[i] = true
	return p.Quant[i].read(c, "A.6.5")
}

// read parses Sqcd and SPqcd (Tables A.27 to A.30), which end the segment.
func (q *Quant) read(c *cursor, clause string) error {
	style := c.u8()
	*q = Quant{Style: style & 31, Guard: style >> 5}
	n := c.left()
	switch q.Style {
	case QuantNone:
	case QuantDerived:
		if n != 2 {
			return c.wrong(clause, "derived quantisation without exactly one step size")
		}
		n = 1
	case QuantExpounded:
		if n%2 != 0 {
			return c.wrong(clause, "half a step size")
		}
		n /= 2
	default:
		return c.wrong(clause, "unknown quantisation style")
	}
	if c.short || n < 1 || n > MaxBands {
		return c.wrong(clause, "number of step sizes out of range")
	}
	q.N = uint8(n)
	for i := range n {
		if q.Style == QuantNone {
			q.Steps[i] = uint16(c.u8()>>3) << 11
		} else {
			q.Steps[i] = c.u16()
		}
	}
	return nil
}

// readRGN parses an RGN marker segment (A.6.3).
func (p *Params) readRGN(c *cursor, s *Size, in *scope) error {
	i, style, shift := int(c.u8()), c.u8(), c.u8()
	switch {
	case c.short || c.left() != 0:
		return c.wrong("A.6.3", "length of RGN")
	case i >= s.N || in.rgn[i]:
		return c.wrong("A.6.3", "RGN for a component that has one or does not exist")
	case style != 0:
		return c.wrong("A.6.3", "unknown style of region of interest")
	}
	in.rgn[i] = true
	p.ROI[i] = shift
	return nil
}

// readPOC parses a POC marker segment (A.6.6). The first one of a header scope
// replaces what the main header said, later ones of the tile add to it.
func (p *Params) readPOC(c *cursor, s *Size, in *scope) error {
	n := c.left()
	if n == 0 || n%7 != 0 {
		return c.wrong("A.6.6", "length of POC")
	}
	if !in.poc {
		p.NPOC = 0
	}
	in.poc = true
	for ; n > 0; n -= 7 {
		x := Change{ResStart: c.u8(), CompStart: c.u8(), LayerEnd: c.u16(), ResEnd: c.u8(), CompEnd: c.u8(), Order: Order(c.u8())}
		if x.CompEnd == 0 { // 256 (Table A.32)
			x.CompEnd = 255
		}
		switch {
		case x.Order > CPRL:
			return c.wrong("A.6.6", "unknown progression order")
		case x.ResStart > MaxLevels || x.ResEnd <= x.ResStart || x.CompEnd <= x.CompStart || x.LayerEnd == 0:
			return c.wrong("A.6.6", "empty progression")
		case p.NPOC == MaxChanges:
			return unsupported(fmt.Sprintf("more than %d progression order changes", MaxChanges))
		}
		p.POC[p.NPOC] = x
		p.NPOC++
	}
	return nil
}

// apply parses one marker segment if it is one that sets parameters.
func (p *Params) apply(marker uint16, c *cursor, s *Size, in *scope) (known bool, err error) {
	switch marker {
	case markerCOD:
		err = p.readCOD(c, s, in)
	case markerCOC:
		err = p.readCOC(c, s, in)
	case markerQCD:
		err = p.readQCD(c, s, in)
	case markerQCC:
		err = p.readQCC(c, s, in)
	case markerRGN:
		err = p.readRGN(c, s, in)
	case markerPOC:
		err = p.readPOC(c, s, in)
	default:
		return false, nil
	}
	return true, err
}

// check finds contradictions between parameters, once all of a tile are known.
func (p *Params) check(s *Size, h *HT, at int64) error {
	for i := range s.N {
		k, q := &p.Coding[i], &p.Quant[i]
		switch {
		case k.Style&StyleHT != 0 && !h.Present:
			return malformed(at, "T.814 A.2", "HT code-blocks without CAP")
		case h.Only() && k.Style&(StyleHT|StyleMixed) != StyleHT:
			return malformed(at, "T.814 8", "HTONLY codestream with code-blocks that are not HT code-blocks")
		case h.Declared() && k.Style&StyleMixed != 0:
			return malformed(at, "T.814 8", "HTDECLARED codestream with a mixed tile-component")
		case q.Style != QuantDerived && int(q.N) < 3*int(k.Levels)+1:
			return malformed(at, "A.6.4", "fewer step sizes than sub-bands")
		case k.Reversible != (q.Style == QuantNone):
			return unsupported("the reversible transform with quantisation, or the irreversible one without")
		}
	}
	if a, b, c := &s.Comps[0], &s.Comps[1], &s.Comps[2]; p.MCT && (a.DX != b.DX || a.DX != c.DX || a.DY != b.DY || a.DY != c.DY) {
		return malformed(at, "G.1", "component transform of components that are sampled differently")
	}
	if p.MCT && (p.Coding[0].Reversible != p.Coding[1].Reversible || p.Coding[0].Reversible != p.Coding[2].Reversible) {
		return malformed(at, "G.1", "component transform over different wavelet transforms")
	}
	return nil
}
