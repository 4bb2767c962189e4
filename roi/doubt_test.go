package roi

import (
	"slices"
	"testing"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// A lesion that lies in no image that is kept does not let anything expire: outside of all images, or in a hole of the series.
func TestUnseenLesions(t *testing.T) {
	v := axial("1.2.3.1")
	images := v.images()
	hole := append(slices.Clone(images[:10]), images[30:]...) // 5 mm slices: nothing from 50 to 150 mm
	at := func(z float64) evidence.Finding {
		return evidence.Finding{Marks: []evidence.Mark{{ForUID: v.forUID, Shape: evidence.Shape{Type: evidence.Points3, V: []space.Vec{{100, 100, z}}, Radius: 2}}}}
	}
	for _, c := range []struct {
		name     string
		images   []Image
		findings []evidence.Finding
		want     State
	}{
		{"in an image", images, []evidence.Finding{at(60)}, StateExtracted},
		{"far away", images, []evidence.Finding{at(9000)}, StateUnresolved},
		{"beside the images", images, []evidence.Finding{{Marks: []evidence.Mark{{ForUID: v.forUID, Shape: evidence.Shape{Type: evidence.Points3, V: []space.Vec{{900, 100, 60}}, Radius: 2}}}}}, StateUnresolved},
		{"one in an image, one far away", images, []evidence.Finding{at(60), at(9000)}, StateUnresolved},
		{"in a hole", hole, []evidence.Finding{at(100)}, StateUnresolved},
	} {
		r := plan(study([]*evidence.Document{report("1.5", c.findings...)}, c.images))
		if r.State != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, r.State, r.Why, c.want)
		}
	}
}

// Documents that name one another in a circle all stand; chains are replaced by their end.
func TestReplacedInACircle(t *testing.T) {
	v := axial("1.2.3.1")
	doc := func(uid string, slice int, replaces ...string) *evidence.Document {
		d := report(uid, evidence.Finding{Marks: []evidence.Mark{on(v, slice, rect(100, 100, 30, 30))}})
		d.Replaces = replaces
		return d
	}
	r := plan(study([]*evidence.Document{doc("1.5", 5, "1.7"), doc("1.6", 15, "1.5"), doc("1.7", 25, "1.6"), doc("1.8", 35)}, v.images()))
	if len(r.Lesions) != 4 {
		t.Errorf("a circle of three, and one: %d lesions, want 4: %+v", len(r.Lesions), r.Sources)
	}
	r = plan(study([]*evidence.Document{doc("1.5", 5), doc("1.6", 15, "1.5"), doc("1.7", 25, "1.6")}, v.images()))
	if len(r.Lesions) != 1 || r.Sources[0].State != SourceExcluded || r.Sources[1].State != SourceExcluded || r.Sources[2].State != SourceUsed {
		t.Errorf("a chain of three: %d lesions, sources %+v", len(r.Lesions), r.Sources)
	}
}

// One slice in each of two frames of reference, or of two directions, is one slice in each: both get the depth that is assumed.
func TestDepthInEachFrameOfReference(t *testing.T) {
	a, b := axial("1.2.3.1"), axial("1.2.3.2")
	a.step, a.thick, b.step, b.thick = 2.5, 2.5, 2.5, 2.5
	b.forUID = "1.99"
	f := evidence.Finding{Tracking: "1.77", Marks: []evidence.Mark{on(a, 20, rect(100, 100, 91, 91)), on(b, 20, rect(100, 100, 91, 91))}} // 64 mm
	r := plan(study([]*evidence.Document{report("1.5", f)}, a.images(), b.images()))
	both := map[string]int{}
	for _, g := range r.Regions {
		if !g.Uncertain && g.Mode == ModeCrop {
			both[g.SeriesUID] += len(g.Items)
		}
	}
	if both[a.series] < 30 || both[b.series] < 30 {
		t.Errorf("of a lesion of 64 mm %v slices of 2.5 mm are kept, want 32 mm on each side: %+v", both, r.Regions)
	}
}

// Images without a frame of reference are one body all the same; of those without a place nobody knows what lies beside.
func TestImagesWithoutAPlace(t *testing.T) {
	v := axial("1.2.3.1")
	v.forUID = ""
	mark := []*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 20, rect(100, 100, 30, 30))}})}
	r := plan(study(mark, v.images()))
	if r.State != StateExtracted || len(r.Regions) != 1 || r.Regions[0].Mode != ModeSlice || len(r.Regions[0].Items) < 5 {
		t.Errorf("without a frame of reference: %s, regions %+v; want the neighbours, whole", r.State, r.Regions)
	}
	images := v.images()
	for i := range images {
		images[i].Frames[0].Plane = nil
	}
	if r = plan(study(mark, images)); r.State != StateExtractedOpen || len(r.Regions) != 1 {
		t.Errorf("without positions: %s (%v), regions %+v; want %s", r.State, r.Why, r.Regions, StateExtractedOpen)
	}
	key := []*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{on(v, 20, evidence.Shape{})}})}
	if r = plan(study(key, images)); r.State != StateExtractedOpen {
		t.Errorf("a key slice without a position: %s (%v), want %s", r.State, r.Why, StateExtractedOpen)
	}
	if r = plan(study(mark, images[20:21])); r.State != StateExtracted {
		t.Errorf("the only image of a series: %s (%v), want %s", r.State, r.Why, StateExtracted)
	}
}

// The pixels of a grid mean nothing on an image of another size.
func TestGridOfAnotherSize(t *testing.T) {
	v := axial("1.2.3.1")
	for _, c := range []struct {
		rows, columns int
		whole         bool
	}{{512, 512, false}, {256, 256, true}} {
		m := on(v, 20, rect(100, 100, 30, 30))
		m.Rows, m.Columns = c.rows, c.columns
		r := plan(study([]*evidence.Document{report("1.5", evidence.Finding{Marks: []evidence.Mark{m}})}, v.images()))
		crops := slices.ContainsFunc(r.Regions, func(g Region) bool { return g.Mode == ModeCrop })
		if crops == c.whole {
			t.Errorf("a grid of %d x %d: regions %+v", c.rows, c.columns, r.Regions)
		}
	}
}

// Many lesions together may need so much that a crop does not pay, and what was drawn in another study only is not this one's.
func TestMergedCrops(t *testing.T) {
	v := axial("1.2.3.1")
	var list []evidence.Finding
	for i := range 64 {
		list = append(list, evidence.Finding{Marks: []evidence.Mark{on(v, 20, rect(float64(20+60*(i%8)), float64(20+60*(i/8)), 20, 20))}})
	}
	r := plan(study([]*evidence.Document{report("1.5", list...)}, v.images()))
	for _, g := range r.Regions {
		if g.Mode == ModeCrop && float64(g.Rect.W*g.Rect.H) > DefaultPolicy().MaxCropShare*512*512 {
			t.Errorf("a crop of %+v is kept beside the whole slices", g.Rect)
		}
	}
	d := report("1.6", evidence.Finding{Marks: []evidence.Mark{{ForUID: "1.404", Shape: evidence.Shape{Type: evidence.Points3, V: []space.Vec{{1, 2, 3}}}}}})
	d.References = []evidence.Image{{StudyUID: "1.2.77", SOPUID: "1.2.77.1"}}
	if r := plan(study([]*evidence.Document{d}, v.images())); r.State != StateNone {
		t.Errorf("structures of another study: %s (%v), want %s", r.State, r.Why, StateNone)
	}
}
