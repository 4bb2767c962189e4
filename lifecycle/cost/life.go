package cost

import "github.com/shopspring/decimal"

// Stay is a time that objects spend in a place, in days since they were stored.
type Stay struct {
	Place
	From, To decimal.Decimal
}

// Reads says how often a study is read: Count times between two days of its life, evenly.
type Reads struct {
	From, To decimal.Decimal
	Count    decimal.Decimal
}

// Curve is how often studies are read as they grow old, from what has been published about archives: 6 times in the first month, then 0.20 to the 90th day, 0.21 to the end of
// the first year, 0.045, 0.022, 0.012, 0.008, 0.006 and 0.003 in the years after, and 0.002 in each later one. A late read touches half of the study.
func Curve(years int64) []Reads {
	list := []Reads{{zero, whole(30), whole(6)}, {whole(30), whole(90), decimal.New(20, -2)}, {whole(90), whole(365), decimal.New(21, -2)}}
	later := []int64{45, 22, 12, 8, 6, 3}
	for y := int64(2); y <= years; y++ {
		n := int64(2)
		if int(y-2) < len(later) {
			n = later[y-2]
		}
		list = append(list, Reads{whole(365 * (y - 1)), whole(365 * y), decimal.New(n, -3)})
	}
	return list
}

// Between is how many reads a curve expects between two days.
func Between(curve []Reads, from, to decimal.Decimal) decimal.Decimal {
	sum := zero
	for _, r := range curve {
		a, b := most(from, r.From), to
		if r.To.LessThan(b) {
			b = r.To
		}
		if a.LessThan(b) {
			sum = sum.Add(div(r.Count.Mul(b.Sub(a)), r.To.Sub(r.From)))
		}
	}
	return sum
}

// Life is how objects spend their life.
type Life struct {
	Objects
	Stays    []Stay // one after the other
	Curve    []Reads
	Share    decimal.Decimal // of the objects that one read touches
	Restored Restored
}

// Total is what a life costs: the first put, storage, transitions by the provider's rules, reads, and minimum durations that are not lived out.
func (l *Life) Total() (decimal.Decimal, error) {
	sum := zero
	for i, s := range l.Stays {
		var fee decimal.Decimal
		var err error
		if i == 0 {
			fee, err = s.requests(Put, l.Count)
		} else {
			if fee, err = s.Edition.Transition(s.Class); err == nil {
				fee = fee.Mul(whole(l.Count))
			}
			if err == nil {
				err = same(l.Stays[0].Place, s.Place)
			}
		}
		if err != nil {
			return zero, err
		}
		kept, err := s.Days(l.Objects, s.To.Sub(s.From))
		if err != nil {
			return zero, err
		}
		sum = sum.Add(fee).Add(kept).Add(s.Early(l.Objects, s.To.Sub(s.From)))
		reads := Between(l.Curve, s.From, s.To)
		if reads.Sign() == 0 {
			continue
		}
		one, err := s.Read(l.Objects, l.Share, l.Restored)
		if err != nil {
			return zero, err
		}
		sum = sum.Add(one.Mul(reads))
	}
	return sum, nil
}
