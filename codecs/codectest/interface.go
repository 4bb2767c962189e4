package codectest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"

	"github.com/radtier/radtier/codecs"
)

// checkProbe compares what a codestream says of itself with what was encoded.
func checkProbe(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for i, s := range c.shapes(37, 5) {
		v := Layouts()[0].Frame(s, Images()[i%len(Images())].Samples(s, 1)).View
		src, err := k.encode(v)
		if err != nil {
			lim.Errorf("%v: Encode: %v", s, err)
			continue
		}
		var got codecs.Info
		if err := guarded(func() error { got, err = k.dec.Probe([][]byte{src}); return err }); err != nil {
			lim.Errorf("%v: Probe: %v", s, err)
			continue
		}
		if !c.Headerless && (got.Width != s.Width || got.Height != s.Height || got.Components != s.Components) || !got.Lossless || got.Near != 0 || got.Bits < s.Bits || got.Bits > 16 {
			lim.Errorf("%v: Probe: got %+v", s, got)
		}
		if c.Info != nil {
			got.Scratch = 0 // a bound; see Memory
			if want := c.Info(v); got != want {
				lim.Errorf("%v: Probe: got %+v, want %+v", s, got, want)
			}
		}
		if n := k.dec.MemoryNeeded(got, codecs.DecodeOptions{}); n < 0 {
			lim.Errorf("%v: MemoryNeeded: got %d", s, n)
		}
	}
}

// checkCompare changes single samples and expects their exact place.
func checkCompare(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	for i, s := range c.few(29, 17) {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		for _, l := range Layouts() {
			m := Images()[r.IntN(len(Images()))]
			samples := m.Samples(s, uint64(i))
			f := l.Frame(s, samples)
			src, err := k.encode(f.View)
			if err != nil {
				lim.Errorf("%v: Encode: %v", s, err)
				continue
			}
			places := []int{0, s.Len() - 1, s.Components - 1, s.Width*s.Components - 1, (s.Height - 1) * s.Width * s.Components}
			for range 12 {
				places = append(places, r.IntN(s.Len()))
			}
			for _, p := range places {
				cc, x, y := place(s, p)
				old := word(&f.View, cc, x, y)
				bit := uint16(1) << r.IntN(s.Bits)
				f.setWord(cc, x, y, old^bit)
				err := guarded(func() error { return k.dec.Compare(f.View, [][]byte{src}, codecs.DecodeOptions{}) })
				f.setWord(cc, x, y, old)
				var got *codecs.MismatchError
				if !errors.As(err, &got) || got.Component != cc || got.X != x || got.Y != y {
					lim.Errorf("%v, %s, %s: Compare after component %d, column %d, row %d was changed by %#x: got %v", s, l.Name, m.Name, cc, x, y, bit, err)
				}
			}
			if err := k.dec.Compare(f.View, [][]byte{src}, codecs.DecodeOptions{}); err != nil {
				lim.Errorf("%v, %s, %s: Compare after all changes were taken back: %v", s, l.Name, m.Name, err)
			}
		}
	}
}

// checkRefusals offers Encode what the codec does not take, and unusable views to all.
func checkRefusals(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	refused := func(v codecs.View, what string) {
		dst := append(make([]byte, 0, 1000), "prefix"...)
		var out []byte
		var unsupported *codecs.UnsupportedError
		err := guarded(func() (err error) { out, _, err = k.enc.Encode(dst, v, codecs.EncodeOptions{}); return err })
		if !errors.As(err, &unsupported) {
			lim.Errorf("%s: Encode: got error %v, want *codecs.UnsupportedError", what, err)
		}
		if len(out) > len(dst) || !bytes.Equal(dst[len(dst):cap(dst)], make([]byte, cap(dst)-len(dst))) {
			lim.Errorf("%s: Encode wrote before it refused", what)
		}
	}
	for _, container := range []int{8, 16} {
		for comps := 1; comps <= 4; comps++ {
			for bits := 1; bits <= container; bits++ {
				for _, signed := range []bool{false, true} {
					if s := (Shape{5, 4, comps, container, bits, signed}); !c.takes(s) {
						refused(Layouts()[0].Frame(s, Images()[7].Samples(s, 1)).View, s.String())
					}
				}
			}
		}
	}

	s := c.few(6, 5)[0]
	good := Layouts()[0].Frame(s, Images()[7].Samples(s, 1))
	src, err := k.encode(good.View)
	if err != nil {
		lim.Errorf("%v: Encode: %v", s, err)
		return
	}
	for what, spoil := range map[string]func(v *codecs.View){
		"no columns":         func(v *codecs.View) { v.Width = 0 },
		"negative height":    func(v *codecs.View) { v.Height = -1 },
		"70000 columns":      func(v *codecs.View) { v.Width = 70000 },
		"no components":      func(v *codecs.View) { v.Components = 0 },
		"5 components":       func(v *codecs.View) { v.Components = 5 },
		"12-bit words":       func(v *codecs.View) { v.Container = 12 },
		"32-bit words":       func(v *codecs.View) { v.Container, v.Bits = 32, 32 },
		"no bits":            func(v *codecs.View) { v.Bits = 0 },
		"more bits than fit": func(v *codecs.View) { v.Bits = v.Container + 1 },
		"Pix too short":      func(v *codecs.View) { v.Pix = v.Pix[:len(v.Pix)-1] },
		"no Pix":             func(v *codecs.View) { v.Pix = nil },
		"negative stride":    func(v *codecs.View) { v.RowStride = -v.RowStride },
		"no pixel stride":    func(v *codecs.View) { v.PixelStride = 0 },
	} {
		v := good.View
		spoil(&v)
		err := guarded(func() error { _, _, err := k.enc.Encode(nil, v, codecs.EncodeOptions{}); return err })
		if !typed(err) {
			lim.Errorf("%s: Encode: got error %v, want a typed one", what, err)
		}
		if err := guarded(func() error { return k.dec.Decode(v, [][]byte{src}, codecs.DecodeOptions{}) }); !typed(err) {
			lim.Errorf("%s: Decode: got error %v, want a typed one", what, err)
		}
		if err := guarded(func() error { return k.dec.Compare(v, [][]byte{src}, codecs.DecodeOptions{}) }); !typed(err) {
			lim.Errorf("%s: Compare: got error %v, want a typed one", what, err)
		}
	}
	if d := good.untouched(); d != "" {
		lim.Errorf("after refusals: %s", d)
	}
}

