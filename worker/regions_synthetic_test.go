package worker

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/space"
)

const (
	testStudy  = "1.2.826.0.1.3680043.10.99.1"
	ctClass    = "1.2.840.10008.5.1.4.1.1.2"
	reportSOP  = "1.2.840.10008.5.1.4.1.1.88.33"
	kosSOP     = "1.2.840.10008.5.1.4.1.1.88.59"
	segSOP     = "1.2.840.10008.5.1.4.1.1.66.4"
	gspsSOP    = "1.2.840.10008.5.1.4.1.1.11.1"
	testSyntax = "1.2.840.10008.1.2.1"
)

// slab is a series of CT slices: slice i lies step further along along, which is the normal unless the gantry is tilted.
type slab struct {
	number           int
	forUID           string
	origin           space.Vec
	row, column      space.Vec
	along            space.Vec
	dx, step, thick  float64
	columns, rows, n int
}

func (s *slab) series() string    { return fmt.Sprintf("%s.%d", testStudy, s.number) }
func (s *slab) uid(i int) string  { return fmt.Sprintf("%s.%d", s.series(), i+1) }
func (s *slab) normal() space.Vec { return s.row.Cross(s.column) }

func (s *slab) plane(i int) space.Plane {
	return space.Plane{Origin: s.origin.Add(s.along.Scale(float64(i) * s.step)), Row: s.row, Column: s.column, DX: s.dx, DY: s.dx, Rows: s.rows, Columns: s.columns}
}

func object(class, sop, series, modality string) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080005, "ISO_IR 192").Text(0x00080016, class).Text(0x00080018, sop).Text(0x00080020, "20260801").Text(0x00080023, "20260801").Text(0x00080033, "101010").
		Text(0x00080060, modality).Text(0x00100010, "Test^Regions").Text(0x00100020, "REGIONS-1").Text(0x0020000D, testStudy).Text(0x0020000E, series)
}

func (s *slab) slice(i int) *dcm.Builder {
	p := s.plane(i)
	pix := make([]byte, 2*s.rows*s.columns)
	for k := range s.rows * s.columns {
		binary.LittleEndian.PutUint16(pix[2*k:], uint16(k*7+i*13)&0xFFF)
	}
	return object(ctClass, s.uid(i), s.series(), "CT").Text(0x00080008, "ORIGINAL", "PRIMARY", "AXIAL").Ints(0x00200011, s.number).Ints(0x00200013, i+1).
		Floats(0x00180050, s.thick).Floats(0x00200032, p.Origin[:]...).Floats(0x00200037, append(slices.Clone(s.row[:]), s.column[:]...)...).Text(0x00200052, s.forUID).
		Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280010, s.rows).Ints(0x00280011, s.columns).Floats(0x00280030, s.dx, s.dx).
		Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 0).Floats(0x00281052, -1024).Floats(0x00281053, 1).Native(pix)
}

func coded(value, scheme string) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080100, value).Text(0x00080102, scheme).Text(0x00080104, "meaning")
}

// content is an item of a report.
func content(rel, typ string, name *dcm.Builder, children ...*dcm.Builder) *dcm.Builder {
	b := dcm.NewBuilder().Text(0x0040A010, rel).Text(0x0040A040, typ)
	if name != nil {
		b.Items(0x0040A043, name)
	}
	if len(children) > 0 {
		b.Items(0x0040A730, children...)
	}
	return b
}

func imageItem(sop string) *dcm.Builder {
	return content("SELECTED FROM", "IMAGE", nil).Items(0x00081199, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, sop))
}

func scoord(kind, sop string, points ...float64) *dcm.Builder {
	return content("CONTAINS", "SCOORD", coded("111030", "DCM"), imageItem(sop)).Text(0x00700023, kind).Floats(0x00700022, points...)
}

// groupItem is a measurement group (TID 1410) of a finding.
func groupItem(n int, parts ...*dcm.Builder) *dcm.Builder {
	return content("CONTAINS", "CONTAINER", coded("125007", "DCM"), append([]*dcm.Builder{
		content("HAS OBS CONTEXT", "UIDREF", coded("112040", "DCM")).Text(0x0040A124, fmt.Sprintf("2.25.1000%d", n)),
		content("CONTAINS", "CODE", coded("121071", "DCM")).Items(0x0040A168, coded("27925004", "SCT")),
	}, parts...)...)
}

