package codectest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// streams returns codestreams for the tests of decoding: the codec's own of a
// few images at one size, and those of Config.Streams.
func (c *Config) streams(t reporter, width, height int) []Stream {
	t.Helper()
	list := slices.Clone(c.Streams)
	if c.NewEncoder == nil {
		return list
	}
	k, images := c.codec(), Images()
	for i, s := range c.fewer(width, height) {
		for _, m := range []Image{images[7], images[9+i%5]} {
			v := Layouts()[0].Frame(s, m.Samples(s, uint64(i))).View
			src, err := k.encode(v)
			if err != nil {
				t.Errorf("%v, %s: Encode: %v", s, m.Name, err)
				continue
			}
			list = append(list, Stream{s.String() + " " + m.Name, src, v})
		}
	}
	return list
}

// cut returns src as fragments that end at the given places. Each is a slice of
// its own without room behind it, so that a codec cannot read on by accident.
func cut(src []byte, at ...int) [][]byte {
	var list [][]byte
	from := 0
	for _, to := range append(at, len(src)) {
		list = append(list, slices.Clip(bytes.Clone(src[from:to])))
		from = to
	}
	return list
}

// checkFragments cuts codestreams everywhere in two, and at random in many.
func checkFragments(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for i, x := range c.streams(t, 9, 6) {
		s, want := shapeOf(x.View), Samples(x.View)
		info, err := k.dec.Probe([][]byte{x.Src})
		if err != nil {
			lim.Errorf("%s: Probe: %v", x.Name, err)
			continue
		}
		try := func(at ...int) {
			src := cut(x.Src, at...)
			if d := k.decodes(Layouts()[0], s, src, want); d != "" {
				lim.Errorf("%s cut at %v: %s", x.Name, at, d)
			}
			if err := guarded(func() error { return k.dec.Compare(x.View, src, codecs.DecodeOptions{}) }); err != nil {
				lim.Errorf("%s cut at %v: Compare: %v", x.Name, at, err)
			}
			var got codecs.Info
			if err := guarded(func() (err error) { got, err = k.dec.Probe(src); return err }); err != nil || got != info {
				lim.Errorf("%s cut at %v: Probe: got %+v, %v, want %+v", x.Name, at, got, err, info)
			}
		}
		for at := range len(x.Src) + 1 {
			try(at)
		}
		r := rand.New(rand.NewPCG(uint64(i), 9))
		for range 30 {
			at := make([]int, r.IntN(12))
			for j := range at {
				at[j] = r.IntN(len(x.Src) + 1)
			}
			slices.Sort(at)
			try(at...)
		}
		every := make([]int, len(x.Src))
		for j := range every {
			every[j] = j
		}
		try(every...)
	}
}

// survives decodes, compares and probes a codestream that may be damaged:
// errors must be typed, and nothing but samples may be written. It returns what Decode did.
func (k codec) survives(t reporter, v codecs.View, src []byte, what string, at int) (out *Frame, err error) {
	t.Helper()
	out = Layout{PixelGap: at % 3, RowGap: at % 4}.New(shapeOf(v))
	err = guarded(func() error { return k.dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{}) })
	if err != nil && !typed(err) {
		t.Errorf("%s %d: Decode: %v", what, at, err)
	}
	if d := out.untouched(); d != "" {
		t.Errorf("%s %d: Decode: %s", what, at, d)
	}
	cmp := guarded(func() error { return k.dec.Compare(v, [][]byte{src}, codecs.DecodeOptions{}) })
	mismatch := (*codecs.MismatchError)(nil)
	if cmp != nil && !typed(cmp) && !errors.As(cmp, &mismatch) {
		t.Errorf("%s %d: Compare: %v", what, at, cmp)
	}
	same := err == nil && out.holds(Samples(v)) == ""
	if same != (cmp == nil) {
		t.Errorf("%s %d: Decode and Compare disagree: decoded the very samples: %v (error %v), Compare: %v", what, at, same, err, cmp)
	}
	probe := guarded(func() error { _, err := k.dec.Probe([][]byte{src}); return err })
	if probe != nil && !typed(probe) {
		t.Errorf("%s %d: Probe: %v", what, at, probe)
	}
	return out, err
}

