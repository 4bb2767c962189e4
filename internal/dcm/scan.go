package dcm

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
)

// File is the structure of a DICOM file. It holds no pixel data and no
// values but those named here, and is not changed after Scan returned it.
type File struct {
	Size         int64
	Syntax       string   // Transfer Syntax UID as labelled, "" without a meta group or label
	Encoding     Encoding // how the data set is really encoded
	Mislabelled  bool     // the data set's encoding, or native against encapsulated pixel data, differs from what Syntax says
	Unterminated bool     // a sequence, item or the pixel data ended without its delimiter; at the end of the file that may be a truncation
	MetaOffset   int64    // where the meta group starts, or the data set if there is none
	MetaEnd      int64    // where the data set starts; 0 for a bare data set
	Meta         []Element
	Elements     []Element // top-level elements of the data set in file order

	StudyUID, SeriesUID, SOPUID, ClassUID string // without trailing NULs and spaces, otherwise as they are, valid or not
	// PatientKey is equal for equal patient id and issuer, "" when there is
	// no patient id; see [SamePatient]. It is derived from patient data: never log it, never store it in a name.
	PatientKey     string
	Modality       string
	SeriesNumber   int
	InstanceNumber int

	Image    *Image     // nil without pixel data
	Pixel    *PixelData // nil without pixel data
	Trailing int64      // bytes after the last element that belong to none

	position    [3]float64
	orientation [6]float64
	hasPosition bool
	hasOrient   bool
	inflated    []byte
	overlayBits uint16 // bit i: overlay group 6000+2i lies in unused bits of the pixel data (60xx,0102 > 0 without 60xx,3000)
}

// Inflated returns the data set of a deflated file as inflated by Scan, nil for
// all other files. All offsets of Elements and Pixel lie in it, those of Meta in the file.
func (f *File) Inflated() []byte { return f.inflated }

// OverlayInPixels reports whether an overlay plane lies in bits of the pixel
// data that hold no sample, retired in PS3.5 8.1.2. [Rewrite] moves it to (60xx,3000) when pixel data is replaced by codestreams.
func (f *File) OverlayInPixels() bool { return f.overlayBits != 0 }

// Find returns the first top-level element of the data set with a tag, or nil.
func (f *File) Find(tag uint32) *Element {
	for i := range f.Elements {
		if f.Elements[i].Tag == tag {
			return &f.Elements[i]
		}
	}
	return nil
}

// IsDICOMDIR reports whether the file is the directory of a medium, not an instance of a study.
func (f *File) IsDICOMDIR() bool {
	return f.ClassUID == "1.2.840.10008.1.3.10" || f.Find(0x00041220) != nil
}

// dataset returns the source that the data set's offsets refer to, and its size.
func (f *File) dataset(r io.ReaderAt) (io.ReaderAt, int64) {
	if f.inflated != nil {
		return Bytes(f.inflated), int64(len(f.inflated))
	}
	return r, f.Size
}

// Scan finds the structure of a Part 10 file, or of a bare data set without
// preamble and meta group, reading only headers and a few short values. r may
// be sparse: where [File.Pieces] has no Header piece it may read as zeros, or end a read early. Pass [Bytes] for a file in memory.
func Scan(r io.ReaderAt, size int64, lim Limits) (*File, error) {
	s := scanner{walker: walker{src: newWindow(r, size), lim: lim.withDefaults()}, f: &File{Size: size}}
	start, err := s.start()
	if err != nil {
		return nil, err
	}
	s.f.MetaOffset = start
	if err := s.meta(start); err != nil {
		return nil, err
	}
	if err := s.chooseEncoding(r); err != nil {
		return nil, err
	}
	begin := s.f.MetaEnd
	if s.f.inflated != nil {
		begin = 0
	}
	if err := s.dataset(begin, s.src.size); err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s.f, nil
}

type scanner struct {
	walker
	f       *File
	header  int64 // element bytes that are not bulk
	ids     [2]string
	pixels  int    // pixel data elements seen
	offsets [2]int // indexes in Elements of the extended offset table and its lengths, plus 1
	meta32  uint32 // (0002,0000)
	img     Image  // filled as its elements come by
}

