package evidence

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

// A report says that there is nothing only if nothing in it may say otherwise.
func TestNegative(t *testing.T) {
	normal, site := Code{"281900007", "SCT"}, Code{"39607008", "SCT"}
	text := func(name Code, s string) *dcm.Builder { return item("CONTAINS", "TEXT", name).Text(0x0040A160, s) }
	withSite := item("CONTAINS", "CODE", findingCode, item("HAS CONCEPT MOD", "CODE", findingSite).Items(0x0040A168, code1(site))).Items(0x0040A168, code1(normal))
	cad := object(storage+"88.50", "SR").Text(0x0040A040, "CONTAINER").Items(0x0040A043, code1(Code{"111036", "DCM"})).
		Text(0x0040A491, "COMPLETE").Text(0x0040A493, "VERIFIED").Items(0x0040A730, codeItem(findingCode, normal))
	for _, c := range []struct {
		name     string
		b        *dcm.Builder
		negative bool
		blocks   bool
	}{
		{"normal", reportWith(codeItem(findingCode, normal)), true, false},
		{"normal, and why the patient came", reportWith(text(Code{"121060", "DCM"}, "cough"), codeItem(findingCode, normal)), true, false},
		{"normal of an organ", reportWith(withSite), false, true},
		{"normal, and a nodule", reportWith(codeItem(findingCode, normal), codeItem(findingCode, nodule)), false, true},
		{"a nodule, and normal", reportWith(item("CONTAINS", "CONTAINER", Code{"1", "DCM"}, codeItem(findingCode, nodule)), codeItem(findingCode, normal)), false, true},
		{"normal, and text", reportWith(codeItem(findingCode, normal), text(findingCode, "8 mm nodule")), false, true},
		{"text only", reportWith(text(findingCode, "nothing")), false, false},
		{"an algorithm that somebody signed", cad, false, false},
	} {
		d := readObject(t, c.b, Limits{})
		blocks := len(d.Excluded) > 0 && d.Excluded[0].Blocks
		if d.NoLesion != c.negative || blocks != c.blocks {
			t.Errorf("%s: negative %v, blocks %v; want %v, %v (%s)", c.name, d.NoLesion, blocks, c.negative, c.blocks, summary(d))
		}
	}
}

