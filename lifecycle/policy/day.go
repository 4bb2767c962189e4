package policy

import (
	"fmt"
	"time"
)

// Day is a calendar day: days since 1 January 1970. Zero stands for a day that is not known.
type Day int32

// DateOf returns a calendar day; month and day may be out of range, as for time.Date.
func DateOf(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// DayOf is the calendar day of a moment in a zone, zero for the zero time.
func DayOf(t time.Time, zone *time.Location) Day {
	if t.IsZero() {
		return 0
	}
	y, m, d := t.In(zone).Date()
	return DateOf(y, m, d)
}

// ParseDay reads 2006-01-02 or a DICOM date (PS3.5 6.2, DA): 20060102.
func ParseDay(s string) (Day, error) {
	for _, layout := range []string{"2006-01-02", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil {
			return Day(t.Unix() / 86400), nil
		}
	}
	return 0, fmt.Errorf("%q is no day: write 2006-01-02", s)
}

func (d Day) date() (int, time.Month, int) { return time.Unix(int64(d)*86400, 0).UTC().Date() }

// Start is the first moment of the day in a zone. Where a change of the clock takes midnight away it is the first moment after the gap.
func (d Day) Start(zone *time.Location) time.Time {
	y, m, day := d.date()
	t := time.Date(y, m, day, 0, 0, 0, 0, zone)
	for DayOf(t, zone) < d { // midnight does not exist: time.Date gave a moment of the day before
		t = t.Add(15 * time.Minute)
	}
	return t
}

// Add adds years and months first, to the last day of the month if the day does not exist there, and then days.
func (d Day) Add(p Period) Day {
	y, m, day := d.date()
	months := y*12 + int(m-1) + p.Years*12 + p.Months
	y, m = months/12, time.Month(months%12+1)
	if last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day(); day > last {
		day = last
	}
	return DateOf(y, m, day) + Day(p.Days)
}

func (d Day) String() string {
	if d == 0 {
		return "unknown"
	}
	y, m, day := d.date()
	return fmt.Sprintf("%04d-%02d-%02d", y, m, day)
}

// MarshalText writes 2006-01-02, and nothing for an unknown day.
func (d Day) MarshalText() ([]byte, error) {
	if d == 0 {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Day) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = 0
		return nil
	}
	*d, err = ParseDay(string(text))
	return err
}
