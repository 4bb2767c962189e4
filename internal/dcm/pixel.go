package dcm

import "fmt"

// PixelData is where the pixel data element lies and what it is made of.
type PixelData struct {
	Tag         uint32 // 7FE00010, or 7FE00008 (float), 7FE00009 (double)
	VR          VR     // as written, zero in implicit VR
	Offset      int64
	ValueOffset int64
	Length      int64 // bytes of the value; encapsulated: of items and delimiter
	End         int64

	Encapsulated    bool
	BasicOffsets    []uint32 // as stored; nil if the first item is empty
	ExtendedOffsets []uint64 // (7FE0,0001), nil if absent
	ExtendedLengths []uint64 // (7FE0,0002), nil if absent
	Fragments       []Fragment

	// Frames has the range [from, to) of fragments of each frame. It is nil,
	// and FrameProblem says why, when frames cannot be told apart, and nil for native pixel data.
	Frames [][2]int
	// FrameProblem says why the value cannot be split into the frames that
	// the data set declares, native or encapsulated; "" if it can.
	FrameProblem string

	delimited bool // the fragments end with a sequence delimiter
}

// severalPixels is the FrameProblem of files with more than one pixel data element.
const severalPixels = "several pixel data elements"

// Fragment is the value of one item of encapsulated pixel data (PS3.5 A.4).
type Fragment struct {
	ValueOffset int64
	Length      int64
}

func isPixelData(tag uint32) bool { return tag == 0x7FE00010 || tag == 0x7FE00008 || tag == 0x7FE00009 }

// fragments reads the items of encapsulated pixel data. Only item headers
// count: a delimiter's bytes inside a fragment are data.
func (s *scanner) fragments(e *Element, limit int64) error {
	px := &PixelData{Tag: e.Tag, VR: e.VR, Offset: e.Offset, ValueOffset: e.ValueOffset, Encapsulated: true}
	off, enc := e.ValueOffset, s.f.Encoding
	first := true
	for {
		if off == limit {
			s.unterminated = true
			break
		}
		p, err := s.src.peek(off, int(min(8, limit-off)))
		if err != nil {
			return err
		}
		if limit-off < 8 {
			return &MalformedError{off, e.Tag, fmt.Sprintf("%d bytes left, a fragment needs at least 8", limit-off)}
		}
		tag, length := enc.tag(p), int64(enc.u32(p[4:]))
		if tag == tagSequenceEnd {
			off += 8
			px.delimited = true
			break
		}
		if tag != tagItem {
			return &MalformedError{off, e.Tag, "neither a fragment nor the end of the pixel data, but " + TagString(tag)}
		}
		if length > limit-off-8 {
			return &MalformedError{off, e.Tag, fmt.Sprintf("fragment of %d bytes passes the end of the file by %d", length, length-(limit-off-8))}
		}
		at := off + 8
		off = at + length
		if first {
			first = false
			table, err := s.basicOffsets(at, length)
			if err != nil {
				return err
			}
			if px.BasicOffsets = table; table != nil || length == 0 {
				continue
			}
		}
		if len(px.Fragments) >= s.lim.MaxFragments {
			return &LimitError{at, "fragments", int64(len(px.Fragments)) + 1, int64(s.lim.MaxFragments)}
		}
		px.Fragments = append(px.Fragments, Fragment{at, length})
	}
	e.End, e.Length = off, off-e.ValueOffset
	px.End, px.Length = e.End, e.Length
	s.pixel(px)
	return nil
}

// basicOffsets reads the Basic Offset Table. It returns nil for an empty one
// and for an item that is a fragment in its place: a table starts with offset 0.
func (s *scanner) basicOffsets(at, length int64) ([]uint32, error) {
	if length < 4 {
		return nil, nil
	}
	p, err := s.src.peek(at, 4)
	if err != nil {
		return nil, err
	}
	if length%4 != 0 || startsFrame(p) {
		return nil, nil
	}
	if length/4 > int64(s.lim.MaxFragments) {
		return nil, &LimitError{at, "basic offset table entries", length / 4, int64(s.lim.MaxFragments)}
	}
	b, err := s.src.bytes(at, length)
	if err != nil {
		return nil, err
	}
	table := make([]uint32, length/4)
	for i := range table {
		table[i] = s.f.Encoding.u32(b[4*i:])
	}
	return table, nil
}

// native notes a pixel data element of defined length.
func (s *scanner) native(e *Element) {
	s.pixel(&PixelData{Tag: e.Tag, VR: e.VR, Offset: e.Offset, ValueOffset: e.ValueOffset, Length: e.Length, End: e.End})
}

func (s *scanner) pixel(px *PixelData) {
	if s.pixels++; s.pixels == 1 {
		s.f.Pixel = px
	}
}

