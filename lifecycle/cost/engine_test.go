package cost

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// simulate is a life day by day, in plain floating point and written without the formulas: what the provider's meter would have seen.
func simulate(l *Life) float64 {
	f := func(d decimal.Decimal) float64 { x, _ := d.Float64(); return x }
	total := 0.0
	unit, month := float64(l.Stays[0].Edition.Book.Unit), f(l.Stays[0].Edition.Book.MonthDays)
	for i, s := range l.Stays {
		c := s.Class
		if i == 0 {
			total += float64(l.Count) * f(c.requests[Put])
		} else {
			total += float64(l.Count) * f(*c.transition)
		}
		size := float64(l.Bytes) / float64(l.Count)
		billed := math.Max(size, float64(c.MinBytes))
		days := 0.0
		for day := f(s.From); day < f(s.To)-1e-9; day++ {
			part := math.Min(1, f(s.To)-day)
			days += part
			for range l.Count {
				total += part / month * billed / unit * f(c.steps[0].Price)
				total += part / month * float64(c.OwnBytes) / unit * f(c.steps[0].Price)
				if c.OtherBytes > 0 {
					other, _ := s.Edition.Class(c.Other)
					total += part / month * float64(c.OtherBytes) / unit * f(other.steps[0].Price)
				}
			}
			for _, r := range l.Curve {
				overlap := math.Min(day+part, f(r.To)) - math.Max(day, f(r.From))
				if overlap <= 0 {
					continue
				}
				reads := f(r.Count) * overlap / (f(r.To) - f(r.From)) * f(l.Share)
				total += reads * float64(l.Count) * f(c.requests[Get])
				if !c.Archive {
					total += reads * float64(l.Bytes) / unit * f(*c.retrieval)
					continue
				}
				for _, sp := range c.speeds {
					if sp.Name == l.Restored.Speed {
						total += reads * (float64(l.Count)*f(sp.Request) + float64(l.Bytes)/unit*f(sp.PerUnit))
						if temp, err := s.Edition.Class(c.TempClass); err == nil {
							total += reads * float64(l.Bytes) / unit * f(temp.steps[0].Price) * float64(l.Restored.Days) / month
						}
					}
				}
			}
		}
		for ; days < float64(c.MinDays)-1e-9; days++ {
			total += math.Min(1, float64(c.MinDays)-days) / month * billed * float64(l.Count) / unit * f(c.steps[0].Price)
		}
	}
	return total
}

// TestFormulasAgainstSimulation: the closed form and the simulation agree to 1e-9 over random lives.
func TestFormulasAgainstSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		book, classes := aws, []string{"STANDARD", "STANDARD_IA", "GLACIER_IR", "DEEP_ARCHIVE"}
		if rng.IntN(2) == 0 {
			book, classes = oss, []string{"STANDARD", "IA", "ARCHIVE", "COLD_ARCHIVE"}
		}
		l := &Life{Objects: Objects{Count: 1 + rng.Int64N(20)}, Curve: Curve(6), Share: decimal.New(rng.Int64N(101), -2), Restored: Restored{"standard", rng.Int64N(10)}}
		l.Bytes = l.Count * (1 + rng.Int64N(1<<21))
		from := zero
		for _, c := range classes {
			if c != "STANDARD" && rng.IntN(3) == 0 {
				continue
			}
			to := from.Add(whole(1 + rng.Int64N(500)))
			l.Stays = append(l.Stays, Stay{place(t, book, c), from, to})
			from = to
		}
		got, err := l.Total()
		if err != nil {
			t.Fatal(err)
		}
		x, _ := got.Float64()
		if want := simulate(l); math.Abs(x-want) > 1e-9*want {
			t.Fatalf("%s, %d objects of %d bytes, stays %d: formula %.15g, simulation %.15g", book, l.Count, l.Bytes, len(l.Stays), x, want)
		}
	}
}

// TestJudgeAgainstLives: a move is judged worth it exactly if the life with it costs less than the life without: both reckoned from the day of the move on.
func TestJudgeAgainstLives(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	worth := 0
	for range 400 {
		classes := []string{"STANDARD", "IA", "ARCHIVE", "COLD_ARCHIVE"}
		i := rng.IntN(2) // leaving an archive class is a restore: not in a life
		j := i + 1 + rng.IntN(3-i)
		from, to := place(t, oss, classes[i]), place(t, oss, classes[j])
		o := Objects{Count: 1 + rng.Int64N(2000)}
		o.Bytes = o.Count * (1 + rng.Int64N(300<<10))
		age, days := whole(rng.Int64N(400)), whole(1+rng.Int64N(900))
		reads := decimal.New(rng.Int64N(300), -2)
		share := decimal.New(5, -1)
		v, err := Judge(from, to, o, Outlook{AgeDays: age, Months: div(days, from.Edition.Book.MonthDays), Reads: reads, Share: share, Inside: true, Restored: week})
		if err != nil {
			t.Fatal(err)
		}
		curve := []Reads{{age, age.Add(days), reads}}
		stay := Life{Objects: o, Curve: curve, Share: share, Restored: week, Stays: []Stay{{from, zero, age.Add(days)}}}
		move := Life{Objects: o, Curve: curve, Share: share, Restored: week, Stays: []Stay{{from, zero, age}, {to, age, age.Add(days)}}}
		a, err := stay.Total()
		if err != nil {
			t.Fatal(err)
		}
		b, err := move.Total()
		if err != nil {
			t.Fatal(err)
		}
		// A copy pays retrieval where a transition of the provider pays none.
		retrieval, _ := from.Edition.Retrieval(from.Class)
		b = b.Add(retrieval.Mul(from.Edition.Book.Units(o.Bytes)))
		saves := a.Sub(b)
		if diff, _ := saves.Sub(v.Saves).Abs().Float64(); diff > 1e-12 {
			t.Fatalf("%s to %s, %d objects of %d bytes, %s days old, %s more, %s reads: judged to save %s, lives say %s\n%s", classes[i], classes[j], o.Count, o.Bytes, age, days, reads, v.Saves, saves, v)
		}
		if v.Worth() {
			worth++
		}
	}
	if worth < 40 || worth > 360 {
		t.Errorf("%d of 400 moves are worth it: the test sees one side only", worth)
	}
}