// evidenceOf is the Current Requested Procedure Evidence Sequence.
func evidenceOf(study string, refs map[string][]string) *dcm.Builder {
	var series []*dcm.Builder
	for _, uid := range sortedKeys(refs) {
		var sops []*dcm.Builder
		for _, sop := range refs[uid] {
			sops = append(sops, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, sop))
		}
		series = append(series, dcm.NewBuilder().Text(0x0020000E, uid).Items(0x00081199, sops...))
	}
	return dcm.NewBuilder().Text(0x0020000D, study).Items(0x00081115, series...)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reportOf is a TID 1500 report, verified by a person or made by a device.
func reportOf(sop string, person bool, groups ...*dcm.Builder) *dcm.Builder {
	b := object(reportSOP, sop, testStudy+".900", "SR").Text(0x0040A040, "CONTAINER").Items(0x0040A043, coded("126000", "DCM")).Text(0x0040A491, "COMPLETE").Text(0x0040A493, "UNVERIFIED").Text(0x0040A496, "FINAL")
	observer := content("HAS OBS CONTEXT", "CODE", coded("121005", "DCM")).Items(0x0040A168, coded("121007", "DCM"))
	if person {
		b.Text(0x0040A493, "VERIFIED")
		observer = content("HAS OBS CONTEXT", "CODE", coded("121005", "DCM")).Items(0x0040A168, coded("121006", "DCM"))
	}
	return b.Items(0x0040A730, observer, content("CONTAINS", "CONTAINER", coded("126010", "DCM"), groups...))
}

func writeObjects(t testing.TB, dir string, list map[string]*dcm.Builder) {
	t.Helper()
	for name, b := range list {
		raw, err := b.File(testSyntax)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *slab) file(i int) string { return fmt.Sprintf("ct%d-%03d.dcm", s.number, i) }

func (s *slab) write(t testing.TB, dir string) {
	t.Helper()
	list := map[string]*dcm.Builder{}
	for i := range s.n {
		list[s.file(i)] = s.slice(i)
	}
	writeObjects(t, dir, list)
}

func axialSlab(number int) *slab {
	return &slab{number: number, forUID: testStudy + ".8.1", row: space.Vec{1, 0, 0}, column: space.Vec{0, 1, 0}, along: space.Vec{0, 0, 1}, dx: 0.8, step: 5, thick: 5, columns: 320, rows: 320, n: 40}
}

// segOf is a binary segmentation with one segment, of a square of pixels on some slices of a slab.
func segOf(sop string, s *slab, category, kind *dcm.Builder, x, y, side, from, to int) *dcm.Builder {
	bits := make([]byte, (s.rows*s.columns*(to-from+1)+7)/8+1&^1)
	var frames []*dcm.Builder
	for n := from; n <= to; n++ {
		base := (n - from) * s.rows * s.columns
		for v := y; v < y+side; v++ {
			for u := x; u < x+side; u++ {
				k := base + v*s.columns + u
				bits[k>>3] |= 1 << (k & 7)
			}
		}
		p := s.plane(n)
		frames = append(frames, dcm.NewBuilder().Items(0x0062000A, dcm.NewBuilder().Ints(0x0062000B, 1)).Items(0x00209113, dcm.NewBuilder().Floats(0x00200032, p.Origin[:]...)))
	}
	if len(bits)%2 == 1 {
		bits = append(bits, 0)
	}
	return object(segSOP, sop, testStudy+".901", "SEG").Text(0x00200052, s.forUID).Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280008, to-from+1).
		Ints(0x00280010, s.rows).Ints(0x00280011, s.columns).Ints(0x00280100, 1).Ints(0x00280101, 1).Ints(0x00280102, 0).Ints(0x00280103, 0).Text(0x00620001, "BINARY").
		Items(0x00620002, dcm.NewBuilder().Ints(0x00620004, 1).Text(0x00620005, "lesion").Text(0x00620008, "MANUAL").Items(0x00620003, category).Items(0x0062000F, kind)).
		Items(0x52009229, dcm.NewBuilder().Items(0x00209116, dcm.NewBuilder().Floats(0x00200037, append(slices.Clone(s.row[:]), s.column[:]...)...)).
			Items(0x00289110, dcm.NewBuilder().Floats(0x00280030, s.dx, s.dx).Floats(0x00180050, s.thick))).
		Items(0x52009230, frames...).Native(bits)
}

