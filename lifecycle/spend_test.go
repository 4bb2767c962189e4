package lifecycle_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/cost"
)

// shippedPrices are tiers at the prices of a shipped book.
func shippedPrices(t *testing.T, book string, classes map[string]string) *lifecycle.Prices {
	t.Helper()
	b, err := cost.Shipped(book)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]cost.Place{}
	for tier, class := range classes {
		if places[tier], err = b.Editions[0].Place(class); err != nil {
			t.Fatal(err)
		}
	}
	p, err := lifecycle.NewPrices(places, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func money(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// month is October 2026 in Shanghai: 31 days.
var octFrom, octTo = time.Date(2026, 9, 30, 16, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 16, 0, 0, 0, time.UTC)

// use is so many bytes and objects that lay there from the beginning of the month to its end.
func use(s catalog.Stock, bytes, objects int64) catalog.StockUse {
	seconds := big.NewInt(int64(octTo.Sub(octFrom) / time.Second))
	times := func(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), seconds) }
	each := bytes / objects
	return catalog.StockUse{Stock: s, Bytes: times(bytes), Objects: times(objects), Short64: times(max(0, 64<<10-each) * objects), Short128: times(max(0, 128<<10-each) * objects)}
}

func spendOf(t *testing.T, p *lifecycle.Prices, uses ...catalog.StockUse) map[lifecycle.Charge]decimal.Decimal {
	t.Helper()
	list, err := lifecycle.StorageSpend(uses, p, "hot", octFrom, octTo)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[lifecycle.Charge]decimal.Decimal{}
	for _, s := range list {
		sums[s.Charge] = sums[s.Charge].Add(s.Amount)
		if s.Amount.IsNegative() || s.Amount.Sub(s.Exact).Abs().GreaterThan(money("0.01")) {
			t.Errorf("%+v", s)
		}
	}
	return sums
}

// TestStorageSpend: a month's bill, by hand.
func TestStorageSpend(t *testing.T) {
	live := catalog.Stock{Tenant: "north", Class: catalog.ClassFull, State: catalog.StockLive, Modality: "CT"}
	cold := live
	cold.Tier = "cold"
	const tib = 1 << 40
	oss := shippedPrices(t, "aliyun-oss-cn", map[string]string{"hot": "STANDARD", "cold": "IA"})
	// A month of 31 days is 31/30 of the price there.
	if got := spendOf(t, oss, use(live, tib, 100)); len(got) != 1 || !got[lifecycle.ChargeStorage].Equal(money("126.98")) { // 1024 × 0.12 × 31/30 = 126.976
		t.Errorf("a TiB in the standard class: %v", got)
	}
	small := use(cold, 51<<10*1e6, 1e6) // a million slices of 51 KiB: billed as 64 KiB
	if got := spendOf(t, oss, small); !got[lifecycle.ChargeStorage].Equal(money("4.02")) || !got[lifecycle.ChargeMinimum].Equal(money("1.02")) {
		t.Errorf("small objects in infrequent access: %v", got)
	}
	gone := use(cold, 1<<30, 1)
	gone.Early = [4]int64{1 << 30 * 15 * 86400, 0, 0, 0} // half of its 30 days were missing
	if got := spendOf(t, oss, gone); !got[lifecycle.ChargeEarly].Equal(money("0.04")) {
		t.Errorf("removed early: %v", got)
	}
	aws := shippedPrices(t, "aws-us-east-1", map[string]string{"hot": "STANDARD", "cold": "DEEP_ARCHIVE"})
	if got := spendOf(t, aws, use(live, 100*tib, 100)); !got[lifecycle.ChargeStorage].Equal(money("2304.00")) { // 51200 × 0.023 + 51200 × 0.022: a calendar month
		t.Errorf("a hundred TiB in steps: %v", got)
	}
	if got := spendOf(t, aws, use(cold, 1e9, 1e6)); !got[lifecycle.ChargeOverhead].Equal(money("0.21")) { // 32 KiB × 0.00099 and 8 KiB × 0.023, a million times
		t.Errorf("overheads: %v", got)
	}
	var unknown *cost.UnknownError
	if _, err := lifecycle.StorageSpend([]catalog.StockUse{use(catalog.Stock{Tier: "tape"}, 1, 1)}, oss, "hot", octFrom, octTo); !errors.Is(err, lifecycle.ErrNoPrices) || errors.As(err, &unknown) || !strings.Contains(err.Error(), "tape") {
		t.Errorf("a tier without prices: %v", err)
	}
}

// TestStorageSpendAddsUp: however a stock is split among hospitals, modalities, classes and states, the bill is the same and its parts add up to it.
func TestStorageSpendAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	p := shippedPrices(t, "aws-us-east-1", map[string]string{"hot": "STANDARD", "cold": "DEEP_ARCHIVE"})
	for range 60 {
		whole := map[string][2]int64{"": {0, 0}, "cold": {0, 0}}
		var split []catalog.StockUse
		for n := range 1 + rng.IntN(40) {
			tier := []string{"", "cold"}[rng.IntN(2)]
			objects := 1 + rng.Int64N(50)
			bytes := objects * (200 << 10) * (1 + rng.Int64N(20000))
			whole[tier] = [2]int64{whole[tier][0] + bytes, whole[tier][1] + objects}
			split = append(split, use(catalog.Stock{Tenant: fmt.Sprint("t", n), Tier: tier, Class: catalog.ClassFull, State: catalog.StockLive, Modality: "CT"}, bytes, objects))
		}
		var one []catalog.StockUse
		for tier, x := range whole {
			if x[1] > 0 {
				one = append(one, use(catalog.Stock{Tenant: "all", Tier: tier, Class: catalog.ClassFull, State: catalog.StockLive}, x[0], x[1]))
			}
		}
		a, b := spendOf(t, p, split...), spendOf(t, p, one...)
		for charge, sum := range b {
			if !a[charge].Equal(sum) {
				t.Fatalf("%s: split it is %s, whole %s", charge, a[charge], sum)
			}
		}
	}
}
