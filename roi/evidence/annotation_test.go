package evidence

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/radtier/radtier/roi/space"
)

// example is the document that docs/annotation-format.md shows.
func example(t testing.TB) string {
	raw, err := os.ReadFile("../../docs/annotation-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```json\n")
	doc, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/annotation-format.md has no example")
	}
	return doc
}

func TestAnnotationExample(t *testing.T) {
	d, err := ReadAnnotation([]byte(example(t)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d.SOPUID != "nodule-service:4711" || d.Revision != 3 || !d.Final || d.Complete || !d.Machine || len(d.Findings) != 1 {
		t.Fatalf("document %+v", d)
	}
	f := d.Findings[0]
	if f.Tracking != "2.25.30491830491830491" || f.Score != 0.93 || len(f.Marks) != 8 || f.Codes[0] != (Code{"27925004", "SCT"}) {
		t.Fatalf("finding %+v", f)
	}
	bounds := func(i int) [4]float64 {
		lo, hi := f.Marks[i].Shape.Bounds()
		return [4]float64{lo.X, lo.Y, hi.X, hi.Y}
	}
	if got, want := bounds(0), [4]float64{10, 20.5, 40, 60.5}; got != want {
		t.Errorf("rect at the edge: %v, want %v", got, want)
	}
	if got, want := bounds(1), [4]float64{10.5, 20.5, 30.5, 40.5}; got != want {
		t.Errorf("polygon from centres: %v, want %v", got, want)
	}
	if m := f.Marks[2]; m.Shape.Radius != 10 || m.Image.Frames != nil || m.Shape.P[0] != (space.Point{X: 15, Y: 25}) {
		t.Errorf("point %+v", m)
	}
	if m := f.Marks[3]; m.ForUID != "1.2.3.9" || len(m.Shape.V) != 8 || m.Shape.V[7] != (space.Vec{15, 5, 120}) || m.Shape.V[0] != (space.Vec{-10, -20, 100}) {
		t.Errorf("box %+v", m)
	}
	if m := f.Marks[5]; m.Image.SOPUID != "1.2.3.4" || m.Shape.Type != None || m.Image.SeriesUID != "1.2.3" {
		t.Errorf("slices %+v", m)
	}
	if m := f.Marks[7]; m.Segment == nil || m.Segment.SOPUID != "1.2.3.8" || len(m.Segment.Segments) != 2 {
		t.Errorf("segments %+v", m)
	}
	if d.Title != (Code{}) || strings.Contains(strings.Join([]string{f.Item, f.Unsure}, " "), "nodule") {
		t.Error("a label is kept")
	}
}

// A rectangle from the centre of its first pixel to that of its last covers both pixels.
func TestAnnotationCentre(t *testing.T) {
	doc := strings.Replace(example(t), `"coords": "edge", "sop_uid": "1.2.3.1", "frame": 1, "x": 10, "y": 20.5, "w": 30, "h": 40`, `"coords": "centre", "sop_uid": "1.2.3.1", "x": 10, "y": 20, "w": 30, "h": 40`, 1)
	d, err := ReadAnnotation([]byte(doc), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	lo, hi := d.Findings[0].Marks[0].Shape.Bounds()
	if lo != (space.Point{X: 10, Y: 20}) || hi != (space.Point{X: 41, Y: 61}) {
		t.Errorf("%v to %v, want 10,20 to 41,61", lo, hi)
	}
}

// Who is the author, and what is complete.
func TestAnnotationComplete(t *testing.T) {
	base := example(t)
	for _, c := range []struct {
		replace           []string
		complete, machine bool
		findings          int
	}{
		{nil, false, true, 1},
		{[]string{`"algorithm"`, `"person"`}, true, false, 1},
		{[]string{`"unreviewed"`, `"confirmed"`}, true, false, 1},
		{[]string{`"algorithm"`, `"person"`, `"final"`, `"preliminary"`}, false, false, 1},
		{[]string{`"algorithm"`, `"person"`, `"complete": true`, `"complete": false`}, false, false, 1},
		{[]string{`"unreviewed"`, `"rejected"`}, false, false, 0},
	} {
		d, err := ReadAnnotation([]byte(strings.NewReplacer(c.replace...).Replace(base)), Limits{})
		if err != nil {
			t.Errorf("%v: %v", c.replace, err)
			continue
		}
		// A document whose only lesion a person rejected was looked at by a person; what it lists is complete only if it says so.
		if c.findings > 0 && (d.Complete != c.complete || d.Machine != c.machine) || len(d.Findings) != c.findings || len(d.Findings)+len(d.Excluded) != 1 {
			t.Errorf("%v: complete %v, machine %v, %d findings, %d excluded; want %v, %v, %d", c.replace, d.Complete, d.Machine, len(d.Findings), len(d.Excluded), c.complete, c.machine, c.findings)
		}
	}
}

// What is refused, with the place of it, and without what stood there.
func TestAnnotationRefused(t *testing.T) {
	base := example(t)
	for _, c := range []struct{ old, new, want string }{
		{`"schema": "annotation/1"`, `"schema": "annotation/2"`, "schema"},
		{`"1.2.826.0.1.3680043.10.99.1"`, `"WANG LI"`, "study_uid"},
		{`"nodule-service:4711"`, `"report of Mr Wang"`, "document_id"},
		{`"revision": 3`, `"revision": 0`, "revision"},
		{`"revision": 3,`, ``, "revision"},
		{`2026-11-01T08:30:00Z`, `yesterday`, "created"},
		{`"final"`, `"done"`, "status"},
		{`"algorithm"`, `"dr wang"`, "author"},
		{`"complete": true,`, ``, "complete"},
		{`"no_lesion": false`, `"no_lesion": true`, "no_lesion"},
		{`"id": "L1"`, `"id": "Wang's"`, "lesions[0].id"},
		{`"unreviewed"`, `"maybe"`, "lesions[0].review"},
		{`0.93`, `93`, "lesions[0].score"},
		{`"coords": "edge", "sop_uid": "1.2.3.1"`, `"sop_uid": "1.2.3.1"`, "lesions[0].regions[0].coords: is missing"},
		{`"coords": "centre"`, `"coords": "pixel"`, "lesions[0].regions[1].coords"},
		{`"frame": 1`, `"frame": 0`, "lesions[0].regions[0].frame"},
		{`"w": 30`, `"w": 0`, "lesions[0].regions[0].w"},
		{`"w": 30`, `"w": -30`, "lesions[0].regions[0].w"},
		{`[[10, 20], [30, 20], [20, 40]]`, `[[10, 20], [30, 20]]`, "lesions[0].regions[1].points"},
		{`[[10, 20], [30, 20], [20, 40]]`, `[[10, 20], [30], [20, 40]]`, "lesions[0].regions[1].points[1]"},
		{`"max": [15, 5, 120]`, `"max": [15, -50, 120]`, "lesions[0].regions[3].max"},
		{`"segments": [1, 2]`, `"segments": []`, "lesions[0].regions[6].segments"},
		{`"type": "seg"`, `"type": "mask"`, "lesions[0].regions[6].type"},
		{`"radius_mm": 10`, `"radius_mm": 10, "w": 3`, "lesions[0].regions[2].w: does not belong"},
		{`"label": "nodule"`, `"label": "nodule", "patient": "WANG LI"`, "field that is not known"},
		{`"label": "nodule"`, `"label": "nodule", "label": "mass"`, "twice"},
		{`"x": 10`, `"x": NaN`, "no JSON"},
		{`"x": 10`, `"x": "10"`, "lesions.regions.x"},
	} {
		doc := strings.Replace(base, c.old, c.new, 1)
		if doc == base {
			t.Errorf("%s is not in the example", c.old)
			continue
		}
		_, err := ReadAnnotation([]byte(doc), Limits{})
		var bad *AnnotationError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.new, err, c.want)
		} else if strings.Contains(strings.ToLower(err.Error()), "wang") {
			t.Errorf("%s: the error repeats a name: %v", c.new, err)
		}
	}
	if _, err := ReadAnnotation([]byte(base+"{}"), Limits{}); err == nil {
		t.Error("what follows the document is not refused")
	}
	if _, err := ReadAnnotation([]byte(strings.Repeat("[", 1000)), Limits{}); err == nil {
		t.Error("nesting without end is not refused")
	}
	if _, err := ReadAnnotation([]byte(base), Limits{Bytes: 100}); err == nil {
		t.Error("a document above the limit is not refused")
	}
}

func FuzzAnnotation(f *testing.F) {
	f.Add([]byte(example(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadAnnotation(data, Limits{Bytes: 1 << 16})
		if (d == nil) == (err == nil) {
			t.Fatalf("document %v, error %v", d, err)
		}
		if d == nil {
			return
		}
		for _, x := range d.Findings {
			for i := range x.Marks {
				s := &x.Marks[i].Shape
				if why := s.Check(); why != "" {
					t.Fatalf("a shape that cannot be trusted: %s", why)
				}
				for _, p := range s.P {
					if math.IsNaN(p.X) || math.IsInf(p.X, 0) {
						t.Fatal("a coordinate is no number")
					}
				}
			}
		}
	})
}