// inKept reports whether a place in the patient is kept on a series: on each slice whose slab holds it.
func inKept(rec *roi.Record, s *slab, p space.Vec) (lost string) {
	met := false
	for i := range s.n {
		pl := s.plane(i)
		x, y, d := pl.Project(p)
		if x < 0 || y < 0 || x > float64(s.columns) || y > float64(s.rows) || math.Abs(d) > max(s.thick, s.step)/2 {
			continue
		}
		met = true
		in := false
		for _, g := range rec.Regions {
			for _, it := range g.Items {
				in = in || it.SOPUID == s.uid(i) && (g.Mode == roi.ModeSlice || x >= float64(g.Rect.X) && y >= float64(g.Rect.Y) && x <= float64(g.Rect.X+g.Rect.W) && y <= float64(g.Rect.Y+g.Rect.H))
			}
		}
		if !in {
			return fmt.Sprintf("slice %d of series %d at %.1f, %.1f", i, s.number, x, y)
		}
	}
	if !met {
		return fmt.Sprintf("no slice of series %d", s.number)
	}
	return ""
}

// TestRegionsAdversarial: an AI nodule, a privately coded segment, an arrow on an oblique reformat with a frame of reference of its own, key objects on 1 mm slices, a
// tilted gantry, and a phase in which the organ lies 15 mm lower: every lesion is inside what is kept, and the full images must not be deleted.
func TestRegionsAdversarial(t *testing.T) {
	dir := t.TempDir()
	a := axialSlab(1)
	phase := axialSlab(2)
	thin := axialSlab(3)
	thin.step, thin.thick, thin.n = 1, 1, 200
	mpr := axialSlab(4)
	mpr.forUID = testStudy + ".8.2"
	c, s := math.Cos(0.6), math.Sin(0.6)
	mpr.row, mpr.column, mpr.n = space.Vec{c, 0, s}, space.Vec{0, 1, 0}, 10
	mpr.along = mpr.normal()
	tilted := axialSlab(5)
	tilted.column = space.Vec{0, math.Cos(0.35), math.Sin(0.35)} // 20 degrees; slices still lie one above the other
	tilted.n = 30
	for _, x := range []*slab{a, phase, thin, mpr, tilted} {
		x.write(t, dir)
	}
	writeObjects(t, dir, map[string]*dcm.Builder{
		"ai.dcm":   reportOf(testStudy+".900.1", false, groupItem(1, scoord("CIRCLE", a.uid(10), 100, 120, 112, 120))).Items(0x0040A375, evidenceOf(testStudy, map[string][]string{a.series(): {a.uid(10)}})),
		"tilt.dcm": reportOf(testStudy+".900.2", false, groupItem(2, scoord("POLYLINE", tilted.uid(12), 200, 60, 215, 70, 205, 80))),
		"seg.dcm":  segOf(testStudy+".901.1", a, coded("X-1", "99VENDOR"), coded("X-2", "99VENDOR"), 240, 200, 9, 20, 22),
		"kos.dcm": object(kosSOP, testStudy+".902.1", testStudy+".902", "KO").Text(0x0040A040, "CONTAINER").Items(0x0040A043, coded("113000", "DCM")).
			Items(0x0040A375, evidenceOf(testStudy, map[string][]string{thin.series(): {thin.uid(150)}})).
			Items(0x0040A730, content("CONTAINS", "IMAGE", nil).Items(0x00081199, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, thin.uid(150)))),
		"arrow.dcm": object(gspsSOP, testStudy+".903.1", testStudy+".903", "PR").
			Items(0x00081115, dcm.NewBuilder().Text(0x0020000E, mpr.series()).Items(0x00081140, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, mpr.uid(4)))).
			Items(0x00700001, dcm.NewBuilder().Items(0x00700009, dcm.NewBuilder().Text(0x00700005, "PIXEL").Ints(0x00700020, 2).Ints(0x00700021, 2).Floats(0x00700022, 50, 60, 80, 90).Text(0x00700023, "POLYLINE"))),
	})
	r := newRig(t, nil)
	list := r.ingest("a", dir)
	if len(list) != 1 {
		t.Fatalf("%d studies, want 1", len(list))
	}
	mustVerify(t, r, list[0])
	rec := recordOf(t, r, list[0])
	provesRegions(t, r, list[0], rec)
	if rec.State != roi.StateExtractedOpen || rec.State.Expires() {
		t.Errorf("state %s (%v): the full images must stay", rec.State, rec.Why)
	}
	if len(rec.Lesions) != 5 || len(rec.Sources) != 5 {
		t.Errorf("%d lesions, %d sources; want 5 each: %+v", len(rec.Lesions), len(rec.Sources), rec.Sources)
	}
	at := func(s *slab, i int, x, y float64) space.Vec { p := s.plane(i); return p.At(x, y) }
	nodule := at(a, 10, 100, 120)
	for name, want := range map[string]struct {
		on *slab
		p  space.Vec
	}{
		"AI nodule":                           {a, nodule},
		"its rim":                             {a, at(a, 10, 112, 120)},
		"AI nodule on thin slices":            {thin, nodule},
		"AI nodule in the other phase":        {phase, nodule},
		"AI nodule, 15 mm lower":              {phase, nodule.Add(space.Vec{0, 0, -15})},
		"AI nodule, 15 mm higher and aside":   {phase, nodule.Add(space.Vec{10, 10, 15})},
		"AI nodule on tilted slices":          {tilted, nodule},
		"private segment, first corner":       {a, at(a, 20, 240.5, 200.5)},
		"private segment, last corner":        {a, at(a, 22, 248.5, 208.5)},
		"private segment on thin slices":      {thin, at(a, 21, 244, 204)},
		"arrow's tip":                         {mpr, at(mpr, 4, 50, 60)},
		"arrow's end":                         {mpr, at(mpr, 4, 80, 90)},
		"key image, one corner":               {thin, at(thin, 150, 1, 1)},
		"key image's neighbour, other corner": {thin, at(thin, 141, 319, 319)},
		"outline on a tilted slice":           {tilted, at(tilted, 12, 215, 70)},
		"outline, on straight slices":         {a, at(tilted, 12, 205, 80)},
	} {
		if lost := inKept(rec, want.on, want.p); lost != "" {
			t.Errorf("%s is lost: %s", name, lost)
		}
	}
	// It is a small part of the study that is kept.
	kept, all := 0, (a.n+phase.n+thin.n+mpr.n+tilted.n)*a.rows*a.columns
	for _, g := range rec.Regions {
		kept += len(g.Items) * g.Rect.W * g.Rect.H
	}
	if share := float64(kept) / float64(all); share > 0.25 {
		t.Errorf("%.0f %% of all samples are kept", 100*share)
	}
}

