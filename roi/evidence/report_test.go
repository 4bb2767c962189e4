package evidence

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

var (
	nodule      = Code{"27925004", "SCT"}
	organ       = Code{"123037004", "SCT"}
	liver       = Code{"10200004", "SCT"}
	longAxis    = Code{"103339001", "SCT"}
	trackingFor = func(uid string) *dcm.Builder {
		return item("HAS OBS CONTEXT", "UIDREF", trackingUID).Text(0x0040A124, uid)
	}
	toolFor = func(id string) *dcm.Builder { return item("HAS OBS CONTEXT", "TEXT", trackingID).Text(0x0040A160, id) }
)

// summary is what a document says, in short.
func summary(d *Document) string {
	var b strings.Builder
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "F %s", f.Item)
		if f.Tracking != "" {
			fmt.Fprintf(&b, " %s", f.Tracking)
		}
		if f.Unsure != "" {
			fmt.Fprint(&b, " unsure")
		}
		for _, m := range f.Marks {
			switch {
			case m.Segment != nil:
				fmt.Fprintf(&b, " seg %s%v", m.Segment.SOPUID, m.Segment.Segments)
			case m.ROI != nil:
				fmt.Fprintf(&b, " roi %s#%d", m.ROI.SOPUID, m.ROI.Number)
			case m.Series != "":
				fmt.Fprintf(&b, " series %s", m.Series)
			case m.ForUID != "":
				fmt.Fprintf(&b, " space %s %d", m.ForUID, len(m.Shape.V))
			default:
				lo, hi := m.Shape.Bounds()
				fmt.Fprintf(&b, " %s", m.Image.SOPUID)
				if m.Image.Frames != nil {
					fmt.Fprintf(&b, "%v", m.Image.Frames)
				}
				if m.Shape.Type != None {
					fmt.Fprintf(&b, " %g,%g-%g,%g", lo.X, lo.Y, hi.X, hi.Y)
				}
			}
			if m.Whole != "" {
				fmt.Fprint(&b, " whole")
			}
			if m.Cornerstone {
				fmt.Fprint(&b, " cornerstone")
			}
		}
		fmt.Fprint(&b, "; ")
	}
	for _, x := range d.Excluded {
		fmt.Fprintf(&b, "X %s", x.Item)
		if x.Blocks {
			fmt.Fprint(&b, " blocks")
		}
		fmt.Fprint(&b, "; ")
	}
	for _, p := range d.Problems {
		fmt.Fprintf(&b, "P %s; ", p.Item)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestReports(t *testing.T) {
	segment := item("CONTAINS", "IMAGE", referencedSegment).Items(0x00081199, dcm.NewBuilder().Text(0x00081150, storage+"66.4").Text(0x00081155, "1.5").Ints(0x0062000B, 2))
	structure := item("CONTAINS", "COMPOSITE", regionInSpace, item("HAS PROPERTIES", "NUM", roiIdentifier).Items(0x0040A300, dcm.NewBuilder().Floats(0x0040A30A, 7))).
		Items(0x00081199, dcm.NewBuilder().Text(0x00081150, storage+"481.3").Text(0x00081155, "1.6"))
	inSpace := item("CONTAINS", "SCOORD3D", Code{"111030", "DCM"}).Text(0x00700023, "ELLIPSOID").Text(0x30060024, "1.7").
		Floats(0x00700022, 1, 0, 0, -1, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 3, 0, 0, -3)
	for _, c := range []struct {
		name  string
		items []*dcm.Builder
		want  string
	}{
		{"planar region", []*dcm.Builder{groupOf(trackingFor("2.25.1"), codeItem(findingCode, nodule), area2("CIRCLE", "1.1", 50, 60, 53, 64))}, "F 1.1 2.25.1 1.1 45,55-55,65"},
		{"rotated ellipse", []*dcm.Builder{groupOf(area2("ELLIPSE", "1.1", 10, 20, 30, 20, 20, 15, 20, 25))}, "F 1.1 1.1 10,15-30,25"},
		{"several images", []*dcm.Builder{groupOf(area2("POLYLINE", "1.1", 1, 2, 3, 4, 1, 2), area2("POINT", "1.2", 7, 8))}, "F 1.1 1.1 1,2-3,4 1.2 7,8-7,8"},
		{"measurement with coordinates, as OHIF writes it", []*dcm.Builder{groupOf(toolFor("Cornerstone3DTools@^0.1.0:Length"), item("CONTAINS", "NUM", longAxis,
			item("INFERRED FROM", "SCOORD", Code{}, imageOf("1.1", 3)).Text(0x00700023, "POLYLINE").Floats(0x00700022, 1, 2, 30, 40)))}, "F 1.1 1.1[3] 1,2-30,40 cornerstone"},
		{"what is no lesion's geometry", []*dcm.Builder{groupOf(area2("POINT", "1.1", 5, 5), item("CONTAINS", "SCOORD", referencePoints, imageOf("1.1")).Text(0x00700023, "POINT").Floats(0x00700022, 300, 300),
			item("CONTAINS", "SCOORD", textPosition, imageOf("1.1")).Text(0x00700023, "POINT").Floats(0x00700022, 400, 400), item("CONTAINS", "SCOORD", controlPoints, imageOf("1.1")).Text(0x00700023, "POINT").Floats(0x00700022, 500, 500))}, "F 1.1 1.1 5,5-5,5"},
		{"control points alone", []*dcm.Builder{groupOf(item("CONTAINS", "SCOORD", controlPoints, imageOf("1.1")).Text(0x00700023, "POINT").Floats(0x00700022, 5, 5))}, "F 1.1 1.1 5,5-5,5"},
		{"key image of a viewer", []*dcm.Builder{groupOf(toolFor("Cornerstone3DTools@^0.1.0:KeyImage"), item("CONTAINS", "SCOORD", Code{"111010", "DCM"}, imageOf("1.1")).Text(0x00700023, "POINT").Floats(0x00700022, 0, 0))}, "F 1.1 1.1"},
		{"group with an image only", []*dcm.Builder{groupOf(codeItem(findingCode, nodule), imageOf("1.1"))}, "F 1.1 1.1"},
		{"segment, structure, space", []*dcm.Builder{groupOf(segment), groupOf(structure), groupOf(inSpace)}, "F 1.1 seg 1.5[2]; F 1.2 roi 1.6#7; F 1.3 space 1.7 6"},
		{"organ", []*dcm.Builder{groupOf(codeItem(findingCategory, organ), codeItem(findingCode, liver), area2("POINT", "1.1", 5, 5))}, "X 1.1"},
		{"lesion of an organ's category", []*dcm.Builder{groupOf(codeItem(findingCategory, organ), codeItem(findingCode, nodule), area2("POINT", "1.1", 5, 5))}, "F 1.1 1.1 5,5-5,5"},
		{"old codes", []*dcm.Builder{groupOf(codeItem(Code{"R-002C7", "SRT"}, Code{"T-D000A", "SRT"}), area2("POINT", "1.1", 5, 5))}, "X 1.1"},
		{"private code", []*dcm.Builder{groupOf(codeItem(findingCode, Code{"X", "99ACME"}), area2("POINT", "1.1", 5, 5))}, "F 1.1 unsure 1.1 5,5-5,5"},
		{"measurement without a place", []*dcm.Builder{groupOf(codeItem(findingCode, nodule))}, "X 1.1 blocks"},
		{"library", []*dcm.Builder{item("CONTAINS", "CONTAINER", imageLibrary, imageOf("1.1"), imageOf("1.2"))}, ""},
		{"coordinates outside of a group", []*dcm.Builder{area2("POINT", "1.1", 5, 5)}, "F 1.1 1.1 5,5-5,5"},
		{"image in a text", []*dcm.Builder{item("CONTAINS", "TEXT", Code{}, imageOf("1.1"))}, "F 1.1.1 1.1"},
		{"odd number of values", []*dcm.Builder{groupOf(area2("POLYLINE", "1.1", 5, 5, 6))}, "F 1.1 1.1 0,0-0,0 whole"},
		{"no number", []*dcm.Builder{groupOf(area2("POINT", "1.1", math.NaN(), 5))}, "F 1.1 1.1 0,0-0,0 whole"},
		{"unknown graphic type", []*dcm.Builder{groupOf(area2("SPIRAL", "1.1", 5, 5))}, "F 1.1 1.1 5,5-5,5 whole"},
		{"coordinates without an image", []*dcm.Builder{groupOf(item("CONTAINS", "SCOORD", Code{"111030", "DCM"}).Text(0x00700023, "POINT").Floats(0x00700022, 5, 5))}, "X 1.1 blocks; P 1.1.1"},
		{"space without a frame of reference", []*dcm.Builder{groupOf(item("CONTAINS", "SCOORD3D", Code{}).Text(0x00700023, "POINT").Floats(0x00700022, 1, 2, 3))}, "X 1.1 blocks; P 1.1.1"},
		{"image beside coordinates", []*dcm.Builder{groupOf(imageOf("1.1"), item("CONTAINS", "SCOORD", Code{"111030", "DCM"}).Text(0x00700023, "POINT").Floats(0x00700022, 5, 5))}, "F 1.1 1.1 5,5-5,5"},
	} {
		d := readObject(t, reportWith(c.items...), Limits{})
		if got := summary(d); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if s := fmt.Sprintf("%+v", d); strings.Contains(s, "patient's name") {
			t.Errorf("%s: a meaning is kept", c.name)
		}
	}
}

func TestReportFlags(t *testing.T) {
	device := codeItem(observerType, Code{"121007", "DCM"})
	for _, c := range []struct {
		name              string
		change            func(*dcm.Builder)
		items             []*dcm.Builder
		complete, machine bool
	}{
		{"verified", nil, nil, true, false},
		{"not verified", func(b *dcm.Builder) { b.Text(0x0040A493, "UNVERIFIED") }, nil, false, false},
		{"partial", func(b *dcm.Builder) { b.Text(0x0040A491, "PARTIAL") }, nil, false, false},
		{"preliminary", func(b *dcm.Builder) { b.Text(0x0040A496, "PRELIMINARY") }, nil, false, false},
		{"a device", func(b *dcm.Builder) { b.Text(0x0040A493, "UNVERIFIED") }, []*dcm.Builder{device}, false, true},
		{"a device, verified by a person", nil, []*dcm.Builder{device}, true, false},
		{"CAD", func(b *dcm.Builder) { b.Text(0x00080016, storage+"88.50").Text(0x0040A493, "UNVERIFIED") }, nil, false, true},
	} {
		b := reportWith(append(c.items, groupOf(area2("POINT", "1.1", 5, 5)))...)
		if c.change != nil {
			c.change(b)
		}
		if d := readObject(t, b, Limits{}); d.Complete != c.complete || d.Machine != c.machine {
			t.Errorf("%s: complete %v, machine %v; want %v, %v", c.name, d.Complete, d.Machine, c.complete, c.machine)
		}
	}
	d := readObject(t, reportWith(codeItem(findingCode, Code{"281900007", "SCT"})), Limits{})
	if !d.NoLesion || !d.Complete {
		t.Errorf("a verified report of no abnormality: no lesion %v, complete %v", d.NoLesion, d.Complete)
	}
	d = readObject(t, reportWith().Items(0x0040A360, dcm.NewBuilder().Items(0x00081115, dcm.NewBuilder().Items(0x00081199, dcm.NewBuilder().Text(0x00081155, "1.8")))), Limits{})
	if len(d.Replaces) != 1 || d.Replaces[0] != "1.8" {
		t.Errorf("replaces %v, want 1.8", d.Replaces)
	}
}

// A mammography CAD report: geometry refers to images of the library by the path of content items, and optional marks are left out.
func TestCAD(t *testing.T) {
	byPath := func(path ...int) *dcm.Builder {
		return dcm.NewBuilder().Text(0x0040A010, "SELECTED FROM").Ints(0x0040DB73, path...)
	}
	outline := func(path ...int) *dcm.Builder {
		return item("HAS PROPERTIES", "SCOORD", Code{"111041", "DCM"}, byPath(path...)).Text(0x00700023, "POLYLINE").Floats(0x00700022, 10, 10, 20, 10, 20, 30)
	}
	finding := func(intent string, parts ...*dcm.Builder) *dcm.Builder {
		return item("CONTAINS", "CODE", singleFinding, append(parts, codeItem(renderingIntent, Code{intent, "DCM"}))...).Items(0x0040A168, code1(Code{"F-01796", "SRT"}))
	}
	b := object(storage+"88.50", "SR").Text(0x0040A040, "CONTAINER").Items(0x0040A043, code1(Code{"111036", "DCM"})).Items(0x0040A730,
		item("CONTAINS", "CONTAINER", imageLibrary, imageOf("1.1"), imageOf("1.2")),
		item("CONTAINS", "CODE", Code{"111017", "DCM"}, item("INFERRED FROM", "CODE", compositeFeature, finding("111150", outline(1, 1, 2))), finding("111151", outline(1, 1, 1)), finding("111152", outline(1, 1, 1)), finding("111150", outline(1, 7, 1))))
	d := readObject(t, b, Limits{})
	if got, want := summary(d), "F 1.2.1.1 1.2 10,10-20,30; X 1.2.2 blocks; X 1.2.3 blocks; X 1.2.4; P 1.2.4.1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d.Kind != KindCAD || !d.Machine {
		t.Errorf("kind %s, machine %v", d.Kind, d.Machine)
	}
}

