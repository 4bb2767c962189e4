package cost

import (
	"fmt"
	"math"
	"testing"

	"github.com/shopspring/decimal"
)

// The studies of the model: so many instances of so many bytes, losslessly compressed; in series packs there are so many objects.
type model struct {
	name             string
	instances, bytes int64
	packs            int64
}

var (
	modelCT   = model{"CT", 600, 197 << 10, 4}
	modelMR   = model{"MR", 1000, 77 << 10, 4}
	modelMR51 = model{"MR of 51 KiB", 1000, 51 << 10, 4}
	modelDX   = model{"DX", 2, 6553600, 2}
	modelMG   = model{"MG", 4, 12058624, 4}
	modelDBT  = model{"DBT", 4, 167772160, 4}
	modelUS   = model{"US", 60, 3 << 20, 1}
)

func (m model) apart() Objects  { return Objects{m.instances * m.bytes, m.instances} }
func (m model) packed() Objects { return Objects{m.instances * m.bytes, m.packs} }

// edition is the last edition of a book, with months of 30 days as the model has them.
func edition(t testing.TB, book string) *Edition {
	t.Helper()
	b, err := Shipped(book)
	if err != nil {
		t.Fatal(err)
	}
	b.MonthDays = decimal.NewFromInt(30)
	return &b.Editions[len(b.Editions)-1]
}

func place(t testing.TB, book, class string) Place {
	t.Helper()
	p, err := edition(t, book).Place(class)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	aws  = "aws-us-east-1"
	oss  = "aliyun-oss-cn"
	yuan = 7.2 // for a dollar, in the model
)

type until struct {
	class string
	days  int64 // 0: to the end
}

// life is what a study costs, in yuan.
func life(t testing.TB, book string, o Objects, years int64, restored Restored, stays ...until) float64 {
	t.Helper()
	l := Life{Objects: o, Curve: Curve(years), Share: decimal.New(5, -1), Restored: restored}
	from, end := zero, whole(365*years+years/4)
	for _, s := range stays {
		to := end
		if s.days > 0 {
			to = whole(s.days)
		}
		l.Stays = append(l.Stays, Stay{place(t, book, s.class), from, to})
		from = to
	}
	sum, err := l.Total()
	if err != nil {
		t.Fatal(err)
	}
	x, _ := sum.Float64()
	if book == aws {
		x *= yuan
	}
	return x
}

// near compares with a published figure that has few digits: tolerance is relative, half a unit of the last place is allowed on top.
func near(t testing.TB, what string, got, want, tolerance, last float64) {
	t.Helper()
	if math.Abs(got-want) > want*tolerance+last/2 {
		t.Errorf("%s: got %.5f, want %g within %.1f %%", what, got, want, 100*tolerance)
	}
}

var week = Restored{Speed: "standard", Days: 7}

// TestTableAWS: section 2.1 over five years (the last column fifteen), in yuan, instance objects and packs. Tolerance 1 %; 1.5 % for MR, whose table has a little fewer bytes.
func TestTableAWS(t *testing.T) {
	std, ia, gir := []until{{"STANDARD", 0}}, []until{{"STANDARD", 30}, {"STANDARD_IA", 0}}, []until{{"STANDARD", 30}, {"GLACIER_IR", 0}}
	iaDA, girDA := []until{{"STANDARD", 30}, {"STANDARD_IA", 365}, {"DEEP_ARCHIVE", 0}}, []until{{"STANDARD", 30}, {"GLACIER_IR", 365}, {"DEEP_ARCHIVE", 0}}
	for _, c := range []struct {
		m            model
		tolerance    float64
		apart, packs [5]float64 // 0: not in the table
	}{
		{modelCT, 0.01, [5]float64{1.162, .699, .343, .522, .711}, [5]float64{1.136, .628, .220, .175, .200}},
		{modelMR, 0.015, [5]float64{.783, .789, .433, .743, 1.000}, [5]float64{.738, .408, .143, .114, .131}},
		{modelMR51, 0.015, [5]float64{.537, .785, .428}, [5]float64{.492, .272, .095}},
		{modelDX, 0.015, [5]float64{.123, .068, .024, .020, .023}, [5]float64{}},
		{modelDBT, 0.015, [5]float64{6.30, 3.48, 1.22, .97, 1.11}, [5]float64{}},
	} {
		for i, s := range [][]until{std, ia, gir, iaDA, girDA} {
			years := int64(5)
			if i == 4 {
				years = 15
			}
			for o, want := range map[Objects]float64{c.m.apart(): c.apart[i], c.m.packed(): c.packs[i]} {
				if want > 0 {
					near(t, fmt.Sprintf("%s, %d objects, column %d", c.m.name, o.Count, i+1), life(t, aws, o, years, week, s...), want, c.tolerance, 0.001)
				}
			}
		}
	}
}

