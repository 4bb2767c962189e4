package policy

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

var update = flag.Bool("update", false, "write testdata/decide.golden anew, to be read by a person")

func shipped(t testing.TB, name string) *Policy {
	t.Helper()
	raw, err := Files.ReadFile("files/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(name+".yaml", raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func day(s string) Day {
	d, err := ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// shanghai is a moment of China's day.
func shanghai(s string) time.Time {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		panic(err)
	}
	return t
}

// someFacts are those of a study from the end of a month, read once, of a secondary copy that is well proved.
func someFacts() *Facts {
	at := shanghai("2026-01-31 10:00")
	return &Facts{Tenant: "a", StudyUID: "1.2.3", Generation: 1, Role: Secondary, StudyDay: day("2026-01-31"), Arrived: at, LastArrival: at,
		Patient: Outpatient, Age: Adult, Modalities: []string{"CT"}, RegionState: "extracted", Settled: true,
		Proof: &Evidence{Level: Attested, At: shanghai("2026-04-20 00:00"), Same: true},
		Artifacts: []Artifact{{Class: catalog.ClassFull, Tier: "warm", Since: at, Bytes: 100 << 20, Objects: 2}, {Class: catalog.ClassRegion, Tier: "hot", Since: at, Bytes: 1 << 20, Objects: 1},
			{Class: catalog.ClassResult, Tier: "hot", Since: at, Bytes: 1 << 16, Objects: 1}, {Class: catalog.ClassPreview, Tier: "hot", Since: at, Bytes: 8 << 20, Objects: 1}}}
}

// TestDecide compares decisions with a golden file that was read line by line: calendar edges, and everything that forbids a deletion.
func TestDecide(t *testing.T) {
	keep := shipped(t, "keep-and-tier")
	regional := shipped(t, "regional")
	var b strings.Builder
	for _, c := range []struct {
		name   string
		policy *Policy
		now    string
		change func(f *Facts)
		all    bool // all artifacts, not the full images only
	}{
		{"31 January and three months: still kept on 30 April", regional, "2026-04-30 23:59", nil, true},
		{"and due on 1 May, at midnight in China", regional, "2026-05-01 00:00", nil, true},
		{"which is 30 April in London", regional, "2026-04-30 16:00", nil, false},
		{"leap day: a year later the regions end on 28 February", regional, "2025-03-01 12:00", func(f *Facts) {
			at := shanghai("2024-02-29 08:00")
			f.StudyDay, f.Arrived, f.LastArrival, f.Artifacts = day("2024-02-29"), at, at, f.Artifacts[1:2]
			f.Proof.At = shanghai("2025-02-20 08:00")
		}, true},
		{"a study of 23:30 in London belongs to China's next day", regional, "2026-04-30 12:00", func(f *Facts) {
			f.LastArrival = time.Date(2026, 1, 30, 23, 30, 0, 0, time.UTC)
			f.Arrived, f.StudyDay = f.LastArrival, day("2026-01-30")
		}, false},
		{"a late arrival starts the clock again", regional, "2026-05-01 12:00", func(f *Facts) { f.LastArrival = shanghai("2026-04-29 09:00") }, false},
		{"an old study that came late is not over when it comes", regional, "2026-02-10 12:00", func(f *Facts) { f.StudyDay = day("2019-06-01") }, false},
		{"a study of the future: its date is not believed", regional, "2026-05-02 12:00", func(f *Facts) { f.StudyDay = day("2062-01-31") }, false},
		{"on hot: it goes to warm 30 days after the last access", regional, "2026-03-02 12:00", func(f *Facts) { f.Artifacts[0].Tier = "hot" }, false},
		{"one day later", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier = "hot" }, false},
		{"somebody read it", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier, f.LastAccess = "hot", shanghai("2026-02-20 15:00") }, false},
		{"an appointment within two weeks holds it on hot", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier, f.Appointments = "hot", []Day{day("2026-03-17")} }, false},
		{"one in three weeks does not", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier, f.Appointments = "hot", []Day{day("2026-03-24")} }, false},
		{"colder than its rule", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier = "archive" }, false},
		{"on a tier that the policy does not name", regional, "2026-03-03 00:00", func(f *Facts) { f.Artifacts[0].Tier = "tape" }, false},
		{"everything forbids it", regional, "2026-05-02 12:00", func(f *Facts) {
			f.Busy, f.Partial, f.Settled, f.RegionState, f.NewEvidence, f.Proof = true, true, false, "unresolved", true, nil
			f.Holds = []Hold{{ID: "h1", Kind: "legal", Since: f.Arrived}, {ID: "h2", Kind: "research", Since: f.Arrived, Until: day("2026-12-31")}, {ID: "h3", Kind: "legal", Until: day("2026-05-01")}}
			f.Appointments = []Day{day("2026-05-10")}
			f.LastArrival = shanghai("2026-01-30 10:00")
		}, false},
		{"on the last day of a hold", regional, "2026-05-02 12:00", func(f *Facts) { f.Holds = []Hold{{ID: "h1", Kind: "legal", Until: day("2026-05-02")}} }, false},
		{"on the day after", regional, "2026-05-03 00:00", func(f *Facts) { f.Holds = []Hold{{ID: "h1", Kind: "legal", Until: day("2026-05-02")}} }, false},
		{"no evidence at all", regional, "2026-05-02 12:00", func(f *Facts) { f.Settled, f.RegionState = false, "" }, false},
		{"a person said to keep it whole", regional, "2026-05-02 12:00", func(f *Facts) { f.KeepWhole = true }, false},
		{"until the results are over", regional, "2031-02-01 12:00", func(f *Facts) { f.KeepWhole, f.Proof.At = true, shanghai("2031-01-20 12:00") }, true},
		{"keep whole, and there are no results", regional, "2026-05-02 12:00", func(f *Facts) { f.KeepWhole, f.Artifacts = true, f.Artifacts[:1] }, false},
		{"the proof is too old", regional, "2026-05-21 00:00", nil, false},
		{"the proof is only a list", regional, "2026-05-02 12:00", func(f *Facts) { f.Proof.Level = Listed }, false},
		{"the primary copy differs", regional, "2026-05-02 12:00", func(f *Facts) { f.Proof.Same = false }, false},
		{"the role is not known", regional, "2026-05-02 12:00", func(f *Facts) { f.Role = "" }, false},
		{"a primary copy, last event not known", regional, "2060-05-02 12:00", func(f *Facts) { f.Role = Primary }, true},
		{"a primary copy of an outpatient", regional, "2026-05-02 12:00", func(f *Facts) { f.Role, f.LastEvent = Primary, day("2026-02-28") }, true},
		{"15 years after the last event: the last day", regional, "2041-02-28 23:59", func(f *Facts) { f.Role, f.LastEvent = Primary, day("2026-02-28") }, false},
		{"and the day after", regional, "2041-03-01 00:00", func(f *Facts) { f.Role, f.LastEvent = Primary, day("2026-02-28") }, false},
		{"an inpatient", regional, "2041-03-01 00:00", func(f *Facts) { f.Role, f.Patient, f.LastEvent = Primary, Inpatient, day("2026-02-28") }, false},
		{"a patient of unknown kind", regional, "2041-03-01 00:00", func(f *Facts) { f.Role, f.Patient, f.LastEvent = Primary, "", day("2026-02-28") }, false},
		{"restored, and its rule puts it on a colder tier", regional, "2026-03-20 12:00", func(f *Facts) { f.Artifacts[0].Tier, f.Artifacts[0].Restored = "hot", shanghai("2026-03-21 09:00") }, false},
		{"restored, the day after", regional, "2026-03-22 00:00", func(f *Facts) { f.Artifacts[0].Tier, f.Artifacts[0].Restored = "hot", shanghai("2026-03-21 09:00") }, false},
		{"expired while somebody reads it", regional, "2026-05-02 12:00", func(f *Facts) { f.Artifacts[0].Restored = shanghai("2026-05-10 09:00") }, false},
		{"in the trash", regional, "2026-05-20 12:00", func(f *Facts) { f.Artifacts[0].Trashed = shanghai("2026-05-02 23:00") }, false},
		{"in the trash, on its last day", regional, "2026-06-01 12:00", func(f *Facts) {
			f.Artifacts[0].Trashed, f.Proof.At = shanghai("2026-05-02 23:00"), shanghai("2026-05-30 12:00")
		}, false},
		{"purged on the day after", regional, "2026-06-02 00:00", func(f *Facts) {
			f.Artifacts[0].Trashed, f.Proof.At = shanghai("2026-05-02 23:00"), shanghai("2026-05-30 12:00")
		}, false},
		{"a hold came while it was in the trash", regional, "2026-06-02 00:00", func(f *Facts) {
			f.Artifacts[0].Trashed, f.Proof.At, f.Holds = shanghai("2026-05-02 23:00"), shanghai("2026-05-30 12:00"), []Hold{{ID: "h9", Kind: "legal"}}
		}, false},
		{"a late report came while it was in the trash", regional, "2026-06-02 00:00", func(f *Facts) {
			f.Artifacts[0].Trashed, f.LastArrival, f.Proof.At = shanghai("2026-05-02 23:00"), shanghai("2026-05-28 23:00"), shanghai("2026-05-30 12:00")
		}, false},
		{"keep and tier: no event is known", keep, "2027-02-02 12:00", func(f *Facts) { f.Role = Primary }, true},
		{"keep and tier: an inpatient", keep, "2027-02-02 12:00", func(f *Facts) {
			f.Role, f.Patient, f.LastEvent, f.Artifacts[0].Tier = Primary, Inpatient, day("2026-03-15"), "cold"
		}, true},
	} {
		f := someFacts()
		if c.change != nil {
			c.change(f)
		}
		fmt.Fprintf(&b, "%s (%s, %s)\n", c.name, c.policy.Name, c.now)
		for i, d := range c.policy.Decide(shanghai(c.now), f) {
			if i > 0 && !c.all {
				break
			}
			fmt.Fprintf(&b, "  %s on %s: %s", d.Class, f.Artifacts[i].Tier, d.Action)
			if d.Tier != "" {
				fmt.Fprintf(&b, " to %s", d.Tier)
			}
			if d.Blocked {
				b.WriteString(", blocked")
			}
			fmt.Fprintf(&b, "; rule %s", d.Rule)
			if d.Next != 0 {
				fmt.Fprintf(&b, "; look again on %s", d.Next)
			}
			b.WriteByte('\n')
			for _, r := range d.Reasons {
				fmt.Fprintf(&b, "    %s: %s\n", r.Code, r.Text)
			}
		}
	}
	const golden = "testdata/decide.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s", golden, i+1, got[min(i, len(got)-1)], line)
		}
	}
}

