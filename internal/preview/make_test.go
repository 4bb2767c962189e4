package preview_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
)

// image is a smooth picture with some noise, so that it compresses as pictures do.
func image(r *rand.Rand, w, h, n, container, bits int, signed bool) codecs.View {
	v := codecs.Interleaved(make([]byte, w*h*n*container/8), w, h, n, container, bits, signed)
	top := 1 << bits
	for c := range n {
		for y := range h {
			for x := range w {
				s := (x*3+y*5+c*40)*top/(8*(w+h)) + r.IntN(max(1, top/64))
				at := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
				s &= top - 1
				if signed && s >= top/2 {
					s -= top
				}
				at[0] = byte(s)
				if container == 16 {
					at[1] = byte(s >> 8)
				}
			}
		}
	}
	return v
}

type made struct {
	view   codecs.View
	img    preview.Image
	frame  preview.Frame
	stream []byte
}

// full encodes a view as a frame of a volume that begins at offset 1000.
func full(t testing.TB, v codecs.View) made {
	t.Helper()
	s, _ := all.Set().Lookup(preview.Syntax)
	stream, layout, err := s.NewEncoder().Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3})
	if err != nil {
		t.Fatalf("%d x %d: %v", v.Width, v.Height, err)
	}
	return made{v, preview.Image{Rows: v.Height, Columns: v.Width, Samples: v.Components, Bits: v.Bits, Signed: v.Signed},
		preview.Frame{Full: pack.Range{1000, int64(len(stream))}, LevelEnds: layout.LevelEnds}, stream}
}

// TestReduceAndUpgrade: of all sizes and levels, the small codestream decodes to the reduced
// decode, and with the rest it is the full codestream byte for byte.
func TestReduceAndUpgrade(t *testing.T) {
	m := preview.NewMaker(all.Set())
	r := rand.New(rand.NewPCG(3, 4))
	sizes := [][2]int{{1, 1}, {64, 64}, {65, 64}, {512, 512}, {700, 90}, {130, 1}, {129, 511}, {1030, 777}}
	for range 40 {
		sizes = append(sizes, [2]int{1 + r.IntN(400), 1 + r.IntN(400)})
	}
	levels := 0
	for i, size := range sizes {
		container := []int{8, 16}[i%2]
		v := image(r, size[0], size[1], []int{1, 1, 3}[i%3], container, container-r.IntN(container), i%5 == 0)
		x := full(t, v)
		for drop := range len(x.frame.LevelEnds) {
			f := x.frame
			f.Factor = drop
			name := fmt.Sprintf("%d x %d x %d of %d bits, signed %v, without %d of %d levels", v.Width, v.Height, v.Components, v.Bits, v.Signed, drop, len(f.LevelEnds))
			prefix := x.stream[:preview.Prefix(f.LevelEnds, drop)]
			small, err := m.Reduce(nil, &f, prefix, v.Width, v.Height)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			levels++
			if err := m.CheckReduced(context.Background(), &x.img, &f, small, x.stream); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if f.Header == nil {
				t.Fatalf("%s: cannot be upgraded", name)
			}
			rest := f.Rest()
			if want := int64(len(x.stream) - len(prefix)); rest[1] != want || rest[0] != 1000+int64(len(prefix)) {
				t.Fatalf("%s: rest is at %v, want %d bytes behind the prefix of %d", name, rest, want, len(prefix))
			}
			got, err := preview.Upgrade([]byte("x"), &f, small, x.stream[rest[0]-1000:])
			if err != nil || !bytes.Equal(got[1:], x.stream) {
				t.Fatalf("%s: upgraded to %d bytes, %v; want the %d of the full codestream", name, len(got)-1, err, len(x.stream))
			}
		}
	}
	if levels < 100 {
		t.Fatalf("%d levels were looked at", levels)
	}
}

func TestUpgradeRefuses(t *testing.T) {
	m := preview.NewMaker(all.Set())
	x := full(t, image(rand.New(rand.NewPCG(5, 6)), 300, 200, 1, 16, 12, false))
	f := x.frame
	f.Factor = 1
	small, err := m.Reduce(nil, &f, x.stream[:preview.Prefix(f.LevelEnds, 1)], 300, 200)
	if err != nil {
		t.Fatal(err)
	}
	rest := x.stream[f.Rest()[0]-1000:]
	if _, err := preview.Upgrade(nil, &f, small, rest[1:]); err == nil {
		t.Error("a rest that is too short: got no error")
	}
	for n := range len(small) - 2 { // the last two bytes are EOC, which the full one does not take from it
		if got, err := preview.Upgrade(nil, &f, small[:n], rest); err == nil {
			t.Errorf("the first %d of %d bytes of the small codestream: got %d bytes, want an error", n, len(small), len(got))
		}
	}
	for i := range small { // whatever is broken: an error or some bytes, no panic
		broken := bytes.Clone(small)
		broken[i] ^= 0xFF
		_, _ = preview.Upgrade(nil, &f, broken, rest)
	}
	g := f
	g.Header = nil // a codestream that cannot be completed is read whole
	if g.Rest() != f.Full {
		t.Errorf("rest without main header: got %v, want %v", g.Rest(), f.Full)
	}
	if got, err := preview.Upgrade(nil, &g, small, x.stream); err != nil || !bytes.Equal(got, x.stream) {
		t.Errorf("upgrade by the whole frame: %d bytes, %v", len(got), err)
	}
}

// TestEncode: pictures made from samples decode to what Shrink gives, and nothing else passes the check.
func TestEncode(t *testing.T) {
	m := preview.NewMaker(all.Set())
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 60 {
		container := []int{8, 16}[i%2]
		v := image(r, 1+r.IntN(600), 1+r.IntN(300), []int{1, 3}[i%4/3], container, 1+r.IntN(container), i%3 == 0)
		f := preview.Frame{Method: preview.Averaged, Factor: (preview.Limit{}).Divisor(v.Width, v.Height)}
		if v.Bits == 1 {
			f.Method = preview.Picked
		}
		small, err := m.Encode(context.Background(), nil, &f, v, "RGB")
		if err != nil {
			t.Fatalf("%+v: %v", v.Bits, err)
		}
		if err := m.CheckMade(context.Background(), &f, small, v); err != nil {
			t.Fatalf("%d x %d of %d bits by %d: %v", v.Width, v.Height, v.Bits, f.Factor, err)
		}
		other := v
		other.Pix = bytes.Clone(v.Pix)
		for k := range other.Pix {
			other.Pix[k] ^= 1
		}
		var differs *codecs.MismatchError
		if err := m.CheckMade(context.Background(), &f, small, other); !errors.As(err, &differs) {
			t.Fatalf("other samples pass the check: %v", err)
		}
	}
}
