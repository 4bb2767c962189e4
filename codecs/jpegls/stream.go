package jpegls

import (
	"fmt"

	"github.com/radtier/radtier/codecs"
)

// Marker codes, second byte (C.1, T.81 Table B.1).
const (
	markerRST0  = 0xD0
	markerSOI   = 0xD8
	markerEOI   = 0xD9
	markerSOS   = 0xDA
	markerDNL   = 0xDC
	markerDRI   = 0xDD
	markerAPP0  = 0xE0
	markerAPP8  = 0xE8
	markerSOF55 = 0xF7
	markerLSE   = 0xF8
	markerCOM   = 0xFE
)

// frame is what SOF55 declares (C.2.2), with the dimensions of LSE type 4 or DNL where they are zero there.
type frame struct {
	precision     int
	width, height int64
	components    int
	id            [4]byte
	sampling      [4]byte
}

// scan is what SOS declares (C.2.3).
type scan struct {
	n         int    // components in the scan
	component [4]int // their numbers in the frame
	near      int
	mode      Interleave
}

// stream reads the marker segments of a codestream.
type stream struct {
	source
	frame     frame
	hasFrame  bool
	started   bool // a scan header was read
	preset    preset
	restart   int64 // lines between restart markers, 0 for none
	transform byte  // Hewlett-Packard's colour transform, 0 for none
	high      int64 // LSE type 4: number of lines and columns, 0 if there was none
	wide      int64
	seen      [4]bool // components that a scan header named
}

