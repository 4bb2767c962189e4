package codestream

import "encoding/binary"

// Writer writes the marker segments around packets: [Writer.Begin], then for each tile-part
// [Writer.BeginPart], the packets, [Writer.EndPart], at last [Writer.End]. Lengths that are known only later
// (Psot, TLM) are patched. The zero value is ready, and ready again after Begin.
type Writer struct {
	start int // of the codestream in dst
	tlm   int // the entry of TLM for the next tile-part, 0 if there is none
	sot   int
	tile  uint16
	index uint8
	parts uint8
}

// Layout says what a Writer writes besides the header's values.
type Layout struct {
	Parts   int    // tile-parts of the only tile: 1..255
	TLM     bool   // write TLM with an entry for each of them
	Comment string // of a COM marker segment (A.9.2), none if empty; Latin text, at most 65531 bytes
}

// Begin appends the main header (A.3) of an image of one tile: SOC, SIZ, CAP if
// h.HT is present, COD, COC and QCC for components that differ from the first, QCD, RGN, POC, TLM
// and COM. h must be consistent: what Reader.Open gives, or was made with care.
func (w *Writer) Begin(dst []byte, h *Header, l *Layout) []byte {
	*w = Writer{start: len(dst), parts: uint8(l.Parts)}
	dst = binary.BigEndian.AppendUint16(dst, markerSOC)
	dst = h.Size.append(dst)
	if h.HT.Present {
		dst = binary.BigEndian.AppendUint16(dst, markerCAP)
		dst = binary.BigEndian.AppendUint16(dst, 8)
		dst = binary.BigEndian.AppendUint32(dst, h.Pcap)
		dst = binary.BigEndian.AppendUint16(dst, h.Ccap15)
	}
	dst = h.Params.append(dst, h.N)
	if l.TLM {
		dst, w.tlm = appendTLM(dst, l.Parts)
	}
	if l.Comment != "" {
		dst = binary.BigEndian.AppendUint16(dst, markerCOM)
		dst = binary.BigEndian.AppendUint16(dst, uint16(4+len(l.Comment)))
		dst = binary.BigEndian.AppendUint16(dst, 1) // Rcom: ISO/IEC 8859-15
		dst = append(dst, l.Comment...)
	}
	return dst
}

// BeginPart appends SOT and SOD of the next tile-part of tile 0.
func (w *Writer) BeginPart(dst []byte) []byte {
	w.sot = len(dst)
	return appendSOT(dst, w.tile, w.index, w.parts)
}

// appendSOT appends SOT with Psot 0, and SOD (A.4.2, A.4.3).
func appendSOT(dst []byte, tile uint16, index, parts uint8) []byte {
	dst = binary.BigEndian.AppendUint16(dst, markerSOT)
	dst = binary.BigEndian.AppendUint16(dst, 10)
	dst = binary.BigEndian.AppendUint16(dst, tile)
	dst = append(dst, 0, 0, 0, 0, index, parts)
	return binary.BigEndian.AppendUint16(dst, markerSOD)
}

// EndPart patches the length of the tile-part that ends at the end of dst.
func (w *Writer) EndPart(dst []byte) []byte {
	n := uint32(len(dst) - w.sot)
	binary.BigEndian.PutUint32(dst[w.sot+6:], n)
	if w.tlm > 0 {
		binary.BigEndian.PutUint32(dst[w.tlm+2:], n)
		w.tlm += 6
	}
	w.index++
	return dst
}

// End appends EOC.
func (w *Writer) End(dst []byte) []byte { return binary.BigEndian.AppendUint16(dst, markerEOC) }

// appendTLM appends a TLM marker segment (A.7.1) for tile-parts of tile 0 with
// lengths 0, and returns where its entries begin. Tile numbers take 16 bits, lengths 32.
func appendTLM(dst []byte, parts int) (out []byte, entries int) {
	dst = binary.BigEndian.AppendUint16(dst, markerTLM)
	dst = binary.BigEndian.AppendUint16(dst, uint16(4+6*parts))
	dst = append(dst, 0, 2<<4|1<<6) // Ztlm, Stlm
	entries = len(dst)
	for range parts {
		dst = append(dst, 0, 0, 0, 0, 0, 0)
	}
	return dst, entries
}

