package lifecycle

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle/cost"
	"github.com/radtier/radtier/lifecycle/policy"
)

// PlanSchema is the format of plans.
const PlanSchema = "radtier.plan/1"

// PlanOptions says what a plan is about. Zero values: all studies, now.
type PlanOptions struct {
	Policy *policy.Policy
	Hot    string    // name of the tier that manifests leave unnamed
	Now    time.Time // the moment of the decisions; another one than the present is a rehearsal: it is not noted when studies are to be looked at again
	Limit  int       // studies to look at, at most; 0: all that are due
	// Rehearse: nothing is noted in the catalog.
	Rehearse bool
	By       string // who made it
	// Prices, if set, judge moves: those that would cost more than they save are refused and listed, unless Force says otherwise.
	Prices *Prices
	Force  bool
	// Progress, if set, is told now and then how many studies were looked at.
	Progress func(studies int64)
}

// Plan is the head of a plan: what it is about, what it comes to, and where its lines are. Its digest is the plan's name: whoever approves that,
// approves every line.
type Plan struct {
	Schema       string    `json:"schema"`
	ID           string    `json:"id"`
	At           time.Time `json:"at"`
	By           string    `json:"by"`
	Policy       string    `json:"policy"`
	PolicySHA256 string    `json:"policy_sha256"`
	Rehearsal    bool      `json:"rehearsal,omitempty"` // of another moment: it cannot be applied
	Studies      int64     `json:"studies"`             // looked at
	Lines        int64     `json:"lines"`
	Last         string    `json:"last"` // SHA-256 of the last line; of the first line's beginning if there is none
	Parts        []Part    `json:"parts"`
	Prices       string    `json:"prices,omitempty"`   // by which moves were judged, see Prices.ID
	Currency     string    `json:"currency,omitempty"` // of all sums
	Forced       bool      `json:"forced,omitempty"`   // also moves that cost more than they save
	Totals       []Total   `json:"totals"`             // by class, action and tiers
	Refused      []Refused `json:"refused,omitempty"`
	Blocked      []Blocked `json:"blocked"` // why what is due to be deleted stays, by reason
	Skipped      []Skipped `json:"skipped,omitempty"`
	Unlisted     int64     `json:"unlisted,omitempty"` // skipped studies beyond those listed
}