// start finds the first element of the meta group or of a bare data set.
func (s *scanner) start() (int64, error) {
	size := s.src.size
	n := int(min(size, 134))
	p, err := s.src.peek(0, n)
	if err != nil {
		return 0, err
	}
	// The letters may also lie at 128 by chance, inside a bare data set.
	if n >= 132 && string(p[128:132]) == "DICM" && (n >= 134 && p[132] == 2 && p[133] == 0 || !s.plausibleStart(0)) {
		return 132, nil
	}
	if s.plausibleStart(0) {
		return 0, nil
	}
	n = int(min(size, 512))
	if p, err = s.src.peek(0, n); err != nil {
		return 0, err
	}
	p = p[:n]
	// A preamble of the wrong length, or none: only with a meta element right behind the prefix.
	if i := bytes.Index(p, []byte("DICM")); i >= 0 && i+12 <= n && p[i+4] == 2 && p[i+5] == 0 {
		return int64(i) + 4, nil
	}
	if n >= 140 && string(p[132:134]) == "\x02\x00" && (VR{p[136], p[137]}).known() {
		return 0, &MalformedError{128, 0, "the prefix DICM is missing before a meta group"}
	}
	if i := bytes.Index(p, []byte("DICM\x00")); i >= 0 {
		return 0, &MalformedError{int64(i), 0, "the prefix DICM is not followed by a meta group"}
	}
	return 0, ErrNotDICOM
}

// plausibleStart reports whether an element of the kind that starts a data set lies at off.
func (s *scanner) plausibleStart(off int64) bool {
	left := s.src.size - off
	if left < 8 {
		return false
	}
	p, err := s.src.peek(off, 8)
	if err != nil {
		return false
	}
	enc := Encoding{BigEndian: p[0] == 0 && p[1] != 0}
	tag := enc.tag(p)
	switch tag >> 16 {
	case 0x0002, 0x0004, 0x0008, 0x0009, 0x0010, 0x0018, 0x0020, 0x0028:
	default:
		return false
	}
	if (VR{p[4], p[5]}).known() {
		return true
	}
	length := enc.u32(p[4:])
	return tag&0xFFFF <= 0x2FFF && length%2 == 0 && int64(length) <= min(left-8, peekMax)
}

// meta reads the meta group (PS3.10 7.1), which some writers encode as implicit VR.
func (s *scanner) meta(start int64) error {
	off, size := start, s.src.size
	enc := Encoding{Explicit: true} // elements without VR letters are seen one by one
	for off+8 <= size {
		p, err := s.src.peek(off, 8)
		if err != nil {
			return err
		}
		if p[0] != 2 || p[1] != 0 {
			break
		}
		e, err := s.element(off, size, enc, 0)
		if err != nil {
			return err
		}
		if err := s.count(&e, len(s.f.Meta)); err != nil {
			return err
		}
		if err := s.metaValue(&e); err != nil {
			return err
		}
		s.f.Meta = append(s.f.Meta, e)
		off = e.End
		// Deflated bytes may look like one more element: trust a group length that falls on this border.
		if len(s.f.Meta) > 1 && s.meta32 != 0 && off == s.f.Meta[0].End+int64(s.meta32) {
			if q, err := s.src.peek(off, int(min(2, size-off))); err == nil && (len(q) < 2 || q[0] != 2 || q[1] != 0 || deflated(s.f.Syntax)) {
				break
			}
		}
	}
	if off != start {
		s.f.MetaEnd = off
	} else if start != 0 {
		s.f.MetaEnd = start
	}
	return nil
}

func (s *scanner) metaValue(e *Element) error {
	switch e.Tag {
	case 0x00020000:
		if e.Length == 4 {
			p, err := s.src.peek(e.ValueOffset, 4)
			if err != nil {
				return err
			}
			s.meta32 = Encoding{}.u32(p)
		}
	case 0x00020010:
		t, err := s.text(e)
		if err != nil {
			return err
		}
		s.f.Syntax = t
	}
	return nil
}

