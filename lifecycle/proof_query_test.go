package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// TestCompareListed: an archive must list each instance, in its size where it says one; what it has more is told and does no harm.
func TestCompareListed(t *testing.T) {
	own := []lifecycle.OwnListed{{"1.1", sumA, 1, 4, 5}, {"1.2", sumB, 3, 4, 5}, {"1.3", "", 0, 0, 0}}
	all := []lifecycle.Listed{{"1.3", 0, 0, 0}, {"1.2", 3, 4, 5}, {"1.1", 0, 4, 5}}
	many := make([]lifecycle.OwnListed, 50)
	for i := range many {
		many[i].SOPUID = fmt.Sprintf("1.9.%02d", i)
	}
	for name, c := range map[string]struct {
		own    []lifecycle.OwnListed
		listed []lifecycle.Listed
		same   bool
		note   string
	}{
		"all":                  {own, all, true, "3 instances"},
		"more there":           {own, append(slices.Clone(all), lifecycle.Listed{SOPUID: "1.4"}, lifecycle.Listed{SOPUID: "1.4"}), true, "3 instances, and 1 more that are not here"},
		"no sizes":             {own, []lifecycle.Listed{{SOPUID: "1.1"}, {SOPUID: "1.2"}, {SOPUID: "1.3"}}, true, "3 instances"},
		"one missing":          {own, all[:2], false, "of 3 instances 1 not listed (1.1)"},
		"fewer frames":         {own, []lifecycle.Listed{all[0], {"1.2", 2, 4, 5}, all[2]}, false, "of 3 instances 1 of another size or number of frames (1.2)"},
		"other rows":           {own, []lifecycle.Listed{all[0], all[1], {"1.1", 1, 5, 5}}, false, "of 3 instances 1 of another size or number of frames (1.1)"},
		"other columns":        {own, []lifecycle.Listed{{"1.1", 1, 4, 6}}, false, "of 3 instances 2 not listed (1.2, 1.3), 1 of another size or number of frames (1.1)"},
		"nothing there":        {own, nil, false, "the study is not there: none of 3 instances is listed"},
		"nothing here":         {nil, all, false, "there is nothing to compare: no instance is stored"},
		"same content twice":   {append(slices.Clone(own), own[0]), all, true, "3 instances"},
		"other content twice":  {append(slices.Clone(own), lifecycle.OwnListed{"1.1", sumB, 1, 4, 5}), all, false, "of 3 instances 1 here in versions of different content, of which an archive has one (1.1)"},
		"a few names are said": {many, all, false, "of 50 instances 50 not listed (1.9.00, 1.9.01, 1.9.02, ...)"},
		"what is no UID":       {[]lifecycle.OwnListed{{SOPUID: strings.Repeat("王\n", 40)}}, all, false, `of 1 instances 1 not listed ("` + strings.Repeat(`\u738b\n`, 16) + `")`},
	} {
		same, note := lifecycle.CompareListed(c.own, c.listed)
		if same != c.same || note != c.note || len(note) > catalog.MaxReviewText/2 {
			t.Errorf("%s: got %v, %q; want %v, %q", name, same, note, c.same, c.note)
		}
	}
	a, b := lifecycle.ListedDigest(all), lifecycle.ListedDigest([]lifecycle.Listed{all[2], all[0], all[1]})
	if a != b || len(a) != 64 || a == lifecycle.ListedDigest(all[:2]) || lifecycle.ListedDigest(nil) != "" {
		t.Errorf("digests are %q and %q", a, b)
	}
}

// proofPolicy keeps full images for 90 days, and for a year what is held in other ways.
const proofPolicy = `schema: radtier.policy/1
name: test
tiers: [hot]
quiet: P1D
roles: {"*": secondary}
proof: {level: listed, age: P30D}
rules:
  - {name: full, match: {class: full}, keep: P90D, from: arrival, tiers: [{tier: hot, after: P0D}]}
  - {name: rest, match: {class: [region, result, preview]}, keep: P5Y, from: arrival}
`