func (s *stream) malformed(at int64, clause, format string, args ...any) error {
	return &codecs.MalformedError{Codec: codecName, Offset: at, Clause: clause, What: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &codecs.UnsupportedError{Codec: codecName, What: fmt.Sprintf(format, args...)}
}

// open begins with the start of image.
func (s *stream) open(src [][]byte) error {
	*s = stream{source: newSource(src)}
	a, b, n := s.peek2()
	if n < 2 || a != 0xFF || b != markerSOI {
		return s.malformed(0, "C.2.1", "no SOI marker")
	}
	s.skip(2)
	return nil
}

// marker reads a marker with its fill bytes; ok is false at the end of the data.
func (s *stream) marker() (code byte, ok bool, err error) {
	at := s.offset()
	b, ok := s.next()
	if !ok {
		return 0, false, nil
	}
	if b != 0xFF {
		return 0, false, s.malformed(at, "C.1", "no marker where one must be")
	}
	for b == 0xFF {
		if b, ok = s.next(); !ok {
			return 0, false, nil
		}
	}
	return b, true, nil
}

// complete reports whether every component was in a scan.
func (s *stream) complete() bool {
	if !s.hasFrame {
		return false
	}
	for _, seen := range s.seen[:s.frame.components] {
		if !seen {
			return false
		}
	}
	return true
}

// nextScan reads segments up to and with the next scan header. more is false
// at the end of image, which may be missing once every component was in a scan.
func (s *stream) nextScan(sc *scan) (more bool, err error) {
	for {
		at := s.offset()
		code, ok, err := s.marker()
		switch {
		case s.complete() && (err != nil || !ok):
			return false, nil // only padding can follow
		case err != nil:
			return false, err
		case !ok:
			return false, s.malformed(at, "C.1", "codestream ends before its last scan")
		case code == markerEOI:
			if !s.complete() {
				return false, s.malformed(at, "C.1", "EOI before the last scan")
			}
			return false, nil
		case code == markerSOI || code&^7 == markerRST0 || code < 0xC0:
			return false, s.malformed(at, "C.1", "marker FF%02X out of place", code)
		}
		seg, err := s.segment(at)
		if err != nil {
			return false, err
		}
		switch {
		case code == markerSOF55:
			err = s.readFrame(&seg)
		case code == markerLSE:
			err = s.readPreset(&seg)
		case code == markerDRI:
			err = s.readRestart(&seg)
		case code == markerDNL:
			err = s.readLines(&seg)
		case code == markerAPP8:
			err = s.readTransform(&seg)
		case code == markerSOS:
			if err = s.readScan(&seg, sc); err == nil && seg.left > 0 {
				err = s.malformed(at, "C.2.3", "scan header longer than its components")
			}
			if err == nil {
				s.started = true
				err = s.settleSize()
			}
			return err == nil, err
		case code >= markerAPP0 && code < markerAPP0+16 || code == markerCOM:
		case code >= 0xC0 && code <= 0xCF:
			return false, unsupported("marker FF%02X: a JPEG process other than JPEG-LS", code)
		default:
			return false, unsupported("marker FF%02X", code)
		}
		if err != nil {
			return false, err
		}
		if !s.skip(seg.left) {
			return false, s.malformed(at, "C.1", "marker segment longer than the codestream")
		}
	}
}

// segment is the unread part of a marker segment.
type segment struct {
	s    *stream
	at   int64 // offset of its marker
	left int
	cut  bool // read beyond its end
}

func (s *stream) segment(at int64) (segment, error) {
	g := segment{s: s, at: at, left: 2}
	g.left = g.number(2) - 2
	if g.cut || g.left < 0 {
		return g, s.malformed(at, "C.1", "marker segment without its length")
	}
	return g, nil
}

// number reads n bytes, most significant first, n at most 4.
func (g *segment) number(n int) int {
	v := 0
	for range n {
		b, ok := byte(0), g.left > 0
		if ok {
			b, ok = g.s.next()
			g.left--
		}
		if !ok {
			g.cut = true
			return 0
		}
		v = v<<8 | int(b)
	}
	return v
}

func (g *segment) end(clause, name string) error {
	if g.cut {
		return g.s.malformed(g.at, clause, "%s segment too short", name)
	}
	return nil
}

// readFrame reads SOF55 (C.2.2).
func (s *stream) readFrame(g *segment) error {
	if s.hasFrame {
		return s.malformed(g.at, "C.2.2", "second frame header")
	}
	f := &s.frame
	f.precision = g.number(1)
	f.height, f.width = int64(g.number(2)), int64(g.number(2))
	f.components = g.number(1)
	if g.cut {
		return g.end("C.2.2", "SOF55")
	}
	if f.precision < 2 || f.precision > 16 {
		return s.malformed(g.at, "C.2.2", "precision of %d bits", f.precision)
	}
	if f.components == 0 || g.left != 3*f.components {
		return s.malformed(g.at, "C.2.2", "frame header of %d components has the wrong length", f.components)
	}
	if f.components > len(f.id) {
		return unsupported("%d components", f.components)
	}
	for c := range f.components {
		f.id[c], f.sampling[c] = byte(g.number(1)), byte(g.number(1))
		g.number(1)
		for i := range c {
			if f.id[i] == f.id[c] {
				return s.malformed(g.at, "C.2.2", "component identifier used twice")
			}
		}
	}
	for c := range f.components {
		h, v := f.sampling[c]>>4, f.sampling[c]&15
		if h < 1 || h > 4 || v < 1 || v > 4 {
			return s.malformed(g.at, "C.2.2", "sampling factors outside 1..4")
		}
		if f.sampling[c] != f.sampling[0] {
			return unsupported("subsampled components")
		}
	}
	s.hasFrame = true
	return g.end("C.2.2", "SOF55")
}

// readPreset reads LSE (C.2.4).
func (s *stream) readPreset(g *segment) error {
	switch id := g.number(1); id {
	case 1:
		s.preset = preset{g.number(2), g.number(2), g.number(2), g.number(2), g.number(2)}
	case 2, 3: // mapping tables matter only to a scan that selects one
	case 4:
		n := g.number(1)
		if n < 2 || n > 4 {
			return s.malformed(g.at, "C.2.4.1.4", "dimensions of %d bytes", n)
		}
		s.high, s.wide = int64(g.number(n)), int64(g.number(n))
	case 0:
		return s.malformed(g.at, "C.2.4", "LSE of type 0")
	default:
		return unsupported("LSE of type %d", id)
	}
	return g.end("C.2.4", "LSE")
}

// readRestart reads DRI, whose interval counts lines in 2 to 4 bytes (C.2.5).
func (s *stream) readRestart(g *segment) error {
	if g.left < 2 || g.left > 4 {
		return s.malformed(g.at, "C.2.5", "DRI segment of %d bytes", g.left+2)
	}
	s.restart = int64(g.number(g.left))
	return g.end("C.2.5", "DRI")
}

// readLines reads DNL after the first scan (C.2.6). Its count was already used where the frame header has none.
func (s *stream) readLines(g *segment) error {
	n := int64(g.number(g.left & 7))
	if !s.started || g.cut || n != s.frame.height {
		return s.malformed(g.at, "C.2.6", "DNL out of place or against the number of lines")
	}
	return nil
}

// readTransform looks for the colour transform of Hewlett-Packard's implementation.
func (s *stream) readTransform(g *segment) error {
	if g.left == 5 && g.number(4) == 'm'<<24|'r'<<16|'f'<<8|'x' {
		s.transform = byte(g.number(1))
		if s.transform > 3 {
			return unsupported("colour transform %d", s.transform)
		}
	}
	return g.end("APP8", "colour transform")
}

// readScan reads SOS (C.2.3).
func (s *stream) readScan(g *segment, sc *scan) error {
	if !s.hasFrame {
		return s.malformed(g.at, "C.1", "scan before the frame header")
	}
	sc.n = g.number(1)
	if g.cut || sc.n < 1 || sc.n > 4 || g.left != 2*sc.n+3 {
		return s.malformed(g.at, "C.2.3", "scan header of %d components has the wrong length", sc.n)
	}
	for i := range sc.n {
		id, table := byte(g.number(1)), g.number(1)
		c := 0
		for c < s.frame.components && s.frame.id[c] != id {
			c++
		}
		if c == s.frame.components || s.seen[c] {
			return s.malformed(g.at, "C.2.3", "scan of an unknown or already coded component")
		}
		if table != 0 {
			return unsupported("mapping tables")
		}
		sc.component[i], s.seen[c] = c, true
	}
	sc.near = g.number(1)
	mode, point := g.number(1), g.number(1)
	if mode > 2 || mode == 0 && sc.n > 1 {
		return s.malformed(g.at, "C.2.3", "interleave mode %d with %d components", mode, sc.n)
	}
	sc.mode = InterleaveNone + Interleave(mode)
	if sc.n == 1 {
		sc.mode = InterleaveNone
	}
	if point != 0 {
		return unsupported("point transform")
	}
	return g.end("C.2.3", "SOS")
}

// settleSize finds dimensions that the frame header leaves open, at the first
// scan: from LSE type 4, else the lines from the DNL segment behind the scan (C.2.4.1.4, C.2.6).
func (s *stream) settleSize() error {
	f := &s.frame
	if f.width == 0 {
		f.width = s.wide
	}
	if f.height == 0 {
		f.height = s.high
	}
	if f.height == 0 {
		ahead := *s
		ahead.skipScan()
		at := ahead.offset()
		if code, ok, err := ahead.marker(); err == nil && ok && code == markerDNL {
			if g, err := ahead.segment(at); err == nil && g.left >= 2 && g.left <= 4 {
				f.height = int64(g.number(g.left))
			}
		}
	}
	if f.width == 0 || f.height == 0 {
		return s.malformed(s.offset(), "C.2.2", "image without columns or lines")
	}
	return nil
}
