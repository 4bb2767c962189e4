package evidence

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// segment is an item of the Segment Sequence (PS3.3 C.8.20.2).
type segment struct {
	number         int
	category, kind Code
	tracking       string
	automatic      bool
	suspect        bool // words speak of something abnormal
	marks          []Mark
}

// segmentation reads a SEG or a label map.
type segmentation struct {
	*Document
	lim           Limits
	rows, columns int
	frames        int
	forUID        string
	list          []*segment
	at            map[int]*segment
	ds            *dcm.Dataset
	per           []*dcm.Dataset
	shared        *dcm.Dataset
}

func readSegmentation(r io.ReaderAt, f *dcm.File, ds *dcm.Dataset, lim Limits) *Document {
	x := &segmentation{Document: &Document{Kind: KindSegmentation, Final: true}, lim: lim, ds: ds, at: map[int]*segment{}, forUID: uidOf(ds.String(0x00200052)),
		per: ds.Items(0x52009230), shared: first(ds, 0x52009229)}
	x.References = segmentSources(ds, lim)
	for i, it := range ds.Items(0x00620002) {
		s := &segment{number: int1(it, 0x00620004), category: code(it, 0x00620003), kind: code(it, 0x0062000F), tracking: uidOf(it.String(0x00620021)), automatic: it.String(0x00620008) == "AUTOMATIC",
			suspect: speaks(meaning(it, 0x00620003), meaning(it, 0x0062000F), it.String(0x00620005), it.String(0x00620006))}
		if i >= lim.Findings {
			x.fail("", 0x00620002, "more than %d segments", lim.Findings)
			break
		}
		if x.at[s.number] != nil {
			x.fail(fmt.Sprintf("segment %d", s.number), 0x00620004, "two segments have this number")
			continue
		}
		x.list = append(x.list, s)
		x.at[s.number] = s
		x.Machine = x.Machine || s.automatic
	}
	if f.Image == nil || f.Pixel == nil || len(x.list) == 0 {
		x.fail("", 0x7FE00010, "no segments, or no pixel data")
		return x.Document
	}
	x.rows, x.columns, x.frames = f.Image.Rows, f.Image.Columns, f.Image.Frames
	certain := len(x.Problems) == 0
	switch {
	case f.Pixel.Encapsulated:
		x.fail("", 0x7FE00010, "segments in transfer syntax %s are not decoded here", f.Syntax)
	case len(x.per) > 0 && len(x.per) != x.frames:
		x.fail("", 0x00280008, "%d frames, and functional groups of %d", x.frames, len(x.per))
	case x.rows < 1 || x.columns < 1 || x.frames < 1 || x.frames > lim.Items:
		x.fail("", 0x00280008, "%d frames of %d rows and %d columns", x.frames, x.rows, x.columns)
	default:
		x.read(r, f)
	}
	x.sort()
	if certain && len(x.Findings) == 0 && !slices.ContainsFunc(x.list, func(s *segment) bool { return !s.harmless() }) {
		x.Problems = nil // wherever they lie: none of the segments is a lesion
	}
	return x.Document
}

// harmless reports whether standard codes say that a segment is no lesion.
func (s *segment) harmless() bool {
	lesion := s.category.abnormal() && !s.kind.background() || s.kind.lesion()
	return !lesion && (s.kind.background() || s.category.neutral() && !s.kind.private() && !s.suspect)
}

func (x *segmentation) fail(item string, tag uint32, format string, args ...any) {
	if len(x.Problems) < 100 {
		x.Problems = append(x.Problems, Problem{item, tag, fmt.Sprintf(format, args...)})
	}
}

func int1(d *dcm.Dataset, tag uint32) int {
	if v := d.Ints(tag); len(v) > 0 {
		return v[0]
	}
	return 0
}

// segmentSources are the images of the referenced series (C.12.4).
func segmentSources(ds *dcm.Dataset, lim Limits) (list []Image) {
	study := ds.String(0x0020000D)
	add := func(study string, series []*dcm.Dataset) {
		for _, se := range series {
			for _, tag := range [2]uint32{0x0008114A, 0x00081199} {
				for _, ref := range se.Items(tag) {
					if len(list) < lim.Items {
						list = append(list, Image{StudyUID: study, SeriesUID: se.String(0x0020000E), SOPUID: ref.String(0x00081155), ClassUID: ref.String(0x00081150)})
					}
				}
			}
		}
	}
	add(study, ds.Items(0x00081115))
	for _, st := range ds.Items(0x00081200) { // studies containing other referenced instances
		add(st.String(0x0020000D), st.Items(0x00081115))
	}
	return list
}

// read goes through the frames. One is in memory at a time.
func (x *segmentation) read(r io.ReaderAt, f *dcm.File) {
	if data := f.Inflated(); data != nil {
		r = dcm.Bytes(data)
	}
	bits := f.Image.BitsAllocated
	labels := x.ClassUID == storage+"66.7" || f.ClassUID == storage+"66.7" || x.ds.String(0x00620001) == "LABELMAP"
	if bits != 1 && bits != 8 && !(bits == 16 && labels) {
		x.fail("", 0x00280100, "samples of %d bits", bits)
		return
	}
	perFrame := int64(x.rows) * int64(x.columns) * int64(bits) // bits
	if need := (perFrame*int64(x.frames) + 7) / 8; need > f.Pixel.Length {
		x.fail("", 0x7FE00010, "%d frames need %d bytes of pixel data, there are %d", x.frames, need, f.Pixel.Length)
		return
	}
	if perFrame/8 > x.lim.Bytes {
		x.fail("", 0x7FE00010, "a frame of more than %d bytes", x.lim.Bytes)
		return
	}
	background := int1(x.ds, 0x00280120)
	buf := make([]byte, perFrame/8+2)
	m := newMasks(x.rows)
	for n := range x.frames {
		from := perFrame * int64(n)
		part := buf[:(from%8+perFrame+7)/8]
		if _, err := r.ReadAt(part, f.Pixel.ValueOffset+from/8); err != nil && err != io.EOF {
			x.fail(fmt.Sprintf("frame %d", n+1), 0x7FE00010, "pixel data cannot be read")
			return
		}
		m.reset()
		switch {
		case labels:
			m.labels(part, bits/8, x.rows, x.columns, background, f.PixelBigEndian())
		case bits == 1:
			m.bits(part, uint(from%8), x.rows, x.columns)
		default:
			m.bytes(part, x.rows, x.columns)
		}
		if len(m.seen) == 0 {
			continue
		}
		x.frame(n, m, labels)
	}
}

