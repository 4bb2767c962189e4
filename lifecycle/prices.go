package lifecycle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/radtier/radtier/lifecycle/cost"
	"github.com/radtier/radtier/lifecycle/policy"
)

// Prices are what the tiers cost. Plans judge moves by them.
type Prices struct {
	Places map[string]cost.Place // by tier
	// Inside reports whether the store copies between two tiers by itself.
	Inside func(from, to string) bool
	// PartBytes is the size of parts in which objects are uploaded.
	PartBytes int64
}

// NewPrices refuses tiers whose prices are in different currencies.
func NewPrices(places map[string]cost.Place, inside func(from, to string) bool, partBytes int64) (*Prices, error) {
	var first string
	for _, tier := range slices.Sorted(maps.Keys(places)) {
		if first == "" {
			first = tier
		}
		if a, b := places[first].Edition.Book.Currency, places[tier].Edition.Book.Currency; a != b {
			return nil, fmt.Errorf("%w: tier %s has %s, tier %s has %s", cost.ErrCurrency, first, a, tier, b)
		}
	}
	return &Prices{places, inside, partBytes}, nil
}

// ID names the prices: a plan holds for these, and for no others. Empty if there are none.
func (p *Prices) ID() string {
	if p == nil {
		return ""
	}
	var list []string
	for _, tier := range slices.Sorted(maps.Keys(p.Places)) {
		x := p.Places[tier]
		list = append(list, fmt.Sprintf("%s=%s:%s", tier, x.Edition.ID(), x.Class.Name))
	}
	return strings.Join(list, " ")
}

// Currency is that of all sums.
func (p *Prices) Currency() string {
	for _, x := range p.Places {
		return x.Edition.Book.Currency
	}
	return ""
}

// ErrNoPrices: a tier has no prices, and others have some.
var ErrNoPrices = errors.New("the tier has no prices: name a price book and a class for each tier, or for none")

// horizon is how far a move is reckoned of what is kept for ever, in months: nobody knows prices for longer.
var horizon = decimal.NewFromInt(60)

// half is the share of a study that a late read touches.
var half = decimal.New(5, -1)

// readAgain is how archived objects are read: the cheapest way, and for how long a provider is asked to keep a readable copy.
var readAgain = cost.Restored{Days: readableDays}

// judge says what a move that a policy wants costs and saves: until the policy moves the artifact on, or deletes it. The reads that are expected follow the study's age.
func (p *Prices) judge(now time.Time, zone *time.Location, f *policy.Facts, a *policy.Artifact, d *policy.Decision) (*cost.Verdict, error) {
	from, ok := p.Places[a.Tier]
	if !ok {
		return nil, fmt.Errorf("tier %s: %w", a.Tier, ErrNoPrices)
	}
	to, ok := p.Places[d.Tier]
	if !ok {
		return nil, fmt.Errorf("tier %s: %w", d.Tier, ErrNoPrices)
	}
	days := func(t time.Time) decimal.Decimal {
		return decimal.NewFromInt(max(int64(now.Sub(t)/time.Second), 0)).DivRound(decimal.NewFromInt(86400), cost.Digits)
	}
	age := days(f.LastArrival)
	k := cost.Outlook{AgeDays: days(a.Since), Months: horizon, Share: half, PartBytes: p.PartBytes, Restored: readAgain}
	month := to.Edition.Book.MonthDays
	if d.Next != 0 {
		left := int64(d.Next) - int64(policy.DayOf(now, zone))
		k.Months = decimal.NewFromInt(max(left, 0)).DivRound(month, cost.Digits)
	}
	k.Reads = cost.Between(cost.Curve(40), age, age.Add(k.Months.Mul(month)))
	if p.Inside != nil {
		k.Inside = p.Inside(a.Tier, d.Tier)
	}
	return cost.Judge(from, to, cost.Objects{Bytes: a.Bytes, Count: int64(a.Objects)}, k)
}

// Refused are moves that a policy wants and that would cost more than they save, by class and tiers.
type Refused struct {
	Total
	Loses decimal.Decimal `json:"loses"`
	// For one of them: the terms of the formula.
	Study string        `json:"study"`
	Terms *cost.Verdict `json:"terms"`
}

// refuseAgain is after how many days a move that was refused is judged again, if nothing else changes.
const refuseAgain = 90
