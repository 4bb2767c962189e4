package cost

import "github.com/shopspring/decimal"

// Digits is to how many places a division is exact.
const Digits = 24

var (
	zero = decimal.Decimal{}
	one  = decimal.NewFromInt(1)
	// monthDays is a month where none is named: a twelfth of 365.25 days.
	monthDays = decimal.RequireFromString("30.4375")
)

func whole(n int64) decimal.Decimal { return decimal.NewFromInt(n) }

func div(a, b decimal.Decimal) decimal.Decimal { return a.DivRound(b, Digits) }

func most(a, b decimal.Decimal) decimal.Decimal {
	if a.LessThan(b) {
		return b
	}
	return a
}

// units turns bytes into what prices are for.
func (b *Book) units(bytes decimal.Decimal) decimal.Decimal { return div(bytes, whole(int64(b.Unit))) }

// Units turns bytes into what the book's prices are for.
func (b *Book) Units(bytes int64) decimal.Decimal { return b.units(whole(bytes)) }