// randomFacts are facts of all kinds, within two years of a day.
func randomFacts(r *rand.Rand, tiers []string) *Facts {
	base := DateOf(2026, 1, 1) + Day(r.IntN(500))
	moment := func(spread int) time.Time {
		return time.Unix(int64(base)*86400+int64(r.IntN(spread*86400)), 0).UTC()
	}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	f := &Facts{Tenant: pick("a", "b"), StudyUID: "1.2", Generation: 1, Role: Role(pick("", "primary", "secondary", "secondary", "secondary")),
		Arrived: moment(30), Patient: Patient(pick("", "outpatient", "inpatient")), Modalities: []string{pick("CT", "MG", "MR")}, Settled: r.IntN(4) > 0,
		KeepWhole: r.IntN(8) == 0, Busy: r.IntN(20) == 0, Partial: r.IntN(20) == 0}
	f.LastArrival = f.Arrived.Add(time.Duration(r.IntN(100*86400)) * time.Second)
	f.StudyDay = base - Day(r.IntN(40)) + 2
	if r.IntN(2) == 0 {
		f.LastAccess = moment(300)
	}
	if r.IntN(2) == 0 {
		f.LastEvent = base - Day(r.IntN(31*366))
	}
	for range r.IntN(3) {
		h := Hold{ID: "h", Kind: "legal"}
		if r.IntN(3) > 0 {
			h.Until = base + Day(r.IntN(400))
		}
		f.Holds = append(f.Holds, h)
	}
	for range r.IntN(3) {
		f.Appointments = append(f.Appointments, base+Day(r.IntN(400)))
	}
	if r.IntN(4) > 0 {
		f.Proof = &Evidence{Level: Attested, At: moment(300), Same: r.IntN(10) > 0}
	}
	for _, c := range Classes {
		a := Artifact{Class: c, Tier: tiers[r.IntN(len(tiers))], Bytes: int64(r.IntN(1 << 30))}
		if r.IntN(3) == 0 {
			a.Trashed = moment(400)
		}
		if r.IntN(5) == 0 {
			a.Restored = moment(400)
		}
		f.Artifacts = append(f.Artifacts, a)
	}
	return f
}

