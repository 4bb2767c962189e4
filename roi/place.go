package roi

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// body is a piece of a lesion in the patient: vertices whose convex hull,
// extruded by reach on both sides along normal, holds what the mark states.
type body struct {
	forUID string
	v      []space.Vec
	normal space.Vec // zero: no direction; reach then holds in all directions
	reach  float64   // mm
	radius float64   // mm of reach that are stated, around points in space
	slice  bool      // drawn on one slice: reach is what that slice stands for
	series string    // on whose images it was drawn, "" unknown
	area   float64   // mm² of its box in its plane, for choosing a reference slice
}

// spot is a place on a frame.
type spot struct {
	image *Image
	frame int           // from 0
	poly  []space.Point // edge coordinates; nil: the whole frame
	whole string        // why the whole frame is kept, "" if poly can be trusted
	key   bool          // a key image: named without geometry
}

// found is a finding with its marks resolved.
type found struct {
	doc     *evidence.Document
	finding *evidence.Finding
	source  string // "SOP UID#item"
	bodies  []body
	spots   []spot
	unsure  []string
	links   []string // sources of the findings in other documents whose geometry this one takes
}

// place resolves marks against the images of a study.
type place struct {
	study   *Study
	policy  *Policy
	images  map[string]*Image   // by SOP Instance UID
	half    map[frameID]float64 // of every frame of a stack
	refers  map[string]bool     // frames of reference of the study
	several map[string]bool     // series of more than one frame
	docs    map[string]*evidence.Document
	homes   map[*evidence.Document]string
}

// frameID is one frame.
type frameID struct {
	image *Image
	frame int
}

func (x *place) seriesOf(ref *evidence.Image) string {
	if ref == nil {
		return ""
	}
	if im := x.images[ref.SOPUID]; im != nil {
		return im.SeriesUID
	}
	return ""
}

// overshoot is how far, in pixels, a coordinate may lie outside its frame and still be trusted.
const overshoot = 2

// missing says that a reference leads nowhere.
type missing struct{ what string }

func newPlace(s *Study, p *Policy, stacks []*stack) *place {
	frames := map[string]int{}
	x := &place{study: s, policy: p, images: map[string]*Image{}, half: map[frameID]float64{}, refers: map[string]bool{}, several: map[string]bool{}, docs: map[string]*evidence.Document{}, homes: map[*evidence.Document]string{}}
	for i := range s.Images {
		im := &s.Images[i]
		x.images[im.SOPUID] = im
		frames[im.SeriesUID] += len(im.Frames)
		x.several[im.SeriesUID] = frames[im.SeriesUID] > 1
		if im.ForUID != "" {
			x.refers[im.ForUID] = true
		}
	}
	for _, st := range stacks {
		for i := range st.slices {
			x.half[frameID{st.slices[i].image, st.slices[i].frame}] = st.slices[i].half
		}
	}
	for _, d := range s.Documents {
		x.docs[d.SOPUID] = d
	}
	return x
}

// image finds an image by UID, or the one that was made of it with its coordinates kept.
func (x *place) image(uid string) (im *Image, whole string) {
	if im := x.images[uid]; im != nil {
		return im, ""
	}
	for i := range x.study.Images {
		for _, p := range x.study.Images[i].ProcessedFrom {
			if p.SOPUID == uid {
				if p.Same {
					return &x.study.Images[i], ""
				}
				return &x.study.Images[i], "marked on the image that this one was made of, whose pixels lie elsewhere"
			}
		}
	}
	return nil, ""
}