// Part is an object of lines.
type Part struct {
	Key    string `json:"key"`
	Lines  int64  `json:"lines"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Line is what a plan does with one study. It holds for the facts and the generation that it names, and for no others.
type Line struct {
	Number     int64  `json:"n"`
	Prev       string `json:"prev"` // SHA-256 of the line before, without its end; of the first: of the plan's id
	Tenant     string `json:"tenant"`
	Study      string `json:"study"` // hash
	Generation int64  `json:"generation"`
	Facts      string `json:"facts"` // digest
	Steps      []Step `json:"steps"`
}

// Step is what happens to what a study has of one class on one tier.
type Step struct {
	Class   catalog.Class `json:"class"`
	Tier    string        `json:"tier"` // where it lies
	Action  policy.Action `json:"action"`
	To      string        `json:"to,omitempty"` // tier, of a move
	Bytes   int64         `json:"bytes"`
	Objects int           `json:"objects"`
	Rule    string        `json:"rule"`
	Why     []string      `json:"why"`            // the reasons that decided
	Cost    *cost.Verdict `json:"cost,omitempty"` // of a move, where prices are known
}

// Total sums up steps.
type Total struct {
	Class   catalog.Class `json:"class"`
	Action  policy.Action `json:"action"`
	Tier    string        `json:"tier"`
	To      string        `json:"to,omitempty"`
	Studies int64         `json:"studies"`
	Objects int64         `json:"objects"`
	Bytes   int64         `json:"bytes"`
	// Of moves, where prices are known: a month where they lie, a month where they go, the moves themselves with what they make due, and what is saved in the end.
	Now   decimal.Decimal `json:"now,omitzero"`
	After decimal.Decimal `json:"after,omitzero"`
	Fees  decimal.Decimal `json:"fees,omitzero"`
	Saves decimal.Decimal `json:"saves,omitzero"`
}

// add counts a step.
func (t *Total) add(s *Step) {
	t.Studies, t.Objects, t.Bytes = t.Studies+1, t.Objects+int64(s.Objects), t.Bytes+s.Bytes
	if v := s.Cost; v != nil {
		t.Now, t.After, t.Fees, t.Saves = t.Now.Add(v.Now), t.After.Add(v.After), t.Fees.Add(v.Fees).Add(v.Early), t.Saves.Add(v.Saves)
	}
}

// Payback is after how many months the moves have paid for themselves together; false if they never do, or nothing is known.
func (t *Total) Payback() (decimal.Decimal, bool) {
	gain := t.Now.Sub(t.After)
	if gain.Sign() <= 0 {
		return decimal.Decimal{}, false
	}
	return t.Fees.DivRound(gain, 6), true
}

// Blocked counts what is due to be deleted and stays, by what forbids it. Something may be forbidden for several reasons.
type Blocked struct {
	Class  catalog.Class `json:"class"`
	Reason policy.Code   `json:"reason"`
	Count  int64         `json:"studies"`
	Bytes  int64         `json:"bytes"`
}

const (
	partBytes  = 4 << 20 // lines are put in objects of about this size
	maxSkipped = 1000    // studies listed by name
	never      = 1 << 40 // a day that does not come
)

// Keys of plans: heads by their digest, lines by the plan's id.
const headPrefix = "plans/h/"

func headKey(digest string) string    { return headPrefix + digest + ".json" }
func policyKey(id string) string      { return "plans/l/" + id + "/policy.yaml" }
func partKey(id string, n int) string { return fmt.Sprintf("plans/l/%s/%08d.jsonl", id, n) }

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// newPlanID names a plan's lines; they are written before the plan has a digest.
func newPlanID(now time.Time) string {
	return fmt.Sprintf("%s-%016x", now.UTC().Format("20060102T150405"), rand.Uint64())
}

// MakePlan decides about every study that is due, writes the plan into the hot store, and returns its head and its digest. Nothing is moved or deleted. Memory
// does not grow with the number of studies.
func MakePlan(ctx context.Context, db *catalog.DB, store objstore.Store, o PlanOptions) (*Plan, string, error) {
	p := &planner{db: db, store: store, o: o, totals: map[place]*Total{}, refused: map[place]*Refused{}, blocked: map[Blocked]*Blocked{},
		Plan: Plan{Schema: PlanSchema, At: o.Now.UTC().Truncate(time.Millisecond), By: o.By, Policy: o.Policy.Name, PolicySHA256: o.Policy.Digest, Rehearsal: o.Rehearse, Prices: o.Prices.ID(), Forced: o.Force, Parts: []Part{}, Totals: []Total{}, Blocked: []Blocked{}}}
	if o.Prices != nil {
		p.Currency = o.Prices.Currency()
	}
	p.ID = newPlanID(o.Now)
	p.Last = digestOf([]byte(p.ID))
	if err := p.keepPolicy(ctx); err != nil {
		return nil, "", fmt.Errorf("plan: %w", err)
	}
	if err := p.run(ctx); err != nil {
		return nil, "", fmt.Errorf("plan: %w", err)
	}
	raw, err := json.Marshal(&p.Plan)
	if err != nil {
		return nil, "", err
	}
	digest := digestOf(raw)
	if err := p.put(ctx, headKey(digest), raw); err != nil {
		return nil, "", fmt.Errorf("plan: %w", err)
	}
	return &p.Plan, digest, nil
}

// place is what totals are for.
type place struct {
	class    catalog.Class
	action   policy.Action
	tier, to string
}

type planner struct {
	Plan
	db      *catalog.DB
	store   objstore.Store
	o       PlanOptions
	buf     bytes.Buffer
	inPart  int64 // lines in buf
	totals  map[place]*Total
	refused map[place]*Refused
	blocked map[Blocked]*Blocked
}

func (p *planner) run(ctx context.Context) error {
	epoch := int64(1) << 62 // of a rehearsal: above all, so that every study is looked at
	if !p.o.Rehearse {
		var err error
		digest := p.o.Policy.Digest
		if id := p.o.Prices.ID(); id != "" { // other prices may answer otherwise
			digest += "+" + digestOf([]byte(id))[:16]
		}
		if epoch, err = p.db.PutInForce(ctx, digest, p.o.Policy.Name); err != nil {
			return err
		}
	}
	today := int64(policy.DayOf(p.o.Now, p.o.Policy.Zone))
	err := p.db.CheckDue(ctx, epoch, today, p.o.Limit, func(page []catalog.Checkable) (map[int]int64, error) {
		answered := map[int]int64{}
		for i := range page {
			next, err := p.study(ctx, &page[i])
			if err != nil {
				return nil, err
			}
			if next != 0 {
				answered[i] = next
			}
		}
		if p.Studies += int64(len(page)); p.o.Progress != nil {
			p.o.Progress(p.Studies)
		}
		if p.o.Rehearse {
			answered = nil
		}
		return answered, ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	for _, t := range p.totals {
		p.Totals = append(p.Totals, *t)
	}
	slices.SortFunc(p.Totals, func(a, b Total) int {
		return cmp.Or(strings.Compare(string(a.Action), string(b.Action)), strings.Compare(string(a.Class), string(b.Class)), strings.Compare(a.Tier, b.Tier), strings.Compare(a.To, b.To))
	})
	for _, r := range p.refused {
		p.Refused = append(p.Refused, *r)
	}
	slices.SortFunc(p.Refused, func(a, b Refused) int {
		return cmp.Or(strings.Compare(string(a.Class), string(b.Class)), strings.Compare(a.Tier, b.Tier), strings.Compare(a.To, b.To))
	})
	for _, b := range p.blocked {
		p.Blocked = append(p.Blocked, *b)
	}
	slices.SortFunc(p.Blocked, func(a, b Blocked) int {
		return cmp.Or(strings.Compare(string(a.Class), string(b.Class)), strings.Compare(string(a.Reason), string(b.Reason)))
	})
	return nil
}

// study decides about one study. It returns the day on which it must be looked at again, 0 if something is to be done with it.
func (p *planner) study(ctx context.Context, c *catalog.Checkable) (next int64, err error) {
	if c.Status == catalog.StatusFork {
		p.skip(c.Hash(), catalog.ErrFork.Error())
		return never, nil // whoever mends it commits
	}
	f, err := facts(ctx, p.db, p.store, p.o.Policy, c, p.o.Hot)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		p.skip(c.Hash(), err.Error())
		return 0, nil
	}
	steps, next, err := p.decide(c.Hash(), f)
	if err != nil {
		return 0, err
	}
	if len(steps) == 0 {
		return next, nil
	}
	return 0, p.line(ctx, Line{Tenant: c.Tenant, Study: c.Hash(), Generation: c.Generation, Facts: f.Digest(), Steps: steps})
}

func (p *planner) skip(study, why string) {
	if len(p.Skipped) < maxSkipped {
		p.Skipped = append(p.Skipped, Skipped{study, why})
	} else {
		p.Unlisted++
	}
}

// facts are those of a study as a plan looks at it; where its row has none, the head manifest is read.
func facts(ctx context.Context, db *catalog.DB, store objstore.Store, p *policy.Policy, c *catalog.Checkable, hot string) (*policy.Facts, error) {
	b := c.Brief
	if b == nil {
		m, err := catalog.LoadManifest(ctx, store, c.Ref)
		if err != nil {
			return nil, err
		}
		brief := catalog.BriefOf(m)
		b = &brief
	}
	return FactsOf(p, c.Study, b, hot), nil
}

// decide returns what is to be done with a study, and if that is nothing, when to look again.
func (p *planner) decide(study string, f *policy.Facts) (steps []Step, next int64, err error) {
	next = never
	for i, d := range p.o.Policy.Decide(p.o.Now, f) {
		a := &f.Artifacts[i]
		if d.Blocked {
			p.count(&d, a)
			if lacksProof(&d) {
				next = min(next, int64(policy.DayOf(p.o.Now, p.o.Policy.Zone))+ProofDays)
			}
		}
		if d.Action == policy.Keep {
			if d.Next != 0 {
				next = min(next, int64(d.Next))
			}
			continue
		}
		s := Step{Class: a.Class, Tier: a.Tier, Action: d.Action, To: d.Tier, Bytes: a.Bytes, Objects: a.Objects, Rule: d.Rule}
		for _, r := range d.Reasons {
			s.Why = append(s.Why, r.Text)
		}
		id := place{s.Class, s.Action, s.Tier, s.To}
		if s.Action == policy.Move && p.o.Prices != nil {
			if s.Cost, err = p.o.Prices.judge(p.o.Now, p.o.Policy.Zone, f, a, &d); err != nil {
				return nil, 0, fmt.Errorf("what a move from %s to %s costs: %w", s.Tier, s.To, err)
			}
			if !s.Cost.Worth() && !p.o.Force {
				p.refuse(id, study, &s)
				next = min(next, int64(policy.DayOf(p.o.Now, p.o.Policy.Zone))+refuseAgain)
				if d.Next != 0 {
					next = min(next, int64(d.Next))
				}
				continue
			}
		}
		steps = append(steps, s)
		t := p.totals[id]
		if t == nil {
			t = &Total{Class: s.Class, Action: s.Action, Tier: s.Tier, To: s.To}
			p.totals[id] = t
		}
		t.add(&s)
	}
	return steps, next, nil
}

// refuse counts a move that would cost more than it saves.
func (p *planner) refuse(id place, study string, s *Step) {
	r := p.refused[id]
	if r == nil {
		r = &Refused{Total: Total{Class: s.Class, Action: s.Action, Tier: s.Tier, To: s.To}, Study: study, Terms: s.Cost}
		p.refused[id] = r
	}
	r.add(s)
	r.Loses = r.Loses.Sub(s.Cost.Saves)
}

// forbids tells reasons that keep from a deletion that is due from those that only say where something lies.
func forbids(c policy.Code) bool {
	switch c {
	case policy.CodeExpired, policy.CodeTier, policy.CodeColder, policy.CodeForeign, policy.CodeTrash:
		return false
	}
	return true
}

// count counts what forbids a deletion that is due.
func (p *planner) count(d *policy.Decision, a *policy.Artifact) {
	for _, r := range d.Reasons {
		if !forbids(r.Code) {
			continue
		}
		id := Blocked{Class: a.Class, Reason: r.Code}
		b := p.blocked[id]
		if b == nil {
			b = &Blocked{Class: a.Class, Reason: r.Code}
			p.blocked[id] = b
		}
		b.Count, b.Bytes = b.Count+1, b.Bytes+a.Bytes
	}
}

// line appends to the chain.
func (p *planner) line(ctx context.Context, l Line) error {
	p.Lines++
	l.Number, l.Prev = p.Lines, p.Last
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	p.Last = digestOf(raw)
	p.buf.Write(raw)
	p.buf.WriteByte('\n')
	if p.inPart++; p.buf.Len() < partBytes {
		return nil
	}
	return p.flush(ctx)
}

func (p *planner) flush(ctx context.Context) error {
	if p.inPart == 0 {
		return nil
	}
	raw := p.buf.Bytes()
	part := Part{Key: partKey(p.ID, len(p.Parts)+1), Lines: p.inPart, Bytes: int64(len(raw)), SHA256: digestOf(raw)}
	if err := p.put(ctx, part.Key, raw); err != nil {
		return err
	}
	p.Parts = append(p.Parts, part)
	p.buf.Reset()
	p.inPart = 0
	return nil
}

func (p *planner) put(ctx context.Context, key string, raw []byte) error {
	_, err := p.store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw)), SHA256: sha256.Sum256(raw)})
	return err
}

// keepPolicy leaves the policy beside the plan, for the workers that carry it out, and reads it back.
func (p *planner) keepPolicy(ctx context.Context) error {
	if err := p.put(ctx, policyKey(p.ID), p.o.Policy.Source); err != nil {
		return err
	}
	_, err := LoadPolicy(ctx, p.store, policyKey(p.ID), p.o.Policy.Digest)
	return err
}