// TestRegionsAgain: the same study derived twice, in two installations, gives the same regions, byte for byte and UID for UID.
func TestRegionsAgain(t *testing.T) {
	dir := t.TempDir()
	a := axialSlab(1)
	a.n = 12
	a.write(t, dir)
	writeObjects(t, dir, map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(5), 100, 120, 112, 120), scoord("CIRCLE", a.uid(6), 100, 120, 110, 120)))})
	var first *roi.Record
	for range 2 {
		r := newRig(t, nil)
		s := r.ingest("a", dir)[0]
		rec := recordOf(t, r, s)
		if rec.State != roi.StateExtracted {
			t.Fatalf("state %s (%v), want extracted", rec.State, rec.Why)
		}
		provesRegions(t, r, s, rec)
		for i := range rec.Regions {
			for k := range rec.Regions[i].Items {
				rec.Regions[i].Items[k].OutFile = "" // holds the time of the plan, which is that of the job
				rec.Regions[i].Bytes = 0             // of packs, whose indexes hold times
			}
		}
		if first == nil {
			first = rec
			continue
		}
		if rec.Plan != first.Plan || fmt.Sprint(rec.Regions) != fmt.Sprint(first.Regions) {
			t.Errorf("the second record is\n%+v\nthe first\n%+v", rec.Regions, first.Regions)
		}
	}
}

