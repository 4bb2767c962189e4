package codectest

import (
	"testing"

	"github.com/radtier/radtier/codecs"
)

// Fuzz decodes whatever it is given into a frame of any shape. The first six
// bytes of the input choose the shape, the rest is the codestream. A typed
// error is fine; samples must be the same for Compare and for cut codestreams,
// and must come back after being encoded again.
func Fuzz(f *testing.F, c Config) {
	for _, x := range c.streams(f, 9, 7) {
		f.Add(append(seedHeader(x.View), x.Src...))
	}
	k := c.codec()
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 6 || len(data) > 1<<16 {
			return
		}
		s := Shape{Width: 1 + int(data[0]), Height: 1 + int(data[1]), Components: 1 + int(data[2])%4, Container: 8 + 8*int(data[3]&1), Signed: data[4]&1 != 0}
		s.Bits = 1 + int(data[5])%s.Container
		src := data[6:]
		out := Layouts()[0].New(s)
		err := k.dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{})
		if d := out.untouched(); d != "" {
			t.Fatalf("%v: Decode: %s", s, d)
		}
		if err != nil {
			if !typed(err) {
				t.Fatalf("%v: Decode: %v is not a typed error", s, err)
			}
			return
		}
		samples := Samples(out.View)
		if d := out.holds(samples); d != "" {
			t.Fatalf("%v: Decode: not extended: %s", s, d)
		}
		a, b := len(src)/3, len(src)/2
		if d := k.decodes(Layouts()[5], s, cut(src, a, b), samples); d != "" {
			t.Fatalf("%v cut at %d and %d: %s", s, a, b, d)
		}
		if c.NewEncoder != nil && c.takes(s) {
			if d := k.roundTrip(Layouts()[0], s, samples); d != "" {
				t.Fatalf("%v again: %s", s, d)
			}
		}
	})
}

func seedHeader(v codecs.View) []byte {
	signed := byte(0)
	if v.Signed {
		signed = 1
	}
	return []byte{byte(v.Width - 1), byte(v.Height - 1), byte(v.Components - 1), byte(v.Container/8 - 1), signed, byte(v.Bits - 1)}
}
