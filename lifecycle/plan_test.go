package lifecycle_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// planner is a sweeper with a policy.
type planner struct {
	*sweeper
	policy *policy.Policy
}

func newPlanner(t *testing.T, text string) *planner {
	t.Helper()
	p, err := policy.Load("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &planner{newSweeper(t), p}
}

func (p *planner) plan(o lifecycle.PlanOptions) (*lifecycle.Plan, string, []lifecycle.Line) {
	p.T.Helper()
	if o.Policy == nil {
		o.Policy = p.policy
	}
	if o.Now.IsZero() {
		o.Now = p.Clock.Now()
	}
	o.Hot = "hot"
	made, digest, err := lifecycle.MakePlan(p.Ctx, p.DB, p.Store, o)
	p.OK(err)
	read, whole, err := lifecycle.LoadPlan(p.Ctx, p.Store, digest[:12])
	p.OK(err)
	if whole != digest || read.Lines != made.Lines || read.Last != made.Last {
		p.T.Fatalf("the plan is read as %+v, made was %+v", read, made)
	}
	var lines []lifecycle.Line
	for l, err := range read.Read(p.Ctx, p.Store) {
		p.OK(err)
		lines = append(lines, l)
	}
	if int64(len(lines)) != made.Lines {
		p.T.Fatalf("%d lines are read of %d", len(lines), made.Lines)
	}
	return made, digest, lines
}

// warmPolicy moves full images after 30 days and keeps them for 90.
const warmPolicy = `schema: radtier.policy/1
name: test
tiers: [hot, warm]
roles: {"*": secondary}
proof: {level: attested, age: P30D}
rules:
  - name: full
    match: {class: full}
    keep: P90D
    from: arrival
    tiers:
      - {tier: hot, after: P0D}
      - {tier: warm, after: P30D, from: arrival}
  - name: rest
    match: {class: [region, result, preview]}
    keep: P5Y
    from: arrival
`

// prove records that the keeper of the primary copy of a study has it.
func (p *planner) prove(k catalog.StudyKey) {
	p.T.Helper()
	_, err := catalog.CommitAside(p.Ctx, p.DB, p.Store, catalog.Aside{Key: k, Action: "proof", By: "hospital", Note: "inventory", Change: func(m *catalog.Manifest) error {
		m.Custody = &catalog.Custody{Proof: &catalog.Proof{Level: "attested", At: p.Clock.Now(), Same: true, Keeper: "hospital"}}
		return nil
	}})
	p.OK(err)
}

const day = 24 * time.Hour

// TestPlan: a study gets a line when something is due, and for each obstacle a count; who has nothing due is not looked at again before its day.
func TestPlan(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	for n := range 4 {
		p.Done(catalogtest.Study(n), "a")
	}
	if plan, _, lines := p.plan(lifecycle.PlanOptions{By: "ops"}); plan.Studies != 4 || len(lines) != 0 || plan.Rehearsal || plan.By != "ops" {
		t.Fatalf("on the first day the plan is %+v with %d lines", plan, len(lines))
	}
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Studies != 0 {
		t.Fatalf("%d studies are looked at again", plan.Studies)
	}
	p.Clock.Move(30 * day)
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Studies != 0 {
		t.Fatalf("on day 30 %d studies are looked at", plan.Studies)
	}
	p.Clock.Move(day)
	before := len(p.Keys("t/"))
	plan, _, lines := p.plan(lifecycle.PlanOptions{})
	if plan.Studies != 4 || len(lines) != 4 || len(plan.Totals) != 1 {
		t.Fatalf("on day 31 the plan is %+v", plan)
	}
	if got := plan.Totals[0]; got.Class != catalog.ClassFull || got.Action != policy.Move || got.Tier != "hot" || got.To != "warm" || got.Studies != 4 || got.Objects != 4 || got.Bytes != 4*700 {
		t.Errorf("the total is %+v", got)
	}
	for i, l := range lines {
		if l.Number != int64(i+1) || l.Generation != 1 || len(l.Facts) != 64 || len(l.Steps) != 1 || l.Steps[0].Rule != "full" || len(l.Steps[0].Why) == 0 {
			t.Errorf("line %d is %+v", i+1, l)
		}
	}
	if after := len(p.Keys("t/")); after != before {
		t.Errorf("a plan changed the studies: %d objects, before %d", after, before)
	}
	if again, _, _ := p.plan(lifecycle.PlanOptions{}); again.Lines != 4 {
		t.Errorf("what is not done yet is planned again: %d lines", again.Lines)
	}
	if one, _, _ := p.plan(lifecycle.PlanOptions{Limit: 1}); one.Lines != 1 || one.Studies != 1 {
		t.Errorf("with a limit of one the plan is %+v", one)
	}
	// 90 days after: what is proved elsewhere and settled would go to the trash, everything else says why not.
	p.Clock.Move(60 * day)
	p.prove(catalogtest.Study(2))
	_, err := lifecycle.AddHold(p.Ctx, p.DB, p.Store, catalogtest.Study(3), catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: p.Clock.Now()})
	p.OK(err)
	plan, _, lines = p.plan(lifecycle.PlanOptions{})
	blocked := map[policy.Code]int64{}
	for _, b := range plan.Blocked {
		blocked[b.Reason] += b.Count
	}
	if plan.Lines != 4 || blocked[policy.CodeProof] != 3 || blocked[policy.CodeReview] != 4 || blocked[policy.CodeHold] != 1 {
		t.Errorf("blocked are %+v, the plan has %d lines, skipped are %+v", plan.Blocked, len(lines), plan.Skipped)
	}
}

