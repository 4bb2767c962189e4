package codectest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// failures is a reporter that counts.
type failures struct {
	n     int
	first string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	if f.n++; f.n == 1 {
		f.first = fmt.Sprintf(format, args...)
	}
}

func TestSuitePassesARightCodec(t *testing.T) { Run(t, rawConfig("")) }

// TestSuiteCatchesFaults is what makes the suite worth running: each fault must be caught by the check that is meant for it.
func TestSuiteCatchesFaults(t *testing.T) {
	for _, row := range []struct{ bug, check string }{
		{"loses a bit", "Precisions"},
		{"odd widths", "Sizes"},
		{"junk is encoded", "Layouts"},
		{"not extended", "Precisions"},
		{"not masked", "ForeignViews"},
		{"writes into gaps", "Layouts"},
		{"ignores byte order", "Layouts"},
		{"any size", "ForeignViews"},
		{"any container", "ForeignViews"},
		{"wrong geometry", "Probe"},
		{"compares nothing", "Compare"},
		{"misses the last row", "Compare"},
		{"wrong place", "Compare"},
		{"drops prefix", "Append"},
		{"not deterministic", "Determinism"},
		{"takes too much", "Refusals"},
		{"writes before refusing", "Refusals"},
		{"no view check", "Refusals"},
		{"header in one fragment", "Fragments"},
		{"panics when short", "Truncation"},
		{"zeros when short", "Truncation"},
		{"untyped error", "BitFlips"},
		{"untyped error", "Garbage"},
		{"no limits", "Limits"},
		{"takes memory first", "Limits"},
		{"encoder takes more than it says", "Memory"},
		{"decoder takes more than it says", "Memory"},
		{"allocates", "Allocations"},
		{"stays broken", "Reuse"},
		{"ignores cancellation", "Cancellation"},
		{"compares nothing", "BitFlips+"},
		{"wrong samples", "Streams"},
		{"breaks its syntax", "Precisions"},
	} {
		t.Run(row.bug+" in "+row.check, func(t *testing.T) {
			c := rawConfig(row.bug)
			switch row.check {
			case "Precisions":
				if row.bug == "breaks its syntax" {
					c.Check = func([]byte, codecs.View) []string { return []string{"no index where the syntax asks for one"} }
				}
			case "Streams":
				c.Streams = wrongStream(t)
			case "BitFlips+": // an unchecked codestream that Compare waves through
				row.check = "BitFlips"
				dec := c.NewDecoder
				c.NewDecoder = func() codecs.Decoder { return unchecked{dec(), rawConfig("no checksum").NewDecoder()} }
			}
			var got failures
			checks := checks()
			i := slices.IndexFunc(checks, func(k check) bool { return k.name == row.check })
			checks[i].run(&got, &c)
			if got.n == 0 {
				t.Fatalf("a codec with the fault %q passes the check %s", row.bug, row.check)
			}
			t.Logf("caught: %s", got.first)
		})
	}
}

// unchecked compares with one decoder and decodes with another.
type unchecked struct {
	codecs.Decoder
	decode codecs.Decoder
}

func (u unchecked) Decode(dst codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return u.decode.Decode(dst, src, opts)
}

func wrongStream(t *testing.T) []Stream {
	f := Layouts()[0].Frame(Shape{4, 3, 1, 8, 8, false}, make([]int32, 12))
	src, _, err := rawConfig("").NewEncoder().Encode(nil, f.View, codecs.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Pix[7] = 1
	return []Stream{{"one sample differs", src, f.View}}
}

// TestImagesReachTheirRange holds the generators to what they promise.
func TestImagesReachTheirRange(t *testing.T) {
	for _, s := range []Shape{{64, 48, 1, 8, 1, false}, {64, 48, 3, 8, 8, true}, {64, 48, 1, 16, 12, true}, {64, 48, 1, 16, 16, false}, {1, 1, 1, 16, 16, true}} {
		for _, m := range Images() {
			a, b := m.Samples(s, 7), m.Samples(s, 7)
			if !slices.Equal(a, b) || len(a) != s.Len() {
				t.Errorf("%v, %s: the same seed gives other samples, or not %d of them", s, m.Name, s.Len())
			}
			lo, hi := slices.Min(a), slices.Max(a)
			if int(lo) < s.Min() || int(hi) > s.Max() {
				t.Errorf("%v, %s: samples in %d..%d, want within %d..%d", s, m.Name, lo, hi, s.Min(), s.Max())
			}
			if m.Name == "checkerboard" && s.Len() > 1 && (int(lo) != s.Min() || int(hi) != s.Max()) {
				t.Errorf("%v, %s: samples in %d..%d, want both ends of %d..%d", s, m.Name, lo, hi, s.Min(), s.Max())
			}
			for _, l := range Layouts() {
				f := l.Frame(s, a)
				if got := Samples(f.View); !slices.Equal(got, a) {
					t.Errorf("%v, %s, %s: samples read back differ", s, m.Name, l.Name)
				}
				if d := f.untouched(); d != "" {
					t.Errorf("%v, %s, %s: %s", s, m.Name, l.Name, d)
				}
			}
		}
	}
}