// startsFrame reports whether a fragment begins like a codestream: SOI of
// JPEG and JPEG-LS, SOC of JPEG 2000, the signature box of JP2 or JPEG XL, or a bare JPEG XL codestream.
func startsFrame(p []byte) bool {
	switch {
	case len(p) < 4:
		return false
	case p[0] == 0xFF && p[1] == 0xD8 && p[2] == 0xFF,
		p[0] == 0xFF && p[1] == 0x4F && p[2] == 0xFF,
		p[0] == 0xFF && p[1] == 0x0A,
		p[0] == 0 && p[1] == 0 && p[2] == 0 && p[3] == 12:
		return true
	}
	return false
}

// resolveFrames tells the frames apart (PS3.5 A.4): by an offset table where
// it fits the items, else one fragment a frame where the counts agree, else by start markers.
func (s *scanner) resolveFrames() error {
	f, px, n := s.f, s.f.Pixel, s.f.Image.Frames
	if s.pixels > 1 {
		px.FrameProblem = severalPixels
		return nil
	}
	if !px.Encapsulated {
		px.FrameProblem = f.nativeProblem()
		return nil
	}
	var err error
	if px.ExtendedOffsets, err = s.table64(s.offsets[0]); err != nil {
		return err
	}
	if px.ExtendedLengths, err = s.table64(s.offsets[1]); err != nil {
		return err
	}
	frags := len(px.Fragments)
	switch {
	case frags == 0:
		px.FrameProblem = "no fragments"
		return nil
	case n == 1:
		px.Frames = [][2]int{{0, frags}}
		return nil
	case n > frags:
		px.FrameProblem = fmt.Sprintf("%d frames declared, %d fragments", n, frags)
		return nil
	}
	if len(px.ExtendedOffsets) == n {
		px.Frames = px.byOffsets(n, func(i int) int64 { return int64(px.ExtendedOffsets[i]) })
	}
	if px.Frames == nil && len(px.BasicOffsets) == n {
		px.Frames = px.byOffsets(n, func(i int) int64 { return int64(px.BasicOffsets[i]) })
	}
	if px.Frames == nil && frags == n {
		px.Frames = make([][2]int, n)
		for i := range px.Frames {
			px.Frames[i] = [2]int{i, i + 1}
		}
	}
	if px.Frames == nil {
		return s.byMarkers(n)
	}
	return nil
}

// byOffsets maps frame offsets to fragments, nil if one does not fall on an item or they do not rise from 0.
func (px *PixelData) byOffsets(n int, offset func(int) int64) [][2]int {
	frames := make([][2]int, n)
	base := px.Fragments[0].ValueOffset - 8
	at := 0
	for i := range frames {
		want := base + offset(i)
		for at < len(px.Fragments) && px.Fragments[at].ValueOffset-8 < want {
			at++
		}
		if at == len(px.Fragments) || px.Fragments[at].ValueOffset-8 != want || (at == 0) != (i == 0) || i > 0 && at == frames[i-1][0] {
			return nil
		}
		frames[i][0] = at
		if i > 0 {
			frames[i-1][1] = at
		}
	}
	frames[n-1][1] = len(px.Fragments)
	return frames
}

// byMarkers splits where fragments begin with a start marker, if that gives the declared number of frames.
func (s *scanner) byMarkers(n int) error {
	px := s.f.Pixel
	var frames [][2]int
	for i, fr := range px.Fragments {
		start := false
		if fr.Length >= 4 {
			p, err := s.src.peek(fr.ValueOffset, 4)
			if err != nil {
				return err
			}
			start = startsFrame(p)
		}
		switch {
		case start:
			frames = append(frames, [2]int{i, i + 1})
		case len(frames) > 0:
			frames[len(frames)-1][1] = i + 1
		default:
			px.FrameProblem = "no usable offset table, and the first fragment does not begin with a start marker"
			return nil
		}
	}
	if len(frames) != n {
		px.FrameProblem = fmt.Sprintf("no usable offset table, %d frames declared, %d start markers in %d fragments", n, len(frames), len(px.Fragments))
		return nil
	}
	px.Frames = frames
	return nil
}

// table64 reads an extended offset table or its lengths; index is 1 + that of the element, which Scan noted before appending.
func (s *scanner) table64(index int) ([]uint64, error) {
	if index == 0 || index > len(s.f.Elements) {
		return nil, nil
	}
	e := &s.f.Elements[index-1]
	if e.Undefined || e.Length%8 != 0 || e.Length == 0 {
		return nil, nil
	}
	if e.Length/8 > int64(s.lim.MaxFragments) {
		return nil, &LimitError{e.Offset, "extended offset table entries", e.Length / 8, int64(s.lim.MaxFragments)}
	}
	b, err := s.src.bytes(e.ValueOffset, e.Length)
	if err != nil {
		return nil, err
	}
	table := make([]uint64, e.Length/8)
	for i := range table {
		table[i] = s.f.Encoding.order().Uint64(b[8*i:])
	}
	return table, nil
}
