package roi

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

func rect(x, y, w, h float64) evidence.Shape {
	return evidence.Shape{Type: evidence.Rectangle, P: []space.Point{{X: x, Y: y}, {X: x + w, Y: y + h}}}
}

func on(v *volume, i int, s evidence.Shape) evidence.Mark {
	return evidence.Mark{Image: &evidence.Image{SOPUID: v.uid(i)}, Shape: s}
}

func plan(s *Study) *Record { return Plan(s, DefaultPolicy(), time.Unix(1000, 0)) }

// numbersOf are the slices of a region's items, by their place in the volume.
func numbersOf(v *volume, g *Region) []int {
	var out []int
	for _, it := range g.Items {
		for i := range v.n {
			if v.uid(i) == it.SOPUID {
				out = append(out, i)
			}
		}
	}
	return out
}

func regionsOf(r *Record, series string, mode Mode) (out []Region) {
	for _, g := range r.Regions {
		if g.SeriesUID == series && g.Mode == mode {
			out = append(out, g)
		}
	}
	return out
}

func span1(from, to int) (out []int) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// A nodule of 14 x 21 mm drawn on slice 20 of 40, 5 mm apart. Margin in the plane: 10 mm + a quarter of 21 mm =
// 15.25 mm = 21.8, so 22 pixels of 0.7 mm. Depth: nobody drew more than one slice, so half of the
// longest side is assumed: the diagonal of 25.2 mm / 2 = 12.6 mm, and 5 mm of margin; a slice stands for +-2.5 mm. 12.6 + 5 + 2.5 = 20.1: four slices on each side.
func TestOneSlice(t *testing.T) {
	v := axial("1.2.3.1")
	r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 20, rect(100, 200, 20, 30))}})}, v.images()))
	crops := regionsOf(r, v.series, ModeCrop)
	if len(crops) != 1 {
		t.Fatalf("%d crops, want 1: %+v", len(crops), r.Regions)
	}
	if got, want := crops[0].Rect, (Rect{78, 178, 64, 74}); got != want {
		t.Errorf("rectangle %+v, want %+v", got, want)
	}
	if got, want := numbersOf(v, &crops[0]), span1(16, 24); !slices.Equal(got, want) {
		t.Errorf("slices %v, want %v", got, want)
	}
	whole := regionsOf(r, v.series, ModeSlice)
	if len(whole) != 1 || !slices.Equal(numbersOf(v, &whole[0]), []int{20}) || !whole[0].Items[0].Reference {
		t.Errorf("whole slices %+v, want slice 20 as reference", whole)
	}
	if r.State != StateExtracted || r.Lesions[0].Extent != "assumed-sphere" {
		t.Errorf("state %s (%v), extent %s; want extracted, assumed-sphere", r.State, r.Why, r.Lesions[0].Extent)
	}
	// edge coordinates 100..120, 200..230 are 99.5*0.7 .. 119.5*0.7 mm from the centre of the first pixel; the slice is 100 mm up
	b := r.Lesions[0].Box
	want := Box{space.Vec{69.65, 139.65, 97.5}, space.Vec{83.65, 160.65, 102.5}}
	if b.Min.Sub(want.Min).Len() > 1e-9 || b.Max.Sub(want.Max).Len() > 1e-9 {
		t.Errorf("box %+v, want %+v", b, want)
	}
	if o := r.Lesions[0].Outlines; len(o) != 1 || o[0].SOPUID != v.uid(20) || len(o[0].Points) != 4 {
		t.Errorf("outlines %+v, want the rectangle on slice 20", o)
	}
}

// A lesion of one pixel in the corner of a frame: the rectangle stays in the frame and has its least side.
func TestCorner(t *testing.T) {
	v := axial("1.2.3.1")
	for _, c := range []struct {
		x, y float64
		want Rect
	}{{0, 0, Rect{0, 0, 64, 64}}, {511, 511, Rect{448, 448, 64, 64}}, {511, 0, Rect{448, 0, 64, 64}}} {
		r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 0, rect(c.x, c.y, 1, 1))}})}, v.images()))
		crops := regionsOf(r, v.series, ModeCrop)
		if len(crops) != 1 || crops[0].Rect != c.want {
			t.Errorf("a pixel at %v, %v: %+v, want %+v", c.x, c.y, crops, c.want)
			continue
		}
		// 10 mm of assumed depth + 5 mm of margin + 2.5 mm of slice, below the first slice is nothing
		if got, want := numbersOf(v, &crops[0]), span1(0, 3); !slices.Equal(got, want) {
			t.Errorf("a pixel at %v, %v: slices %v, want %v", c.x, c.y, got, want)
		}
	}
}