// TestNext: from any day, nothing changes before the day that a decision asks to be looked at again; and what is deleted is never held, below
// the floor, unproved or kept by a rule, judged by conditions that are written anew here.
func TestNext(t *testing.T) {
	policies := []*Policy{shipped(t, "regional"), shipped(t, "keep-and-tier")}
	raw := strings.Replace(good, "  - name: rest\n", "  - name: old\n    match: {class: full, older_than: P6M}\n    priority: 3\n    keep: P1Y\n    from: access\n  - name: rest\n", 1)
	p, err := Load("p.yaml", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	policies = append(policies, p)
	seen := map[Action]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := policies[seed%3]
		f := randomFacts(r, p.Tiers)
		before, days := []Decision(nil), 800
		for k := range days {
			now := (DateOf(2026, 1, 1) + Day(k)).Start(p.Zone).Add(time.Duration(r.IntN(86400)) * time.Second)
			got := p.Decide(now, f)
			for i, d := range got {
				seen[d.Action]++
				if before != nil && before[i].Next != DayOf(now, p.Zone) && same(before[i]) != same(d) {
					t.Fatalf("seed %d, day %s: %s\nwas, to be looked at again on %s: %s", seed, DayOf(now, p.Zone), same(d), before[i].Next, same(before[i]))
				}
				if d.Next != 0 && d.Next <= DayOf(now, p.Zone) {
					t.Fatalf("seed %d, day %s: to be looked at again on %s", seed, DayOf(now, p.Zone), d.Next)
				}
				if d.Action == Trash || d.Action == Purge {
					mayGo(t, seed, p, f, &f.Artifacts[i], now)
				}
			}
			before = got
		}
	}
	for _, a := range []Action{Keep, Move, Trash, Purge} {
		if seen[a] < 100 {
			t.Errorf("%s came %d times: the test does not see enough of it", a, seen[a])
		}
	}
}