// TestTableOSS: section 2.1 on OSS. Tolerance 1 % for packs; 4 % for instance objects in archive classes, where the table leaves out a few of the requests that reads take.
func TestTableOSS(t *testing.T) {
	std, ia, ar, arCA := []until{{"STANDARD", 0}}, []until{{"STANDARD", 30}, {"IA", 0}}, []until{{"STANDARD", 30}, {"ARCHIVE", 0}}, []until{{"STANDARD", 30}, {"ARCHIVE", 365}, {"COLD_ARCHIVE", 0}}
	for _, c := range []struct {
		m            model
		apart, packs [5]float64 // standard, IA, archive over 15 years; archive and cold archive over 5 and 15
	}{
		{modelCT, [5]float64{2.470, 1.661, .699, .161, .369}, [5]float64{2.468, 1.651, .692, .141, .347}},
		{modelMR, [5]float64{1.608, 1.090, .463, .128, .265}, [5]float64{1.604, 1.073, .450, .092, .225}},
		{modelDX, [5]float64{}, [5]float64{.267, .179, .075, .015, .038}},
		{modelMG, [5]float64{}, [5]float64{.987, .660, .277, .056, .139}},
		{modelDBT, [5]float64{}, [5]float64{13.69, 9.16, 3.84, .78, 1.92}},
		{modelUS, [5]float64{}, [5]float64{3.85, 2.58, 1.08, .22, .54}},
	} {
		for i, s := range [][]until{std, ia, ar, arCA, arCA} {
			years := int64(15)
			if i == 3 {
				years = 5
			}
			if want := c.apart[i]; want > 0 {
				near(t, fmt.Sprintf("%s, instance objects, column %d", c.m.name, i+1), life(t, oss, c.m.apart(), years, week, s...), want, 0.04, 0.001)
			}
			unit := 0.001
			if c.packs[i] >= 1 || c.m == modelDBT || c.m == modelUS {
				unit = 0.01
			}
			near(t, fmt.Sprintf("%s, packs, column %d", c.m.name, i+1), life(t, oss, c.m.packed(), years, week, s...), c.packs[i], 0.01, unit)
		}
	}
}

// TestInstanceObjectsOfMRAreDearerInIA: 1000 small objects cost more in infrequent access than in standard; packed they cost half.
func TestInstanceObjectsOfMRAreDearerInIA(t *testing.T) {
	std, ia := []until{{"STANDARD", 0}}, []until{{"STANDARD", 30}, {"STANDARD_IA", 0}}
	if a, b := life(t, aws, modelMR.apart(), 5, week, ia...), life(t, aws, modelMR.apart(), 5, week, std...); a <= b {
		t.Errorf("MR as instances: infrequent access %.3f, standard %.3f", a, b)
	}
	if a, b := life(t, aws, modelMR.packed(), 5, week, ia...), life(t, aws, modelMR.packed(), 5, week, std...); a > 0.6*b {
		t.Errorf("MR packed: infrequent access %.3f, standard %.3f", a, b)
	}
}