// An organ by its category, and something else by its finding or its words, is not harmless.
func TestOrgansThatAreNone(t *testing.T) {
	worded := func(c Code, meaning string) *dcm.Builder {
		return item("CONTAINS", "CODE", findingCode).Items(0x0040A168, dcm.NewBuilder().Text(0x00080100, c.Value).Text(0x00080102, c.Scheme).Text(0x00080104, meaning))
	}
	category := item("CONTAINS", "CODE", findingCategory).Items(0x0040A168, code1(organ))
	for _, c := range []struct {
		name    string
		finding *dcm.Builder
		want    string
	}{
		{"organ", worded(liver, "Liver"), "X 1.1"},
		{"private", worded(Code{"7", "99ACME"}, "Liver"), "F 1.1 unsure"},
		{"a code of a neoplasm", worded(Code{"363346000", "SCT"}, "Malignant neoplastic disease"), "F 1.1 1.1"},
		{"words of one", worded(Code{"93870000", "SCT"}, "Malignant neoplasm of liver"), "F 1.1 unsure"},
		{"in Chinese", worded(Code{"93870000", "SCT"}, "肝肿瘤"), "F 1.1 unsure"},
	} {
		b := reportWith(groupOf(category, c.finding, area2("CIRCLE", "1.1", 10, 10, 12, 10))).Text(0x00080005, "ISO_IR 192")
		if got := summary(readObject(t, b, Limits{})); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct{ label, want string }{{"Liver", "X"}, {"Liver tumor", "F"}, {"GTV 1", "F"}} {
		b, _ := segWith(r, 8, 6, 7, 2, func(b *dcm.Builder) {
			b.Text(0x00620001, "FRACTIONAL").Ints(0x0062000E, 255).Items(0x00620002, segmentItem(1, organ, liver).Text(0x00620005, c.label))
		})
		if got := summary(readObject(t, b, Limits{})); !strings.HasPrefix(got, c.want) {
			t.Errorf("segment labelled %q: got %q, want %s", c.label, got, c.want)
		}
	}
}

// All that a group marks is marked: a second image, coordinates below coordinates, frames of a segmentation without the number of a segment.
func TestMarksOfGroups(t *testing.T) {
	nested := item("CONTAINS", "SCOORD", Code{"111030", "DCM"}, imageOf("1.1"), area2("POINT", "1.2", 5, 6)).Text(0x00700023, "CIRCLE").Floats(0x00700022, 10, 10, 12, 10)
	frames := item("CONTAINS", "IMAGE", segmentFrame).Items(0x00081199, dcm.NewBuilder().Text(0x00081150, storage+"66.4").Text(0x00081155, "1.8").Ints(0x00081160, 3))
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"an image beside coordinates", groupOf(area2("POINT", "1.1", 5, 6), imageOf("1.2")), "F 1.1 1.1 5,6-5,6 1.2"},
		{"their own image beside coordinates", groupOf(area2("POINT", "1.1", 5, 6), imageOf("1.1")), "F 1.1 1.1 5,6-5,6"},
		{"the source of a segmentation", groupOf(area2("POINT", "1.1", 5, 6), item("CONTAINS", "IMAGE", sourceImage).Items(0x00081199, dcm.NewBuilder().Text(0x00081155, "1.2"))), "F 1.1 1.1 5,6-5,6"},
		{"coordinates below coordinates", groupOf(nested), "F 1.1 1.1 8,8-12,12 1.2 5,6-5,6"},
		{"frames of a segmentation", groupOf(frames), "F 1.1 seg 1.8[]"},
	} {
		if got := strings.TrimSuffix(summary(readObject(t, reportWith(c.b), Limits{})), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Key images are found wherever they stand, also where they are called composite objects.
func TestKeyObjectsAnywhere(t *testing.T) {
	composite := func(class string) *dcm.Builder {
		return item("CONTAINS", "COMPOSITE", Code{}).Items(0x00081199, dcm.NewBuilder().Text(0x00081150, class).Text(0x00081155, "1.4"))
	}
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"composite", composite(imageClass), "F 1 1.4"},
		{"nested", item("CONTAINS", "CONTAINER", Code{"1", "DCM"}, imageOf("1.5")), "F 1 1.5"},
		{"a presentation state", composite(storage + "11.1"), ""},
	} {
		d := readObject(t, object(storage+"88.59", "KO").Text(0x0040A040, "CONTAINER").Items(0x0040A043, code1(Code{"113000", "DCM"})).Items(0x0040A730, c.b), Limits{})
		if got := strings.TrimSuffix(summary(d), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// What a segmentation says of its frames must agree, and the pixels of its grid are those of its source only if the grids are one.
func TestSegmentationGrids(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	lesion := func(b *dcm.Builder) { b.Items(0x00620002, segmentItem(1, Code{"49755003", "SCT"}, nodule)) }
	b, _ := segWith(r, 8, 6, 7, 2, func(b *dcm.Builder) {
		lesion(b)
		b.Text(0x00620001, "FRACTIONAL").Ints(0x0062000E, 255).Ints(0x00280008, 1)
	})
	if d := readObject(t, b, Limits{}); len(d.Problems) == 0 {
		t.Errorf("one frame, and functional groups of two: %s", summary(d))
	}
	source := func(kept string) *dcm.Builder {
		im := dcm.NewBuilder().Text(0x00081150, imageClass).Text(0x00081155, "1.1")
		if kept != "" {
			im.Text(0x0028135A, kept)
		}
		return dcm.NewBuilder().Items(0x00089124, dcm.NewBuilder().Items(0x00082112, im))
	}
	for _, c := range []struct {
		kept  string
		whole bool
	}{{"", false}, {"YES", false}, {"NO", true}, {"REORIENTED_ONLY", true}} {
		b, _ := segWith(r, 8, 6, 7, 1, func(b *dcm.Builder) {
			lesion(b)
			b.Text(0x00620001, "FRACTIONAL").Ints(0x0062000E, 255).Delete(0x52009230).Items(0x52009229, source(c.kept))
		})
		d := readObject(t, b, Limits{})
		if len(d.Findings) == 0 {
			continue // no pixel was set
		}
		m := d.Findings[0].Marks[0]
		if (m.Whole != "") != c.whole || m.Rows != 6 || m.Columns != 7 || m.Image == nil {
			t.Errorf("spatial locations preserved %q: whole %q, grid of %d x %d", c.kept, m.Whole, m.Rows, m.Columns)
		}
	}
}

// Structures that are described twice are all that is said of them.
func TestStructuresTwice(t *testing.T) {
	contour := func(z float64) *dcm.Builder {
		return dcm.NewBuilder().Text(0x30060042, "CLOSED_PLANAR").Ints(0x30060046, 3).Floats(0x30060050, 0, 0, z, 10, 0, z, 10, 10, z)
	}
	roi := func(n int) *dcm.Builder {
		return dcm.NewBuilder().Ints(0x30060022, n).Text(0x30060024, "1.7").Text(0x30060026, "x")
	}
	contours := func(n int, list ...*dcm.Builder) *dcm.Builder {
		return dcm.NewBuilder().Ints(0x30060084, n).Items(0x30060040, list...)
	}
	observed := func(n int, kind string) *dcm.Builder {
		return dcm.NewBuilder().Ints(0x30060084, n).Text(0x300600A4, kind)
	}
	set := func(rois, list, seen []*dcm.Builder) *dcm.Builder {
		return object(storage+"481.3", "RTSTRUCT").Items(0x30060020, rois...).Items(0x30060039, list...).Items(0x30060080, seen...)
	}
	type many = []*dcm.Builder
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"contours in two items", set(many{roi(1)}, many{contours(1, contour(5)), contours(1, contour(9))}, many{observed(1, "GTV")}), "F ROI 1 space 1.7 3 space 1.7 3"},
		{"observed as a lesion, and as an organ", set(many{roi(1)}, many{contours(1, contour(5))}, many{observed(1, "GTV"), observed(1, "ORGAN")}), "F ROI 1 space 1.7 3"},
		{"observed as an organ, and as nothing", set(many{roi(1)}, many{contours(1, contour(5))}, many{observed(1, "ORGAN"), observed(1, "")}), "X ROI 1 blocks"},
		{"one number, two structures", set(many{roi(1), roi(1)}, many{contours(1, contour(5))}, many{observed(1, "ORGAN"), observed(1, "CTV")}), "F ROI 1 space 1.7 3; F ROI 1 space 1.7 3"},
	} {
		if got := strings.TrimSuffix(summary(readObject(t, c.b, Limits{})), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Displayed areas may differ by frame.
func TestDisplayedAreasOfFrames(t *testing.T) {
	ref := func(frames ...int) *dcm.Builder {
		return dcm.NewBuilder().Text(0x00081150, imageClass).Text(0x00081155, "1.1").Ints(0x00081160, frames...)
	}
	area := func(from, to int, frames ...int) *dcm.Builder {
		return dcm.NewBuilder().Items(0x00081140, ref(frames...)).Ints(0x00700052, from, from).Ints(0x00700053, to, to)
	}
	point := dcm.NewBuilder().Text(0x00700005, "DISPLAY").Ints(0x00700020, 2).Ints(0x00700021, 1).Floats(0x00700022, 0.5, 0.5).Text(0x00700023, "POINT")
	b := object(storage+"11.1", "PR").Items(0x00081115, dcm.NewBuilder().Text(0x0020000E, "1.3").Items(0x00081140, ref(1, 2, 3))).
		Items(0x0070005A, area(1, 100, 1, 2), area(201, 300, 3)).Items(0x00700001, dcm.NewBuilder().Items(0x00081140, ref(2, 3, 4)).Items(0x00700009, point))
	want := "F graphic 1.1 1.1[2] 50,50-50,50 1.1[3] 250,250-250,250 1.1[4] 0.5,0.5-0.5,0.5 whole"
	if got := strings.TrimSuffix(summary(readObject(t, b, Limits{})), "; "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A null is no number, and a name is what it is, letter for letter.
func TestAnnotationsToTheLetter(t *testing.T) {
	const head = `{"schema":"annotation/1","study_uid":"1.2.3","document_id":"d","revision":1,"system":"x","created":"2026-11-01T08:30:00Z","status":"final","author":"person","complete":true,`
	region := func(r string) string {
		return head + `"no_lesion":false,"lesions":[{"id":"L1","regions":[` + r + `]}]}`
	}
	for _, c := range []struct{ name, text, want string }{
		{"good", region(`{"type":"box3d","for_uid":"1.2","min":[1,2,3],"max":[4,5,6]}`), ""},
		{"null in a point", region(`{"type":"polygon","coords":"edge","sop_uid":"1.1","points":[[null,20],[30,1],[20,40]]}`), "has a null"},
		{"null in a box", region(`{"type":"box3d","for_uid":"1.2","min":[null,2,3],"max":[4,5,6]}`), "has a null"},
		{"null for a list", head + `"no_lesion":false,"lesions":null}`, "has a null"},
		{"a name with another s", head + `"no_le` + "\u017f" + `ion":true,"lesions":[]}`, "a name that is not of a-z"},
		{"a name in capitals", head + `"NO_LESION":true,"lesions":[]}`, "a name that is not of a-z"},
	} {
		_, err := ReadAnnotation([]byte(c.text), Limits{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
