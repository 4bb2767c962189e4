package lifecycle

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle/cost"
	"github.com/radtier/radtier/lifecycle/cost/allocate"
)

// Charge is what storage is billed for.
type Charge string

// Charges of storage.
const (
	ChargeStorage  Charge = "storage"       // the bytes themselves
	ChargeMinimum  Charge = "minimum-size"  // what small objects are billed beyond their bytes
	ChargeOverhead Charge = "overhead"      // bytes that the provider adds to each object
	ChargeMonitor  Charge = "monitoring"    // of objects
	ChargeEarly    Charge = "early-removal" // the rest of a minimum duration
)

// Spend is what something cost in a month.
type Spend struct {
	catalog.Stock
	Charge   Charge
	Quantity decimal.Decimal // of Unit
	Unit     string          // "GiB-months", "object-months"
	Exact    decimal.Decimal // before rounding
	Amount   decimal.Decimal // to the smallest coin; all together they are the bill
}

// coinPlaces are the places of the smallest coin of the currencies that price books have.
const coinPlaces = 2

// StorageSpend reckons what storage cost between two moments, out of the ledger and the prices of the tiers, and rounds the parts so that they add up to the rounded bill of each tier
// and charge. hot names the tier that the ledger leaves unnamed. Prices by volume are those of all that lay in a class, shared evenly.
// Errors: ErrNoPrices for a tier that has something and no prices; *cost.UnknownError; minimum sizes and durations of which the ledger keeps no sums.
func StorageSpend(uses []catalog.StockUse, p *Prices, hot string, from, to time.Time) ([]Spend, error) {
	byTier := map[string][]*catalog.StockUse{}
	for i := range uses {
		tier := cmp.Or(uses[i].Tier, hot)
		byTier[tier] = append(byTier[tier], &uses[i])
	}
	var all []Spend
	for _, tier := range sortedTiers(byTier) {
		at, ok := p.Places[tier]
		if !ok {
			return nil, fmt.Errorf("tier %s: %w", tier, ErrNoPrices)
		}
		list, err := tierSpend(tier, at, byTier[tier], from, to)
		if err != nil {
			return nil, fmt.Errorf("tier %s, %s: %w", tier, at, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func sortedTiers(m map[string][]*catalog.StockUse) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// meters of a tier: for each charge, the time-weighted quantity of a use, and what a unit of it costs.
type meter struct {
	charge Charge
	unit   string
	of     func(u *catalog.StockUse) *big.Int // bytes or objects, times seconds
	per    decimal.Decimal                    // how many of them are a unit: seconds of a month, times bytes of a unit
	price  func(total decimal.Decimal) (decimal.Decimal, error)
}

func tierSpend(tier string, at cost.Place, uses []*catalog.StockUse, from, to time.Time) ([]Spend, error) {
	list, err := metersOf(at, from, to)
	if err != nil {
		return nil, err
	}
	var out []Spend
	for _, m := range list {
		total := &big.Int{}
		for _, u := range uses {
			total.Add(total, m.of(u))
		}
		if total.Sign() == 0 {
			continue
		}
		quantity := func(n *big.Int) decimal.Decimal { return decimal.NewFromBigInt(n, 0).DivRound(m.per, cost.Digits) }
		price, err := m.price(quantity(total))
		if err != nil {
			return nil, err
		}
		sum := quantity(total).Mul(price)
		rows := make([]Spend, 0, len(uses))
		cells := make([]allocate.Cell, 0, len(uses))
		for _, u := range uses {
			n := m.of(u)
			if n.Sign() == 0 {
				continue
			}
			s := Spend{Stock: u.Stock, Charge: m.charge, Quantity: quantity(n), Unit: m.unit}
			s.Tier = tier
			s.Exact = s.Quantity.Mul(price)
			rows = append(rows, s)
			cells = append(cells, allocate.Cell{Key: stockName(u.Stock), Weight: decimal.NewFromBigInt(n, 0)})
		}
		parts, err := allocate.Cells(sum.Round(coinPlaces), coinPlaces, cells)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			rows[i].Amount = parts[i].Amount
		}
		out = append(out, rows...)
	}
	return out, nil
}

// stockName orders what is counted.
func stockName(s catalog.Stock) string {
	return strings.Join([]string{s.Tenant, s.Tier, string(s.Class), string(s.State), s.Modality, s.Department, fmt.Sprint(s.Cohort)}, "\x00")
}

// metersOf are the meters of a class.
func metersOf(at cost.Place, from, to time.Time) ([]meter, error) {
	b, c := at.Edition.Book, at.Class
	month := b.MonthSeconds(from, to)
	units := month.Mul(decimal.NewFromInt(int64(b.Unit)))
	unit := b.Unit.String() + "-months"
	volume := func(total decimal.Decimal) (decimal.Decimal, error) { // the mean of the steps
		return c.Volume(total).DivRound(total, cost.Digits), nil
	}
	list := []meter{{ChargeStorage, unit, func(u *catalog.StockUse) *big.Int { return u.Bytes }, units, volume}}
	switch c.MinBytes {
	case 0:
	case 64 << 10:
		list = append(list, meter{ChargeMinimum, unit, func(u *catalog.StockUse) *big.Int { return u.Short64 }, units, volume})
	case 128 << 10:
		list = append(list, meter{ChargeMinimum, unit, func(u *catalog.StockUse) *big.Int { return u.Short128 }, units, volume})
	default:
		return nil, fmt.Errorf("the ledger keeps no sums for a minimum size of %d bytes: it has those for 64 and 128 KiB", c.MinBytes)
	}
	if c.OwnBytes > 0 {
		own := decimal.NewFromInt(c.OwnBytes)
		list = append(list, meter{ChargeOverhead, "object-months", func(u *catalog.StockUse) *big.Int { return u.Objects }, month,
			func(decimal.Decimal) (decimal.Decimal, error) { return overheadPrice(at, own) }})
	}
	if c.Monitor().Sign() > 0 {
		list = append(list, meter{ChargeMonitor, "object-months", func(u *catalog.StockUse) *big.Int { return u.Objects }, month,
			func(decimal.Decimal) (decimal.Decimal, error) { return c.Monitor(), nil }})
	}
	if c.MinDays > 0 {
		k := slices.Index(catalog.EarlyDays[:], c.MinDays)
		if k < 0 {
			return nil, fmt.Errorf("the ledger keeps no sums for a minimum duration of %d days: it has those for %v", c.MinDays, catalog.EarlyDays)
		}
		list = append(list, meter{ChargeEarly, unit, func(u *catalog.StockUse) *big.Int { return big.NewInt(u.Early[k]) }, units,
			func(decimal.Decimal) (decimal.Decimal, error) { return c.Storage(), nil }})
	}
	return list, nil
}

// overheadPrice is what the overhead of one object costs in a month.
func overheadPrice(at cost.Place, own decimal.Decimal) (decimal.Decimal, error) {
	b, c := at.Edition.Book, at.Class
	sum := own.DivRound(decimal.NewFromInt(int64(b.Unit)), cost.Digits).Mul(c.Storage())
	if c.OtherBytes == 0 {
		return sum, nil
	}
	other, err := at.Edition.Class(c.Other)
	if err != nil {
		return sum, err
	}
	return sum.Add(b.Units(c.OtherBytes).Mul(other.Storage())), nil
}