// TestRegionsLate: a report that comes after its study was stored is read with it, and the regions are planned anew; what comes without
// evidence changes nothing, and a later version of a report takes the place of the earlier one.
func TestRegionsLate(t *testing.T) {
	dir := t.TempDir()
	a := axialSlab(1)
	a.n = 12
	a.write(t, dir)
	r := newRig(t, nil)
	s := r.ingest("a", dir)[0]
	if s.Manifest.Regions != nil {
		t.Fatalf("regions %+v of a study without evidence", s.Manifest.Regions)
	}
	late := func(name string, b *dcm.Builder) *study.Study {
		t.Helper()
		dir := t.TempDir()
		writeObjects(t, dir, map[string]*dcm.Builder{name: b})
		s := r.ingest("a", dir)[0]
		mustVerify(t, r, s)
		return s
	}
	s = late("sr1.dcm", reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(5), 100, 120, 112, 120))))
	one := recordOf(t, r, s)
	provesRegions(t, r, s, one)
	if one.State != roi.StateExtracted || len(one.Lesions) != 1 {
		t.Fatalf("state %s (%v), %d lesions; want extracted, 1", one.State, one.Why, len(one.Lesions))
	}
	other := axialSlab(7)
	other.forUID, other.n, other.origin = testStudy+".8.9", 1, space.Vec{0, 0, 5000}
	s = late("ct.dcm", other.slice(0))
	two := recordOf(t, r, s)
	provesRegions(t, r, s, two)
	if fmt.Sprint(two.Regions) != fmt.Sprint(one.Regions) {
		t.Errorf("an image elsewhere changed what is kept:\n%+v\nwas\n%+v", two.Regions, one.Regions)
	}
	second := reportOf(testStudy+".900.2", true, groupItem(1, scoord("CIRCLE", a.uid(8), 200, 220, 212, 220))).
		Items(0x0040A360, evidenceOf(testStudy, map[string][]string{testStudy + ".900": {testStudy + ".900.1"}}))
	s = late("sr2.dcm", second)
	three := recordOf(t, r, s)
	provesRegions(t, r, s, three)
	if len(three.Lesions) != 1 || three.State != roi.StateExtracted || three.Sources[0].State == three.Sources[1].State {
		t.Errorf("state %s, %d lesions, sources %+v; want one lesion, the earlier report excluded", three.State, len(three.Lesions), three.Sources)
	}
	p8, p5 := a.plane(8), a.plane(5)
	if lost := inKept(three, a, p8.At(200, 220)); lost != "" {
		t.Errorf("the lesion of the second version is lost: %s", lost)
	}
	if inKept(three, a, p5.At(100, 120)) == "" {
		t.Error("the first version's place is still kept")
	}
	for _, p := range s.Manifest.Packs {
		for _, q := range s.Manifest.Packs {
			if p.Key == q.Key && p != q {
				t.Errorf("pack %s is named twice", p.Key)
			}
		}
	}
}

// TestRegionsFollowUp: a report in a later study measures a lesion on the prior's image. The prior is opened again, with nobody sending anything to it,
// and keeps the lesion; and the other way round: the report is there before the study that it refers to.
func TestRegionsFollowUp(t *testing.T) {
	for name, first := range map[string]bool{"the prior is there": true, "the prior comes later": false} {
		t.Run(name, func(t *testing.T) {
			prior, now := t.TempDir(), t.TempDir()
			a := axialSlab(1)
			a.n = 12
			a.write(t, prior)
			follow := testStudy + ".77"
			sr := reportOf(follow+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(5), 100, 120, 112, 120))).Text(0x0020000D, follow).
				Items(0x0040A385, evidenceOf(testStudy, map[string][]string{a.series(): {a.uid(5)}}))
			writeObjects(t, now, map[string]*dcm.Builder{"sr.dcm": sr})
			r := newRig(t, nil)
			order := []string{prior, now}
			if !first {
				order = []string{now, prior}
			}
			for _, dir := range order {
				for _, s := range r.ingest("a", dir) {
					mustVerify(t, r, s)
				}
			}
			r.runAll()
			s := r.open(catalog.StudyKey{Tenant: "a", UID: testStudy})
			mustVerify(t, r, s)
			rec := recordOf(t, r, s)
			if rec == nil {
				t.Fatal("the prior has no region record")
			}
			provesRegions(t, r, s, rec)
			p := a.plane(5)
			if lost := inKept(rec, a, p.At(100, 120)); lost != "" || len(rec.Sources) != 1 || rec.Sources[0].StudyUID != follow {
				t.Errorf("lost %q, sources %+v", lost, rec.Sources)
			}
			if len(s.Manifest.CitedBy) != 1 || s.Manifest.CitedBy[0].StudyUID != follow {
				t.Errorf("cited by %+v, want the follow-up", s.Manifest.CitedBy)
			}
			if n := r.runAll(); n != 0 {
				t.Errorf("%d jobs are still due: studies that refer to each other must come to rest", n)
			}
		})
	}
}

