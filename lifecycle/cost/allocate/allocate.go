// Package allocate divides sums of money so that the parts add up to the sum, exactly, to the smallest coin.
//
// A bill is first divided among cells (a hospital, a modality, a tier, a kind of charge) by largest remainder: no cell is off by a whole coin, and equal
// remainders go by the order of the keys. Inside a cell the sum is spread over any number of rows in the order of their keys by cumulative rounding: each row gets what the rounded sum so far
// grows by, so rows need not be kept, and the same rows give the same parts on every run. Rounding every row by itself would lose whole percents: most studies
// cost less than half a coin a month.
//
// Amounts are decimal. The package knows no currencies and does no input or output.
package allocate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

var (
	// ErrWeights: weights are negative, or all of them are zero while there is something to divide.
	ErrWeights = errors.New("nothing says how the sum is to be divided")
	// ErrPlaces: the sum has more places than the smallest coin.
	ErrPlaces = errors.New("the sum has more places than the currency")
	// ErrRows: the rows do not have the weight, or the order, that was said.
	ErrRows = errors.New("the rows are not those that were announced")
)

// Cell is what a part of a bill is for.
type Cell struct {
	Key    string
	Weight decimal.Decimal // not negative: its unrounded cost
}

// Part is what a cell, or a row, gets.
type Part struct {
	Key    string
	Amount decimal.Decimal // whole coins
	Exact  decimal.Decimal // the share before rounding, to Digits places
}

// Digits is to how many places exact shares are said.
const Digits = 24

// Cells divides a sum among cells by largest remainder. places are those of the smallest coin: 2 for yuan. Negative sums (credits, corrections) are divided as positive ones are. The
// parts are in the order of the cells, and add up to the sum. Errors: ErrWeights, ErrPlaces.
func Cells(sum decimal.Decimal, places int32, cells []Cell) ([]Part, error) {
	if !sum.Equal(sum.Round(places)) {
		return nil, fmt.Errorf("%w: %s has more than %d", ErrPlaces, sum, places)
	}
	total := decimal.Decimal{}
	for _, c := range cells {
		if c.Weight.IsNegative() {
			return nil, fmt.Errorf("%w: cell %q has weight %s", ErrWeights, c.Key, c.Weight)
		}
		total = total.Add(c.Weight)
	}
	if total.IsZero() {
		if sum.IsZero() {
			return zeros(cells), nil
		}
		return nil, fmt.Errorf("%w: %s, and no cell has a weight", ErrWeights, sum)
	}
	coins := sum.Abs().Shift(places) // whole
	parts, rest := make([]Part, len(cells)), coins
	remainders := make([]decimal.Decimal, len(cells)) // numerators over total: exact
	for i, c := range cells {
		whole, remainder := coins.Mul(c.Weight).QuoRem(total, 0)
		parts[i] = Part{c.Key, whole, sum.Mul(c.Weight).DivRound(total, Digits)}
		remainders[i] = remainder
		rest = rest.Sub(whole)
	}
	order := make([]int, len(cells))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(remainders[b].Cmp(remainders[a]), cmp.Compare(cells[a].Key, cells[b].Key))
	})
	for i := int64(0); i < rest.IntPart(); i++ {
		parts[order[i]].Amount = parts[order[i]].Amount.Add(decimal.NewFromInt(1))
	}
	for i := range parts {
		parts[i].Amount = parts[i].Amount.Shift(-places)
		if sum.IsNegative() {
			parts[i].Amount = parts[i].Amount.Neg()
		}
	}
	return parts, nil
}

func zeros(cells []Cell) []Part {
	parts := make([]Part, len(cells))
	for i, c := range cells {
		parts[i].Key = c.Key
	}
	return parts
}

// Spread divides the sum of a cell among rows, one after the other, in memory that does not grow.
type Spread struct {
	sum, total decimal.Decimal
	places     int32
	done       decimal.Decimal // weight so far
	given      decimal.Decimal
	last       string
	rows       int64
}

// NewSpread begins to divide a sum among rows that weigh total together. Errors: ErrWeights, ErrPlaces.
func NewSpread(sum decimal.Decimal, places int32, total decimal.Decimal) (*Spread, error) {
	switch {
	case !sum.Equal(sum.Round(places)):
		return nil, fmt.Errorf("%w: %s has more than %d", ErrPlaces, sum, places)
	case total.IsNegative(), total.IsZero() && !sum.IsZero():
		return nil, fmt.Errorf("%w: %s among rows that weigh %s", ErrWeights, sum, total)
	}
	return &Spread{sum: sum, total: total, places: places}, nil
}

// Next returns the part of the next row. Keys must come in ascending order, each once: then the same rows have the same parts on every run. Errors: ErrWeights, ErrRows.
func (s *Spread) Next(key string, weight decimal.Decimal) (Part, error) {
	if weight.IsNegative() {
		return Part{}, fmt.Errorf("%w: row %d weighs %s", ErrWeights, s.rows+1, weight)
	}
	if s.rows > 0 && key <= s.last {
		return Part{}, fmt.Errorf("%w: row %d does not come after the one before", ErrRows, s.rows+1)
	}
	s.done = s.done.Add(weight)
	if s.done.GreaterThan(s.total) {
		return Part{}, fmt.Errorf("%w: with row %d they weigh %s, announced were %s", ErrRows, s.rows+1, s.done, s.total)
	}
	s.rows, s.last = s.rows+1, key
	p := Part{Key: key}
	if s.total.IsZero() {
		return p, nil
	}
	p.Exact = s.sum.Mul(weight).DivRound(s.total, Digits)
	upTo := s.sum.Mul(s.done).DivRound(s.total, s.places) // of the exact quotient: half a coin goes away from zero
	p.Amount, s.given = upTo.Sub(s.given), upTo
	return p, nil
}

// Close checks that all rows came. Errors: ErrRows.
func (s *Spread) Close() error {
	if !s.done.Equal(s.total) {
		return fmt.Errorf("%w: %d rows weigh %s, announced were %s", ErrRows, s.rows, s.done, s.total)
	}
	if !s.given.Equal(s.sum) && !s.total.IsZero() {
		return fmt.Errorf("%w: %s of %s was given", ErrRows, s.given, s.sum)
	}
	return nil
}