// resolve turns a finding's marks into bodies and spots. What cannot be found is returned.
func (x *place) resolve(f *found, marks []evidence.Mark, depth int) (lost []missing) {
	for i := range marks {
		m := &marks[i]
		switch {
		case m.Segment != nil && depth == 0:
			if len(m.Segment.Segments) == 0 {
				lost = append(lost, x.followAll(f, m.Segment.SOPUID)...)
			}
			for _, n := range m.Segment.Segments {
				lost = append(lost, x.follow(f, m.Segment.SOPUID, fmt.Sprintf("segment %d", n))...)
			}
		case m.ROI != nil && depth == 0:
			lost = append(lost, x.follow(f, m.ROI.SOPUID, fmt.Sprintf("ROI %d", m.ROI.Number))...)
		case m.Plane != nil && m.ForUID != "":
			lost = append(lost, x.onGrid(f, m)...)
		case m.ForUID != "":
			lost = append(lost, x.inSpace(f, m)...)
		case m.Image != nil:
			lost = append(lost, x.onImage(f, m)...)
		case m.Series != "":
			lost = append(lost, x.onSeries(f, m)...)
		default:
			lost = append(lost, missing{"a mark without a place"})
		}
	}
	return lost
}

// follow takes the geometry of a finding in another document.
func (x *place) follow(f *found, sop, item string) []missing {
	d := x.docs[sop]
	if d == nil {
		if x.foreign(f.doc, &evidence.Image{SOPUID: sop}) {
			return nil
		}
		return []missing{{"object " + sop + ", whose " + item + " is meant"}}
	}
	for i := range d.Findings {
		if g := &d.Findings[i]; g.Item == item {
			f.links = append(f.links, sourceOf(d, g))
			return x.resolve(f, g.Marks, 1)
		}
	}
	for i := range d.Excluded {
		if e := &d.Excluded[i]; e.Item == item && e.Marks != nil { // whoever refers to it knows better
			return x.resolve(f, e.Marks, 1)
		}
	}
	return []missing{{item + " of object " + sop}}
}

// followAll takes the geometry of everything in another document: whoever refers to frames of a segmentation need not name a segment.
func (x *place) followAll(f *found, sop string) (lost []missing) {
	d := x.docs[sop]
	if d == nil {
		if x.foreign(f.doc, &evidence.Image{SOPUID: sop}) {
			return nil
		}
		return []missing{{"object " + sop}}
	}
	n := 0
	for i := range d.Findings {
		n++
		f.links = append(f.links, sourceOf(d, &d.Findings[i]))
		lost = append(lost, x.resolve(f, d.Findings[i].Marks, 1)...)
	}
	for i := range d.Excluded {
		if d.Excluded[i].Marks != nil {
			n++
			lost = append(lost, x.resolve(f, d.Excluded[i].Marks, 1)...)
		}
	}
	if n == 0 {
		lost = append(lost, missing{"a segment of object " + sop})
	}
	return lost
}

// foreign reports whether a document says that an image belongs to another study than this one: priors are often referred to. A
// document of another study that says nothing means images of its own.
func (x *place) foreign(d *evidence.Document, ref *evidence.Image) bool {
	if ref == nil {
		return d.StudyUID != "" && d.StudyUID != x.study.UID
	}
	study := ref.StudyUID
	for i := range d.References {
		if r := &d.References[i]; study == "" && r.SOPUID == ref.SOPUID {
			study = r.StudyUID
		}
	}
	study = cmp.Or(study, d.StudyUID)
	return study != "" && study != x.study.UID
}

// elsewhere reports whether all that a document refers to belongs to other studies.
func (x *place) elsewhere(d *evidence.Document) bool {
	return len(d.References) > 0 && !slices.ContainsFunc(d.References, func(r evidence.Image) bool { return r.StudyUID == "" || r.StudyUID == x.study.UID })
}

func (x *place) onSeries(f *found, m *evidence.Mark) []missing {
	n := 0
	for i := range x.study.Images {
		if im := &x.study.Images[i]; im.SeriesUID == m.Series {
			n++
			for k := range im.Frames {
				f.spots = append(f.spots, spot{image: im, frame: k, key: true, whole: "the series is named as a whole"})
			}
		}
	}
	if n == 0 && !x.foreign(f.doc, nil) {
		return []missing{{"series " + m.Series}}
	}
	return nil
}

