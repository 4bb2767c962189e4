package allocate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// spread divides a sum among rows in one go.
func spread(t testing.TB, sum decimal.Decimal, weights []decimal.Decimal) []Part {
	t.Helper()
	total := decimal.Decimal{}
	for _, w := range weights {
		total = total.Add(w)
	}
	s, err := NewSpread(sum, 2, total)
	if err != nil {
		t.Fatal(err)
	}
	var parts []Part
	for i, w := range weights {
		p, err := s.Next(fmt.Sprintf("%09d", i), w)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return parts
}

func sumOf(parts []Part) (sum decimal.Decimal) {
	for _, p := range parts {
		sum = sum.Add(p.Amount)
	}
	return sum
}

// TestBillOf506YuanOver200000StudiesRoundedOneByOneLoses58Percent: a month of the model's mix of studies in the archive class of OSS (0.033 yuan a GiB), where most of them cost less than half a
// fen. Rounded to a fen by itself each, they add up to 211.52: only the tomosyntheses and all but the smallest ultrasounds cost anything. Here the rows add up to the fen.
func TestBillOf506YuanOver200000StudiesRoundedOneByOneLoses58Percent(t *testing.T) {
	kinds := []struct {
		studies int
		weight  string // yuan a month: GiB times 0.033
	}{{70000, "0.00372"}, {24000, "0.002482"}, {80000, "0.0004028"}, {6000, "0.001482"}, {2000, "0.020625"}, {17152, "0.005801"}, {848, "0.0045"}} // CT, MR, DX, MG, DBT, US, small US
	var weights []decimal.Decimal
	for _, k := range kinds {
		for range k.studies {
			weights = append(weights, dec(k.weight))
		}
	}
	if len(weights) != 200000 {
		t.Fatalf("%d studies", len(weights))
	}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(weights), func(a, b int) { weights[a], weights[b] = weights[b], weights[a] })
	parts := spread(t, dec("506.16"), weights)
	if got := sumOf(parts); !got.Equal(dec("506.16")) {
		t.Errorf("the rows add up to %s", got)
	}
	naive, exact := decimal.Decimal{}, decimal.Decimal{}
	for _, p := range parts {
		naive, exact = naive.Add(p.Exact.Round(2)), exact.Add(p.Exact)
		if p.Amount.IsNegative() || p.Amount.Sub(p.Exact).Abs().GreaterThan(dec("0.01")) {
			t.Fatalf("row %s gets %s of exactly %s", p.Key, p.Amount, p.Exact)
		}
	}
	loss, _ := naive.Sub(dec("506.16")).Div(dec("506.16")).Float64()
	t.Logf("one by one they would add up to %s: %+.0f %%", naive, 100*loss)
	if !naive.Equal(dec("211.52")) || loss > -0.58 || loss < -0.59 {
		t.Errorf("rounded one by one they add up to %s: the vector is another one", naive)
	}
	if d := exact.Sub(dec("506.16")).Abs(); d.GreaterThan(dec("0.000000000000001")) {
		t.Errorf("the exact shares are off by %s", d)
	}
}

// TestCells: the parts add up, no cell is off by a coin, a larger weight never gets less, and the order of the cells does not matter.
func TestCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		var cells []Cell
		total := decimal.Decimal{}
		for n := range 1 + rng.IntN(12) {
			w := decimal.New(rng.Int64N(1e6), -int32(rng.IntN(8)))
			if rng.IntN(5) == 0 {
				w = decimal.Decimal{}
			}
			cells = append(cells, Cell{fmt.Sprintf("c%02d", n), w})
			total = total.Add(w)
		}
		if total.IsZero() {
			continue
		}
		sum := decimal.New(rng.Int64N(2e9)-1e9, -2)
		parts, err := Cells(sum, 2, cells)
		if err != nil {
			t.Fatal(err)
		}
		if !sumOf(parts).Equal(sum) {
			t.Fatalf("%s is divided into %s", sum, sumOf(parts))
		}
		byKey := map[string]decimal.Decimal{}
		for i, p := range parts {
			byKey[p.Key] = p.Amount
			if d := p.Amount.Sub(p.Exact).Abs(); p.Key != cells[i].Key || d.GreaterThanOrEqual(dec("0.01")) || p.Amount.Sign()*sum.Sign() < 0 || cells[i].Weight.IsZero() && !p.Amount.IsZero() {
				t.Fatalf("cell %s of weight %s gets %s of %s, exactly %s", p.Key, cells[i].Weight, p.Amount, sum, p.Exact)
			}
			for k, q := range parts {
				if cells[i].Weight.GreaterThan(cells[k].Weight) && p.Amount.Abs().LessThan(q.Amount.Abs()) {
					t.Fatalf("cell %s weighs more than %s and gets less", p.Key, q.Key)
				}
			}
		}
		rng.Shuffle(len(cells), func(a, b int) { cells[a], cells[b] = cells[b], cells[a] })
		again, err := Cells(sum, 2, cells)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range again {
			if !p.Amount.Equal(byKey[p.Key]) {
				t.Fatalf("in another order cell %s gets %s, and %s", p.Key, p.Amount, byKey[p.Key])
			}
		}
	}
}