// Pixels of 0.5 mm by 2 mm: the margin of 12.5 mm (10 + a quarter of 10 mm) is 25 columns and 7 rows.
func TestNotSquare(t *testing.T) {
	v := axial("1.2.3.1")
	v.dx, v.dy = 0.5, 2
	r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 5, rect(300, 100, 20, 4)), on(v, 6, rect(300, 100, 20, 5))}})}, v.images()))
	crops := regionsOf(r, v.series, ModeCrop)
	if len(crops) != 1 || crops[0].Rect.X != 275 || crops[0].Rect.W != 70 || crops[0].Rect.H != 64 {
		t.Errorf("%+v, want columns 275 to 344 and 64 rows", crops)
	}
	// drawn with the spacings mixed up: nobody knows where
	m := on(v, 5, rect(300, 100, 20, 4))
	m.Cornerstone = true
	r = plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{m}})}, v.images()))
	if len(regionsOf(r, v.series, ModeCrop)) != 0 || len(regionsOf(r, v.series, ModeSlice)) != 1 || r.State != StateExtractedOpen {
		t.Errorf("state %s, regions %+v; want whole slices that a person must look at", r.State, r.Regions)
	}
}

// Key images: 10 mm on each side, and the same slab of the thinnest parallel series of the frame of reference. The
// slice at 50 mm: of 5 mm slices those up to 60 mm (the next begins at 62.5 mm), of 1 mm slices as well (60.5 mm).
func TestKeySlices(t *testing.T) {
	thick, thin, coronal := axial("1.2.3.1"), axial("1.2.3.2"), axial("1.2.3.3")
	thin.step, thin.thick, thin.n = 1, 1, 200
	coronal.column, coronal.normal = space.Vec{0, 0, -1}, space.Vec{0, 1, 0}
	d := &evidence.Document{Kind: evidence.KindKeyObjects, StudyUID: "1.2.3", SOPUID: "1.5", Findings: []evidence.Finding{{Item: "1.1", Marks: []evidence.Mark{on(thick, 10, evidence.Shape{})}}}}
	s := study([]*evidence.Document{d}, thick.images(), thin.images(), coronal.images())
	r := plan(s)
	if r.State != StateExtractedOpen || r.Lesions[0].Extent != "key-slices" {
		t.Errorf("state %s, extent %s: a key object selection does not say that there is nothing else", r.State, r.Lesions[0].Extent)
	}
	for _, c := range []struct {
		v    *volume
		want []int
	}{{thick, span1(8, 12)}, {thin, span1(40, 60)}, {coronal, nil}} {
		var got []int
		for _, g := range regionsOf(r, c.v.series, ModeSlice) {
			got = append(got, numbersOf(c.v, &g)...)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("series %s: slices %v, want %v", c.v.series, got, c.want)
		}
	}
	d.Verified, d.Final, d.Complete = true, true, true
	if r = plan(s); r.State != StateKeySlices {
		t.Errorf("state %s (%v), want key-slices", r.State, r.Why)
	}
}

// What is marked on one series is kept on all series of the frame of reference, with more around it; on parallel series of another
// frame of reference that overlap in whole slices; localizers and other places are left out.
func TestSeveralSeries(t *testing.T) {
	own, phase, moved, far, scout := axial("1.2.3.1"), axial("1.2.3.2"), axial("1.2.3.3"), axial("1.2.3.4"), axial("1.2.3.5")
	phase.origin = space.Vec{0, 0, 0}
	moved.forUID = "1.10"
	far.origin = space.Vec{0, 0, 1000}
	scouts := scout.images()
	for i := range scouts {
		scouts[i].Localizer = true
	}
	r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(own, 20, rect(200, 200, 20, 20)), on(own, 21, rect(200, 200, 20, 20))}})},
		own.images(), phase.images(), moved.images(), far.images(), scouts))
	a, b := regionsOf(r, own.series, ModeCrop), regionsOf(r, phase.series, ModeCrop)
	if len(a) != 1 || len(b) != 1 {
		t.Fatalf("regions %+v: want a crop of each of the two series", r.Regions)
	}
	// 97.5 to 107.5 mm; own: 5 mm more, other: 20 mm more; slices stand for 2.5 mm on each side
	if got, want := numbersOf(own, &a[0]), span1(18, 23); !slices.Equal(got, want) {
		t.Errorf("own slices %v, want %v", got, want)
	}
	if got, want := numbersOf(phase, &b[0]), span1(15, 26); !slices.Equal(got, want) {
		t.Errorf("slices of the other phase %v, want %v", got, want)
	}
	if b[0].Rect.W <= a[0].Rect.W {
		t.Errorf("the other phase has a rectangle of %+v, no wider than %+v", b[0].Rect, a[0].Rect)
	}
	w := regionsOf(r, moved.series, ModeSlice)
	if len(w) != 1 || !w[0].Uncertain || !slices.Equal(numbersOf(moved, &w[0]), span1(15, 26)) {
		t.Errorf("series in another frame of reference: %+v, want whole slices 15 to 26, uncertain", w)
	}
	for _, v := range []*volume{far, scout} {
		if len(regionsOf(r, v.series, ModeCrop))+len(regionsOf(r, v.series, ModeSlice)) != 0 {
			t.Errorf("something of series %s is kept", v.series)
		}
	}
	if len(r.Lesions) != 1 || r.Lesions[0].Extent != "measured" {
		t.Errorf("lesions %+v, want one that is measured", r.Lesions)
	}
}