// checkTruncation cuts codestreams at every byte. What is left is malformed,
// or what was cut was not needed and all samples are right.
func checkTruncation(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for _, x := range c.streams(t, 9, 7) {
		want := Samples(x.View)
		for at := range len(x.Src) {
			out, err := k.survives(lim, x.View, slices.Clip(bytes.Clone(x.Src[:at])), x.Name+" truncated to", at)
			malformed := (*codecs.MalformedError)(nil)
			switch {
			case err == nil && out.holds(want) != "":
				lim.Errorf("%s truncated to %d of %d bytes: Decode gives wrong samples without an error", x.Name, at, len(x.Src))
			case err != nil && !errors.As(err, &malformed):
				lim.Errorf("%s truncated to %d of %d bytes: Decode: got %v, want *codecs.MalformedError", x.Name, at, len(x.Src), err)
			case err != nil && malformed.Offset > int64(at):
				lim.Errorf("%s truncated to %d bytes: Decode places the error at byte %d", x.Name, at, malformed.Offset)
			}
		}
	}
}

// checkBitFlips flips each bit of small codestreams, and random ones of larger.
func checkBitFlips(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for _, x := range c.streams(t, 7, 5) {
		for bit := range 8 * len(x.Src) {
			src := bytes.Clone(x.Src)
			src[bit/8] ^= 1 << (bit % 8)
			_, _ = k.survives(lim, x.View, src, x.Name+" with flipped bit", bit)
			if lim.full() {
				return
			}
		}
	}
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for i, x := range c.streams(t, 60, 50) {
		r := rand.New(rand.NewPCG(uint64(i), 4))
		for n := range rounds {
			src := bytes.Clone(x.Src)
			for range 1 + r.IntN(8) {
				src[r.IntN(len(src))] ^= 1 << r.IntN(8)
			}
			_, _ = k.survives(lim, x.View, src, x.Name+" with random flips, round", n)
		}
	}
}

// checkGarbage decodes bytes that are no codestream, and codestreams with pieces moved.
func checkGarbage(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	v := Layouts()[0].Frame(Shape{10, 8, 1, 16, 12, false}, make([]int32, 80)).View
	for _, src := range [][][]byte{nil, {}, {nil}, {{}, {}}, {{0}}, {make([]byte, 63)}, {bytes.Repeat([]byte{0xFF}, 2000)}} {
		for name, call := range map[string]func() error{
			"Probe":   func() error { _, err := k.dec.Probe(src); return err },
			"Decode":  func() error { return k.dec.Decode(v, src, codecs.DecodeOptions{}) },
			"Compare": func() error { return k.dec.Compare(v, src, codecs.DecodeOptions{}) },
		} {
			malformed := (*codecs.MalformedError)(nil)
			if err := guarded(call); !errors.As(err, &malformed) {
				lim.Errorf("%s of %d fragments of garbage: got %v, want *codecs.MalformedError", name, len(src), err)
			}
		}
	}
	r := rand.New(rand.NewPCG(5, 5))
	list := c.streams(t, 16, 12)
	for n := range 2000 {
		src := make([]byte, r.IntN(300))
		for i := range src {
			src[i] = byte(r.Uint32())
		}
		if len(list) > 0 {
			x := list[r.IntN(len(list))]
			v = x.View
			switch a := r.IntN(len(x.Src)); n % 4 {
			case 0: // the rest is random
				src = append(bytes.Clone(x.Src[:a]), src...)
			case 1: // a piece is missing
				src = append(bytes.Clone(x.Src[:a]), x.Src[min(len(x.Src), a+1+r.IntN(9)):]...)
			case 2: // a piece occurs twice
				src = append(bytes.Clone(x.Src[:a]), x.Src[max(0, a-1-r.IntN(9)):]...)
			}
		}
		_, _ = k.survives(lim, v, src, "garbage", n)
	}
}