// frame notes the segments of one frame.
func (x *segmentation) frame(n int, m *masks, labels bool) {
	item := fmt.Sprintf("frame %d", n+1)
	var frame *dcm.Dataset
	if n < len(x.per) {
		frame = x.per[n]
	}
	one := 0
	if !labels {
		for _, g := range []*dcm.Dataset{frame, x.shared} {
			if id := first(g, 0x0062000A); id != nil && one == 0 {
				one = int1(id, 0x0062000B)
			}
		}
		if one == 0 && len(x.list) == 1 {
			one = x.list[0].number
		}
		if one == 0 {
			x.fail(item, 0x0062000B, "nothing says which segment a frame is of")
			return
		}
	}
	base, problem := x.place(frame)
	for _, label := range m.seen {
		number := label
		if !labels {
			number = one
		}
		s := x.at[number]
		if s == nil {
			if labels && number == 0 {
				continue // background where no padding value says so
			}
			x.fail(item, 0x0062000B, "segment %d is not described", number)
			continue
		}
		if problem != "" {
			x.fail(item, 0x52009230, "%s", problem)
			return
		}
		mark := base
		mark.Shape = m.shape(label)
		s.marks = append(s.marks, mark)
	}
}

// place says where a frame lies (C.7.6.16.2): by its plane, or else by the image that it was made from, whose grid it has.
func (x *segmentation) place(frame *dcm.Dataset) (m Mark, problem string) {
	macro := func(tag uint32) *dcm.Dataset {
		for _, d := range [2]*dcm.Dataset{frame, x.shared} {
			if it := first(d, tag); it != nil {
				return it
			}
		}
		return x.ds
	}
	for _, d := range [2]*dcm.Dataset{frame, x.shared} {
		if src := first(first(d, 0x00089124), 0x00082112); src != nil && m.Image == nil {
			if uid := src.String(0x00081155); uid != "" {
				m.Image = &Image{SOPUID: uid, ClassUID: src.String(0x00081150), Frames: src.Ints(0x00081160)}
			}
		}
	}
	measures := macro(0x00289110)
	p, err := space.NewPlane(macro(0x00209113).Floats(0x00200032), macro(0x00209116).Floats(0x00200037), measures.Floats(0x00280030), x.rows, x.columns)
	if err == nil && x.forUID != "" {
		m.Plane, m.ForUID = &p, x.forUID
		for _, tag := range [2]uint32{0x00180050, 0x00180088} {
			if v := measures.Floats(tag); len(v) > 0 && v[0] > 0 && !math.IsInf(v[0], 0) {
				m.Thick = max(m.Thick, v[0])
			}
		}
		return m, ""
	}
	if m.Image != nil { // its grid, if it is the same one
		m.Rows, m.Columns = x.rows, x.columns
		switch kept := x.preserved(frame); {
		case kept != "" && kept != "YES":
			m.Whole = "drawn on a grid that is not that of its source"
		case err == nil:
			m.Whole = "drawn on a plane without a frame of reference"
		}
		return m, ""
	}
	return m, "nothing says where a frame lies"
}

// preserved is Spatial Locations Preserved (0028,135A) of a frame's source image.
func (x *segmentation) preserved(frame *dcm.Dataset) string {
	for _, d := range [2]*dcm.Dataset{frame, x.shared} {
		if src := first(first(d, 0x00089124), 0x00082112); src != nil {
			return src.String(0x0028135A)
		}
	}
	return ""
}

// sort makes findings of segments that are lesions or may be, and lists the others (rule 1.7 and section 00).
func (x *segmentation) sort() {
	for _, s := range x.list {
		item := fmt.Sprintf("segment %d", s.number)
		codes := slices.DeleteFunc([]Code{s.category, s.kind}, func(c Code) bool { return c.Value == "" })
		switch {
		case s.category.abnormal() && !s.kind.background() || s.kind.lesion():
			if len(s.marks) > 0 {
				x.Findings = append(x.Findings, Finding{Item: item, Tracking: s.tracking, Codes: codes, Marks: s.marks})
			} else {
				x.Excluded = append(x.Excluded, Excluded{Item: item, Reason: "a lesion without a set pixel", Codes: codes, Blocks: len(x.Problems) > 0})
			}
		case s.kind.background():
			x.Excluded = append(x.Excluded, Excluded{Item: item, Reason: "background or normal", Codes: codes, Marks: s.marks})
		case s.category.neutral() && !s.kind.private() && !s.suspect:
			x.Excluded = append(x.Excluded, Excluded{Item: item, Reason: "an organ, tissue or device", Codes: codes, Marks: s.marks})
		case len(s.marks) == 0:
			x.Excluded = append(x.Excluded, Excluded{Item: item, Reason: "without a set pixel", Codes: codes})
		default:
			x.Findings = append(x.Findings, Finding{Item: item, Tracking: s.tracking, Codes: codes, Marks: s.marks, Unsure: "a segment that no standard code calls a lesion or an organ"})
		}
	}
}