// TestSmallObjectsStay: the provider's own rules leave objects below 128 KiB where they are, silently: what a rule promises to save is not saved. A copy into the class is billed as 128 KiB.
func TestSmallObjectsStay(t *testing.T) {
	ia := place(t, aws, "STANDARD_IA")
	if ia.Class.Stays != 128<<10 || modelMR.bytes >= ia.Class.Stays || modelCT.bytes <= ia.Class.Stays {
		t.Fatalf("objects below %d bytes stay", ia.Class.Stays)
	}
	for _, c := range []struct {
		p       Place
		bytes   int64
		factor  float64
		comment string
	}{{ia, 77 << 10, 1.67, "AWS, 77 KiB"}, {ia, 51 << 10, 2.5, "AWS, 51 KiB"}, {place(t, oss, "IA"), 51 << 10, 1.25, "OSS, 51 KiB"}} {
		f, _ := div(c.p.billed(Objects{1000 * c.bytes, 1000}), c.p.Edition.Book.Units(1000*c.bytes)).Float64()
		near(t, c.comment, f, c.factor, 0.005, 0.01)
	}
}

// TestColdArchiveDearerThanArchive: of a study that lives 90 days, the last 60 days cost more in cold archive, because 180 are billed.
func TestColdArchiveDearerThanArchive(t *testing.T) {
	o := modelCT.packed()
	cost := func(class string) decimal.Decimal {
		l := Life{Objects: o, Stays: []Stay{{place(t, oss, "STANDARD"), zero, whole(30)}, {place(t, oss, class), whole(30), whole(90)}}}
		sum, err := l.Total()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	if a, b := cost("COLD_ARCHIVE"), cost("ARCHIVE"); !a.GreaterThan(b) {
		t.Errorf("cold archive %s, archive %s", a, b)
	}
	v, err := Judge(place(t, oss, "ARCHIVE"), place(t, oss, "COLD_ARCHIVE"), o, Outlook{AgeDays: whole(60), Months: whole(2), Inside: true, Restored: week})
	if err != nil || v.Worth() {
		t.Errorf("moving it there for two months is worth it: %v, %v", v, err)
	}
	v, err = Judge(place(t, oss, "ARCHIVE"), place(t, oss, "COLD_ARCHIVE"), o, Outlook{AgeDays: whole(335), Months: whole(170), Inside: true, Restored: week})
	if err != nil || !v.Worth() {
		t.Errorf("moving it there for fourteen years is not worth it: %v, %v", v, err)
	}
}

// TestTransitionMonths: section 2.3.1, months in the colder class after which a transition has paid for itself, instance objects and packs. Tolerance 2 %.
func TestTransitionMonths(t *testing.T) {
	for _, c := range []struct {
		book, from, to string
		o              Objects
		want, last     float64
	}{
		{aws, "STANDARD", "STANDARD_IA", modelCT.apart(), 5.1, 0.1}, {aws, "STANDARD", "GLACIER_IR", modelCT.apart(), 5.6, 0.1}, {aws, "STANDARD", "DEEP_ARCHIVE", modelCT.apart(), 12.7, 0.1},
		{aws, "STANDARD_IA", "DEEP_ARCHIVE", modelCT.apart(), 25.6, 0.1}, {aws, "GLACIER_IR", "DEEP_ARCHIVE", modelCT.apart(), 139, 1},
		{aws, "STANDARD", "STANDARD_IA", modelMR.apart(), 63, 2}, {aws, "STANDARD", "GLACIER_IR", modelMR.apart(), 16.7, 0.2}, {aws, "STANDARD", "DEEP_ARCHIVE", modelMR.apart(), 35.6, 0.2},
		{aws, "STANDARD_IA", "DEEP_ARCHIVE", modelMR.apart(), 40.1, 0.2}, {aws, "GLACIER_IR", "DEEP_ARCHIVE", modelMR.apart(), 238, 2},
		{aws, "STANDARD", "STANDARD_IA", modelCT.packed(), .03, 0.01}, {aws, "STANDARD", "GLACIER_IR", modelCT.packed(), .04, 0.01}, {aws, "STANDARD", "DEEP_ARCHIVE", modelCT.packed(), .08, 0.01},
		{aws, "GLACIER_IR", "DEEP_ARCHIVE", modelCT.packed(), .6, 0.1},
		{oss, "ARCHIVE", "COLD_ARCHIVE", modelCT.apart(), 3.0, 0.1}, {oss, "ARCHIVE", "COLD_ARCHIVE", modelMR.apart(), 7.6, 0.1},
	} {
		months, pays, err := BreakEvenMonths(place(t, c.book, c.from), place(t, c.book, c.to), c.o)
		if err != nil || !pays {
			t.Errorf("%s to %s: %v %v", c.from, c.to, pays, err)
			continue
		}
		x, _ := months.Float64()
		near(t, fmt.Sprintf("%s %s to %s, %d objects of %d bytes", c.book, c.from, c.to, c.o.Count, c.o.Bytes/c.o.Count), x, c.want, 0.02, c.last)
	}
}

// TestTransitionSizes: section 2.4, the size above which an object pays for its transition within 3 and 12 months. Tolerance 2 %.
func TestTransitionSizes(t *testing.T) {
	for _, c := range []struct {
		from, to    string
		three, year float64 // KiB
	}{{"STANDARD", "STANDARD_IA", 333, 83}, {"STANDARD", "GLACIER_IR", 368, 92}, {"STANDARD", "DEEP_ARCHIVE", 804, 208}, {"STANDARD_IA", "DEEP_ARCHIVE", 1537, 398}, {"GLACIER_IR", "DEEP_ARCHIVE", 5878, 1523}} {
		for months, want := range map[int64]float64{3: c.three, 12: c.year} {
			bytes, err := BreakEvenBytes(place(t, aws, c.from), place(t, aws, c.to), whole(months))
			if err != nil {
				t.Fatal(err)
			}
			x, _ := bytes.Float64()
			near(t, fmt.Sprintf("%s to %s, %d months", c.from, c.to, months), x/1024, want, 0.02, 2)
		}
	}
}

// TestOverheads: section 2.3.3, 40 KiB an object in deep archive are 20 % of the bytes of CT and 52 % of those of MR.
func TestOverheads(t *testing.T) {
	c := place(t, aws, "DEEP_ARCHIVE").Class
	for m, want := range map[model]float64{modelCT: 0.20, modelMR: 0.52} {
		near(t, m.name, float64(c.OwnBytes+c.OtherBytes)/float64(m.bytes), want, 0.01, 0.01)
	}
}

// TestRestoreFees: section 2.3.4, restoring a whole study, in yuan, as instances and packed: requests and bytes, without the temporary copy. Tolerance 3 %.
func TestRestoreFees(t *testing.T) {
	for _, c := range []struct {
		book, class, speed string
		m                  model
		apart, packed      float64
	}{
		{oss, "COLD_ARCHIVE", "standard", modelCT, .188, .0084}, {oss, "COLD_ARCHIVE", "standard", modelMR, .305, .0056},
		{oss, "COLD_ARCHIVE", "expedited", modelCT, 1.82, .027}, {oss, "COLD_ARCHIVE", "expedited", modelMR, 3.02, .019},
		{aws, "DEEP_ARCHIVE", "standard", modelCT, .45, .019}, {aws, "GLACIER", "expedited", modelCT, 43.2, .096}, {aws, "GLACIER", "expedited", modelMR, 72, .09},
	} {
		p := place(t, c.book, c.class)
		s, err := p.speed(c.speed)
		if err != nil {
			t.Fatal(err)
		}
		fee := func(n int64) float64 {
			x, _ := s.Request.Mul(whole(n)).Add(s.PerUnit.Mul(p.Edition.Book.Units(c.m.instances * c.m.bytes))).Float64()
			if c.book == aws {
				x *= yuan
			}
			return x
		}
		near(t, fmt.Sprintf("%s %s %s, instances", c.class, c.speed, c.m.name), fee(c.m.instances), c.apart, 0.03, 0)
		near(t, fmt.Sprintf("%s %s %s, one pack", c.class, c.speed, c.m.name), fee(1), c.packed, 0.25, 0.001) // the table has packs of a series or two
	}
}

// TestEarlyDeletion: section 2.3.6, days of life below which the colder class costs more than the warmer.
func TestEarlyDeletion(t *testing.T) {
	for _, c := range []struct {
		book, to string
		want     float64
	}{{aws, "STANDARD_IA", 16}, {aws, "GLACIER_IR", 16}, {aws, "DEEP_ARCHIVE", 8}, {oss, "IA", 20}, {oss, "ARCHIVE", 16.5}, {oss, "COLD_ARCHIVE", 22.5}, {oss, "DEEP_COLD_ARCHIVE", 11}} {
		x, _ := EarlyDays(place(t, c.book, "STANDARD"), place(t, c.book, c.to)).Float64()
		near(t, c.book+" "+c.to, x, c.want, 0.03, 0.5)
	}
}

// TestReadsThatEatTheSaving: section 2.3.10, whole reads a month.
func TestReadsThatEatTheSaving(t *testing.T) {
	for _, c := range []struct {
		book, to, speed string
		want            float64
	}{{aws, "STANDARD_IA", "", 1.05}, {aws, "GLACIER_IR", "", .63}, {oss, "IA", "", 1.23}, {oss, "ARCHIVE", "standard", 1.45}, {oss, "COLD_ARCHIVE", "standard", 1.75}, {oss, "COLD_ARCHIVE", "expedited", .52}} {
		reads, err := BreakEvenReads(place(t, c.book, "STANDARD"), place(t, c.book, c.to), c.speed)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := reads.Float64()
		near(t, c.book+" "+c.to+" "+c.speed, x, c.want, 0.01, 0.01)
	}
}

// TestTableExam: section 2.2, the mix of examinations over 15 years on OSS, packed, archive after 30 days and cold archive after a year: 0.236 yuan. Tolerance 2 %. And with what
// is deleted after three months.
func TestTableExam(t *testing.T) {
	mix := map[model]float64{modelCT: .35, modelMR: .12, modelDX: .40, modelMG: .03, modelDBT: .01, modelUS: .09}
	sum := func(stays ...until) (x float64) {
		for m, share := range mix {
			x += share * life(t, oss, m.packed(), 15, week, stays...)
		}
		return x
	}
	near(t, "archive and cold archive", sum(until{"STANDARD", 30}, until{"ARCHIVE", 365}, until{"COLD_ARCHIVE", 0}), .236, 0.02, 0.001)
	near(t, "standard, lossless", sum(until{"STANDARD", 0}), 1.68, 0.02, 0.01)
}

// TestTierDays: section 2.6, the day on which CT goes to the archive on OSS, over 15 years: the curve is flat from 14 to 90 days. Tolerance 1 %.
func TestTierDays(t *testing.T) {
	for day, want := range map[int64]float64{14: .709, 30: .692, 60: .701, 90: .710, 180: .739, 365: .799} {
		tolerance := 0.01
		if day < 30 {
			tolerance = 0.03 // the table's reads in the first month are not even
		}
		near(t, fmt.Sprint("day ", day), life(t, oss, modelCT.packed(), 15, week, until{"STANDARD", day}, until{"ARCHIVE", 0}), want, tolerance, 0.001)
	}
	for day, want := range map[int64]float64{60: .327, 90: .329, 180: .335, 365: .347, 730: .371, 1095: .396} {
		near(t, fmt.Sprint("cold archive on day ", day), life(t, oss, modelCT.packed(), 15, week, until{"STANDARD", 30}, until{"ARCHIVE", day}, until{"COLD_ARCHIVE", 0}), want, 0.02, 0.001)
	}
}