// chooseEncoding decides from the first bytes of the data set how it is encoded, and inflates it if need be.
func (s *scanner) chooseEncoding(r io.ReaderAt) error {
	f := s.f
	enc := labelled(f.Syntax)
	want := enc
	off, left := f.MetaEnd, s.src.size-f.MetaEnd
	if left < 8 {
		f.Encoding = enc
		return nil
	}
	if enc.Deflated {
		if s.plausibleStart(off) {
			enc.Deflated = false
		} else if err := s.inflate(r); err != nil {
			return err
		} else {
			off, left = 0, s.src.size
		}
	}
	if left >= 8 {
		p, err := s.src.peek(off, 8)
		if err != nil {
			return err
		}
		switch {
		case p[0] == 0 && p[1] != 0:
			enc.BigEndian = true
		case p[0] != 0 && p[1] == 0:
			enc.BigEndian = false
		}
		vr := VR{p[4], p[5]}
		if f.Syntax == "" {
			enc.Explicit = vr.known()
		}
		if enc.Explicit && vr.form() == formIllegal && off+8+int64(enc.u32(p[4:])) <= s.src.size {
			enc.Explicit = false
		} else if !enc.Explicit {
			enc = s.sniff(off, s.src.size, enc)
		}
	}
	f.Encoding = enc
	f.Mislabelled = f.Syntax != "" && enc != want
	return nil
}

func (s *scanner) inflate(r io.ReaderAt) error {
	f := s.f
	most := s.lim.MaxInflate
	zr := flate.NewReader(io.NewSectionReader(r, f.MetaEnd, f.Size-f.MetaEnd))
	defer zr.Close()
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(zr, most+1))
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt):
		return &MalformedError{f.MetaEnd + int64(corrupt), 0, "deflated data set is corrupt"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &MalformedError{f.Size, 0, "deflated data set is cut off"}
	case err != nil:
		return fmt.Errorf("dcm: inflate the data set: %w", err)
	case n > most:
		return &LimitError{f.MetaEnd, "bytes of the inflated data set", n, most}
	}
	f.inflated = out.Bytes()
	if f.inflated == nil {
		f.inflated = []byte{}
	}
	s.src = newWindow(Bytes(f.inflated), n)
	return nil
}

// count applies the limits to one more element.
func (s *scanner) count(e *Element, have int) error {
	if have >= s.lim.MaxElements {
		return &LimitError{e.Offset, "top-level elements", int64(have) + 1, int64(s.lim.MaxElements)}
	}
	if e.Length <= bulkBytes {
		if s.header += e.End - e.Offset; s.header > s.lim.MaxHeaderBytes {
			return &LimitError{e.Offset, "bytes of header elements", s.header, s.lim.MaxHeaderBytes}
		}
	}
	return nil
}

// dataset reads the top-level elements.
func (s *scanner) dataset(off, limit int64) error {
	f := s.f
	enc := f.Encoding
	f.Elements = make([]Element, 0, min(192, max((limit-off)/8, 0)))
	var last uint32
	for off < limit {
		if s.junk(off, limit, last) {
			f.Trailing = limit - off
			return nil
		}
		e, length, err := s.walker.header(off, limit, enc)
		if err != nil {
			return err
		}
		switch {
		case e.Tag == 0 && last != 0:
			return &MalformedError{off, 0, "zeros where an element must be"}
		case e.Tag>>16 == 0xFFFE:
			return &MalformedError{off, e.Tag, "item or delimiter outside any sequence"}
		case length == undefinedLength && isPixelData(e.Tag) && s.lim.SkipFragments:
			return nil
		case length == undefinedLength && isPixelData(e.Tag):
			e.Undefined = true
			if err = s.fragments(&e, limit); err != nil {
				return err
			}
		case length == undefinedLength:
			e.Undefined = true
			if e.End, err = s.skipItems(e.ValueOffset, limit, e.contentEncoding(enc), 1); err != nil {
				return err
			}
			e.Length = e.End - e.ValueOffset
		default:
			e.Length, e.End = int64(length), e.ValueOffset+int64(length)
			if e.End > limit {
				return &MalformedError{off, e.Tag, fmt.Sprintf("length %d passes the end of the file by %d", e.Length, e.End-limit)}
			}
			if isPixelData(e.Tag) {
				s.native(&e)
			}
		}
		if err := s.count(&e, len(f.Elements)); err != nil {
			return err
		}
		f.Elements = append(f.Elements, e)
		if err := s.value(&e); err != nil {
			return err
		}
		last, off = e.Tag, e.End
	}
	return nil
}

