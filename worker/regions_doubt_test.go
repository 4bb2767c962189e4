package worker

import (
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi"
)

// Objects that nobody here reads are listed and keep the full images from expiring; what asks for a hold gets one; of an object that came in
// two versions nobody knows which is right.
func TestRegionsDoubt(t *testing.T) {
	a := axialSlab(1)
	a.n = 8
	good := reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(4), 100, 120, 112, 120)))
	object := func(class, modality string) *dcm.Builder {
		return dcm.NewBuilder().Text(0x00080016, class).Text(0x00080018, testStudy+".907.1").Text(0x0020000D, testStudy).Text(0x0020000E, testStudy+".907").Text(0x00080060, modality)
	}
	key := object("1.2.840.10008.5.1.4.1.1.88.59", "KO").Text(0x0040A040, "CONTAINER").Items(0x0040A043, coded("113021", "DCM"))
	for _, c := range []struct {
		name  string
		more  *dcm.Builder
		state roi.State
		kind  string
		holds int
	}{
		{"nothing else", nil, roi.StateExtracted, "", 0},
		{"a surface segmentation", object("1.2.840.10008.5.1.4.1.1.66.5", "SEG"), roi.StateExtractedOpen, "private", 0},
		{"an RT segment annotation", object("1.2.840.10008.5.1.4.1.1.481.11", "RTSEGANN"), roi.StateExtractedOpen, "private", 0},
		{"an object of a private class without pixels", object("1.3.12.2.1107.5.9.1", "CT"), roi.StateExtractedOpen, "private", 0},
		{"a registration", object("1.2.840.10008.5.1.4.1.1.66.1", "REG"), roi.StateExtracted, "", 0},
		{"a key object selection for litigation", key, roi.StateExtracted, "key-objects", 1},
	} {
		dir := t.TempDir()
		a.write(t, dir)
		list := map[string]*dcm.Builder{"sr.dcm": good}
		if c.more != nil {
			list["more.dcm"] = c.more
		}
		writeObjects(t, dir, list)
		r := newRig(t, nil)
		s := r.ingest("a", dir)[0]
		rec := recordOf(t, r, s)
		kinds := ""
		for _, x := range rec.Sources {
			if x.Kind != "report" {
				kinds += x.Kind
			}
		}
		if rec.State != c.state || kinds != c.kind || len(s.Manifest.Holds) != c.holds {
			t.Errorf("%s: state %s (%v), sources %q, holds %+v; want %s, %q, %d", c.name, rec.State, rec.Why, kinds, s.Manifest.Holds, c.state, c.kind, c.holds)
		}
		if c.name == "nothing else" {
			again := t.TempDir()
			writeObjects(t, again, map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(2), 200, 220, 212, 220)))})
			if rec := recordOf(t, r, r.ingest("a", again)[0]); rec.State != roi.StateExtractedOpen {
				t.Errorf("the same report with other content: state %s (%v), want %s", rec.State, rec.Why, roi.StateExtractedOpen)
			}
		}
	}
}