// runAll runs what is due until nothing is, and returns how many jobs it ran.
func (r *rig) runAll() (n int) {
	r.t.Helper()
	for range 10 {
		due, err := r.db.Claim(r.t.Context(), 100, time.Minute)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(due) == 0 {
			return n
		}
		for _, j := range due {
			n++
			if err := r.p.Run(r.t.Context(), j.ID); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	return n
}

// annotate queues JSON annotations and works on them.
func (r *rig) annotate(docs ...string) *study.Study {
	r.t.Helper()
	dir := r.t.TempDir()
	a := catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: "a", UID: testStudy}, Source: dir, Complete: true}
	for i, doc := range docs {
		path := filepath.Join(dir, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(path, []byte(doc), 0o666); err != nil {
			r.t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			r.t.Fatal(err)
		}
		a.Files = append(a.Files, catalog.SourceFile{Path: path, Size: info.Size(), ModTime: info.ModTime(), Kind: catalog.KindOfAnnotation})
	}
	job, err := r.db.Enqueue(r.t.Context(), a, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.p.Run(r.t.Context(), job.ID); err != nil {
		r.t.Fatal(err)
	}
	s := r.open(a.StudyKey)
	mustVerify(r.t, r, s)
	return s
}

func annotation(revision int, author string, complete bool, lesions string) string {
	return fmt.Sprintf(`{"schema":"annotation/1","study_uid":"%s","document_id":"ai-7","revision":%d,"created":"2026-08-01T10:00:00Z","status":"final","author":"%s","complete":%v,"lesions":[%s]}`,
		testStudy, revision, author, complete, lesions)
}

// TestRegionsAnnotations: what an AI service sends keeps regions and deletes nothing; a person's complete annotation does; a later revision takes the place of an earlier
// one; and one that cannot be read keeps the full images until somebody looks, and is itself kept.
func TestRegionsAnnotations(t *testing.T) {
	dir := t.TempDir()
	a := axialSlab(1)
	a.n = 12
	a.write(t, dir)
	r := newRig(t, nil)
	r.ingest("a", dir)
	rect := func(i int) string {
		return fmt.Sprintf(`{"id":"L1","regions":[{"type":"rect","coords":"edge","sop_uid":"%s","x":100,"y":110,"w":20,"h":30}]}`, a.uid(i))
	}
	for _, c := range []struct {
		name  string
		doc   string
		state roi.State
		slice int // whose lesion must be kept, -1: none
	}{
		{"an AI service", annotation(1, "algorithm", true, rect(3)), roi.StateExtractedOpen, 3},
		{"a person", annotation(2, "person", true, rect(8)), roi.StateExtracted, 8},
		{"the same again", annotation(2, "person", true, rect(8)), roi.StateExtracted, 8},
		{"an unknown image", annotation(3, "person", true, strings.ReplaceAll(rect(8), a.uid(8), "1.2.3.4")), roi.StateUnresolved, -1},
		{"a person, later", annotation(4, "person", true, rect(2)), roi.StateExtracted, 2},
		{"no JSON", `{"schema":"annotation/1"`, roi.StateUnreadable, 2},
	} {
		s := r.annotate(c.doc)
		rec := recordOf(t, r, s)
		provesRegions(t, r, s, rec)
		if rec.State != c.state {
			t.Errorf("%s: state %s (%v), want %s", c.name, rec.State, rec.Why, c.state)
		}
		if c.slice >= 0 {
			p := a.plane(c.slice)
			if lost := inKept(rec, a, p.At(101, 139)); lost != "" {
				t.Errorf("%s: the lesion is lost: %s", c.name, lost)
			}
		}
	}
	if s := r.open(catalog.StudyKey{Tenant: "a", UID: testStudy}); len(s.Manifest.Annotations) != 5 || s.Manifest.Generation != 6 {
		t.Errorf("%d annotations in generation %d, want 5 in 6: the same one is stored once", len(s.Manifest.Annotations), s.Manifest.Generation)
	}
}