func TestUnknownPrices(t *testing.T) {
	e := edition(t, "tencent-cos-cn")
	std, err := e.Place("standard") // in any case
	if err != nil {
		t.Fatal(err)
	}
	ia, err := e.Place("STANDARD_IA")
	if err != nil {
		t.Fatal(err)
	}
	var unknown *UnknownError
	for what, err := range map[string]error{
		"retrieval of class STANDARD_IA": second(ia.Read(Objects{1, 1}, one, Restored{})),
		"storage of class ARCHIVE":       second(e.Place("ARCHIVE")),
		"cpu_hour":                       second(e.CPUHour()),
		"reads there":                    second(Judge(std, ia, Objects{1, 1}, Outlook{Months: one, Reads: one, Share: one})),
	} {
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "tencent-cos-cn") || !strings.Contains(err.Error(), "2026-01-01") || what != "reads there" && !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := e.Book.At(time.Date(2025, 12, 31, 15, 59, 0, 0, time.UTC)); !errors.As(err, &unknown) {
		t.Errorf("before the first edition: %v", err)
	}
	if got, err := e.Book.At(time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC)); err != nil || got != e { // midnight in Shanghai
		t.Errorf("at its beginning: %v", err)
	}
	if _, err := Judge(std, place(t, aws, "STANDARD"), Objects{1, 1}, Outlook{}); !errors.Is(err, ErrCurrency) {
		t.Errorf("yuan and dollars: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestVolumeSteps(t *testing.T) {
	c := place(t, aws, "STANDARD").Class
	for units, want := range map[int64]string{0: "0", 100: "2.3", 51200: "1177.6", 51201: "1177.622", 600000: "13163.2"} {
		if got := c.Volume(whole(units)); !got.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%d GiB cost %s a month, want %s", units, got, want)
		}
	}
	if p := c.Marginal(whole(51200)); !p.Equal(decimal.RequireFromString("0.022")) {
		t.Errorf("the unit after 50 TiB costs %s", p)
	}
}

// TestLoadRefuses: what is wrong with a price book is said with file and line, and there is no book.
func TestLoadRefuses(t *testing.T) {
	raw, err := ShippedSource("negotiated")
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	if _, err := Load("good.yaml", raw); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"currency: CNY", "currency: yuan", `currency "yuan": three capital letters`},
		{"unit: GiB", "unit: TB", `unit "TB"`},
		{"zone: Asia/Shanghai", "zone: Mars", "zone is not known"},
		{"min_days: 60", "min_days: -60", "min_days"},
		{"price: 0.11", "price: -0.11", `"-0.11" is not an amount`},
		{"price: 0.11", "price: 1e-1", `"1e-1" is not an amount`},
		{"get: 0.1/10000", "get: 0.1/0", "for how many"},
		{"up_to: 102400, ", "", "each step but the last has an up_to"},
		{"temporary: STANDARD", "temporary: WARM", "there is no class WARM"},
		{"archive: yes", "archive: no", "archive classes have a restore, and others have none"},
		{"egress: 0.50", "egres: 0.50", `"egres" is not known`},
		{"storage: 0.03", "storag: 0.03", "storage is missing"},
		{"wait: 1m", "wait: soon", "wait: durations such as 3h-5h"},
		{"from: 2026-01-01", "from: 2026-13-01", "a day, as 2026-01-31"},
		{"schema: radtier.prices/1", "schema: radtier.prices/9", "this version reads radtier.prices/1"},
		{"source: contract of 2025-12-01, annex 2", "source: ''", "source must be a text"},
		{"failed_requests: none ", "failed_requests: sometimes ", "none, client (4xx) or all"},
		{"      ARCHIVE:\n", "      standard:\n", "class standard is there twice"},
		{"min_clock: modified", "min_clock: never", "modified or transition"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%q is not in the template", c.old)
		}
		b, err := Load("bad.yaml", []byte(bad))
		if err == nil || b != nil || !strings.Contains(err.Error(), "bad.yaml:") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v, want %q with a line", c.new, c.old, err, c.want)
		}
	}
	i := strings.Index(good, "  - from: 2026-01-01")
	twice := good + good[i:]
	if _, err := Load("bad.yaml", []byte(twice)); err == nil || !strings.Contains(err.Error(), "must be later than the one before") {
		t.Errorf("two editions of one day: %v", err)
	}
	later := good + strings.Replace(good[i:], "2026-01-01", "2026-07-01", 1)
	b, err := Load("later.yaml", []byte(later))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := b.At(time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)); err != nil || e != &b.Editions[0] {
		t.Errorf("June has %v, %v", e, err)
	}
	for _, text := range []string{"", "[]", "a: b", "\x00", "schema: [", strings.Repeat("a", 100)} {
		if _, err := Load("odd.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "odd.yaml") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := Open(path); err != nil || b.Name != "negotiated" {
		t.Errorf("a file: %v", err)
	}
	if _, err := Shipped("nobody"); err == nil || !strings.Contains(err.Error(), oss) {
		t.Errorf("no such book: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range ShippedNames() {
		raw, err := ShippedSource(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Load("fuzz.yaml", raw)
		if (b == nil) == (err == nil) {
			t.Fatalf("book %v, error %v", b, err)
		}
	})
}
