package catalog

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 3, 1, 8, 0, 0, 123e6, time.UTC)

// sample is a valid manifest that uses every part of the type.
func sample() *Manifest {
	k := StudyKey{"north", "1.2.3"}
	sum := strings.Repeat("ab", 32)
	since := testTime.Add(-time.Hour)
	return &Manifest{
		Schema: ManifestSchema, Tenant: k.Tenant, StudyUID: k.UID, Generation: 2, Parent: &Ref{ManifestKey(k, 1, "J0", 3), sum}, Job: "J1", Attempt: 1, Action: "derive",
		Created: testTime, FirstCreated: since, Arrivals: 2, Status: StatusPartial,
		Packs: []Pack{
			{Key: PackKey(k, "J0", 3, 1), Class: ClassFull, Tier: "hot", Size: 1000, SHA256: sum, Instances: 3, Frames: 9, RawBytes: 3000, Since: since},
			{Key: PackKey(k, "J1", 1, 120), Class: ClassPreview, Tier: "cold", Size: 10, SHA256: sum, Since: testTime},
		},
		Hot: &Bundle{Key: HotKey(k, "J1", 1), Size: 100, SHA256: sum, Since: testTime, Parts: []BundlePart{{Range{0, 40}, []Range{{40, 10}}}, {Range{50, 50}, nil}},
			Thumbs: map[string]Range{"study": {90, 10}}},
		Quarantined: []Quarantined{{SHA256: sum, Size: 5, Key: QuarantineKey("north", sum), Reason: "no preamble", SOPUID: "1.2.3.4"}},
		Withdrawn:   []Withdrawn{{"1.2", "1.2.5", "113037,DCM", testTime}},
		Amendments:  []Amendment{{k.Prefix() + "a/J1.1", sum, testTime}},
		Conflicts:   []Conflict{{"1.2", "1.2.6", "samples", []string{sum, sum}}},
		Custody:     &Custody{Role: RoleSecondary, Patient: "inpatient", LastEvent: "20260228", Proof: &Proof{Level: "attested", At: testTime, Same: true, Keeper: "hospital", SHA256: strings.Repeat("ab", 32)}},
		Holds:       []Hold{{ID: "h1", Kind: HoldResearch, Owner: "registry", Reason: "trial", Since: testTime, Until: testTime.Add(time.Hour), Lifted: &Lift{By: "reader", Reason: "over", At: testTime}}},
		Intervals:   []Interval{{HotKey(k, "J0", 3), "", ClassHot, 90, since, testTime}},
		Regions:     &RegionRecord{Key: RecordKey(k, "J1", 1), SHA256: sum, Size: 70, State: "extracted-open", Plan: sum, Sources: 2, Lesions: 1, Regions: 1, Bytes: 10, Since: testTime},
		Annotations: []Annotation{{AnnotationKey(k, "J1", 1, 1), sum, 33, "1.2.9", 1, testTime}},
		Review:      &Review{ReviewKeepWhole, "reader 1", "old haematoma", testTime, sum},
		Cites:       []Cite{{StudyUID: "1.2.2", SOPUIDs: []string{"1.2.2.1", "1.2.2.2"}, Evidence: sum}, {StudyUID: "1.2.4"}},
		CitedBy:     []CitedBy{{"1.2.5", sum[:32]}, {"1.2.6", sum[:32]}},
		Totals:      Totals{Instances: 3, Frames: 9, RawBytes: 3000, StoredBytes: 1110 + 70 + 33, Series: 1, Passed: 1},
	}
}

func TestManifestRoundTrip(t *testing.T) {
	m := sample()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	m.StudyUID, m.Hot.Thumbs = "\xc4\xe3 \\ \x00", map[string]Range{"\xff": {1, 2}}
	m.Withdrawn[0].SOPUID, m.Quarantined[0].SOPUID, m.Conflicts[0].SeriesUID = "\xfe", `\x41`, "\n"
	m.Annotations[0].DocumentID, m.Cites[1].StudyUID, m.Cites[0].SOPUIDs[1], m.CitedBy[1].StudyUID = "\xfd", "\xfc", "\xfb", "\xfa"
	before := *m
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*m, before) || m.Withdrawn[0].SOPUID != "\xfe" {
		t.Fatal("Encode changed the manifest")
	}
	got, err := DecodeManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Fatalf("got %+v, want %+v", got, m)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("encoded again: %v\n%s\nwant\n%s", err, again, raw)
	}
}

