package evidence

import (
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// Concepts of PS3.16 that reports are read by.
var (
	group             = Code{"125007", "DCM"}
	imageLibrary      = Code{"111028", "DCM"}
	trackingID        = Code{"112039", "DCM"}
	trackingUID       = Code{"112040", "DCM"}
	findingCode       = Code{"121071", "DCM"}
	findingCategory   = Code{"276214006", "SCT"}
	findingSite       = Code{"363698007", "SCT"}
	referencePoints   = Code{"122438", "DCM"}
	referencedSegment = Code{"121191", "DCM"}
	segmentFrame      = Code{"121214", "DCM"}
	regionInSpace     = Code{"130488", "DCM"}
	roiIdentifier     = Code{"130489", "DCM"}
	sourceSeries      = Code{"121232", "DCM"}
	sourceImage       = Code{"121233", "DCM"} // of a segmentation
	singleFinding     = Code{"111059", "DCM"}
	compositeFeature  = Code{"111015", "DCM"}
	renderingIntent   = Code{"111056", "DCM"}
	algorithmName     = Code{"111001", "DCM"}
	observerType      = Code{"121005", "DCM"}
	textPosition      = Code{"TextPosition", "99CS3D"}
	controlPoints     = Code{"ControlPoints", "99CS3D"}
)

// report reads a structured report of any class.
type report struct {
	*Document
	tree  *tree
	lim   Limits
	study map[string]Image // what the evidence sequences say of an object
	taken map[*node]bool   // items that belong to a finding
}

func readReport(d *Document, ds *dcm.Dataset, lim Limits) {
	x := &report{Document: d, lim: lim, study: map[string]Image{}, taken: map[*node]bool{}}
	d.Final = ds.String(0x0040A496) != "PRELIMINARY"
	d.Preliminary = !d.Final
	d.Verified = ds.String(0x0040A493) == "VERIFIED"
	complete := ds.String(0x0040A491) == "COMPLETE"
	d.References = references(ds, lim)
	for _, r := range d.References {
		x.study[r.SOPUID] = r
	}
	for _, st := range ds.Items(0x0040A360) { // Predecessor Documents
		for _, se := range st.Items(0x00081115) {
			for _, ref := range se.Items(0x00081199) {
				d.Replaces = append(d.Replaces, ref.String(0x00081155))
			}
		}
	}
	x.tree = readTree(ds, lim)
	d.Title = x.tree.root.name
	if k := d.Title; k.is("111036", "DCM") || k.is("112000", "DCM") && strings.HasSuffix(d.ClassUID, ".88.65") || isCAD(d.ClassUID) {
		d.Kind = KindCAD
	}
	device := d.Kind == KindCAD
	x.tree.root.walk(func(n *node) bool {
		if n.name == observerType && n.value().is("121007", "DCM") || n.name == algorithmName {
			device = true
		}
		return true
	})
	d.Machine = device && !d.Verified
	d.Complete = complete && d.Verified && d.Final
	x.groups()
	x.rest()
	if len(d.Findings) == 0 && len(x.tree.problems) == 0 && d.Kind != KindCAD { // an algorithm speaks of what it looks for
		x.negative()
	}
	d.Problems = append(d.Problems, x.tree.problems...)
}

// negative looks whether a report without marks says that there is nothing: a finding that is normal, of no part of the body, and nothing beside
// it that may say otherwise. Text is not understood, so a report with text says nothing certain.
func (x *report) negative() {
	normal, why := false, ""
	x.tree.root.walk(func(n *node) bool {
		switch {
		case strings.HasSuffix(n.rel, "CONTEXT") || n.name == imageLibrary:
			return false
		case n.typ == "CODE" && n.name == findingCode && n.value().normal():
			normal = true
			if hasSite(n) {
				why = "normal is said of a part of the body"
			}
		case n.typ == "CODE" && n.name == findingCode && n.value().Value != "":
			why = "a finding beside the normal one"
		case n.typ == "TEXT" && !aboutTheRequest[n.name]:
			why = "text beside the normal finding"
		}
		return true
	})
	switch {
	case normal && why == "":
		x.NoLesion = true
	case normal:
		x.Excluded = append(x.Excluded, Excluded{Item: "1", Reason: "says normal, and is no negative report: " + why, Blocks: true})
	}
}

// hasSite reports whether a finding is of a part: it has a site itself, or beside it in its container.
func hasSite(n *node) bool {
	site := func(list []*node) bool {
		return slices.ContainsFunc(list, func(c *node) bool { return c.name.norm() == findingSite })
	}
	return site(n.children) || n.parent != nil && n.parent.parent != nil && site(n.parent.children)
}

// aboutTheRequest are names of text that says why the patient came, not what was found: history, request, procedure, comparison.
var aboutTheRequest = map[Code]bool{{"121060", "DCM"}: true, {"121062", "DCM"}: true, {"121065", "DCM"}: true, {"121109", "DCM"}: true, {"112039", "DCM"}: true}

func isCAD(class string) bool {
	for _, suffix := range []string{"88.50", "88.65", "88.69"} {
		if class == storage+suffix {
			return true
		}
	}
	return false
}

// groups reads measurement groups (TID 1410, 1411, 1501 and what viewers write in their place): one finding each.
func (x *report) groups() {
	x.tree.root.walk(func(n *node) bool {
		if n.name == imageLibrary {
			return false
		}
		if n.name != group {
			return true
		}
		x.group(n)
		return false
	})
}

func (x *report) group(g *node) {
	f := Finding{Item: g.path}
	identifier := ""
	var categories []Code
	findingKnown, suspect := false, false
	g.walk(func(n *node) bool {
		x.taken[n] = true
		if n.parent != g {
			return true
		}
		switch {
		case n.name == trackingUID:
			f.Tracking = uidOf(n.ds.String(0x0040A124))
		case n.name == trackingID:
			identifier = n.ds.String(0x0040A160)
		case n.name.norm() == findingCategory:
			categories = append(categories, n.value())
			f.Codes = append(f.Codes, n.value())
		case n.name == findingCode:
			f.Codes = append(f.Codes, n.value())
			findingKnown = findingKnown || n.value().lesion()
			suspect = suspect || n.value().private() || speaks(meaning(n.ds, 0x0040A168))
		case n.name.norm() == findingSite:
			f.Codes = append(f.Codes, n.value())
		}
		return true
	})
	f.Codes = slices.DeleteFunc(f.Codes, func(c Code) bool { return c.Value == "" })
	if !findingKnown && !suspect && len(categories) > 0 && !slices.ContainsFunc(categories, func(c Code) bool { return !c.neutral() }) {
		x.Excluded = append(x.Excluded, Excluded{Item: g.path, Reason: "an organ, tissue or device", Codes: f.Codes})
		return
	}
	for _, c := range f.Codes {
		if c.private() {
			f.Unsure = "a private code says what it is"
		}
	}
	if suspect && !findingKnown && len(categories) > 0 && f.Unsure == "" && !slices.ContainsFunc(categories, func(c Code) bool { return !c.neutral() }) {
		f.Unsure = "an organ by its category, and something else by its finding"
	}
	tool := toolOf(identifier)
	f.Marks = x.marks(g, tool)
	x.add(f)
}

// tool is what a viewer's Tracking Identifier tells, which is not kept.
type tool struct {
	cornerstone bool // Cornerstone3DTools
	keyImage    bool // its SCOORD is a dummy
	series      bool // the whole series is meant
}

func toolOf(identifier string) tool {
	t := tool{cornerstone: strings.HasPrefix(identifier, "Cornerstone3DTools")}
	if at := strings.Index(identifier, ":KeyImage"); at >= 0 && !strings.HasSuffix(identifier, ":Point") {
		t.keyImage, t.series = true, strings.HasSuffix(identifier, ":Series")
	}
	return t
}

// add appends a finding that has marks; one without is a measurement of something whose place nobody tells.
func (x *report) add(f Finding) {
	switch {
	case len(f.Marks) == 0:
		x.Excluded = append(x.Excluded, Excluded{Item: f.Item, Reason: "no geometry and no image", Codes: f.Codes, Blocks: x.Complete})
	case len(x.Findings) >= x.lim.Findings:
		if len(x.Findings) == x.lim.Findings {
			x.tree.problem(f.Item, 0, "more than %d findings", x.lim.Findings)
		}
	default:
		x.Findings = append(x.Findings, f)
	}
}

// marks collects the geometry below an item.
func (x *report) marks(top *node, t tool) (marks []Mark) {
	shapes := 0
	var images, series []*node
	top.walk(func(n *node) bool {
		if n.name == imageLibrary {
			return false
		}
		switch n.typ {
		case "SCOORD", "SCOORD3D":
			if n.name == referencePoints || n.name == textPosition {
				return false
			}
			if n.name != controlPoints && !t.keyImage {
				shapes++
			}
		}
		return true
	})
	top.walk(func(n *node) bool {
		if n.name == imageLibrary || n.name == referencePoints || n.name == textPosition || n.name == controlPoints && shapes > 0 {
			return false
		}
		switch n.typ {
		case "SCOORD":
			if t.keyImage {
				return true
			}
			marks = append(marks, x.planar(n, top, t)...) // others may lie below it
		case "SCOORD3D":
			if t.keyImage {
				return true
			}
			if m, ok := x.spatial(n); ok {
				marks = append(marks, m)
			}
			return false
		case "IMAGE", "COMPOSITE":
			ref, ok := n.reference()
			switch {
			case !ok:
				x.tree.problem(n.path, 0x00081199, "a reference without an instance")
			case isSegmentation(ref.ClassUID) || n.name == referencedSegment || n.name == segmentFrame || len(ref.segments) > 0:
				s := &SegmentRef{SOPUID: ref.SOPUID, Segments: ref.segments}
				if n.name == segmentFrame {
					s.Frames = ref.Frames
				}
				if len(s.Segments) == 0 && len(ref.Frames) == 0 {
					x.tree.problem(n.path, 0x0062000B, "a segmentation is referred to without a segment")
					return true
				}
				marks = append(marks, Mark{Segment: s})
			case ref.ClassUID == storage+"481.3" || n.name == regionInSpace:
				number, ok := roiNumber(n)
				if !ok {
					x.tree.problem(n.path, 0x0040A30A, "a structure set is referred to without an ROI")
					return true
				}
				marks = append(marks, Mark{ROI: &ROIRef{SOPUID: ref.SOPUID, Number: number}})
			default:
				if n.name != sourceImage {
					images = append(images, n)
				}
			}
		case "UIDREF":
			if n.name == sourceSeries {
				series = append(series, n)
			}
		}
		return true
	})
	drawn := len(marks) > 0
	for _, n := range images { // whole images: key slices
		ref, _ := n.reference()
		im := x.complete(ref.Image)
		if slices.ContainsFunc(marks, func(m Mark) bool { return m.Image != nil && m.Image.SOPUID == im.SOPUID }) {
			continue // that of the coordinates
		}
		if t.series && im.SeriesUID != "" {
			return append(marks, Mark{Series: im.SeriesUID})
		}
		marks = append(marks, Mark{Image: &im})
	}
	for _, n := range series {
		if uid := uidOf(n.ds.String(0x0040A124)); uid != "" && len(images) == 0 && !drawn {
			marks = append(marks, Mark{Series: uid})
		}
	}
	return marks
}

func isSegmentation(class string) bool { return class == storage+"66.4" || class == storage+"66.7" }

// roiNumber finds the Referenced ROI Identifier of a Region in Space, below it or beside it.
func roiNumber(n *node) (int, bool) {
	for _, c := range append(slices.Clone(n.children), siblings(n)...) {
		if c.name != roiIdentifier {
			continue
		}
		if m := first(c.ds, 0x0040A300); m != nil {
			if v := m.Floats(0x0040A30A); len(v) > 0 && v[0] == float64(int(v[0])) {
				return int(v[0]), true
			}
		}
	}
	return 0, false
}

func siblings(n *node) []*node {
	if n.parent == nil {
		return nil
	}
	return n.parent.children
}

// complete adds study and series of an image from the evidence sequences.
func (x *report) complete(im Image) Image {
	if r, ok := x.study[im.SOPUID]; ok {
		im.StudyUID, im.SeriesUID = r.StudyUID, r.SeriesUID
	}
	return im
}

// planar makes a mark of a SCOORD on each image that it was selected from.
func (x *report) planar(n, top *node, t tool) (marks []Mark) {
	s, whole := n.planar(x.lim)
	if n.ds.String(0x00480301) == "VOLUME" {
		// Of a tiled image these are coordinates of the total pixel matrix; others have only the frame.
		if whole == "" && x.tiled(n) {
			whole = "coordinates of the whole slide"
		}
	}
	found := false
	for _, c := range n.children {
		c = x.tree.target(c)
		if c == nil || c.typ != "IMAGE" && c.typ != "COMPOSITE" {
			continue
		}
		if ref, ok := c.reference(); ok {
			im := x.complete(ref.Image)
			marks = append(marks, Mark{Image: &im, Shape: s, Whole: whole, Cornerstone: t.cornerstone})
			found = true
		}
	}
	if !found { // the image of the group, or of an item above
		for up := n.parent; up != nil && !found; up = up.parent {
			for _, c := range up.children {
				c = x.tree.target(c)
				if c == nil || c.typ != "IMAGE" {
					continue
				}
				if ref, ok := c.reference(); ok && !isSegmentation(ref.ClassUID) {
					im := x.complete(ref.Image)
					marks = append(marks, Mark{Image: &im, Shape: s, Whole: whole, Cornerstone: t.cornerstone})
					found = true
				}
			}
			if up == top {
				break
			}
		}
	}
	if !found {
		x.tree.problem(n.path, 0x00081199, "coordinates without an image")
	}
	return marks
}

// tiled reports whether the image of a SCOORD is a whole slide image.
func (x *report) tiled(n *node) bool {
	for _, c := range n.children {
		if c = x.tree.target(c); c != nil {
			if ref, ok := c.reference(); ok && ref.ClassUID == storage+"77.1.6" {
				return true
			}
		}
	}
	return false
}

func (x *report) spatial(n *node) (Mark, bool) {
	s, why := n.spatial(x.lim)
	uid := uidOf(n.ds.String(0x30060024))
	if why == "" && uid == "" {
		why = "coordinates in space without a frame of reference"
	}
	if why != "" {
		x.tree.problem(n.path, 0x00700022, "%s", why)
		return Mark{}, false
	}
	m := Mark{ForUID: uid, Shape: s}
	for _, c := range n.children {
		if ref, ok := c.reference(); ok && c.typ == "IMAGE" {
			im := x.complete(ref.Image)
			m.Image = &im
		}
	}
	return m, true
}

// rest reads coordinates and images outside of measurement groups: findings of CAD reports, of basic reports and of old viewers.
func (x *report) rest() {
	x.tree.root.walk(func(n *node) bool {
		if x.taken[n] || n.name == imageLibrary {
			return false
		}
		switch {
		case n.name == singleFinding || n.name == compositeFeature && x.Kind == KindCAD && !hasChild(n, singleFinding):
			x.single(n)
			return false
		case n.typ == "SCOORD" || n.typ == "SCOORD3D":
			if n.name == referencePoints || n.name == textPosition || n.name == controlPoints {
				return false
			}
			f := Finding{Item: n.path, Codes: codesAbove(n)}
			f.Marks = x.marks(n, tool{})
			x.add(f)
			return false
		case (n.typ == "IMAGE") && n.parent != nil && x.Kind != KindCAD:
			ref, ok := n.reference()
			if !ok || isSegmentation(ref.ClassUID) || strings.HasPrefix(ref.ClassUID, storage+"11.") {
				return true
			}
			im := x.complete(ref.Image)
			x.add(Finding{Item: n.path, Marks: []Mark{{Image: &im}}})
			return false
		}
		return true
	})
}

func hasChild(n *node, name Code) bool {
	found := false
	n.walk(func(c *node) bool {
		found = found || c != n && c.name == name
		return !found
	})
	return found
}

// codesAbove are the codes of the measurement that coordinates belong to.
func codesAbove(n *node) []Code {
	if n.parent != nil && n.parent.name.Value != "" && n.parent.typ == "NUM" {
		return []Code{n.parent.name}
	}
	return nil
}

// single reads a finding of a CAD report (TID 4006, 4104, 4123). Marks that need not be presented are many and mostly false.
func (x *report) single(n *node) {
	f := Finding{Item: n.path}
	if c := n.value(); c.Value != "" {
		f.Codes = append(f.Codes, c)
	}
	intent := Code{}
	n.walk(func(c *node) bool {
		x.taken[c] = true
		if c.name == renderingIntent && c.parent == n {
			intent = c.value()
		}
		if c.name == trackingUID && c.parent == n {
			f.Tracking = uidOf(c.ds.String(0x0040A124))
		}
		return true
	})
	if intent.is("111151", "DCM") || intent.is("111152", "DCM") {
		reason := "a mark that is optional to present"
		if intent.is("111152", "DCM") {
			reason = "a mark that is not for presentation"
		}
		x.Excluded = append(x.Excluded, Excluded{Item: n.path, Reason: reason, Codes: f.Codes, Blocks: true})
		return
	}
	for _, c := range f.Codes {
		if c.private() {
			f.Unsure = "a private code says what it is"
		}
	}
	f.Marks = x.marks(n, tool{})
	x.add(f)
}

// uidOf passes a UID and nothing else.
func uidOf(s string) string {
	if len(s) > 64 {
		return ""
	}
	for _, r := range s {
		if r != '.' && (r < '0' || r > '9') {
			return ""
		}
	}
	return s
}