// One lesion in two documents: by tracking UID, or because they overlap. Two that a document tells apart stay two.
func TestLesions(t *testing.T) {
	v := axial("1.2.3.1")
	f := func(tracking string, x float64) evidence.Finding {
		return evidence.Finding{Tracking: tracking, Marks: []evidence.Mark{on(v, 9, rect(x, 100, 30, 30)), on(v, 10, rect(x, 100, 30, 30))}}
	}
	for _, c := range []struct {
		name string
		docs []*evidence.Document
		want int
	}{
		{"same tracking UID far apart", []*evidence.Document{report("1.5", f("2.25.1", 100)), report("1.6", f("2.25.1", 300))}, 1},
		{"overlap between documents", []*evidence.Document{report("1.5", f("", 100)), report("1.6", f("2.25.1", 105))}, 1},
		{"overlap, two tracking UIDs", []*evidence.Document{report("1.5", f("2.25.2", 100)), report("1.6", f("2.25.1", 105))}, 2},
		{"overlap within a document", []*evidence.Document{report("1.5", f("", 100), f("", 105))}, 2},
		{"apart", []*evidence.Document{report("1.5", f("", 100)), report("1.6", f("", 200))}, 2},
	} {
		if r := plan(study(c.docs, v.images())); len(r.Lesions) != c.want {
			t.Errorf("%s: %d lesions, want %d: %+v", c.name, len(r.Lesions), c.want, r.Lesions)
		}
	}
}

