package codestream

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// Header is what the main header says (A.4.1 and following).
type Header struct {
	Size
	Params
	HT
	End int64 // offset of the first SOT, the length of the main header
}

// Reader takes a codestream apart. The zero value is ready; a Reader may be
// used again after any error. It keeps memory for tile-parts between codestreams.
type Reader struct {
	Header
	// Parts are the tile-parts in the order of the codestream, after Scan.
	Parts []TilePart
	// Stop is where the codestream ends: behind EOC, or at the end of the source. After Scan.
	Stop int64
	// Truncated says that the last tile-part is not complete. After Scan.
	Truncated bool

	src    []byte
	limits codecs.Limits
	first  []int32 // of each tile: its first tile-part, -1 if it has none
	last   []int32
	tlm    bool // the main header has TLM marker segments
	ppm    bool // it has PPM marker segments
	prf    bool // it has PRF or CPF marker segments, which say of the whole codestream what a decoder must be able to do
	ppmBuf []byte
	ppmEnd []int // in ppmBuf, of the packed packet headers of each tile-part
}

// defaults of codecs.Limits.
const (
	defaultPixels = 1 << 32
	defaultBytes  = 1 << 30
)

// Open reads the main header of a codestream. It does not allocate. Sizes are checked
// against limits.MaxPixels. The Reader keeps src until the next Open.
func (r *Reader) Open(src []byte, limits codecs.Limits) error {
	if limits.MaxPixels <= 0 {
		limits.MaxPixels = defaultPixels
	}
	if limits.MaxBytes <= 0 {
		limits.MaxBytes = defaultBytes
	}
	r.src, r.limits = src, limits
	r.Header, r.Parts, r.Stop, r.Truncated = Header{}, r.Parts[:0], 0, false
	r.tlm, r.ppm, r.prf, r.ppmBuf, r.ppmEnd = false, false, false, r.ppmBuf[:0], r.ppmEnd[:0]
	if int64(len(src)) > maxCoordinate {
		return &codecs.LimitError{Codec: codec, What: "bytes of the codestream", Need: int64(len(src)), Most: maxCoordinate}
	}
	if len(src) < 4 || binary.BigEndian.Uint16(src) != markerSOC || binary.BigEndian.Uint16(src[2:]) != markerSIZ {
		return malformed(0, "A.4.1", "codestream does not begin with SOC and SIZ")
	}
	var in scope
	at := int64(2)
	for first := true; ; first = false {
		marker, c, next, err := segment(src, at, int64(len(src)))
		if err != nil {
			return err
		}
		if marker == markerSOT {
			break
		}
		if err := r.mainSegment(marker, &c, &in, first); err != nil {
			return err
		}
		at = next
	}
	r.End = at
	switch {
	case !in.cod || !in.qcd:
		return malformed(at, "A.3", "main header without COD or QCD")
	case r.Rsiz&rsizCAP != 0 && r.Pcap == 0:
		return malformed(at, "A.5.2", "Rsiz announces CAP, which is missing")
	}
	return r.Params.check(&r.Size, &r.HT, at)
}

// mainSegment takes in one marker segment of the main header.
func (r *Reader) mainSegment(marker uint16, c *cursor, in *scope, first bool) error {
	if known, err := r.Params.apply(marker, c, &r.Size, in); known {
		return err
	}
	switch marker {
	case markerSIZ:
		if !first {
			return c.wrong("A.5.1", "second SIZ")
		}
		if err := r.Size.read(c); err != nil {
			return err
		}
		return r.Size.check(r.limits.MaxPixels)
	case markerCAP:
		return r.readCAP(c)
	case markerTLM:
		r.tlm = true
	case markerPPM:
		r.ppm = true
	case markerPRF, markerCPF:
		r.prf = true
	case markerPLM, markerCRG, markerCOM: // nothing in them changes how samples are decoded
	case markerSOD, markerEOC, markerPLT, markerPPT, markerSOC, markerSOP, markerEPH:
		return c.wrong("A.3", markerName(marker)+" in the main header")
	default:
		return unsupported(markerName(marker) + " in the main header")
	}
	return nil
}

// readCAP parses CAP (A.5.2): a word for each part of the standard whose bit is set.
func (r *Reader) readCAP(c *cursor) error {
	if r.Pcap != 0 {
		return c.wrong("A.5.2", "second CAP")
	}
	r.Pcap = c.u32()
	switch {
	case r.Pcap&^uint32(pcapHT) != 0:
		return unsupported("capabilities of other parts of the standard than Part 15")
	case r.Pcap == 0 || c.left() != 2:
		return c.wrong("A.5.2", "length of CAP")
	case r.Rsiz&rsizCAP == 0:
		return c.wrong("A.5.1", "CAP that Rsiz does not announce")
	}
	r.HT.Present, r.Ccap15 = true, c.u16()
	if r.Ccap15>>14 == 1 {
		return c.wrong("T.814 A.3", "reserved bits 14-15 of Ccap15")
	}
	return nil
}

// segment finds the marker segment at an offset. Of SOT and SOD, which do not
// come through here whole, and of markers without a segment only the marker is read.
func segment(src []byte, at, end int64) (marker uint16, c cursor, next int64, err error) {
	if end-at < 2 {
		return 0, c, 0, malformed(at, "A.3", "header ends without SOT or SOD")
	}
	marker = binary.BigEndian.Uint16(src[at:])
	c.base = at + 2
	switch {
	case marker < 0xFF00:
		return 0, c, 0, malformed(at, "A.1.1", "no marker where a marker segment should begin")
	case marker >= 0xFF30 && marker <= 0xFF3F, marker == markerSOC, marker == markerSOT, marker == markerSOD, marker == markerEOC, marker == markerEPH:
		return marker, c, at + 2, nil
	case end-at < 4:
		return 0, c, 0, malformed(at, "A.1.2", "marker segment without length")
	}
	n := int64(binary.BigEndian.Uint16(src[at+2:]))
	if n < 2 || n > end-at-2 {
		return 0, c, 0, malformed(at+2, "A.1.2", "length of "+markerName(marker)+" goes past the end of its header")
	}
	c.base, c.b = at+4, src[at+4:at+2+n]
	return marker, c, at + 2 + n, nil
}