func (x *place) onImage(f *found, m *evidence.Mark) []missing {
	im, whole := x.image(m.Image.SOPUID)
	if im == nil {
		if x.foreign(f.doc, m.Image) {
			return nil // another study's: it is that study's evidence
		}
		return []missing{{"image " + m.Image.SOPUID}}
	}
	frames := m.Image.Frames
	if frames == nil {
		for k := range im.Frames {
			frames = append(frames, k+1)
		}
	}
	if whole == "" {
		whole = m.Whole
	}
	if whole == "" && m.Rows > 0 && (m.Rows != im.Rows || m.Columns != im.Columns) {
		whole = "drawn on a grid of another size"
	}
	if whole == "" && m.Shape.Type != evidence.None {
		whole = untrusted(&m.Shape, im, x.policy)
	}
	if m.Cornerstone && whole == "" && math.Abs(im.DX-im.DY) > 0.01*max(im.DX, im.DY) {
		whole = "drawn by a viewer that mixes up the spacings of pixels that are not square"
		f.unsure = append(f.unsure, whole)
	}
	for _, n := range frames {
		if n < 1 || n > len(im.Frames) {
			return []missing{{fmt.Sprintf("frame %d of image %s, which has %d", n, m.Image.SOPUID, len(im.Frames))}}
		}
		s := spot{image: im, frame: n - 1, whole: whole, key: m.Shape.Type == evidence.None}
		if !s.key {
			s.poly = m.Shape.Outline()
			if r := m.Shape.Radius; r > 0 && len(s.poly) > 0 {
				s.poly = around(s.poly, r, im)
			}
			if whole == "" {
				s.poly = clip(s.poly, im)
			} else {
				s.poly = nil
			}
		}
		f.spots = append(f.spots, s)
		if im.Frames[n-1].Plane == nil && crossSection(im.Modality) && x.several[im.SeriesUID] {
			f.unsure = append(f.unsure, "on one of several images without a place in the patient: what lies beside it is not known")
		}
		if p := im.Frames[n-1].Plane; p != nil && im.ForUID != "" && !s.key {
			poly := s.poly
			if poly == nil {
				poly = frameOf(im)
			}
			b := body{forUID: im.ForUID, normal: p.Normal(), reach: x.half[frameID{im, n - 1}], slice: true, series: im.SeriesUID}
			for _, q := range poly {
				b.v = append(b.v, p.At(q.X, q.Y))
			}
			b.area = areaOf(poly, p.DX, p.DY)
			f.bodies = append(f.bodies, b)
		}
	}
	return nil
}

// untrusted says why a shape on an image is taken for the whole frame.
func untrusted(s *evidence.Shape, im *Image, p *Policy) string {
	if why := s.Check(); why != "" {
		return why
	}
	lo, hi := s.Bounds()
	w, h := float64(im.Columns), float64(im.Rows)
	switch {
	case lo.X < -overshoot || lo.Y < -overshoot || hi.X > w+overshoot || hi.Y > h+overshoot:
		return "coordinates outside the image"
	case (hi.X-lo.X)*(hi.Y-lo.Y) > p.FullFrame*w*h:
		return "the mark covers most of the image"
	}
	return ""
}

func clip(poly []space.Point, im *Image) []space.Point {
	out := slices.Clone(poly)
	for i := range out {
		out[i].X = min(max(out[i].X, 0), float64(im.Columns))
		out[i].Y = min(max(out[i].Y, 0), float64(im.Rows))
	}
	return out
}

// around replaces points by the corners of boxes of r mm around them.
func around(poly []space.Point, r float64, im *Image) []space.Point {
	dx, dy := im.DX, im.DY
	if dx <= 0 || dy <= 0 {
		return poly
	}
	var out []space.Point
	for _, p := range poly {
		x, y := r/dx, r/dy
		out = append(out, space.Point{X: p.X - x, Y: p.Y - y}, space.Point{X: p.X + x, Y: p.Y - y}, space.Point{X: p.X + x, Y: p.Y + y}, space.Point{X: p.X - x, Y: p.Y + y})
	}
	return out
}

func frameOf(im *Image) []space.Point {
	w, h := float64(im.Columns), float64(im.Rows)
	return []space.Point{{X: 0, Y: 0}, {X: w, Y: 0}, {X: w, Y: h}, {X: 0, Y: h}}
}