// TestPlanRehearsal: a plan for another day changes nothing of what is due, and says that it is one.
func TestPlanRehearsal(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	for n := range 3 {
		p.Done(catalogtest.Study(n), "a")
	}
	p.plan(lifecycle.PlanOptions{})
	for range 2 {
		plan, _, lines := p.plan(lifecycle.PlanOptions{Now: p.Clock.Now().Add(40 * day), Rehearse: true})
		if !plan.Rehearsal || plan.Studies != 3 || len(lines) != 3 {
			t.Fatalf("the rehearsal is %+v", plan)
		}
	}
	if plan, _, _ := p.plan(lifecycle.PlanOptions{}); plan.Studies != 0 {
		t.Errorf("after a rehearsal %d studies are due", plan.Studies)
	}
	other, err := policy.Load("policy.yaml", []byte(warmPolicy+"# another edition\n"))
	p.OK(err)
	if plan, _, _ := p.plan(lifecycle.PlanOptions{Policy: other}); plan.Studies != 3 || plan.PolicySHA256 == p.policy.Digest {
		t.Errorf("for another policy %d studies are due", plan.Studies)
	}
}

// TestPlanTampered: a plan of which any byte was changed, or a part exchanged, is not read.
func TestPlanTampered(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	for n := range 3 {
		p.Done(catalogtest.Study(n), "a")
	}
	p.Clock.Move(40 * day)
	_, digest, _ := p.plan(lifecycle.PlanOptions{})
	_, other, _ := p.plan(lifecycle.PlanOptions{})
	read := func() error {
		plan, _, err := lifecycle.LoadPlan(p.Ctx, p.Store, digest)
		if err != nil {
			return err
		}
		for _, err := range plan.Read(p.Ctx, p.Store) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	replace := func(key string, raw []byte) {
		p.OK(p.Store.Store.Delete(p.Ctx, key))
		_, err := p.Store.Store.Put(p.Ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw))})
		p.OK(err)
	}
	plan, _, err := lifecycle.LoadPlan(p.Ctx, p.Store, digest)
	p.OK(err)
	for _, key := range []string{"plans/h/" + digest + ".json", plan.Parts[0].Key} {
		raw, err := objstore.ReadAll(p.Ctx, p.Store, key, 1<<20)
		p.OK(err)
		for at := range raw {
			changed := slices.Clone(raw)
			changed[at] ^= 1
			replace(key, changed)
			if err := read(); !errors.Is(err, lifecycle.ErrPlanDamaged) {
				t.Fatalf("%s with another byte at %d of %d: %v", key, at, len(raw), err)
			}
		}
		replace(key, raw[:len(raw)-1])
		if err := read(); !errors.Is(err, lifecycle.ErrPlanDamaged) {
			t.Fatalf("%s cut short: %v", key, err)
		}
		replace(key, raw)
		p.OK(read())
	}
	foreign, _, err := lifecycle.LoadPlan(p.Ctx, p.Store, other)
	p.OK(err)
	raw, err := objstore.ReadAll(p.Ctx, p.Store, foreign.Parts[0].Key, 1<<20)
	p.OK(err)
	own := plan.Parts[0].Key
	replace(own, raw)
	if err := read(); err == nil {
		t.Fatal("the lines of another plan were read")
	}
	p.OK(p.Store.Store.Delete(p.Ctx, own))
	if err := read(); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("without its lines: %v", err)
	}
	for _, name := range []string{"", "abc", "00000000", "../../etc", digest + "0"} {
		if _, _, err := lifecycle.LoadPlan(p.Ctx, p.Store, name); err == nil {
			t.Errorf("plan %q was found", name)
		}
	}
}

// TestFactsOfRows: what a row says of a study is what its manifest says.
func TestFactsOfRows(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	k := catalogtest.Study(1)
	if _, err := p.Work(p.Arrive(k, "a").ID).Planned("extracted", "plan-1").Commit(); err != nil {
		t.Fatal(err)
	}
	p.prove(k)
	for _, h := range []catalog.Hold{{ID: "a", Until: p.Clock.Now().Add(90 * day)}, {ID: "b"}} {
		h.Kind, h.Owner, h.Reason, h.Since = catalog.HoldAppointment, "o", "r", p.Clock.Now()
		_, err := lifecycle.AddHold(p.Ctx, p.DB, p.Store, k, h)
		p.OK(err)
	}
	_, err := lifecycle.LiftHold(p.Ctx, p.DB, p.Store, k, "b", "o", "over")
	p.OK(err)
	m, err := catalog.LoadHead(p.Ctx, p.DB, p.Store, k)
	p.OK(err)
	b := catalog.BriefOf(m)
	s, err := p.DB.FindStudy(p.Ctx, k.Tenant, k.UID)
	p.OK(err)
	c, err := p.DB.Check(p.Ctx, k.Tenant, k.Hash())
	p.OK(err)
	want, got := lifecycle.FactsOf(p.policy, s, &b, "hot"), lifecycle.FactsOf(p.policy, c.Study, c.Brief, "hot")
	if got.Digest() != want.Digest() || len(got.Artifacts) != 3 || !got.Settled || len(got.Holds) != 1 || len(got.Appointments) != 1 || got.Proof == nil {
		t.Errorf("by the row  %+v\nby the manifest %+v", got, want)
	}
}