// The state of a study, and that nothing but proof of completeness lets its full images expire.
func TestStates(t *testing.T) {
	v := axial("1.2.3.1")
	mark := evidence.Finding{Marks: []evidence.Mark{on(v, 9, rect(100, 100, 30, 30))}}
	doc := func(change func(*evidence.Document), f ...evidence.Finding) *evidence.Document {
		d := report("1.5", f...)
		if change != nil {
			change(d)
		}
		return d
	}
	machine := func(d *evidence.Document) { d.Machine = true }
	negative := func(d *evidence.Document) { d.NoLesion = true }
	elsewhere := evidence.Finding{Marks: []evidence.Mark{{Image: &evidence.Image{SOPUID: "1.2.9.9"}, Shape: rect(1, 1, 5, 5)}}}
	prior := evidence.Finding{Marks: []evidence.Mark{{Image: &evidence.Image{StudyUID: "1.2.77", SOPUID: "1.2.9.9"}, Shape: rect(1, 1, 5, 5)}}}
	unsure := mark
	unsure.Unsure = "its category is a private code"
	second := report("1.6", mark)
	second.Replaces = []string{"1.5"}
	for _, c := range []struct {
		name       string
		docs       []*evidence.Document
		unreadable []string
		want       State
		source     SourceState // of the first document in the record
	}{
		{"nothing", nil, nil, StateNone, ""},
		{"a verified report", []*evidence.Document{doc(nil, mark)}, nil, StateExtracted, SourceUsed},
		{"an algorithm", []*evidence.Document{doc(machine, mark)}, nil, StateExtractedOpen, SourceUsed},
		{"a report that is not complete", []*evidence.Document{doc(func(d *evidence.Document) { d.Complete = false }, mark)}, nil, StateExtractedOpen, SourceUsed},
		{"a finding in a private code", []*evidence.Document{doc(nil, unsure)}, nil, StateExtractedOpen, SourceUsed},
		{"a negative report", []*evidence.Document{doc(negative)}, nil, StateNegative, SourceNoGeometry},
		{"a negative algorithm", []*evidence.Document{doc(func(d *evidence.Document) { d.NoLesion, d.Machine = true, true })}, nil, StateNone, SourceNoGeometry},
		{"negative beside a finding", []*evidence.Document{doc(negative), report("1.7", mark)}, nil, StateExtractedOpen, SourceNoGeometry},
		{"an excluded item that blocks", []*evidence.Document{doc(func(d *evidence.Document) {
			d.Excluded = []evidence.Excluded{{Item: "1.2", Reason: "optional CAD mark", Blocks: true}}
		}, mark)}, nil, StateExtractedOpen, SourceUsed},
		{"organs only", []*evidence.Document{doc(func(d *evidence.Document) {
			d.Complete, d.Excluded = false, []evidence.Excluded{{Item: "segment 1", Reason: "organ"}}
		})}, nil, StateNone, SourceExcluded},
		{"a damaged document", []*evidence.Document{doc(func(d *evidence.Document) { d.Problems = []evidence.Problem{{What: "cut off"}} }, mark)}, nil, StateUnreadable, SourceUnreadable},
		{"an image that is not there", []*evidence.Document{doc(nil, elsewhere, mark)}, nil, StateUnresolved, SourceUnresolved},
		{"a prior's image", []*evidence.Document{doc(nil, prior, mark)}, nil, StateExtracted, SourceUsed},
		{"only a prior's image", []*evidence.Document{doc(nil, prior)}, nil, StateNone, SourceNoGeometry},
		{"a quarantined file", []*evidence.Document{doc(nil, mark)}, []string{"1 file"}, StatePartial, SourceUsed},
		{"a damaged first version", []*evidence.Document{doc(func(d *evidence.Document) { d.Problems = []evidence.Problem{{What: "cut off"}} }, mark), second}, nil, StateExtracted, SourceExcluded},
	} {
		s := study(c.docs, v.images())
		s.Unreadable = c.unreadable
		r := plan(s)
		if r.State != c.want {
			t.Errorf("%s: state %s (%v), want %s", c.name, r.State, r.Why, c.want)
		}
		if len(r.Why) == 0 {
			t.Errorf("%s: no reason is given", c.name)
		}
		if len(r.Sources) != len(c.docs) || len(c.docs) > 0 && r.Sources[0].State != c.source {
			t.Errorf("%s: sources %+v, want %s", c.name, r.Sources, c.source)
		}
		// A finding that can be placed is kept whatever the state.
		if d := slices.ContainsFunc(c.docs, func(d *evidence.Document) bool {
			return slices.ContainsFunc(d.Findings, func(f evidence.Finding) bool { return f.Marks[0].Image.SOPUID == v.uid(9) })
		}); d != (len(r.Regions) > 0) {
			t.Errorf("%s: regions %+v", c.name, r.Regions)
		}
		// An answer holds for the plan that was seen, and for no other.
		a := &Answer{Kind: AnswerNegative, By: "dr", Reason: "looked", Plan: r.Plan}
		heard := func() *Record { r := plan(s); r.Hear(a); return r }
		if got := heard(); (got.State == StateNegative) != (c.want != StatePartial) || got.Review == nil || got.Plan != r.Plan {
			t.Errorf("%s: after an answer the state is %s", c.name, got.State)
		}
		s.Images = s.Images[1:]
		if got := heard(); got.Review != nil || got.State != r.State {
			t.Errorf("%s: an answer for another plan was heard", c.name)
		}
	}
}

// Documents of another study that measure a prior: what lies in this study is taken, its own images are not missed.
func TestFollowUp(t *testing.T) {
	v := axial("1.2.3.1")
	d := report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 9, rect(100, 100, 30, 30))}}, evidence.Finding{Marks: []evidence.Mark{{Image: &evidence.Image{SOPUID: "1.2.88.1"}, Shape: rect(1, 1, 2, 2)}}})
	d.StudyUID = "1.2.88"
	d.References = []evidence.Image{{StudyUID: "1.2.3", SOPUID: v.uid(9)}, {StudyUID: "1.2.88", SOPUID: "1.2.88.1"}}
	r := plan(study([]*evidence.Document{d}, v.images()))
	if r.State != StateExtracted || len(r.Lesions) != 1 || r.Sources[0].StudyUID != "1.2.88" {
		t.Errorf("state %s (%v), lesions %+v, sources %+v", r.State, r.Why, r.Lesions, r.Sources)
	}
}