func areaOf(poly []space.Point, dx, dy float64) float64 {
	lo, hi := boundsOf(poly)
	return (hi.X - lo.X) * dx * (hi.Y - lo.Y) * dy
}

func boundsOf(poly []space.Point) (lo, hi space.Point) {
	if len(poly) == 0 {
		return
	}
	lo, hi = poly[0], poly[0]
	for _, p := range poly[1:] {
		lo.X, lo.Y, hi.X, hi.Y = min(lo.X, p.X), min(lo.Y, p.Y), max(hi.X, p.X), max(hi.Y, p.Y)
	}
	return lo, hi
}

// onGrid places a shape on a grid of its own.
func (x *place) onGrid(f *found, m *evidence.Mark) []missing {
	if !x.refers[m.ForUID] {
		if m.Image != nil && x.images[m.Image.SOPUID] != nil { // the source image is here, under another frame of reference
			f.unsure = append(f.unsure, "drawn in a frame of reference that its source image does not have")
			whole := *m
			whole.Plane, whole.Whole = nil, "drawn in another frame of reference than its image"
			return x.onImage(f, &whole)
		}
		if x.foreign(f.doc, m.Image) {
			return nil
		}
		return []missing{{"frame of reference " + m.ForUID}}
	}
	b := body{forUID: m.ForUID, normal: m.Plane.Normal(), reach: m.Thick / 2, series: cmp.Or(x.seriesOf(m.Image), x.home(f.doc))}
	poly := m.Shape.Outline()
	for _, q := range poly {
		b.v = append(b.v, m.Plane.At(q.X, q.Y))
	}
	if len(b.v) == 0 {
		return nil
	}
	b.area = areaOf(poly, m.Plane.DX, m.Plane.DY)
	f.bodies = append(f.bodies, b)
	return nil
}

// inSpace places a shape in patient coordinates.
func (x *place) inSpace(f *found, m *evidence.Mark) []missing {
	if !x.refers[m.ForUID] {
		if x.foreign(f.doc, m.Image) || m.Image == nil && x.elsewhere(f.doc) {
			return nil
		}
		return []missing{{"frame of reference " + m.ForUID}}
	}
	if why := m.Shape.Check(); why != "" {
		f.unsure = append(f.unsure, why)
		return []missing{{"the place of a shape: " + why}}
	}
	b := body{forUID: m.ForUID, v: m.Shape.Outline3(), series: cmp.Or(x.seriesOf(m.Image), x.home(f.doc))}
	if len(b.v) == 0 {
		return nil
	}
	b.radius, b.reach = m.Shape.Radius, m.Shape.Radius
	if len(b.v) == 1 && b.radius == 0 { // one point says nothing of the extent
		b.reach = x.policy.Sphere
	}
	lo, hi := box(b.v)
	d := hi.Sub(lo).Add(space.Vec{2 * b.radius, 2 * b.radius, 2 * b.radius})
	b.area = max(d[0]*d[1], d[1]*d[2], d[0]*d[2])
	f.bodies = append(f.bodies, b)
	return nil
}

func box(v []space.Vec) (lo, hi space.Vec) {
	lo, hi = v[0], v[0]
	for _, p := range v[1:] {
		for k := range p {
			lo[k], hi[k] = min(lo[k], p[k]), max(hi[k], p[k])
		}
	}
	return lo, hi
}

// home is the series that a segmentation or structure set was drawn on, where it refers to one only.
func (x *place) home(d *evidence.Document) string {
	if d.Kind != evidence.KindSegmentation && d.Kind != evidence.KindStructures {
		return ""
	}
	home, known := x.homes[d]
	if known {
		return home
	}
	for i := range d.References {
		im := x.images[d.References[i].SOPUID]
		if im != nil && home != "" && home != im.SeriesUID {
			home = ""
			break
		}
		if im != nil {
			home = im.SeriesUID
		}
	}
	x.homes[d] = home
	return home
}

func sourceOf(d *evidence.Document, f *evidence.Finding) string { return d.SOPUID + "#" + f.Item }