// same is what of a decision must not change unannounced.
func same(d Decision) string {
	var codes []string
	for _, r := range d.Reasons {
		codes = append(codes, string(r.Code)+" "+r.Rule)
	}
	raw, err := json.Marshal([]any{d.Action, d.Tier, d.Rule, d.Blocked, codes})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func mayGo(t *testing.T, seed uint64, p *Policy, f *Facts, a *Artifact, now time.Time) {
	t.Helper()
	today := now.In(p.Zone).Format("2006-01-02")
	fail := func(why string) {
		t.Helper()
		raw, _ := json.Marshal(f)
		t.Fatalf("seed %d, %s: %s is deleted on %s: %s\n%s", seed, p.Name, a.Class, today, why, raw)
	}
	for _, h := range f.Holds {
		if h.Until == 0 || h.Until.String() >= today {
			fail("held")
		}
	}
	switch f.Role {
	case Primary:
		years := 30
		if f.Patient == Outpatient {
			years = 15
		}
		if f.LastEvent == 0 || f.LastEvent.Add(Period{Years: years}).String() >= today {
			fail("below the floor")
		}
	case Secondary:
		if a.Class != catalog.ClassPreview && (f.Proof == nil || !f.Proof.Same || f.Proof.At.In(p.Zone).AddDate(0, 0, 30).Format("2006-01-02") < today) {
			fail("unproved")
		}
	default:
		fail("no role")
	}
	if f.Busy {
		fail("busy")
	}
	if f.LastArrival.AddDate(0, 0, 6).After(now) {
		fail("not quiet")
	}
	for _, x := range f.Appointments {
		if x.String() >= today && x.String() <= now.In(p.Zone).AddDate(0, 0, 14).Format("2006-01-02") {
			fail("appointment")
		}
	}
	if a.Class == catalog.ClassFull && (f.Partial || !f.Settled && !f.KeepWhole) {
		fail("not settled")
	}
	if !a.Trashed.IsZero() && a.Trashed.AddDate(0, 0, 29).After(now) {
		fail("not long enough in the trash")
	}
}