// TestValidate breaks each rule alone: Validate must say so, and name what is wrong.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name, want string
		bad        func(*Manifest)
	}{
		{"schema", "schema", func(m *Manifest) { m.Schema = "other/1" }},
		{"tenant", "tenant", func(m *Manifest) { m.Tenant = "a/b" }},
		{"no UID", "UID", func(m *Manifest) { m.StudyUID = "" }},
		{"generation", "generation is 0", func(m *Manifest) { m.Generation = 0 }},
		{"job", "job", func(m *Manifest) { m.Job = "a-b" }},
		{"attempt", "attempt", func(m *Manifest) { m.Attempt = 0 }},
		{"action", "action", func(m *Manifest) { m.Action = "" }},
		{"created", "created", func(m *Manifest) { m.Created = time.Time{} }},
		{"first after", "first_created", func(m *Manifest) { m.FirstCreated = m.Created.Add(1) }},
		{"arrivals", "arrivals", func(m *Manifest) { m.Arrivals = -1 }},
		{"status", "status", func(m *Manifest) { m.Status = "new" }},
		{"status of no quarantine", "status", func(m *Manifest) { m.Status = StatusStored }},
		{"no parent", "no parent", func(m *Manifest) { m.Parent = nil }},
		{"parent of another generation", "parent", func(m *Manifest) { m.Generation = 3 }},
		{"parent of another study", "parent", func(m *Manifest) { m.Parent.Key = ManifestKey(StudyKey{"north", "9"}, 1, "J0", 3) }},
		{"parent's digest", "SHA-256", func(m *Manifest) { m.Parent.SHA256 = "x" }},
		{"foreign pack", "pack 0: key", func(m *Manifest) { m.Packs[0].Key = PackKey(StudyKey{"south", "1.2.3"}, "J0", 3, 1) }},
		{"double pack", "twice", func(m *Manifest) { m.Packs[1].Key = m.Packs[0].Key }},
		{"bundle as pack", "pack 1: key", func(m *Manifest) { m.Packs[1].Key = HotKey(m.Study(), "J1", 1) }},
		{"pack's size", "pack 0: size", func(m *Manifest) { m.Packs[0].Size = 0 }},
		{"pack's digest", "pack 0: SHA-256", func(m *Manifest) { m.Packs[0].SHA256 = strings.Repeat("AB", 32) }},
		{"pack's class", "class", func(m *Manifest) { m.Packs[0].Class = ClassHot }},
		{"pack's tier", "tier", func(m *Manifest) { m.Packs[0].Tier = "" }},
		{"pack's counts", "instances", func(m *Manifest) { m.Packs[0].Instances = -1 }},
		{"preview's index", "index", func(m *Manifest) { m.Packs[1].Index = &Range{1, 10} }},
		{"pack's time", "since", func(m *Manifest) { m.Packs[0].Since = time.Time{} }},
		{"bundle's parts", "parts", func(m *Manifest) { m.Hot.Parts = m.Hot.Parts[:1] }},
		{"bundle's range", "index of pack 1", func(m *Manifest) { m.Hot.Parts[1].Index = Range{50, 51} }},
		{"bundle's overflow", "block 0 of pack 0", func(m *Manifest) { m.Hot.Parts[0].Blocks[0] = Range{1, 1<<63 - 1} }},
		{"thumbnail", "thumbnail", func(m *Manifest) { m.Hot.Thumbs["study"] = Range{-1, 1} }},
		{"stored bytes", "stored bytes", func(m *Manifest) { m.Totals.StoredBytes-- }},
		{"totals", "totals", func(m *Manifest) { m.Totals.Passed = 4 }},
		{"quarantined key", "quarantined file 0", func(m *Manifest) { m.Quarantined[0].Key += "x" }},
		{"quarantined twice", "listed twice", func(m *Manifest) { m.Quarantined = append(m.Quarantined, m.Quarantined[0]) }},
		{"quarantined without reason", "reason", func(m *Manifest) { m.Quarantined[0].Reason = "" }},
		{"withdrawn", "withdrawn", func(m *Manifest) { m.Withdrawn[0].Code = "" }},
		{"amendment", "amendment", func(m *Manifest) { m.Amendments[0].Key = "t/x" }},
		{"conflict", "conflict", func(m *Manifest) { m.Conflicts[0].Files = m.Conflicts[0].Files[:1] }},
		{"hold", "hold", func(m *Manifest) { m.Holds = append(m.Holds, m.Holds[0]) }},
		{"record's key", "region record: key", func(m *Manifest) { m.Regions.Key = m.Hot.Key }},
		{"record's size", "region record: size", func(m *Manifest) { m.Regions.Size = 0 }},
		{"record's state", "region record: state", func(m *Manifest) { m.Regions.State = "Extracted" }},
		{"record's plan", "region record: plan", func(m *Manifest) { m.Regions.Plan = "" }},
		{"record's counts", "lesions", func(m *Manifest) { m.Regions.Lesions = -1 }},
		{"record's time", "region record: since", func(m *Manifest) { m.Regions.Since = time.Time{} }},
		{"annotation's key", "annotation 0: key", func(m *Manifest) { m.Annotations[0].Key = m.Regions.Key }},
		{"annotation's document", "annotation 0: document id", func(m *Manifest) { m.Annotations[0].DocumentID = "" }},
		{"annotation twice", "listed twice", func(m *Manifest) { m.Annotations = append(m.Annotations, m.Annotations[0]) }},
		{"review's kind", "review: kind", func(m *Manifest) { m.Review.Kind = "drop" }},
		{"review by nobody", "who and why", func(m *Manifest) { m.Review.By = " " }},
		{"review without reason", "who and why", func(m *Manifest) { m.Review.Reason = "a\nb" }},
		{"review of no plan", "its plan", func(m *Manifest) { m.Review.Plan = "" }},
		{"citation of itself", "citation 0", func(m *Manifest) { m.Cites[0].StudyUID = m.StudyUID }},
		{"citation twice", "citation 1", func(m *Manifest) { m.Cites[1].StudyUID = m.Cites[0].StudyUID }},
		{"cited instance twice", "citation 0", func(m *Manifest) { m.Cites[0].SOPUIDs[1] = m.Cites[0].SOPUIDs[0] }},
		{"cited by nobody", "by another study 0", func(m *Manifest) { m.CitedBy[0].StudyUID = "" }},
		{"cited twice", "by another study 1", func(m *Manifest) { m.CitedBy[1].StudyUID = "1.2.5" }},
		{"citation's digest", "by another study 1", func(m *Manifest) { m.CitedBy[1].Evidence = "x" }},
		{"interval", "interval", func(m *Manifest) { m.Intervals[0].To = time.Time{} }},
	} {
		m := sample()
		c.bad(m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	m := sample()
	m.Attempt, m.Job, m.Packs[0].Size = 0, "", 0
	if err := m.Validate(); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("several faults: got %v, want all of them", err)
	}
}

