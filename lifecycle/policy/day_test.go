package policy

import (
	"testing"
	"time"
)

func noon(t testing.TB, day string) time.Time {
	t.Helper()
	d, err := ParseDay(day)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return d.Start(zone).Add(12 * time.Hour)
}

// Months end where the calendar ends them.
func TestAdd(t *testing.T) {
	for _, c := range []struct{ from, period, want string }{
		{"2026-01-31", "P1M", "2026-02-28"},
		{"2024-01-31", "P1M", "2024-02-29"},
		{"2026-01-31", "P3M", "2026-04-30"},
		{"2026-01-30", "P1M", "2026-02-28"},
		{"2026-03-31", "P11M", "2027-02-28"},
		{"2024-02-29", "P1Y", "2025-02-28"},
		{"2024-02-29", "P4Y", "2028-02-29"},
		{"2000-02-29", "P100Y", "2100-02-28"}, // 2100 is no leap year
		{"2026-12-31", "P2M", "2027-02-28"},
		{"2026-12-31", "P1D", "2027-01-01"},
		{"2026-01-31", "P1M1D", "2026-03-01"}, // months first
		{"2026-02-28", "P2W", "2026-03-14"},
		{"2026-02-28", "P1Y2M10D", "2027-05-08"},
		{"2026-05-31", "P0D", "2026-05-31"},
		{"1969-12-31", "P1M", "1970-01-31"},
	} {
		from, err := ParseDay(c.from)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		if got := from.Add(p).String(); got != c.want {
			t.Errorf("%s + %s = %s, want %s", c.from, c.period, got, c.want)
		}
	}
}

// A day begins at midnight of its zone, or when there is none with the first moment after it.
func TestStart(t *testing.T) {
	for _, c := range []struct{ zone, day, want string }{
		{"Asia/Shanghai", "2026-01-01", "2025-12-31T16:00:00Z"},
		{"Asia/Shanghai", "1988-04-17", "1988-04-16T16:00:00Z"}, // summer time began at 02:00
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		{"America/New_York", "2026-03-08", "2026-03-08T05:00:00Z"},
		{"America/New_York", "2026-11-01", "2026-11-01T04:00:00Z"},
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"}, // the day before it never was
		{"Asia/Kathmandu", "2026-06-01", "2026-05-31T18:15:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := ParseDay(c.day)
		if err != nil {
			t.Fatal(err)
		}
		start := day.Start(zone)
		if got := start.UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s begins at %s, want %s", c.day, c.zone, got, c.want)
		}
		if DayOf(start, zone) != day || DayOf(start.Add(-time.Second), zone) >= day {
			t.Errorf("%s in %s: its first moment lies on %s, the second before on %s", c.day, c.zone, DayOf(start, zone), DayOf(start.Add(-time.Second), zone))
		}
	}
}

// A period is shorter than another only if it is, whatever day both begin on.
func TestShorter(t *testing.T) {
	list := []string{"P0D", "P1D", "P27D", "P28D", "P30D", "P31D", "P1M", "P1M1D", "P59D", "P62D", "P2M", "P365D", "P366D", "P12M", "P1Y", "P1Y1D", "P15Y", "P5479D", "P30Y", "forever"}
	for _, a := range list {
		for _, b := range list {
			p, err := ParsePeriod(a)
			if err != nil {
				t.Fatal(err)
			}
			q, err := ParsePeriod(b)
			if err != nil {
				t.Fatal(err)
			}
			always := !p.Forever
			for d := DateOf(2023, 1, 1); d < DateOf(2028, 1, 1) && !q.Forever && always; d++ {
				always = d.Add(p) < d.Add(q)
			}
			if got := p.Shorter(q); got && !always {
				t.Errorf("%s is said to be shorter than %s, and is not always", a, b)
			} else if !got && always && a != "P59D" && a != "P27D" && b != "P62D" && a != "P365D" && b != "P366D" && a != "P5479D" { // close calls may be refused
				t.Errorf("%s is always shorter than %s, and not said to be", a, b)
			}
		}
	}
}