// TestSpread: rows add up whatever their number and weights, each within a coin of its exact share, and any run of rows together, too.
func TestSpread(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		var weights []decimal.Decimal
		some := false
		for range 1 + rng.IntN(300) {
			w := decimal.New(rng.Int64N(1e4), -int32(rng.IntN(9)))
			weights, some = append(weights, w), some || !w.IsZero()
		}
		sum := decimal.New(rng.Int64N(2e5)-1e5, -2)
		if !some {
			continue
		}
		parts := spread(t, sum, weights)
		if !sumOf(parts).Equal(sum) {
			t.Fatalf("%s is spread into %s", sum, sumOf(parts))
		}
		a := rng.IntN(len(parts))
		b := a + rng.IntN(len(parts)-a)
		exact := decimal.Decimal{}
		for _, p := range parts[a : b+1] {
			exact = exact.Add(p.Exact)
		}
		if d := sumOf(parts[a : b+1]).Sub(exact).Abs(); d.GreaterThan(dec("0.0100001")) {
			t.Fatalf("rows %d to %d are off by %s together", a, b, d)
		}
		for i, p := range parts {
			if p.Amount.Sign()*sum.Sign() < 0 || weights[i].IsZero() && !p.Amount.IsZero() {
				t.Fatalf("row %d of weight %s gets %s of %s", i, weights[i], p.Amount, sum)
			}
		}
		if again := spread(t, sum, weights); !slices.EqualFunc(parts, again, func(p, q Part) bool { return p.Amount.Equal(q.Amount) }) {
			t.Fatal("the same rows have other parts")
		}
	}
}

func TestRefused(t *testing.T) {
	one := decimal.NewFromInt(1)
	for what, err := range map[string]error{
		"a negative cell":   second(Cells(one, 2, []Cell{{"a", one.Neg()}})),
		"no weights":        second(Cells(one, 2, []Cell{{"a", decimal.Decimal{}}})),
		"no cells":          second(Cells(one, 2, nil)),
		"rows of no weight": second(NewSpread(one, 2, decimal.Decimal{})),
		"a negative total":  second(NewSpread(one, 2, one.Neg())),
	} {
		if !errors.Is(err, ErrWeights) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{"cells": second(Cells(dec("1.001"), 2, []Cell{{"a", one}})), "rows": second(NewSpread(dec("1.001"), 2, one))} {
		if !errors.Is(err, ErrPlaces) {
			t.Errorf("half a coin, %s: %v", what, err)
		}
	}
	if parts, err := Cells(decimal.Decimal{}, 2, []Cell{{"a", decimal.Decimal{}}}); err != nil || len(parts) != 1 {
		t.Errorf("nothing among nobody: %v, %v", parts, err)
	}
	s, err := NewSpread(dec("1.00"), 2, decimal.NewFromInt(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next("b", one); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, ErrRows) {
		t.Errorf("a row is missing: %v", err)
	}
	if _, err := s.Next("a", one); !errors.Is(err, ErrRows) {
		t.Errorf("not in order: %v", err)
	}
	if _, err := s.Next("c", decimal.NewFromInt(2)); !errors.Is(err, ErrRows) {
		t.Errorf("too heavy: %v", err)
	}
	if _, err := s.Next("d", one.Neg()); !errors.Is(err, ErrWeights) {
		t.Errorf("a negative row: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
