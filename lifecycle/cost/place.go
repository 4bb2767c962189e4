package cost

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Objects are objects of one study that go the same way: so many, of so many bytes together. What is billed for each object is reckoned as if all were of the same size.
type Objects struct {
	Bytes int64
	Count int64
}

// Place is where objects can lie: a class of an edition.
type Place struct {
	Edition *Edition
	Class   *Class
	// Volume is what lies in the class already, in units: it decides on the price of a unit more. Zero: the first step.
	Volume decimal.Decimal
}

// Place finds a class in a book at the prices of a moment.
func (e *Edition) Place(class string) (Place, error) {
	c, err := e.Class(class)
	return Place{Edition: e, Class: c}, err
}

func (p Place) String() string { return p.Edition.Book.Name + ":" + p.Class.Name }

// billed are the units that are billed for objects, without overheads.
func (p Place) billed(o Objects) decimal.Decimal {
	return p.Edition.Book.Units(max(o.Bytes, o.Count*p.Class.MinBytes))
}

// storage is what the bytes cost in a month, without overheads.
func (p Place) storage(o Objects) decimal.Decimal {
	return p.billed(o).Mul(p.Class.Marginal(p.Volume))
}

// Monthly is what keeping objects costs in a month: their bytes, at least the smallest size that is billed, the overhead of each, and watching them.
func (p Place) Monthly(o Objects) (decimal.Decimal, error) {
	b, c := p.Edition.Book, p.Class
	sum := p.storage(o).Add(b.Units(o.Count * c.OwnBytes).Mul(c.Marginal(p.Volume))).Add(c.Monitor().Mul(whole(o.Count)))
	if c.OtherBytes > 0 {
		other, err := p.Edition.Class(c.Other)
		if err != nil {
			return zero, err
		}
		sum = sum.Add(b.Units(o.Count * c.OtherBytes).Mul(other.Storage()))
	}
	return sum, nil
}

// Days is what keeping objects costs for some days, of months as long as the book's.
func (p Place) Days(o Objects, days decimal.Decimal) (decimal.Decimal, error) {
	m, err := p.Monthly(o)
	return div(m.Mul(days), p.Edition.Book.MonthDays), err
}

// requests is what a number of requests costs.
func (p Place) requests(r Request, n int64) (decimal.Decimal, error) {
	if n == 0 {
		return zero, nil
	}
	price, err := p.Edition.Request(p.Class, r)
	return price.Mul(whole(n)), err
}

// Put is what putting objects costs, in requests of their parts.
func (p Place) Put(o Objects, partBytes int64) (decimal.Decimal, error) {
	n := o.Count
	if partBytes > 0 && o.Count > 0 && o.Bytes/o.Count > partBytes { // begin, parts, complete
		n = 2*o.Count + (o.Bytes+partBytes-1)/partBytes
	}
	return p.requests(Put, n)
}

// speed is the way to restore that is called name, the cheapest for "".
func (p Place) speed(name string) (Speed, error) {
	for _, s := range p.Class.speeds {
		if name == "" || s.Name == name {
			return s, nil
		}
	}
	return Speed{}, p.Edition.unknown(p.Class.Name, "restore "+name)
}

// Restored says how archived objects are read: how fast, and for how many days the provider keeps a copy that can be read.
type Restored struct {
	Speed string // "" is the cheapest
	Days  int64
}

// Read is what reading a share of objects once costs. Egress is not in it.
func (p Place) Read(o Objects, share decimal.Decimal, r Restored) (decimal.Decimal, error) {
	units, objects := p.Edition.Book.Units(o.Bytes).Mul(share), whole(o.Count).Mul(share)
	get, err := p.Edition.Request(p.Class, Get)
	if err != nil {
		return zero, err
	}
	sum := get.Mul(objects)
	if !p.Class.Archive {
		price, err := p.Edition.Retrieval(p.Class)
		return sum.Add(price.Mul(units)), err
	}
	s, err := p.speed(r.Speed)
	if err != nil {
		return zero, err
	}
	if !s.Known {
		return zero, p.Edition.unknown(p.Class.Name, "restore "+s.Name)
	}
	sum = sum.Add(s.Request.Mul(objects)).Add(s.PerUnit.Mul(units))
	if p.Class.TempClass == "" {
		return sum, nil
	}
	temp, err := p.Edition.Class(p.Class.TempClass)
	if err != nil {
		return zero, err
	}
	return sum.Add(div(units.Mul(temp.Storage()).Mul(whole(r.Days)), p.Edition.Book.MonthDays)), nil
}

// Early is what is still to be paid for the minimum duration of objects that leave the class at an age in days.
func (p Place) Early(o Objects, ageDays decimal.Decimal) decimal.Decimal {
	missing := whole(p.Class.MinDays).Sub(ageDays)
	if missing.Sign() <= 0 {
		return zero
	}
	return div(p.storage(o).Mul(missing), p.Edition.Book.MonthDays)
}

// same refuses two places whose prices cannot be added.
func same(a, b Place) error {
	if a.Edition.Book.Currency != b.Edition.Book.Currency {
		return fmt.Errorf("%w: %s in %s, %s in %s", ErrCurrency, a, a.Edition.Book.Currency, b, b.Edition.Book.Currency)
	}
	return nil
}