// checkReuse uses one codec again after each kind of failure.
func checkReuse(t reporter, c *Config) {
	lim, k := limit(t), c.codec()
	done, cancel := context.WithCancel(context.Background())
	cancel()
	shapes := c.few(24, 18)
	for i, s := range shapes {
		plain := Layouts()[0]
		samples := Images()[12].Samples(s, uint64(i))
		f := plain.Frame(s, samples)
		src, err := k.encode(f.View)
		if err != nil {
			lim.Errorf("%v: Encode: %v", s, err)
			continue
		}
		again := func(after string) {
			if d := k.roundTrip(plain, s, samples); d != "" {
				lim.Errorf("%v after %s: %s", s, after, d)
			}
			other := shapes[(i+1)%len(shapes)]
			other.Width, other.Height = 3, 40
			if d := k.roundTrip(plain, other, Images()[7].Samples(other, 5)); d != "" {
				lim.Errorf("%v after %s and another frame: %s", other, after, d)
			}
		}
		out := plain.New(s)
		_ = guarded(func() error { return k.dec.Decode(out.View, [][]byte{src[:len(src)/2]}, codecs.DecodeOptions{}) })
		again("a truncated codestream")
		_ = guarded(func() error { return k.dec.Decode(out.View, nil, codecs.DecodeOptions{}) })
		again("no codestream")
		changed := plain.Frame(s, samples)
		changed.Pix[len(changed.Pix)/2] ^= 1
		_ = guarded(func() error { return k.dec.Compare(changed.View, [][]byte{src}, codecs.DecodeOptions{}) })
		again("a mismatch")
		_ = guarded(func() error { return k.dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{Context: done}) })
		_, _, _ = k.enc.Encode(nil, f.View, codecs.EncodeOptions{Context: done})
		again("cancellation")
		bad := f.View
		bad.Width = 0
		_, _, _ = k.enc.Encode(nil, bad, codecs.EncodeOptions{})
		_ = k.dec.Decode(bad, [][]byte{src}, codecs.DecodeOptions{})
		again("an unusable view")
	}
}

// checkCancellation cancels before and in the middle of tall images.
func checkCancellation(t reporter, c *Config) {
	k := c.codec()
	for i, s := range c.fewer(20, 2000) {
		f := Layouts()[0].Frame(s, Images()[7].Samples(s, uint64(i)))
		src, err := k.encode(f.View)
		if err != nil {
			t.Errorf("%v: Encode: %v", s, err)
			continue
		}
		out := Layouts()[0].New(s)
		for _, looks := range []int{0, 1, 4} {
			for name, call := range map[string]func(context.Context) error{
				"Encode": func(ctx context.Context) error {
					_, _, err := k.enc.Encode(nil, f.View, codecs.EncodeOptions{Context: ctx})
					return err
				},
				"Decode": func(ctx context.Context) error {
					return k.dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{Context: ctx})
				},
				"Compare": func(ctx context.Context) error {
					return k.dec.Compare(f.View, [][]byte{src}, codecs.DecodeOptions{Context: ctx})
				},
			} {
				if err := guarded(func() error { return call(cancelAfter(looks)) }); !errors.Is(err, context.Canceled) {
					t.Errorf("%v: %s, cancelled after its context was looked at %d times: got %v, want context.Canceled", s, name, looks, err)
				}
				if err := guarded(func() error { return call(context.Background()) }); err != nil {
					t.Errorf("%v: %s with a live context: %v", s, name, err)
				}
			}
		}
	}
}

// countdown is a context that is cancelled by being looked at, so no test has to wait or to race.
type countdown struct {
	context.Context
	left   int
	done   chan struct{}
	closed bool
}

func cancelAfter(looks int) *countdown {
	c := &countdown{Context: context.Background(), left: looks, done: make(chan struct{})}
	if looks == 0 {
		c.look()
	}
	return c
}

func (c *countdown) look() {
	if c.left--; c.left < 0 && !c.closed {
		c.closed = true
		close(c.done)
	}
}

func (c *countdown) Done() <-chan struct{} { c.look(); return c.done }

func (c *countdown) Err() error {
	if c.look(); c.closed {
		return context.Canceled
	}
	return nil
}