// TestProofDue: a proof is asked for when it is all that lacks for a deletion within some days.
func TestProofDue(t *testing.T) {
	p, err := policy.Load("policy.yaml", []byte(proofPolicy))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 10, 4, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		days int // since the last arrival
		edit func(f *policy.Facts)
		want bool
	}{
		"kept for long":        {10, nil, false},
		"the last day but one": {83, nil, false},
		"within a week":        {84, nil, true},
		"over":                 {200, nil, true},
		"proved": {88, func(f *policy.Facts) {
			f.Proof = &policy.Evidence{Level: policy.Listed, At: start.AddDate(0, 0, 58), Same: true}
		}, false},
		"proved better": {88, func(f *policy.Facts) {
			f.Proof = &policy.Evidence{Level: policy.Attested, At: start.AddDate(0, 0, 58), Same: true}
		}, false},
		"an old proof": {89, func(f *policy.Facts) {
			f.Proof = &policy.Evidence{Level: policy.Listed, At: start.AddDate(0, 0, 58), Same: true}
		}, true},
		"it differed": {88, func(f *policy.Facts) {
			f.Proof = &policy.Evidence{Level: policy.Attested, At: start.AddDate(0, 0, 88), Same: false}
		}, true},
		"a primary copy":         {88, func(f *policy.Facts) { f.Role = policy.Primary }, false},
		"not known whose":        {88, func(f *policy.Facts) { f.Role = "" }, false},
		"held":                   {88, func(f *policy.Facts) { f.Holds = []policy.Hold{{ID: "h", Kind: "legal", Since: start}} }, false},
		"not settled":            {88, func(f *policy.Facts) { f.Settled = false }, false},
		"busy":                   {88, func(f *policy.Facts) { f.Busy = true }, false},
		"in the trash":           {100, func(f *policy.Facts) { f.Artifacts[0].Trashed = start.AddDate(0, 0, 91) }, false},
		"its trash time is over": {120, func(f *policy.Facts) { f.Artifacts[0].Trashed = start.AddDate(0, 0, 91) }, true},
		"only previews":          {5000, func(f *policy.Facts) { f.Artifacts = []policy.Artifact{{Class: catalog.ClassPreview, Tier: "hot"}} }, false},
	} {
		f := &policy.Facts{Role: policy.Secondary, Arrived: start, LastArrival: start, Settled: true, Artifacts: []policy.Artifact{{Class: catalog.ClassFull, Tier: "hot", Since: start}}}
		if c.edit != nil {
			c.edit(f)
		}
		proof := f.Proof
		if got := lifecycle.ProofDue(p, start.AddDate(0, 0, c.days), 7, f); got != c.want || f.Proof != proof {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestProofsDue: those that lack a proof are found without looking at the others again, before and after a plan has looked at them, and not once they have one.
func TestProofsDue(t *testing.T) {
	p := newPlanner(t, proofPolicy)
	for n := range 4 {
		p.Done(catalogtest.Study(n), "a")
		p.Plan(catalogtest.Study(n), "", "negative", "plan-1")
	}
	looked := int64(0)
	due := func(each func(s catalog.Study)) (uids []string) {
		t.Helper()
		looked = 0
		p.OK(lifecycle.ProofsDue(p.Ctx, p.DB, p.Store, lifecycle.ProofOptions{Policy: p.policy, Hot: "hot", Now: p.Clock.Now(), Progress: func(n int64) { looked = n }}, func(s catalog.Study) error {
			uids = append(uids, s.UID)
			if each != nil {
				each(s)
			}
			return nil
		}))
		slices.Sort(uids)
		return uids
	}
	var all []string
	for n := range 4 {
		all = append(all, catalogtest.Study(n).UID)
	}
	slices.Sort(all)
	if got := due(nil); len(got) != 0 || looked != 4 {
		t.Fatalf("under a policy that was never in force %q are due, %d looked at", got, looked)
	}
	p.plan(lifecycle.PlanOptions{})
	if got := due(nil); len(got) != 0 || looked != 0 {
		t.Fatalf("on the first day %q are due, %d looked at", got, looked)
	}
	p.Clock.Move(85 * day)
	if got := due(nil); !slices.Equal(got, all) || looked != 4 {
		t.Fatalf("within a week %q are due, %d looked at", got, looked)
	}
	p.Clock.Move(10 * day)
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Lines != 0 || plan.Studies != 4 || len(plan.Blocked) != 1 || plan.Blocked[0].Reason != policy.CodeProof {
		t.Fatalf("the plan without proofs is %+v", plan)
	}
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Studies != 0 {
		t.Fatalf("a plan looks at %d studies that lack a proof again at once", plan.Studies)
	}
	if got := due(nil); !slices.Equal(got, all) {
		t.Fatalf("after a plan has looked at them %q are due", got)
	}
	record := func(k catalog.StudyKey, same bool) {
		t.Helper()
		_, err := lifecycle.RecordProof(p.Ctx, p.DB, p.Store, k, catalog.Proof{Level: "listed", At: p.Clock.Now(), Same: same, Keeper: "hospital", Note: "1 instances"}, "ops")
		p.OK(err)
	}
	asked := due(func(s catalog.Study) { record(s.StudyKey, s.UID != all[0]) }) // one differs
	if !slices.Equal(asked, all) {
		t.Fatalf("while they are proved %q are due, each once: %q", asked, all)
	}
	if got := due(nil); !slices.Equal(got, all[:1]) {
		t.Fatalf("once they are proved %q are due, want the one that differs", got)
	}
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Lines != 3 {
		t.Fatalf("the plan with proofs is %+v", plan)
	}
	m, err := catalog.LoadHead(p.Ctx, p.DB, p.Store, catalogtest.Study(0))
	p.OK(err)
	if m.Custody.Proof.Note != "1 instances" {
		t.Errorf("recorded is %+v", m.Custody.Proof)
	}
}

// TestProofBetter: a proof that says less does not take the place of a better one before that grows old.
func TestProofBetter(t *testing.T) {
	p, err := policy.Load("policy.yaml", []byte(proofPolicy))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 10, 4, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		x    *policy.Evidence
		than policy.ProofLevel
		days int
		want bool
	}{
		{nil, policy.Listed, 0, false},
		{&policy.Evidence{Level: "attested", At: at, Same: true}, policy.Listed, 30, true},
		{&policy.Evidence{Level: "attested", At: at, Same: true}, policy.Listed, 31, false},
		{&policy.Evidence{Level: "attested", At: at}, policy.Listed, 1, false},
		{&policy.Evidence{Level: "attested", At: at, Same: true, Outdated: true}, policy.Listed, 1, false},
		{&policy.Evidence{Level: "sampled", At: at, Same: true}, policy.Sampled, 1, false},
		{&policy.Evidence{Level: "listed", At: at, Same: true}, policy.Sampled, 1, false},
	} {
		if got := p.ProofBetter(c.x, c.than, at.AddDate(0, 0, c.days)); got != c.want {
			t.Errorf("%+v against %s after %d days: got %v", c.x, c.than, c.days, got)
		}
	}
}

// TestProofOutdated: a proof says nothing of what comes after it was made, however fresh it is.
func TestProofOutdated(t *testing.T) {
	p := newPlanner(t, proofPolicy)
	k := catalogtest.Study(0)
	p.Plan(k, "a", "negative", "plan-1")
	compared, err := catalog.LoadHead(p.Ctx, p.DB, p.Store, k)
	p.OK(err)
	record := func() {
		t.Helper()
		_, err := lifecycle.RecordProof(p.Ctx, p.DB, p.Store, k, catalog.Proof{Level: "listed", At: p.Clock.Now(), Same: true, Keeper: "hospital", Arrivals: compared.Arrivals}, "ops")
		p.OK(err)
	}
	p.Clock.Move(85 * day)
	p.Plan(k, "late", "negative", "plan-2") // while the archive is asked
	record()
	p.Clock.Move(92 * day)
	record()
	plan, _, _ := p.plan(lifecycle.PlanOptions{})
	if plan.Lines != 0 || len(plan.Blocked) != 1 || plan.Blocked[0].Reason != policy.CodeProof {
		t.Fatalf("the plan is %+v", plan)
	}
	compared, err = catalog.LoadHead(p.Ctx, p.DB, p.Store, k)
	p.OK(err)
	p.Clock.Move(time.Minute)
	record()
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Lines != 1 || plan.Totals[0].Action != policy.Trash {
		t.Fatalf("proved again, the plan is %+v", plan)
	}
}