// junk reports whether the bytes from off on belong to no element: zeros to
// the end, or, behind the pixel data, anything that cannot be a later element.
func (s *scanner) junk(off, limit int64, last uint32) bool {
	n := int(min(limit-off, 8))
	p, err := s.src.peek(off, n)
	if err != nil {
		return false
	}
	enc := s.f.Encoding
	if n >= 8 && (p[0]|p[1]|p[2]|p[3]) != 0 {
		if s.f.Pixel == nil {
			return false
		}
		tag := enc.tag(p)
		if tag > last && (!enc.Explicit || VR{p[4], p[5]}.form() != formIllegal) && tag>>16 != 0xFFFE {
			return false
		}
		_, err := s.element(off, limit, enc, 0)
		return err != nil || tag>>16 == 0xFFFE
	}
	if n < 8 && s.f.Pixel != nil {
		return true
	}
	// Zeros: a zero tag can start no element behind others. Without pixel data
	// only a sector or two count as padding, and a long run is looked at up to 64 KiB.
	if n >= 8 && (last == 0 || s.f.Pixel == nil && limit-off > maxPadding) {
		return false
	}
	for i := off; i < min(limit, off+bulkBytes); {
		k := int(min(limit-i, peekMax))
		p, err := s.src.peek(i, k)
		if err != nil {
			return false
		}
		for _, b := range p[:k] {
			if b != 0 {
				return false
			}
		}
		i += int64(k)
	}
	return true
}

// Transfer syntaxes that change how the data set itself is encoded (PS3.5 Annex A).
const (
	implicitLE = "1.2.840.10008.1.2"
	explicitLE = "1.2.840.10008.1.2.1"
	explicitBE = "1.2.840.10008.1.2.2"
	deflatedLE = "1.2.840.10008.1.2.1.99"
	gePrivate  = "1.2.840.113619.5.2" // implicit little endian with big endian pixel words
)

// maxPadding is the number of zeros that are taken as padding behind a data set without pixel data.
const maxPadding = 4 << 10

// labelled is the encoding that a transfer syntax prescribes; unknown ones are explicit little endian (PS3.5 A.4).
func labelled(syntax string) Encoding {
	switch syntax {
	case implicitLE, gePrivate:
		return Encoding{}
	case explicitBE:
		return Encoding{Explicit: true, BigEndian: true}
	}
	return Encoding{Explicit: true, Deflated: deflated(syntax)}
}

func deflated(syntax string) bool {
	switch syntax {
	case deflatedLE, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205":
		return true
	}
	return false
}

// encapsulates reports whether a known transfer syntax prescribes encapsulated pixel data.
func encapsulates(syntax string) (yes, known bool) {
	switch syntax {
	case implicitLE, explicitLE, explicitBE, deflatedLE, gePrivate:
		return false, true
	case "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1":
		return true, true
	case "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205":
		return false, false
	}
	return true, strings.HasPrefix(syntax, "1.2.840.10008.1.2.4.")
}

func (s *scanner) finish() error {
	f := s.f
	f.Unterminated = s.unterminated
	f.PatientKey = patientKey(s.ids[0], s.ids[1])
	if f.Pixel == nil {
		return nil
	}
	img := s.img
	if img.Frames < 1 {
		img.Frames = 1
	}
	if img.Samples == 0 {
		img.Samples = 1
	}
	f.Image = &img
	if yes, known := encapsulates(f.Syntax); known && yes != f.Pixel.Encapsulated {
		f.Mislabelled = true
	}
	return s.resolveFrames()
}
