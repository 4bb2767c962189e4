package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// codec is a pair that a check uses for many frames, as a worker does.
type codec struct {
	enc   codecs.Encoder
	dec   codecs.Decoder
	check func(src []byte, v codecs.View) []string
}

func (c *Config) codec() codec {
	k := codec{dec: c.NewDecoder(), check: c.Check}
	if c.NewEncoder != nil {
		k.enc = c.NewEncoder()
	}
	return k
}

// encode returns the codestream of a view or the failure.
func (k codec) encode(v codecs.View) (src []byte, err error) {
	err = guarded(func() error {
		src, _, err = k.enc.Encode(nil, v, codecs.EncodeOptions{})
		return err
	})
	return src, err
}

// decodes says what is wrong with decoding src into an empty frame of the layout, "" if nothing.
func (k codec) decodes(l Layout, s Shape, src [][]byte, want []int32) string {
	out := l.New(s)
	if err := guarded(func() error { return k.dec.Decode(out.View, src, codecs.DecodeOptions{}) }); err != nil {
		return fmt.Sprintf("Decode: %v", err)
	}
	if d := out.holds(want); d != "" {
		return "Decode: " + d
	}
	if d := out.untouched(); d != "" {
		return "Decode: " + d
	}
	return ""
}

// roundTrip says what is wrong with encoding, verifying and decoding samples in a layout, "" if nothing.
func (k codec) roundTrip(l Layout, s Shape, samples []int32) string {
	in := l.Frame(s, samples)
	before := bytes.Clone(in.whole)
	src, err := k.encode(in.View)
	if err != nil {
		return fmt.Sprintf("Encode: %v", err)
	}
	if !bytes.Equal(in.whole, before) {
		return "Encode changed its view"
	}
	if k.check != nil {
		if broken := k.check(src, in.View); len(broken) > 0 {
			return "Check: " + strings.Join(broken, "; ")
		}
	}
	if err := guarded(func() error { return codecs.Verify(k.dec, in.View, src, codecs.DecodeOptions{}) }); err != nil {
		return fmt.Sprintf("Compare: %v", err)
	}
	if !bytes.Equal(in.whole, before) {
		return "Compare changed its view"
	}
	return k.decodes(l, s, [][]byte{src}, samples)
}

// checkSizes goes through 1x1 to 20x20, single rows and columns, primes and a few larger sizes.
func checkSizes(t reporter, c *Config) {
	lim, k, images := limit(t), c.codec(), Images()
	var sizes [][2]int
	for w := 1; w <= 20; w++ {
		for h := 1; h <= 20; h++ {
			sizes = append(sizes, [2]int{w, h})
		}
	}
	sizes = append(sizes, [2]int{1, 4099}, [2]int{4099, 1}, [2]int{127, 1}, [2]int{128, 2}, [2]int{129, 2}, [2]int{131, 127},
		[2]int{256, 3}, [2]int{257, 17}, [2]int{17, 257}, [2]int{64, 64}, [2]int{300, 200})
	if !testing.Short() {
		sizes = append(sizes, [2]int{512, 512}, [2]int{65535, 1}, [2]int{1, 65535}, [2]int{65535, 2}, [2]int{1021, 509})
	}
	shapes := c.few(1, 1)
	if testing.Short() {
		shapes = c.fewer(1, 1)
	}
	for i, size := range sizes {
		for j, s := range shapes {
			small := size[0] <= 4 || size[1] <= 4
			if (i+j)%3 != 0 && (size[0]*size[1] > 1<<16 || testing.Short() && !small) {
				continue
			}
			s.Width, s.Height = size[0], size[1]
			m := images[(i+3*j)%len(images)]
			for _, m := range []Image{m, images[7]} { // and noise
				if lim.full() {
					return
				}
				if d := k.roundTrip(Layouts()[0], s, m.Samples(s, uint64(i))); d != "" {
					lim.Errorf("%v, %s: %s", s, m.Name, d)
				}
			}
		}
	}
}

