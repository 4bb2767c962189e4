package cost

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Outlook is what is expected of objects that may be moved.
type Outlook struct {
	AgeDays decimal.Decimal // in the class where they are
	Months  decimal.Decimal // that they stay in the class where they may go, until they go on or are deleted
	Reads   decimal.Decimal // during that time, of the study
	Share   decimal.Decimal // of the objects that one read touches
	// Inside says that the store copies by itself, within one bucket; otherwise bytes are read and put.
	Inside    bool
	PartBytes int64 // of uploads in parts
	Restored  Restored
}

// Verdict says what moving objects costs and saves, with every term of the formula. All sums are in one currency.
type Verdict struct {
	Currency string
	Now      decimal.Decimal // a month where they are
	After    decimal.Decimal // a month where they may go
	Fees     decimal.Decimal // of the move itself: requests, retrieval
	Early    decimal.Decimal // more to be paid for the minimum duration where they are than if they stayed
	Reads    decimal.Decimal // what the expected reads cost more there than here, less than 0 if they cost less
	Least    decimal.Decimal // to be paid for the minimum duration there beyond the time that they stay
	Months   decimal.Decimal
	Saves    decimal.Decimal // in the end: all of the above
	// Payback is after how many months the move has paid for itself, nil if it never does.
	Payback *decimal.Decimal
}

// Worth reports whether a move saves more than it costs.
func (v *Verdict) Worth() bool { return v.Saves.Sign() > 0 }

// String says the terms of the formula in one sentence.
func (v *Verdict) String() string {
	text := fmt.Sprintf("it costs %s %s a month here and %s there, %s months long; the move costs %s", money(v.Now), v.Currency, money(v.After), v.Months.Round(1), money(v.Fees))
	for _, t := range []struct {
		what string
		sum  decimal.Decimal
	}{{"the minimum duration here", v.Early}, {"reads there", v.Reads}, {"the minimum duration there", v.Least}} {
		if t.sum.Sign() != 0 {
			text += fmt.Sprintf(", %s %s", t.what, money(t.sum))
		}
	}
	if v.Worth() {
		text += fmt.Sprintf(": it saves %s", money(v.Saves))
	} else {
		text += fmt.Sprintf(": it loses %s", money(v.Saves.Neg()))
	}
	if v.Payback != nil {
		text += fmt.Sprintf(", paid back after %s months", v.Payback.Round(1))
	} else {
		text += ", and never pays"
	}
	return text
}

// money writes a sum with as many places as it takes to see it.
func money(d decimal.Decimal) string {
	for _, places := range []int32{2, 4, 6, 9} {
		if r := d.Round(places); r.Abs().GreaterThanOrEqual(decimal.New(10, -places)) {
			return r.String()
		}
	}
	return d.Round(12).String()
}

// Judge says whether moving objects from one place to another is worth it:
//
//	gain a month × months  against  fees + early + reads + least
//
// (formula of the break-even, see docs/cost.md). Errors: *UnknownError, ErrCurrency.
func Judge(from, to Place, o Objects, k Outlook) (*Verdict, error) {
	if err := same(from, to); err != nil {
		return nil, err
	}
	v := &Verdict{Currency: from.Edition.Book.Currency, Months: k.Months, Early: from.Early(o, k.AgeDays).Sub(from.Early(o, k.AgeDays.Add(k.Months.Mul(from.Edition.Book.MonthDays))))}
	var err error
	if v.Now, err = from.Monthly(o); err != nil {
		return nil, err
	}
	if v.After, err = to.Monthly(o); err != nil {
		return nil, err
	}
	if v.Fees, err = moveFees(from, to, o, k); err != nil {
		return nil, err
	}
	if k.Reads.Sign() > 0 {
		there, err := to.Read(o, k.Share, k.Restored)
		if err != nil {
			return nil, err
		}
		here, err := from.Read(o, k.Share, k.Restored)
		if err != nil {
			return nil, err
		}
		v.Reads = there.Sub(here).Mul(k.Reads)
	}
	if missing := whole(to.Class.MinDays).Sub(k.Months.Mul(to.Edition.Book.MonthDays)); missing.Sign() > 0 {
		v.Least = div(to.storage(o).Mul(missing), to.Edition.Book.MonthDays)
	}
	gain := v.Now.Sub(v.After)
	v.Saves = gain.Mul(k.Months).Sub(v.Fees).Sub(v.Early).Sub(v.Reads).Sub(v.Least)
	if k.Months.Sign() > 0 {
		gain = gain.Sub(div(v.Reads, k.Months))
	}
	if gain.Sign() > 0 {
		months := div(v.Fees.Add(v.Early), gain)
		v.Payback = &months
	}
	return v, nil
}

// moveFees are the requests and the retrieval of a move.
func moveFees(from, to Place, o Objects, k Outlook) (decimal.Decimal, error) {
	var sum decimal.Decimal
	if from.Class.Archive {
		read, err := from.Read(o, one, k.Restored)
		if err != nil {
			return zero, err
		}
		sum = read
	} else {
		price, err := from.Edition.Retrieval(from.Class)
		if err != nil {
			return zero, err
		}
		sum = price.Mul(from.Edition.Book.Units(o.Bytes))
		if !k.Inside {
			get, err := from.requests(Get, o.Count)
			if err != nil {
				return zero, err
			}
			sum = sum.Add(get)
		}
	}
	if k.Inside {
		fee, err := to.requests(Copy, o.Count)
		return sum.Add(fee), err
	}
	fee, err := to.Put(o, k.PartBytes)
	return sum.Add(fee), err
}