// A few frames of a multi-frame instance are kept as frames, whole or cut; of one that cannot be cut all of it.
func TestMultiFrame(t *testing.T) {
	v := axial("1.2.3.1")
	im := v.enhanced()
	mark := func(s evidence.Shape) []*evidence.Document {
		return []*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{{Image: &evidence.Image{SOPUID: im.SOPUID, Frames: []int{21}}, Shape: s}}})}
	}
	r := plan(study(mark(rect(100, 200, 20, 30)), []Image{im}))
	if len(r.Regions) != 2 || r.Regions[0].Mode != ModeCrop || !slices.Equal(r.Regions[0].Items[0].Frames, span1(17, 25)) || r.Regions[1].Rect != (Rect{0, 0, 512, 512}) || !slices.Equal(r.Regions[1].Items[0].Frames, []int{21}) {
		t.Errorf("regions %+v, want a crop of frames 17 to 25, and frame 21 whole", r.Regions)
	}
	r = plan(study(mark(evidence.Shape{}), []Image{im}))
	if len(r.Regions) != 1 || r.Regions[0].Rect != (Rect{0, 0, 512, 512}) || len(r.Regions[0].Items[0].Frames) > 7 {
		t.Errorf("regions %+v, want some whole frames", r.Regions)
	}
	im.Uncroppable = "lossy"
	r = plan(study(mark(rect(100, 200, 20, 30)), []Image{im}))
	if len(r.Regions) != 1 || r.Regions[0].Mode != ModeSlice || r.Regions[0].Items[0].Frames != nil || !strings.Contains(r.Regions[0].Why, "lossy") {
		t.Errorf("regions %+v, want the whole instance", r.Regions)
	}
}

// Images without a place in the patient, and shapes that cannot be trusted.
func TestWhole(t *testing.T) {
	v := axial("1.2.3.1")
	for name, c := range map[string]struct {
		change func(*Image)
		shape  evidence.Shape
		why    string
	}{
		"radiograph": {func(im *Image) { im.Modality, im.ForUID, im.Frames[0].Plane = "DX", "", nil }, rect(10, 10, 5, 5), "no geometry"},
		"small": {func(im *Image) {
			im.Rows, im.Columns = 256, 256
			im.Frames[0].Plane.Rows, im.Frames[0].Plane.Columns = 256, 256
		}, rect(10, 10, 5, 5), "256 x 256"},
		"outside":        {nil, rect(-10, 10, 50, 50), "outside the image"},
		"most of it":     {nil, rect(10, 10, 450, 450), "most of the image"},
		"no number":      {nil, rect(math.NaN(), 10, 5, 5), "no number"},
		"three points":   {nil, evidence.Shape{Type: evidence.Ellipse, P: make([]space.Point, 3)}, "3 points"},
		"half the frame": {nil, rect(10, 10, 370, 300), "50 %"},
	} {
		images := v.images()
		for i := range images {
			if c.change != nil {
				c.change(&images[i])
			}
		}
		r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 9, c.shape)}})}, images))
		if len(r.Regions) == 0 || slices.ContainsFunc(r.Regions, func(g Region) bool { return g.Mode != ModeSlice }) || !strings.Contains(r.Regions[0].Why, c.why) {
			t.Errorf("%s: regions %+v, want whole slices because of %q", name, r.Regions, c.why)
		}
		if !slices.ContainsFunc(r.Regions[0].Items, func(it Item) bool { return it.SOPUID == v.uid(9) }) {
			t.Errorf("%s: the marked slice is not kept", name)
		}
	}
}

// Crops that lie near one another become one.
func TestMerge(t *testing.T) {
	v := axial("1.2.3.1")
	var f []evidence.Finding
	for i := range 6 {
		f = append(f, evidence.Finding{Tracking: fmt.Sprint("2.25.", i), Marks: []evidence.Mark{on(v, 9, rect(100+10*float64(i), 100, 8, 8)), on(v, 10, rect(100+10*float64(i), 100, 8, 8))}})
	}
	f = append(f, evidence.Finding{Tracking: "2.25.99", Marks: []evidence.Mark{on(v, 30, rect(400, 400, 8, 8)), on(v, 31, rect(400, 400, 8, 8))}})
	r := plan(study([]*evidence.Document{report("1.5", f...)}, v.images()))
	crops := regionsOf(r, v.series, ModeCrop)
	if len(crops) != 2 || len(crops[0].Lesions) != 6 || len(crops[1].Lesions) != 1 || len(r.Lesions) != 7 {
		t.Errorf("%d lesions, crops %+v; want one of six lesions and one of one", len(r.Lesions), crops)
	}
}