// append appends SIZ (A.5.1).
func (s *Size) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, markerSIZ)
	dst = binary.BigEndian.AppendUint16(dst, uint16(38+3*s.N))
	dst = binary.BigEndian.AppendUint16(dst, s.Rsiz)
	for _, x := range [...]uint32{s.X1, s.Y1, s.X0, s.Y0, s.TileW, s.TileH, s.TileX0, s.TileY0} {
		dst = binary.BigEndian.AppendUint32(dst, x)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.N))
	for _, c := range s.Comps[:s.N] {
		d := c.Bits - 1
		if c.Signed {
			d |= 0x80
		}
		dst = append(dst, d, c.DX, c.DY)
	}
	return dst
}

// append appends COD, QCD and what differs from them for single components.
func (p *Params) append(dst []byte, n int) []byte {
	first := &p.Coding[0]
	scod := first.scod()
	if p.SOP {
		scod |= 2
	}
	if p.EPH {
		scod |= 4
	}
	var mct uint8
	if p.MCT {
		mct = 1
	}
	dst = binary.BigEndian.AppendUint16(dst, markerCOD)
	dst = binary.BigEndian.AppendUint16(dst, uint16(7+first.length()))
	dst = append(dst, scod, uint8(p.Order), uint8(p.Layers>>8), uint8(p.Layers), mct)
	dst = first.append(dst)
	for i := 1; i < n; i++ {
		if k := &p.Coding[i]; *k != *first {
			dst = binary.BigEndian.AppendUint16(dst, markerCOC)
			dst = binary.BigEndian.AppendUint16(dst, uint16(4+k.length()))
			dst = append(dst, uint8(i), k.scod())
			dst = k.append(dst)
		}
	}
	q := &p.Quant[0]
	dst = binary.BigEndian.AppendUint16(dst, markerQCD)
	dst = binary.BigEndian.AppendUint16(dst, uint16(2+q.length()))
	dst = q.append(dst)
	for i := 1; i < n; i++ {
		if k := &p.Quant[i]; *k != *q {
			dst = binary.BigEndian.AppendUint16(dst, markerQCC)
			dst = binary.BigEndian.AppendUint16(dst, uint16(3+k.length()))
			dst = append(dst, uint8(i))
			dst = k.append(dst)
		}
	}
	for i, shift := range p.ROI[:n] {
		if shift > 0 {
			dst = binary.BigEndian.AppendUint16(dst, markerRGN)
			dst = append(dst, 0, 5, uint8(i), 0, shift)
		}
	}
	if p.NPOC > 0 {
		dst = binary.BigEndian.AppendUint16(dst, markerPOC)
		dst = binary.BigEndian.AppendUint16(dst, uint16(2+7*p.NPOC))
		for _, x := range p.POC[:p.NPOC] {
			dst = append(dst, x.ResStart, x.CompStart, uint8(x.LayerEnd>>8), uint8(x.LayerEnd), x.ResEnd, x.CompEnd, uint8(x.Order))
		}
	}
	return dst
}

// scod is bit 0 of Scod or Scoc: whether precinct sizes follow.
func (k *Coding) scod() uint8 {
	for _, x := range k.Precincts[:k.Levels+1] {
		if x != 0xFF {
			return 1
		}
	}
	return 0
}

// length is that of SPcod or SPcoc in bytes.
func (k *Coding) length() int { return 5 + int(k.scod())*(int(k.Levels)+1) }

func (k *Coding) append(dst []byte) []byte {
	var wavelet uint8
	if k.Reversible {
		wavelet = 1
	}
	dst = append(dst, k.Levels, k.BlockW-2, k.BlockH-2, k.Style, wavelet)
	if k.scod() != 0 {
		dst = append(dst, k.Precincts[:k.Levels+1]...)
	}
	return dst
}

// length is that of Sqcd and SPqcd in bytes.
func (q *Quant) length() int {
	if q.Style == QuantNone {
		return 1 + int(q.N)
	}
	return 1 + 2*int(q.N)
}

func (q *Quant) append(dst []byte) []byte {
	dst = append(dst, q.Style|q.Guard<<5)
	for _, x := range q.Steps[:q.N] {
		if q.Style == QuantNone {
			dst = append(dst, uint8(x>>11)<<3)
		} else {
			dst = binary.BigEndian.AppendUint16(dst, x)
		}
	}
	return dst
}

// DefaultPrecincts sets all precincts to the largest size, which takes no bytes.
func (k *Coding) DefaultPrecincts() {
	for r := range k.Precincts {
		k.Precincts[r] = 0xFF
	}
}

// Prepare completes a header for Begin: it announces CAP in Rsiz.
func (h *Header) Prepare() {
	h.Rsiz &^= rsizCAP
	if h.HT.Present {
		h.Rsiz |= rsizCAP
	}
}