func TestHoldings(t *testing.T) {
	m := sample()
	older := m.Packs[0]
	older.Key, older.Since, older.Size = "k", older.Since.Add(-time.Hour), 5
	m.Packs = append(m.Packs, older)
	want := []Holding{{ClassFull, "hot", older.Since, 1005, 2}, {ClassPreview, "cold", testTime, 10, 1}, {ClassHot, "", testTime, 170, 2}, {ClassResult, "", testTime, 33, 1}}
	if got := HoldingsOf(m); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestDecodeManifestRefuses(t *testing.T) {
	good, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"empty": nil, "not JSON": []byte("x"), "half": good[:len(good)/2], "two": append(bytes.Clone(good), good...), "other schema": bytes.Replace(good, []byte(ManifestSchema), []byte("radtier.manifest/2"), 1),
		"too large": bytes.Repeat([]byte(" "), MaxManifestBytes+1), "wrong type": []byte(`{"schema":1}`),
	} {
		if m, err := DecodeManifest(raw); err == nil {
			t.Errorf("%s: decoded to %+v", name, m)
		}
	}
	later := bytes.Replace(good, []byte(`"schema"`), []byte(`"later":{"x":[1]},"schema"`), 1)
	if _, err := DecodeManifest(later); err != nil {
		t.Errorf("with a field of a later version: %v", err)
	}
}

// FuzzManifest: whatever the bytes, decoding ends in an error or in a manifest
// that encodes and decodes to the same, within memory of the order of its input; validation never panics.
func FuzzManifest(f *testing.F) {
	good, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":"radtier.manifest/1","packs":[{}],"hot":{"parts":[{"index":[9223372036854775807,1],"blocks":[[-1,1]]}]}}`))
	f.Add([]byte(`{"schema":"radtier.manifest/1","study_uid":"\\x00\\xzz\\x5cx41","packs":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		m, err := DecodeManifest(raw)
		if err != nil {
			return
		}
		valid := m.Validate() == nil
		enc, err := m.Encode()
		if err != nil {
			if valid {
				t.Fatalf("a valid manifest is not encoded: %v", err)
			}
			return // a year outside RFC 3339
		}
		again, err := DecodeManifest(enc)
		if err != nil {
			t.Fatalf("decode what was encoded: %v\n%s", err, enc)
		}
		enc2, err := again.Encode()
		if err != nil || !bytes.Equal(enc, enc2) {
			t.Fatalf("encoded %s\nthen    %s (%v)", enc, enc2, err)
		}
		if (again.Validate() == nil) != valid {
			t.Fatalf("validity changed: %v, then %v", m.Validate(), again.Validate())
		}
	})
}
