package lifecycle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/cost"
)

// testBook has a warm class that is worth it for the smallest objects, and one that never is.
const testBook = `schema: radtier.prices/1
name: test
provider: test
region: test
currency: CNY
unit: GB
zone: Asia/Shanghai
failed_requests: none
editions:
  - from: 2026-01-01
    source: test
    confidence: sure
    classes:
      HOT: {storage: 0.12, requests: {put: 0.01/10000, copy: 0.01/10000, get: 0}, retrieval: 0}
      WARM: {storage: 0.08, requests: {put: 0, copy: 0, get: 0}, retrieval: 0}
      DEAR: {storage: 0.08, min_bytes: 64KiB, requests: {put: 0.1/10000, copy: 0.1/10000, get: 0.1/10000}, retrieval: 0.03}
      BARE: {storage: 0.08, requests: {get: 0}}
  - from: 2026-04-10
    source: test
    confidence: sure
    classes:
      HOT: {storage: 0.12, requests: {put: 0.01/10000, copy: 0.01/10000, get: 0}, retrieval: 0}
      WARM: {storage: 0.13, requests: {put: 0, copy: 0, get: 0}, retrieval: 0}
`

func pricesOf(t *testing.T, p *planner, warm string) *lifecycle.Prices {
	t.Helper()
	b, err := cost.Load("test.yaml", []byte(testBook))
	p.OK(err)
	e, err := b.At(p.Clock.Now())
	p.OK(err)
	places := map[string]cost.Place{}
	for tier, class := range map[string]string{"hot": "HOT", "warm": warm} {
		places[tier], err = e.Place(class)
		p.OK(err)
	}
	x, err := lifecycle.NewPrices(places, func(string, string) bool { return true }, 16<<20)
	p.OK(err)
	return x
}

// TestPlanCosts: a plan with prices says what its moves cost and save, and refuses those that cost more, with the terms; applied it must have the same prices.
func TestPlanCosts(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	for n := range 3 {
		p.Done(catalogtest.Study(n), "a")
	}
	p.Clock.Move(31 * day)
	warm, dear := pricesOf(t, p, "WARM"), pricesOf(t, p, "DEAR")

	plan, _, lines := p.plan(lifecycle.PlanOptions{Prices: dear, Rehearse: true})
	if len(lines) != 0 || len(plan.Totals) != 0 || len(plan.Refused) != 1 || plan.Prices != dear.ID() || plan.Currency != "CNY" {
		t.Fatalf("a move that costs more than it saves: %d lines, %+v", len(lines), plan)
	}
	r := plan.Refused[0]
	if r.Class != catalog.ClassFull || r.Tier != "hot" || r.To != "warm" || r.Studies != 3 || r.Bytes != 3*700 || r.Loses.Sign() <= 0 || r.Study == "" || r.Terms == nil || r.Terms.Worth() || !strings.Contains(r.Terms.String(), "it loses") {
		t.Errorf("refused is %+v: %s", r, r.Terms)
	}
	plan, _, lines = p.plan(lifecycle.PlanOptions{Prices: dear, Force: true, By: "ops", Rehearse: true})
	if len(lines) != 3 || !plan.Forced || len(plan.Refused) != 0 || plan.Totals[0].Saves.Sign() >= 0 {
		t.Errorf("forced: %d lines, %+v", len(lines), plan)
	}
	if _, _, lines = p.plan(lifecycle.PlanOptions{Prices: dear}); len(lines) != 0 {
		t.Fatalf("%d lines", len(lines))
	}
	if plan, _, _ = p.plan(lifecycle.PlanOptions{Prices: dear}); plan.Studies != 0 {
		t.Errorf("what was refused is looked at again at once: %d studies", plan.Studies)
	}
	p.Clock.Move(59 * day) // the 90th day
	if plan, _, _ = p.plan(lifecycle.PlanOptions{Prices: dear}); plan.Studies != 0 {
		t.Errorf("%d studies are looked at again", plan.Studies)
	}
	p.Clock.Move(-59 * day)

	// With other prices all are looked at again.
	plan, digest, lines := p.plan(lifecycle.PlanOptions{Prices: warm})
	if len(lines) != 3 || len(plan.Refused) != 0 {
		t.Fatalf("a move that saves: %d lines, %+v", len(lines), plan)
	}
	total := plan.Totals[0]
	if months, ok := total.Payback(); !ok || months.Sign() < 0 || total.Now.Sign() <= 0 || !total.Now.GreaterThan(total.After) || total.Saves.Sign() <= 0 {
		t.Errorf("totals are %+v", total)
	}
	for _, l := range lines {
		if c := l.Steps[0].Cost; c == nil || !c.Worth() || c.Currency != "CNY" {
			t.Errorf("line %d has cost %v", l.Number, c)
		}
	}
	apply := func(x *lifecycle.Prices) (*lifecycle.Applied, error) {
		return lifecycle.Apply(p.Ctx, p.DB, p.Store, digest, lifecycle.ApplyOptions{Policy: p.policy, Prices: x, Hot: "hot", Now: p.Clock.Now(), MaxSkipped: 1})
	}
	for name, x := range map[string]*lifecycle.Prices{"other prices": dear, "no prices": nil} {
		if _, err := apply(x); !errors.Is(err, lifecycle.ErrPlanPrices) {
			t.Errorf("applied with %s: %v", name, err)
		}
	}
	if a, err := apply(warm); err != nil || a.Moves != 3 {
		t.Errorf("applied with its own: %+v, %v", a, err)
	}
	p.Clock.Move(10 * day) // another edition
	if next := pricesOf(t, p, "WARM"); next.ID() == warm.ID() {
		t.Error("another edition has the same id")
	} else if plan, _, lines := p.plan(lifecycle.PlanOptions{Prices: next}); len(lines) != 0 || len(plan.Refused) != 1 {
		t.Errorf("dearer than where it is: %d lines", len(lines))
	}
}

// TestPlanUnknownPrices: a price that is needed and not known fails the plan; it is never taken for nothing.
func TestPlanUnknownPrices(t *testing.T) {
	p := newPlanner(t, warmPolicy)
	p.Done(catalogtest.Study(1), "a")
	p.Clock.Move(31 * day)
	_, _, err := lifecycle.MakePlan(p.Ctx, p.DB, p.Store, lifecycle.PlanOptions{Policy: p.policy, Hot: "hot", Now: p.Clock.Now(), Prices: pricesOf(t, p, "BARE")})
	var unknown *cost.UnknownError
	if !errors.As(err, &unknown) || unknown.Class != "BARE" || !strings.Contains(err.Error(), "request copy of class BARE on 2026-01-01") {
		t.Errorf("got %v", err)
	}
	x := pricesOf(t, p, "WARM")
	delete(x.Places, "warm")
	_, _, err = lifecycle.MakePlan(p.Ctx, p.DB, p.Store, lifecycle.PlanOptions{Policy: p.policy, Hot: "hot", Now: p.Clock.Now(), Prices: x})
	if !errors.Is(err, lifecycle.ErrNoPrices) {
		t.Errorf("a tier without prices: %v", err)
	}
	usd, err := cost.Shipped("aws-us-east-1")
	p.OK(err)
	place, err := usd.Editions[0].Place("STANDARD_IA")
	p.OK(err)
	if _, err := lifecycle.NewPrices(map[string]cost.Place{"hot": x.Places["hot"], "warm": place}, nil, 0); !errors.Is(err, cost.ErrCurrency) {
		t.Errorf("two currencies: %v", err)
	}
}
