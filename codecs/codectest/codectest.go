// Package codectest is the conformance suite that every codec of the project
// runs, with the images it runs on. It states in tests what the interfaces of
// package codecs state in words:
//
//   - every frame a codec takes comes back exactly, whatever its shape,
//     precision, sign and contents, and wherever its samples lie in memory;
//   - bits above Bits are ignored when reading and extended when writing, bytes
//     between samples are never touched;
//   - Compare agrees with Decode and names the place of a difference;
//   - fragments may be cut anywhere; a truncated or damaged codestream ends in
//     a typed error or a decode, never in a panic or a write outside the view;
//   - limits, cancellation and memory bounds hold, nothing is allocated per
//     frame in steady state, a value can be used again after an error, and
//     the same samples give the same bytes.
//
// A codec's test calls [Run] once and [Fuzz] from a fuzz target. Benchmarks
// take their frames from [Images]. The suite is itself tested: each check
// must catch the faulty codecs of mutant_test.go.
package codectest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// Config describes the codec under test and what it takes.
type Config struct {
	// NewEncoder and NewDecoder make fresh codecs. Without an encoder only Streams are tested.
	NewEncoder func() codecs.Encoder
	NewDecoder func() codecs.Decoder

	Components []int // component counts that Encode takes, e.g. 1, 3, 4
	Containers []int // word sizes that Encode takes, 8 or 16 or both
	MinBits    int   // smallest View.Bits that Encode takes, usually 1
	MaxBits    int   // largest, usually 16
	Signed     bool  // Encode takes signed views

	// Headerless codestreams (RLE) do not carry width and height: Probe
	// returns zeros for them and Decode may accept a view of another width.
	Headerless bool
	// Info, if set, is what Probe must return for the codestream of a view.
	Info func(v codecs.View) codecs.Info
	// Check, if set, reads back a codestream that was made of a view and returns what in it breaks the rules of its
	// transfer syntax, beyond what decoding shows.
	Check func(src []byte, v codecs.View) []string
	// Streams are codestreams from elsewhere, to be decoded to known samples.
	// They undergo every test of decoding. Keep them small: some tests try every byte of them.
	Streams []Stream
}

// Stream is one codestream with what it decodes to.
type Stream struct {
	Name string
	Src  []byte
	View codecs.View // Pix holds the expected samples
}

// takes reports whether the codec's encoder claims a shape.
func (c *Config) takes(s Shape) bool {
	return slices.Contains(c.Components, s.Components) && slices.Contains(c.Containers, s.Container) &&
		s.Bits >= c.MinBits && s.Bits <= min(c.MaxBits, s.Container) && (c.Signed || !s.Signed)
}

// shapes returns every combination of components, container, precision and
// sign that the codec takes, at one size.
func (c *Config) shapes(width, height int) []Shape {
	var list []Shape
	for _, comps := range c.Components {
		for _, container := range c.Containers {
			for bits := c.MinBits; bits <= min(container, c.MaxBits); bits++ {
				for _, signed := range []bool{false, true} {
					if s := (Shape{width, height, comps, container, bits, signed}); c.takes(s) {
						list = append(list, s)
					}
				}
			}
		}
	}
	return list
}

// few returns the extremes of shapes: per components, container and sign the largest precision and one in between.
func (c *Config) few(width, height int) []Shape {
	var list []Shape
	for _, s := range c.shapes(width, height) {
		top := min(s.Container, c.MaxBits)
		if s.Bits == top || s.Bits == max(c.MinBits, top-4) {
			list = append(list, s)
		}
	}
	return list
}

// fewer returns one shape per components, container and precision of few: the
// largest precision unsigned, the one in between signed, as far as the codec takes them.
func (c *Config) fewer(width, height int) []Shape {
	var list []Shape
	for _, s := range c.few(width, height) {
		if s.Signed == (s.Bits < min(s.Container, c.MaxBits)) || !c.Signed {
			list = append(list, s)
		}
	}
	return list
}

// reporter is the part of *testing.T that a check needs, so that the suite's own test can watch it fail.
type reporter interface {
	Errorf(format string, args ...any)
	Helper()
}

// check is one property of a codec.
type check struct {
	name    string
	encodes bool // needs an encoder
	run     func(t reporter, c *Config)
}

func checks() []check {
	return []check{
		{"Sizes", true, checkSizes},
		{"Precisions", true, checkPrecisions},
		{"Layouts", true, checkLayouts},
		{"ForeignViews", true, checkForeignViews},
		{"Streams", false, checkStreams},
		{"Probe", true, checkProbe},
		{"Compare", true, checkCompare},
		{"Append", true, checkAppend},
		{"Determinism", true, checkDeterminism},
		{"Refusals", true, checkRefusals},
		{"Fragments", false, checkFragments},
		{"Truncation", false, checkTruncation},
		{"BitFlips", false, checkBitFlips},
		{"Garbage", false, checkGarbage},
		{"Limits", false, checkLimits},
		{"Memory", true, checkMemory},
		{"Allocations", true, checkAllocations},
		{"Reuse", true, checkReuse},
		{"Cancellation", true, checkCancellation},
		{"Independence", true, checkIndependence},
	}
}

// Run tests a codec. Under -short large frames and full sweeps are thinned out, no property is left out.
func Run(t *testing.T, c Config) {
	t.Helper()
	if c.NewDecoder == nil {
		t.Fatal("codectest: a decoder is needed to test anything")
	}
	for _, k := range checks() {
		t.Run(k.name, func(t *testing.T) {
			if k.encodes && c.NewEncoder == nil {
				t.Skipf("%s: the codec has no encoder", t.Name())
			}
			k.run(t, &c)
		})
	}
}

// limited stops a check from printing thousands of failures of one cause.
type limited struct {
	reporter
	left *int
}

func limit(t reporter) limited { n := 10; return limited{t, &n} }

func (l limited) Errorf(format string, args ...any) {
	if *l.left--; *l.left >= 0 {
		l.reporter.Errorf(format, args...)
	}
}

func (l limited) full() bool { return *l.left <= 0 }

// guarded runs fn and turns a panic into an error that says so.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
	}()
	return fn()
}

type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