func TestKeyObjects(t *testing.T) {
	kos := func(title Code, refs ...*dcm.Builder) *dcm.Builder {
		return object(storage+"88.59", "KO").Text(0x0040A040, "CONTAINER").Items(0x0040A043, code1(title)).Items(0x0040A730, refs...)
	}
	for _, c := range []struct {
		title Code
		want  string
	}{
		{Code{"113000", "DCM"}, "F 1 1.1 1.2[4]"},
		{Code{"113021", "DCM"}, "F 1 1.1 1.2[4]"},
		{Code{"113001", "DCM"}, "X 1"},
		{Code{"113039", "DCM"}, "X 1"},
		{Code{"113030", "DCM"}, "X 1"},
		{Code{"113000", "99ACME"}, "F 1 unsure 1.1 1.2[4]; X 1 blocks"},
		{Code{"999999", "DCM"}, "F 1 unsure 1.1 1.2[4]; X 1 blocks"},
	} {
		d := readObject(t, kos(c.title, imageOf("1.1"), imageOf("1.2", 4)), Limits{})
		if got := summary(d); got != c.want {
			t.Errorf("title %v: got %q, want %q", c.title, got, c.want)
		}
		if d.Litigation != (c.title.Value == "113021") || (len(d.Rejects) == 2) != (c.want == "X 1" && c.title.Value != "113030") {
			t.Errorf("title %v: litigation %v, rejects %v", c.title, d.Litigation, d.Rejects)
		}
	}
}

