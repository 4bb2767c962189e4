package worker

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
)

// TestSameSOPInstanceUIDTwice: whatever differs, every version can be read back and nothing is overwritten.
func TestSameSOPInstanceUIDTwice(t *testing.T) {
	first := small{}
	for _, tc := range []struct {
		name     string
		second   small
		tenant   string
		versions int
		conflict string
	}{
		{"same bytes", small{}, "a", 1, ""},
		{"new header", small{description: "corrected"}, "a", 2, "header"},
		{"new pixels", small{seed: 9}, "a", 2, "samples"},
		{"another series", small{series: "1.2.3.5"}, "a", 2, ""},
		{"another tenant", small{seed: 9}, "b", 1, ""},
	} {
		for _, way := range []struct {
			name               string
			together, streamed bool
		}{{"in one arrival", true, false}, {"later", false, false}, {"streamed, in one arrival", true, true}, {"streamed, later", false, true}} {
			together := way.together
			if together && tc.tenant != "a" {
				continue
			}
			t.Run(tc.name+", "+way.name, func(t *testing.T) {
				r := newRig(t, func(o *PipelineOptions) {
					if way.streamed {
						o.WholeFile = 1
					}
				})
				one, two := first.bytes(t), tc.second.bytes(t)
				var last = one
				if together {
					r.ingest("a", write(t, one, two))
				} else {
					r.ingest("a", write(t, one))
					r.ingest(tc.tenant, write(t, two))
				}
				last = two
				s := r.open(catalog.StudyKey{Tenant: tc.tenant, UID: "1.2.3"})
				verifyAll(t, s)
				got := originals(t, s)
				if len(s.Instances()) != tc.versions || len(got) != tc.versions {
					t.Fatalf("%d instances of %d different files, want %d", len(s.Instances()), len(got), tc.versions)
				}
				if _, ok := got[sha256.Sum256(last)]; !ok {
					t.Error("the second file cannot be read back")
				}
				old := r.open(catalog.StudyKey{Tenant: "a", UID: "1.2.3"})
				if _, ok := originals(t, old)[sha256.Sum256(one)]; !ok {
					t.Error("the first file cannot be read back")
				}
				kind := ""
				if len(s.Manifest.Conflicts) > 0 {
					kind = s.Manifest.Conflicts[0].Kind
				}
				if kind != tc.conflict {
					t.Errorf("conflict %q, want %q", kind, tc.conflict)
				}
				if tc.name == "same bytes" && s.Manifest.Generation != 1 {
					t.Errorf("the same bytes made generation %d; want no new one", s.Manifest.Generation)
				}
			})
		}
	}
}

// TestAnotherPatientIsQuarantined: one study with files of two patients keeps the larger group; the bytes of the other are kept aside.
func TestAnotherPatientIsQuarantined(t *testing.T) {
	const secret = "STRANGER-7"
	r := newRig(t, nil)
	odd := small{sop: "1.9", patient: secret}.bytes(t)
	s := r.ingest("a", write(t, small{sop: "1.1"}.bytes(t), odd, small{sop: "1.2"}.bytes(t)))[0]
	m := s.Manifest
	if m.Status != catalog.StatusPartial || len(m.Quarantined) != 1 || m.Totals.Instances != 2 {
		t.Fatalf("status %s, %d quarantined, %d instances; want partial, 1, 2", m.Status, len(m.Quarantined), m.Totals.Instances)
	}
	if strings.Contains(m.Quarantined[0].Reason, secret) {
		t.Error("the reason names the patient")
	}
	body, _, err := r.store.Get(context.Background(), m.Quarantined[0].Key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	h := sha256.New()
	if _, err := copyAll(h, body); err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(odd); [32]byte(h.Sum(nil)) != want {
		t.Error("quarantined bytes differ from what was received")
	}
	// later, against what is stored
	r.ingest("a", write(t, small{sop: "1.3", patient: "ANOTHER"}.bytes(t)))
	if m := r.open(m.Study()).Manifest; len(m.Quarantined) != 2 || m.Totals.Instances != 2 {
		t.Errorf("later: %d quarantined, %d instances; want 2, 2", len(m.Quarantined), m.Totals.Instances)
	}
}

// TestBrokenFilesDoNotStopTheRest: the rest of the study is stored as partial.
func TestBrokenFilesDoNotStopTheRest(t *testing.T) {
	good, cut := small{sop: "1.1"}.bytes(t), small{sop: "1.2"}.bytes(t)
	r := newRig(t, nil)
	r.ingest("a", write(t, good, cut[:len(cut)-100], []byte("just a note"), nil))
	s := r.open(catalog.StudyKey{Tenant: "a", UID: "1.2.3"})
	if len(originals(t, s)) != 1 {
		t.Errorf("%d instances stored, want 1", len(s.Instances()))
	}
	n := 0
	if err := r.db.QuarantineList(context.Background(), "a", func(q catalog.QuarantineEntry) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("%d files in quarantine, want the cut one", n)
	}
}

// TestLateArrival: a file that comes later makes a new generation, and only its own work is done.
func TestLateArrival(t *testing.T) {
	r := newRig(t, nil)
	key := catalog.StudyKey{Tenant: "a", UID: "1.2.3"}
	one, two := small{sop: "1.1"}.bytes(t), small{sop: "1.2", series: "1.2.3.9"}.bytes(t)
	r.ingest("a", write(t, one))
	before := r.open(key).Manifest
	s := r.ingest("a", write(t, one, two))[0]
	m := s.Manifest
	if m.Generation != 2 || m.Parent == nil || len(m.Packs) != 4 || m.Packs[0].Key != before.Packs[0].Key || m.Packs[1].Key != before.Packs[1].Key ||
		m.Packs[2].Class != catalog.ClassFull || m.Packs[3].Class != catalog.ClassPreview {
		t.Fatalf("generation %d with %d packs; want the second, which keeps the first pack and its previews and adds one of each", m.Generation, len(m.Packs))
	}
	if got := originals(t, s); len(got) != 2 {
		t.Errorf("%d files come back, want 2", len(got))
	}
	for _, name := range []string{"study", "1.2.3.4", "1.2.3.9"} {
		if _, ok := s.Thumb(name); !ok {
			t.Errorf("no thumbnail %q", name)
		}
	}
}
