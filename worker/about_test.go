package worker

import (
	"reflect"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi"
)

// What policies need is read from one header of each series, adds up over arrivals, and a damaged value says nothing.
func TestAbout(t *testing.T) {
	r := newRig(t, nil)
	dir := t.TempDir()
	object := func(series, sop, modality, part, department, age, birth string) *dcm.Builder {
		return dcm.NewBuilder().Text(0x00080005, "ISO_IR 192").Text(0x00080016, "1.2.840.10008.5.1.4.1.1.66").Text(0x00080018, sop).Text(0x00080020, "20260301").
			Text(0x00080060, modality).Text(0x00081040, department).Text(0x00100020, "p1").Text(0x00100030, birth).Text(0x00101010, age).Text(0x00180015, part).
			Text(0x0020000D, "1.2.3").Text(0x0020000E, series)
	}
	writeObjects(t, dir, map[string]*dcm.Builder{
		"1.dcm": object("1.2.3.1", "1.2.3.1.1", "CT", "chest", "", "", "20100301"), "2.dcm": object("1.2.3.1", "1.2.3.1.2", "CT", "chest", "放射科", "", "20100301"),
		"3.dcm": object("1.2.3.2", "1.2.3.2.1", "PT", "", "放射科", "", "20100301")})
	s := r.ingest("a", dir)[0]
	at := s.Manifest.About.LastArrival
	want := &catalog.About{StudyDate: "20260301", Modalities: []string{"CT", "PT"}, BodyParts: []string{"CHEST"}, Department: "放射科", Age: "child", LastArrival: at}
	if got := s.Manifest.About; !reflect.DeepEqual(got, want) || at.IsZero() {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	r.later.Add(int64(time.Hour))
	more := t.TempDir()
	writeObjects(t, more, map[string]*dcm.Builder{"4.dcm": object("1.2.3.3", "1.2.3.3.1", "SR", "ABDOMEN", "MR 2", "", "")})
	s = r.ingest("a", more)[0]
	want.Modalities, want.BodyParts, want.LastArrival = []string{"CT", "PT", "SR"}, []string{"ABDOMEN", "CHEST"}, s.Manifest.About.LastArrival
	if got := s.Manifest.About; !reflect.DeepEqual(got, want) || !got.LastArrival.After(at) {
		t.Fatalf("after a late arrival: got %+v, want %+v", got, want)
	}
}

func TestAgeGroup(t *testing.T) {
	for _, c := range []struct{ age, birth, study, want string }{
		{"", "", "20260301", ""}, {"045Y", "", "", "adult"}, {"017Y", "", "", "child"}, {"018Y", "", "", "adult"}, {"028D", "", "", "neonate"}, {"029D", "", "", "child"},
		{"004W", "", "", "neonate"}, {"005W", "", "", "child"}, {"011M", "", "", "child"}, {"216M", "", "", "adult"}, {"Y", "", "", ""}, {"-12Y", "", "", ""}, {"012X", "", "", ""},
		{"", "20080301", "20260301", "adult"}, {"", "20080302", "20260301", "child"}, {"", "20080229", "20260228", "child"}, {"", "20080229", "20260301", "adult"},
		{"", "20260201", "20260301", "neonate"}, {"", "20260131", "20260301", "child"}, {"", "20270101", "20260301", ""}, {"", "20080301", "", ""}, {"", "yesterday", "20260301", ""},
	} {
		if got := ageGroup(c.age, c.birth, c.study); got != c.want {
			t.Errorf("age %q, born %q, study of %q: got %q, want %q", c.age, c.birth, c.study, got, c.want)
		}
	}
}

// The catalog repeats which states of a region record let full images expire.
func TestSettledStates(t *testing.T) {
	for _, s := range []roi.State{roi.StateExtracted, roi.StateExtractedOpen, roi.StateKeySlices, roi.StateNegative, roi.StateNone, roi.StatePartial, roi.StateUnreadable, roi.StateUnresolved, "", "of a later version"} {
		if r := (&catalog.RegionRecord{State: string(s)}); r.Settled() != s.Expires() {
			t.Errorf("state %q: the catalog says %v, roi %v", s, r.Settled(), s.Expires())
		}
	}
}
