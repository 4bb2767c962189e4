package cost

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// Sentences says an edition in words.
func (e *Edition) Sentences() []string {
	b := e.Book
	list := []string{fmt.Sprintf("%s: %s, %s, in %s for %s, edition from %s", b.Name, b.Provider, b.Region, b.Currency, b.Unit, e.From.Format("2006-01-02")),
		fmt.Sprintf("source: %s; confidence: %s", e.Source, e.Confidence)}
	list = append(list, map[Failed]string{FailedNone: "requests that fail cost nothing", FailedClient: "requests that are refused (4xx) are billed, others that fail are not", FailedAll: "requests are billed whatever their outcome"}[b.Failed],
		fmt.Sprintf("a month has %s days where no month is named", b.MonthDays))
	for _, m := range e.meters() {
		list = append(list, m.name+": "+m.text)
	}
	return list
}

// meter is a price in words.
type meter struct{ name, text string }

// meters lists every price of an edition, in a fixed order.
func (e *Edition) meters() (list []meter) {
	add := func(name, format string, args ...any) {
		list = append(list, meter{name, fmt.Sprintf(format, args...)})
	}
	opt := func(name string, d *decimal.Decimal, per string) {
		if d != nil {
			add(name, "%s %s", d, per)
		}
	}
	unit := "a " + e.Book.Unit.String()
	opt("egress", e.egress, unit)
	opt("cpu hour", e.cpuHour, "a core")
	for i := range e.Classes {
		c := &e.Classes[i]
		var steps []string
		for _, s := range c.steps {
			text := s.Price.String()
			if !s.UpTo.IsZero() {
				text += fmt.Sprintf(" up to %s %s", s.UpTo, e.Book.Unit)
			}
			steps = append(steps, text)
		}
		add(c.Name+" storage", "%s %s and month", strings.Join(steps, ", then "), unit)
		if c.MinDays > 0 {
			add(c.Name+" minimum duration", "%d days since it was %s", c.MinDays, map[Clock]string{ClockModified: "made", ClockTransition: "moved there"}[c.Clock])
		}
		if c.MinBytes > 0 {
			add(c.Name+" minimum size", "%d bytes", c.MinBytes)
		}
		if c.Stays > 0 {
			add(c.Name+" left by the provider's rules", "objects below %d bytes", c.Stays)
		}
		if c.OwnBytes+c.OtherBytes > 0 {
			add(c.Name+" overhead of an object", "%d bytes, and %d as %s", c.OwnBytes, c.OtherBytes, c.Other)
		}
		for _, r := range Requests {
			if p, ok := c.requests[r]; ok {
				add(c.Name+" "+string(r), "%s for 10000", p.Mul(whole(10000)).Round(12))
			}
		}
		if c.transition != nil {
			add(c.Name+" transition", "%s for 10000", c.transition.Mul(whole(10000)).Round(12))
		}
		opt(c.Name+" retrieval", c.retrieval, unit)
		for _, s := range c.speeds {
			price, copied := "price not known", "a copy costs nothing beside it"
			if s.Known {
				price = fmt.Sprintf("%s for 10000, %s %s", s.Request.Mul(whole(10000)).Round(12), s.PerUnit, unit)
			}
			if c.TempClass != "" {
				copied = "a copy is billed as " + c.TempClass
			}
			add(c.Name+" restore "+s.Name, "%s, %s to %s; %s", price, s.Least, s.Max, copied)
		}
		opt(c.Name+" monitoring", c.monitor, "an object and month")
	}
	return list
}

// Diff says, in words, which prices two editions have different, or only one of them.
func Diff(a, b *Edition) (list []string) {
	if a.Book.Currency != b.Book.Currency || a.Book.Unit != b.Book.Unit {
		list = append(list, fmt.Sprintf("they cannot be compared number by number: %s for %s, %s for %s", a.Book.Currency, a.Book.Unit, b.Book.Currency, b.Book.Unit))
	}
	have := map[string]string{}
	for _, m := range b.meters() {
		have[m.name] = m.text
	}
	for _, m := range a.meters() {
		switch text, ok := have[m.name]; {
		case !ok:
			list = append(list, fmt.Sprintf("%s: %s; not in %s", m.name, m.text, b.Book.Name))
		case text != m.text:
			list = append(list, fmt.Sprintf("%s: %s; %s has %s", m.name, m.text, b.Book.Name, text))
		}
		delete(have, m.name)
	}
	for _, m := range b.meters() {
		if text, ok := have[m.name]; ok {
			list = append(list, fmt.Sprintf("%s: not in %s; %s has %s", m.name, a.Book.Name, b.Book.Name, text))
		}
	}
	return list
}