// checkPrecisions goes through everything the codec takes, with all contents.
func checkPrecisions(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for i, s := range c.shapes(19, 13) {
		for _, m := range Images() {
			if d := k.roundTrip(Layouts()[0], s, m.Samples(s, uint64(i))); d != "" {
				lim.Errorf("%v, %s: %s", s, m.Name, d)
			}
		}
	}
}

// checkLayouts reads and writes samples wherever they lie. One image has one codestream, whatever its layout.
func checkLayouts(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	images := Images()
	for _, size := range [][2]int{{1, 1}, {7, 5}, {8, 8}, {33, 9}} {
		for i, s := range c.shapes(size[0], size[1]) {
			for _, m := range []Image{images[7], images[i%len(images)]} {
				samples := m.Samples(s, uint64(i))
				plain, err := k.encode(Layouts()[0].Frame(s, samples).View)
				if err != nil {
					lim.Errorf("%v, %s: Encode: %v", s, m.Name, err)
					continue
				}
				for _, l := range Layouts() {
					if d := k.roundTrip(l, s, samples); d != "" {
						lim.Errorf("%v, %s, %s: %s", s, l.Name, m.Name, d)
					}
					if src, err := k.encode(l.Frame(s, samples).View); err != nil || !bytes.Equal(src, plain) {
						lim.Errorf("%v, %s, %s: another codestream than interleaved (%d and %d bytes, error %v)", s, l.Name, m.Name, len(src), len(plain), err)
					}
					if d := k.decodes(l, s, [][]byte{plain}, samples); d != "" {
						lim.Errorf("%v, interleaved to %s, %s: %s", s, l.Name, m.Name, d)
					}
				}
			}
		}
	}
}

// checkForeignViews decodes into views that differ from the encoded one in
// what the view governs (container, bits, sign) and in what it may not differ in (size).
func checkForeignViews(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	plain, noise := Layouts()[0], Images()[7]
	for i, s := range c.few(13, 11) {
		samples := noise.Samples(s, uint64(i))
		src, err := k.encode(plain.Frame(s, samples).View)
		if err != nil {
			lim.Errorf("%v: Encode: %v", s, err)
			continue
		}
		for bits := 1; bits <= s.Bits; bits++ {
			for _, signed := range []bool{false, true} {
				to := s
				to.Bits, to.Signed = bits, signed
				want := slices.Clone(samples)
				for j := range want {
					want[j] = extend(uint32(want[j]), bits, signed)
				}
				for _, l := range Layouts()[:4] {
					if d := k.decodes(l, to, [][]byte{src}, want); d != "" {
						lim.Errorf("%v to %v %s: %s", s, to, l.Name, d)
					}
				}
			}
		}
		if wider := s; s.Container == 8 {
			wider.Container = 16
			if d := k.decodes(plain, wider, [][]byte{src}, samples); d != "" {
				lim.Errorf("%v to %v: %s", s, wider, d)
			}
		}
		if narrower := s; s.Container == 16 && s.Bits > 8 {
			narrower.Container, narrower.Bits = 8, 8
			k.refuses(lim, narrower, src, fmt.Sprintf("%v to %v", s, narrower))
		}
		for _, to := range []Shape{
			{s.Width + 1, s.Height, s.Components, s.Container, s.Bits, s.Signed},
			{s.Width, s.Height + 1, s.Components, s.Container, s.Bits, s.Signed},
			{s.Width, s.Height, s.Components%4 + 1, s.Container, s.Bits, s.Signed},
			{s.Width, s.Height, (s.Components+1)%4 + 1, s.Container, s.Bits, s.Signed},
			{s.Width - 1, s.Height, s.Components, s.Container, s.Bits, s.Signed},
			{s.Width, s.Height - 1, s.Components, s.Container, s.Bits, s.Signed},
			{s.Height, s.Width, s.Components, s.Container, s.Bits, s.Signed},
		} {
			if c.Headerless && to.Components == s.Components && to.Width*to.Height <= s.Width*s.Height {
				continue
			}
			k.refuses(lim, to, src, fmt.Sprintf("%v to %v", s, to))
		}
	}
}

