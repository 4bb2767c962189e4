package cost

import "github.com/shopspring/decimal"

// BreakEvenMonths is after how many months in the colder class a transition by the provider's rules has paid for itself; false if it never does.
func BreakEvenMonths(from, to Place, o Objects) (decimal.Decimal, bool, error) {
	fee, err := to.Edition.Transition(to.Class)
	if err != nil {
		return zero, false, err
	}
	now, err := from.Monthly(o)
	if err != nil {
		return zero, false, err
	}
	after, err := to.Monthly(o)
	if err != nil {
		return zero, false, err
	}
	gain := now.Sub(after)
	if gain.Sign() <= 0 {
		return zero, false, nil
	}
	return div(fee.Mul(whole(o.Count)), gain), true, nil
}

// BreakEvenBytes is how large an object must be for a transition to pay for itself within some months: (t + o·T) / ((ph − pc)·T), in bytes.
func BreakEvenBytes(from, to Place, months decimal.Decimal) (decimal.Decimal, error) {
	fee, err := to.Edition.Transition(to.Class)
	if err != nil {
		return zero, err
	}
	b := to.Edition.Book
	over := b.Units(to.Class.OwnBytes).Mul(to.Class.Storage())
	if to.Class.OtherBytes > 0 {
		other, err := to.Edition.Class(to.Class.Other)
		if err != nil {
			return zero, err
		}
		over = over.Add(b.Units(to.Class.OtherBytes).Mul(other.Storage()))
	}
	if from.Class.OwnBytes > 0 { // it is paid already
		over = over.Sub(b.Units(from.Class.OwnBytes).Mul(from.Class.Storage()))
		other, err := from.Edition.Class(from.Class.Other)
		if err != nil {
			return zero, err
		}
		over = over.Sub(b.Units(from.Class.OtherBytes).Mul(other.Storage()))
	}
	gain := from.Class.Storage().Sub(to.Class.Storage()).Mul(months)
	return div(fee.Add(over.Mul(months)).Mul(whole(int64(b.Unit))), gain), nil
}

// BreakEvenReads is how many reads of a whole object in a month eat what the colder class saves: (ph − pc) / r.
func BreakEvenReads(from, to Place, speed string) (decimal.Decimal, error) {
	r, err := to.Edition.Retrieval(to.Class)
	if to.Class.Archive {
		var s Speed
		if s, err = to.speed(speed); err == nil && !s.Known {
			err = to.Edition.unknown(to.Class.Name, "restore "+s.Name)
		}
		r = s.PerUnit
	}
	if err != nil {
		return zero, err
	}
	return div(from.Class.Storage().Sub(to.Class.Storage()), r), nil
}

// EarlyDays is the life in days below which an object that is deleted would have cost less in the warmer class, because of the minimum duration: M·pc/ph.
func EarlyDays(from, to Place) decimal.Decimal {
	return div(whole(to.Class.MinDays).Mul(to.Class.Storage()), from.Class.Storage())
}
