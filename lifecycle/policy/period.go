package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Period is a length of time in calendar units (ISO 8601: P1Y, P3M, P2W, P1Y6M10D), or for ever.
type Period struct {
	Years, Months, Days int
	Forever             bool
}

// maxUnits bounds each part of a period: what is meant to be longer is for ever.
const maxUnits = 36_525

var iso = regexp.MustCompile(`^P(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?$`)

// ParsePeriod reads an ISO 8601 period without a time of day, or "forever".
func ParsePeriod(s string) (Period, error) {
	if s == "forever" {
		return Period{Forever: true}, nil
	}
	m := iso.FindStringSubmatch(s)
	if m == nil || s == "P" {
		return Period{}, fmt.Errorf("%q is no period: write P3M, P1Y6M, P2W, P30D, or forever", s)
	}
	var n [4]int
	for i := range n {
		if m[i+1] != "" {
			n[i], _ = strconv.Atoi(m[i+1]) // five digits
		}
		if n[i] > maxUnits {
			return Period{}, fmt.Errorf("period %q: at most %d of a unit", s, maxUnits)
		}
	}
	return Period{Years: n[0], Months: n[1], Days: 7*n[2] + n[3]}, nil
}

// IsZero reports whether the period has no length.
func (p Period) IsZero() bool { return p == Period{} }

// shortest and longest number of days of a period.
func (p Period) days() (least, most int) {
	months := 12*p.Years + p.Months
	return 365*(months/12) + 28*(months%12) + p.Days, 366*(months/12) + 31*(months%12) + p.Days
}

// Shorter reports whether a period is shorter than another, whatever day both begin on.
func (p Period) Shorter(q Period) bool {
	if p.Forever || q.Forever {
		return !p.Forever
	}
	if m, n := 12*p.Years+p.Months, 12*q.Years+q.Months; m <= n && p.Days <= q.Days {
		return m < n || p.Days < q.Days
	}
	_, most := p.days()
	least, _ := q.days()
	return most < least
}

func (p Period) String() string {
	if p.Forever {
		return "forever"
	}
	if p.IsZero() {
		return "P0D"
	}
	var b strings.Builder
	b.WriteByte('P')
	for _, x := range []struct {
		n    int
		unit byte
	}{{p.Years, 'Y'}, {p.Months, 'M'}, {p.Days, 'D'}} {
		if x.n > 0 {
			fmt.Fprintf(&b, "%d%c", x.n, x.unit)
		}
	}
	return b.String()
}

// Words says a period in a sentence.
func (p Period) Words() string {
	if p.Forever {
		return "for ever"
	}
	var parts []string
	for _, x := range []struct {
		n    int
		unit string
	}{{p.Years, "year"}, {p.Months, "month"}, {p.Days, "day"}} {
		if x.n == 1 {
			parts = append(parts, "1 "+x.unit)
		} else if x.n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss", x.n, x.unit))
		}
	}
	if len(parts) == 0 {
		return "0 days"
	}
	return strings.Join(parts, " and ")
}

// MarshalText writes the period as ParsePeriod reads it.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePeriod(string(text))
	return err
}