// refuses checks that Decode and Compare answer with a typed error.
func (k codec) refuses(t reporter, to Shape, src []byte, what string) {
	t.Helper()
	out := Layouts()[0].New(to)
	err := guarded(func() error { return k.dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{}) })
	if !typed(err) {
		t.Errorf("%s: Decode: got %v, want a malformed, unsupported or limit error", what, err)
	}
	if d := out.untouched(); d != "" {
		t.Errorf("%s: Decode: %s", what, d)
	}
	err = guarded(func() error { return k.dec.Compare(out.View, [][]byte{src}, codecs.DecodeOptions{}) })
	if mismatch := (*codecs.MismatchError)(nil); !typed(err) && !errors.As(err, &mismatch) {
		t.Errorf("%s: Compare: got %v, want a typed error", what, err)
	}
}

// typed reports whether an error is one of the three kinds of failure.
func typed(err error) bool {
	var m *codecs.MalformedError
	var u *codecs.UnsupportedError
	var l *codecs.LimitError
	return errors.As(err, &m) || errors.As(err, &u) || errors.As(err, &l)
}

// checkStreams decodes the codestreams from elsewhere into every layout.
func checkStreams(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for _, x := range c.Streams {
		s, want := shapeOf(x.View), Samples(x.View)
		for _, l := range Layouts() {
			if d := k.decodes(l, s, [][]byte{x.Src}, want); d != "" {
				lim.Errorf("%s, %s: %s", x.Name, l.Name, d)
			}
		}
		if err := guarded(func() error { return codecs.Verify(k.dec, x.View, x.Src, codecs.DecodeOptions{}) }); err != nil {
			lim.Errorf("%s: Compare: %v", x.Name, err)
		}
	}
}

// checkAppend looks at what Encode does with the slice it is given.
func checkAppend(t reporter, c *Config) {
	k := c.codec()
	for i, s := range c.few(21, 10) {
		v := Layouts()[0].Frame(s, Images()[12].Samples(s, uint64(i))).View
		plain, err := k.encode(v)
		if err != nil {
			t.Errorf("%v: Encode: %v", s, err)
			continue
		}
		for _, room := range []int{0, 1, len(plain) - 1, len(plain), 4 * len(plain)} {
			prefix := []byte("seven b")
			dst := append(make([]byte, 0, len(prefix)+room), prefix...)
			got, _, err := k.enc.Encode(dst, v, codecs.EncodeOptions{})
			if want := append(prefix, plain...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: appending to 7 bytes with room for %d: got %d bytes, error %v, want the prefix and the same %d bytes", s, room, len(got), err, len(plain))
			}
		}
	}
}

// checkDeterminism encodes the same samples with a fresh and a much used codec.
func checkDeterminism(t reporter, c *Config) {
	used := c.codec()
	shapes := c.few(40, 30)
	for round := range 2 {
		for i, s := range shapes {
			for _, m := range Images() {
				v := Layouts()[0].Frame(s, m.Samples(s, uint64(i))).View
				a, errA := used.encode(v)
				b, errB := c.codec().encode(v)
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Errorf("%v, %s, round %d: a used and a fresh encoder give %d and %d bytes that differ (errors %v, %v)", s, m.Name, round, len(a), len(b), errA, errB)
					return
				}
			}
		}
		slices.Reverse(shapes)
	}
}

// checkIndependence runs several codecs at once, for the race detector and for hidden shared state.
func checkIndependence(t reporter, c *Config) {
	var wg sync.WaitGroup
	failed := make([]string, 4)
	for g := range failed {
		wg.Go(func() {
			k := c.codec()
			for i, s := range c.few(23+g, 31) {
				for _, m := range Images() {
					if d := k.roundTrip(Layouts()[0], s, m.Samples(s, uint64(i))); d != "" && failed[g] == "" {
						failed[g] = fmt.Sprintf("%v, %s: %s", s, m.Name, d)
					}
				}
			}
		})
	}
	wg.Wait()
	for g, d := range failed {
		if d != "" {
			t.Errorf("codec %d of 4 at once: %s", g, d)
		}
	}
}
