package evidence

import (
	"fmt"
	"math"
	"slices"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// presentation reads a presentation state (PS3.3 A.33): its graphics, each a finding.
type presentation struct {
	*Document
	lim     Limits
	turned  bool // rotated or mirrored: coordinates of the displayed area are not those of the image
	areas   []area
	images  []Image
	graphic int
}

// area is a Displayed Area Selection (C.10.4): whole pixels, from 1.
type area struct {
	of         map[string][]int // images, and their frames (none: all); nil: all images
	x0, y0     int
	x1, y1     int
	recognised bool
}

func readPresentation(d *Document, ds *dcm.Dataset, lim Limits) {
	d.Kind = KindPresentation
	d.Final = true
	x := &presentation{Document: d, lim: lim}
	x.turned = ds.String(0x00700041) == "Y" || len(ds.Ints(0x00700042)) > 0 && ds.Ints(0x00700042)[0]%360 != 0
	study := ds.String(0x0020000D)
	for _, ref := range references(ds, lim) {
		if ref.StudyUID == "" {
			ref.StudyUID = study
		}
		x.images = append(x.images, ref)
	}
	for _, b := range ds.Items(0x00700402) { // blending: the referenced series of each input (C.11.14)
		for _, ref := range references(b, lim) {
			ref.StudyUID = b.String(0x0020000D)
			x.images = append(x.images, ref)
		}
	}
	d.References = x.images
	for _, it := range ds.Items(0x0070005A) {
		a := area{of: named(it)}
		lo, hi := it.Ints(0x00700052), it.Ints(0x00700053)
		if a.recognised = len(lo) == 2 && len(hi) == 2; a.recognised {
			a.x0, a.y0, a.x1, a.y1 = lo[0], lo[1], hi[0], hi[1]
		}
		x.areas = append(x.areas, a)
	}
	items, err := ds.Sequence(0x00700001)
	if err != nil {
		d.Problems = append(d.Problems, Problem{"", 0x00700001, "graphics cannot be read to their end"})
	}
	for i, it := range items {
		x.annotation(i+1, it)
	}
}

// named are the images, with their frames, that an item refers to by itself, nil if it means all.
func named(it *dcm.Dataset) map[string][]int {
	refs := it.Items(0x00081140)
	if len(refs) == 0 {
		return nil
	}
	of := map[string][]int{}
	for _, r := range refs {
		of[r.String(0x00081155)] = append(of[r.String(0x00081155)], r.Ints(0x00081160)...)
	}
	return of
}

// annotation reads an item of the Graphic Annotation Sequence (C.10.5).
func (x *presentation) annotation(n int, it *dcm.Dataset) {
	images := x.images
	if refs := it.Items(0x00081140); len(refs) > 0 {
		images = nil
		for _, r := range refs {
			im := Image{SOPUID: r.String(0x00081155), ClassUID: r.String(0x00081150), Frames: r.Ints(0x00081160)}
			if i := slices.IndexFunc(x.images, func(k Image) bool { return k.SOPUID == im.SOPUID }); i >= 0 {
				im.StudyUID, im.SeriesUID = x.images[i].StudyUID, x.images[i].SeriesUID
			}
			images = append(images, im)
		}
	}
	compound := map[int]bool{} // instance ids that a compound graphic describes: simple ones with the same repeat it
	for k, g := range it.Items(0x00700209) {
		if v := g.Ints(0x00700226); len(v) > 0 {
			compound[v[0]] = true
		}
		x.object(fmt.Sprintf("compound %d.%d", n, k+1), g, g.String(0x00700282), images, shapeOfCompound(g))
	}
	for k, g := range it.Items(0x00700009) {
		if v := g.Ints(0x00700226); len(v) > 0 && compound[v[0]] {
			continue
		}
		s, why := shapeOfGraphic(g, x.lim)
		if why != "" {
			s = Shape{Type: Points}
		}
		x.objectWhole(fmt.Sprintf("graphic %d.%d", n, k+1), g.String(0x00700005), images, s, why)
	}
	for k, g := range it.Items(0x00700008) {
		if v := g.Ints(0x00700226); len(v) > 0 && compound[v[0]] {
			continue
		}
		v := g.Floats(0x00700014) // Anchor Point; the bounding box is where the text is
		if len(v) != 2 {
			continue // a text that points at nothing
		}
		x.object(fmt.Sprintf("text %d.%d", n, k+1), g, g.String(0x00700004), images, Shape{Type: Points, P: []space.Point{{X: v[0], Y: v[1]}}})
	}
}

// shapeOfGraphic reads a simple graphic (C.10.5.1.2).
func shapeOfGraphic(g *dcm.Dataset, lim Limits) (s Shape, why string) {
	v := g.Floats(0x00700022)
	if d := g.Ints(0x00700020); len(d) > 0 && d[0] != 2 {
		return s, "graphics of other than 2 dimensions"
	}
	if len(v) == 0 || len(v)%2 != 0 || len(v)/2 > lim.Points {
		return s, fmt.Sprintf("graphic data of %d values", len(v))
	}
	for i := 0; i < len(v); i += 2 {
		s.P = append(s.P, space.Point{X: v[i], Y: v[i+1]})
	}
	switch g.String(0x00700023) {
	case "POINT":
		s.Type = Points
	case "POLYLINE":
		s.Type = Polyline
	case "INTERPOLATED":
		s.Type = Bulging
	case "CIRCLE":
		s.Type = Circle
	case "ELLIPSE":
		s.Type = Ellipse
	default:
		return s, "a graphic type that is not known"
	}
	if len(s.P) == 1 && s.Type != Points {
		s.Type = Points
	}
	return s, s.Check()
}

// shapeOfCompound reads a compound graphic (C.10.5.1.5): rectangles and ellipses have two corners of their box, all others points.
func shapeOfCompound(g *dcm.Dataset) (s Shape) {
	v := g.Floats(0x00700022)
	for i := 0; i+1 < len(v); i += 2 {
		s.P = append(s.P, space.Point{X: v[i], Y: v[i+1]})
	}
	s.Type = Points
	switch g.String(0x00700294) {
	case "RECTANGLE", "ELLIPSE":
		if len(s.P) == 2 {
			s.Type = Rectangle
		}
	case "MULTILINE", "INFINITELINE", "CUTLINE", "RANGELINE", "RULER", "AXIS", "CROSSHAIR", "ARROW":
	}
	return s
}

func (x *presentation) object(item string, _ *dcm.Dataset, units string, images []Image, s Shape) {
	x.objectWhole(item, units, images, s, s.Check())
}

// objectWhole makes a finding of a graphic. whole says why it means whole images.
func (x *presentation) objectWhole(item, units string, images []Image, s Shape, whole string) {
	if len(images) == 0 {
		x.Problems = append(x.Problems, Problem{item, 0x00081140, "graphics without an image"})
		return
	}
	if x.graphic++; x.graphic > x.lim.Findings {
		if x.graphic == x.lim.Findings+1 {
			x.Problems = append(x.Problems, Problem{item, 0x00700001, fmt.Sprintf("more than %d graphics", x.lim.Findings)})
		}
		return
	}
	f := Finding{Item: item}
	for i := range images {
		im := images[i]
		for _, part := range x.byArea(im, units) {
			m := Mark{Image: &part, Shape: s, Whole: whole}
			if m.Whole == "" {
				m.Shape, m.Whole = x.toPixels(s, units, &part)
			}
			f.Marks = append(f.Marks, m)
		}
	}
	x.Findings = append(x.Findings, f)
}

// byArea divides the frames that a graphic is on by the displayed areas that they have.
func (x *presentation) byArea(im Image, units string) []Image {
	if units != "DISPLAY" || len(im.Frames) < 2 {
		return []Image{im}
	}
	var out []Image
	last := -2
	for _, n := range im.Frames {
		one := im
		one.Frames = []int{n}
		at := x.areaOf(&one)
		if at == last {
			out[len(out)-1].Frames = append(out[len(out)-1].Frames, n)
			continue
		}
		last = at
		out = append(out, one)
	}
	return out
}

// areaOf is the displayed area of frames of an image, -1 if none is told for all of them.
func (x *presentation) areaOf(im *Image) int {
	at := slices.IndexFunc(x.areas, func(a area) bool {
		frames, ok := a.of[im.SOPUID]
		if !ok || len(frames) == 0 {
			return ok
		}
		return len(im.Frames) > 0 && !slices.ContainsFunc(im.Frames, func(n int) bool { return !slices.Contains(frames, n) })
	})
	if at < 0 && !slices.ContainsFunc(x.areas, func(a area) bool { _, ok := a.of[im.SOPUID]; return ok }) {
		at = slices.IndexFunc(x.areas, func(a area) bool { return a.of == nil })
	}
	return at
}

// toPixels takes a shape to edge coordinates of an image (C.10.5.1.1): PIXEL is that already, DISPLAY a part of the displayed area.
func (x *presentation) toPixels(s Shape, units string, im *Image) (Shape, string) {
	switch units {
	case "PIXEL":
		return s, ""
	case "MATRIX":
		return s, "coordinates of the whole slide"
	case "DISPLAY":
	default:
		return s, "units that are not known"
	}
	if x.turned {
		return s, "coordinates of a displayed area that is turned"
	}
	at := x.areaOf(im)
	if at < 0 || !x.areas[at].recognised {
		return s, "coordinates of a displayed area that is not told"
	}
	a := x.areas[at]
	w, h := float64(a.x1-a.x0+1), float64(a.y1-a.y0+1)
	if w < 1 || h < 1 || math.Abs(w) > 1<<20 || math.Abs(h) > 1<<20 {
		return s, "a displayed area that is none"
	}
	out := s
	out.P = slices.Clone(s.P)
	for i := range out.P {
		out.P[i] = space.Point{X: float64(a.x0-1) + s.P[i].X*w, Y: float64(a.y0-1) + s.P[i].Y*h}
	}
	if s.Type == Circle && len(out.P) == 2 && w != h { // a circle on the screen is one in the image only where pixels are square: its box holds both
		r := math.Hypot(s.P[1].X-s.P[0].X, s.P[1].Y-s.P[0].Y)
		c := out.P[0]
		out.Type, out.P = Rectangle, []space.Point{{X: c.X - r*max(w, h), Y: c.Y - r*max(w, h)}, {X: c.X + r*max(w, h), Y: c.Y + r*max(w, h)}}
	}
	return out, ""
}