// Every type and unit of graphics.
func TestPresentation(t *testing.T) {
	graphic := func(units, kind string, v ...float64) *dcm.Builder {
		return dcm.NewBuilder().Text(0x00700005, units).Ints(0x00700020, 2).Ints(0x00700021, len(v)/2).Floats(0x00700022, v...).Text(0x00700023, kind)
	}
	ref := func(sop string) *dcm.Builder {
		return dcm.NewBuilder().Text(0x00081150, imageClass).Text(0x00081155, sop)
	}
	state := func(notes ...*dcm.Builder) *dcm.Builder {
		return object(storage+"11.1", "PR").Items(0x00081115, dcm.NewBuilder().Text(0x0020000E, "1.3").Items(0x00081140, ref("1.1"), ref("1.2"))).
			Items(0x0070005A, dcm.NewBuilder().Ints(0x00700052, 101, 51).Ints(0x00700053, 300, 150)).Items(0x00700001, notes...)
	}
	note := func(g ...*dcm.Builder) *dcm.Builder {
		return dcm.NewBuilder().Items(0x00081140, ref("1.1")).Items(0x00700009, g...)
	}
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"no graphics", state(), ""},
		{"point", state(note(graphic("PIXEL", "POINT", 5, 6))), "F graphic 1.1 1.1 5,6-5,6"},
		{"all images", state(dcm.NewBuilder().Items(0x00700009, graphic("PIXEL", "POLYLINE", 5, 6, 7, 8))), "F graphic 1.1 1.1 5,6-7,8 1.2 5,6-7,8"},
		{"circle, ellipse", state(note(graphic("PIXEL", "CIRCLE", 50, 60, 53, 64), graphic("PIXEL", "ELLIPSE", 10, 20, 30, 20, 20, 15, 20, 25))), "F graphic 1.1 1.1 45,55-55,65; F graphic 1.2 1.1 10,15-30,25"},
		{"interpolated bulges", state(note(graphic("PIXEL", "INTERPOLATED", 0, 0, 10, 20, 5, 5))), "F graphic 1.1 1.1 -1,-2-11,22"},
		{"displayed area", state(note(graphic("DISPLAY", "POLYLINE", 0, 0, 0.5, 1))), "F graphic 1.1 1.1 100,50-200,150"},
		{"displayed area, turned", state(note(graphic("DISPLAY", "POLYLINE", 0, 0, 0.5, 1))).Ints(0x00700042, 90).Text(0x00700041, "N"), "F graphic 1.1 1.1 0,0-0.5,1 whole"},
		{"matrix", state(note(graphic("MATRIX", "POINT", 5, 6))), "F graphic 1.1 1.1 5,6-5,6 whole"},
		{"units unknown", state(note(graphic("INCH", "POINT", 5, 6))), "F graphic 1.1 1.1 5,6-5,6 whole"},
		{"type unknown", state(note(graphic("PIXEL", "SPIRAL", 5, 6))), "F graphic 1.1 1.1 0,0-0,0 whole"},
		{"text with an anchor", state(dcm.NewBuilder().Items(0x00081140, ref("1.1")).Items(0x00700008, dcm.NewBuilder().Text(0x00700004, "PIXEL").Floats(0x00700014, 9, 8), dcm.NewBuilder().Text(0x00700003, "PIXEL").Floats(0x00700010, 1, 1))), "F text 1.1 1.1 9,8-9,8"},
		{"compound", state(dcm.NewBuilder().Items(0x00081140, ref("1.1")).Items(0x00700209, graphic("PIXEL", "", 10, 20, 30, 60).Text(0x00700294, "ELLIPSE").Text(0x00700282, "PIXEL").Ints(0x00700226, 4)).
			Items(0x00700009, graphic("PIXEL", "POLYLINE", 0, 0, 1, 1).Ints(0x00700226, 4))), "F compound 1.1 1.1 10,20-30,60"},
	} {
		if got := summary(readObject(t, c.b, Limits{})); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Hostile reports: nesting, numbers of items, references that go round, sequences that are cut off.
func TestHostileReports(t *testing.T) {
	deep := area2("POINT", "1.1", 5, 5)
	for range 20 {
		deep = item("CONTAINS", "CONTAINER", Code{}, deep)
	}
	round := reportWith(dcm.NewBuilder().Text(0x0040A010, "CONTAINS").Ints(0x0040DB73, 1), groupOf(item("CONTAINS", "SCOORD", Code{}, dcm.NewBuilder().Ints(0x0040DB73, 1, 2, 1)).Text(0x00700023, "POINT").Floats(0x00700022, 5, 5)))
	many := make([]*dcm.Builder, 3000)
	for i := range many {
		many[i] = area2("POINT", "1.1", 5, 5)
	}
	for _, c := range []struct {
		name    string
		b       *dcm.Builder
		lim     Limits
		problem bool
	}{
		{"deep", reportWith(deep), Limits{Depth: 10}, true},
		{"round", round, Limits{}, true},
		{"many items", reportWith(many...), Limits{Items: 1000}, true},
		{"many findings", reportWith(many...), Limits{Findings: 10}, true},
		{"many points", reportWith(groupOf(area2("POLYLINE", "1.1", make([]float64, 4000)...))), Limits{Points: 100}, false},
		{"many bytes", reportWith(many...), Limits{Bytes: 1000}, true},
	} {
		d := readObject(t, c.b, c.lim)
		if (len(d.Problems) > 0) != c.problem {
			t.Errorf("%s: problems %v", c.name, d.Problems)
		}
		if !c.problem && (len(d.Findings) != 1 || d.Findings[0].Marks[0].Whole == "") {
			t.Errorf("%s: %s; want the whole image", c.name, summary(d))
		}
	}
}

func TestShapesInSpace(t *testing.T) {
	b := reportWith(groupOf(item("CONTAINS", "SCOORD3D", Code{}).Text(0x00700023, "ELLIPSOID").Text(0x30060024, "1.7").
		Floats(0x00700022, 1, 0, 0, -1, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 3, 0, 0, -3)))
	d := readObject(t, b, Limits{})
	lo, hi := space.Vec{9, 9, 9}, space.Vec{-9, -9, -9}
	for _, v := range d.Findings[0].Marks[0].Shape.Outline3() {
		for k := range v {
			lo[k], hi[k] = min(lo[k], v[k]), max(hi[k], v[k])
		}
	}
	if lo.Sub(space.Vec{-1, -2, -3}).Len() > 0.03 || hi.Sub(space.Vec{1, 2, 3}).Len() > 0.03 {
		t.Errorf("%v to %v, want half axes of 1, 2 and 3", lo, hi)
	}
}
