package jpegls

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// pattern fills n samples of an image of width w with values of the given bits.
type pattern struct {
	name string
	at   func(r *rand.Rand, x, y, c, top int) int
}

var patterns = []pattern{
	{"zero", func(*rand.Rand, int, int, int, int) int { return 0 }},
	{"top", func(_ *rand.Rand, _, _, _, top int) int { return top }},
	{"checkerboard", func(_ *rand.Rand, x, y, c, top int) int { return (x + y + c) % 2 * top }},
	{"ramp", func(_ *rand.Rand, x, y, c, top int) int { return (x*7 + y*3 + c) % (top + 1) }},
	{"noise", func(r *rand.Rand, _, _, _, top int) int { return r.IntN(top + 1) }},
	{"smooth", func(r *rand.Rand, x, y, _, top int) int { return min(top, (x+y)/2+r.IntN(3)) }},
	{"runs", func(r *rand.Rand, x, y, c, top int) int {
		if r.IntN(9) == 0 {
			return r.IntN(top + 1)
		}
		return (x/6 + c) % 2 * min(top, 3)
	}},
	{"extremes", func(r *rand.Rand, _, _, _, top int) int { return r.IntN(2) * top }},
}

// layout is a way for a view to lie in its bytes.
type layout struct {
	name                string
	planar, big, gapped bool
}

var layouts = []layout{{name: "interleaved"}, {name: "planar", planar: true}, {name: "big endian", big: true}, {name: "gaps", gapped: true}}

// makeView makes an image; the bits above the significant ones are garbage unless the view is to be decoded into.
func makeView(r *rand.Rand, w, h, n, container, bits int, signed bool, l layout, p pattern) codecs.View {
	word := container / 8
	size := w * h * n * word
	var v codecs.View
	switch {
	case l.planar:
		v = codecs.Planar(make([]byte, size), w, h, n, container, bits, signed)
	case l.gapped:
		v = codecs.Interleaved(nil, w, h, n, container, bits, signed)
		v.PixelStride += 3
		v.RowStride = v.PixelStride*w + 5
		v.Pix = make([]byte, v.RowStride*h)
	default:
		v = codecs.Interleaved(make([]byte, size), w, h, n, container, bits, signed)
	}
	v.BigEndian = l.big
	if p.at == nil {
		return v
	}
	for y := range h {
		for x := range w {
			for c := range n {
				s := p.at(r, x, y, c, 1<<bits-1)
				if signed {
					s += 1 << (bits - 1)
				}
				put(&v, c, x, y, uint16(s&(1<<bits-1)|r.IntN(1<<16)<<bits))
			}
		}
	}
	return v
}

func put(v *codecs.View, c, x, y int, s uint16) {
	p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	switch {
	case v.Container == 8:
		p[0] = byte(s)
	case v.BigEndian:
		binary.BigEndian.PutUint16(p, s)
	default:
		binary.LittleEndian.PutUint16(p, s)
	}
}

// sample reads a sample as its meaning: masked, and sign-extended to the container if signed.
func sample(v *codecs.View, c, x, y int) uint16 {
	p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	s := uint16(p[0])
	if v.Container == 16 {
		s = binary.LittleEndian.Uint16(p)
		if v.BigEndian {
			s = binary.BigEndian.Uint16(p)
		}
	}
	s &= 1<<v.Bits - 1
	if v.Signed && s>>(v.Bits-1) == 1 {
		s |= ^uint16(0) << v.Bits
	}
	return s & uint16(1<<v.Container-1)
}

// word reads what is stored, all bits of it.
func word(v codecs.View, c, x, y int) uint16 {
	v.Bits, v.Signed = v.Container, false
	return sample(&v, c, x, y)
}

// sameImage fails unless got holds, in whole words, the samples of want.
func sameImage(t *testing.T, got, want *codecs.View) {
	t.Helper()
	for y := range want.Height {
		for x := range want.Width {
			for c := range want.Components {
				if g, w := word(*got, c, x, y), sample(want, c, x, y); g != w {
					t.Fatalf("component %d, column %d, row %d: got %04x, want %04x", c, x, y, g, w)
				}
			}
		}
	}
}

func describe(v *codecs.View) string {
	return fmt.Sprintf("%dx%dx%d/%d-%d signed=%v", v.Width, v.Height, v.Components, v.Container, v.Bits, v.Signed)
}

// conformance is the folder of the streams of T.87 Annex E.
func conformance(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testkit.Corpus(t), "codestreams", "jpegls-conformance", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readPNM reads a PGM or PPM file as a view of the given bits.
func readPNM(t testing.TB, name string, bits int) codecs.View {
	t.Helper()
	data := conformance(t, name)
	var kind string
	var w, h, top int
	if _, err := fmt.Fscanf(bytes.NewReader(data), "%s\n%d %d\n%d", &kind, &w, &h, &top); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	n, container := 1, 8
	if kind == "P6" {
		n = 3
	}
	if top > 255 {
		container = 16
	}
	pix := data[len(data)-w*h*n*container/8:]
	v := codecs.Interleaved(pix, w, h, n, container, bits, false)
	v.BigEndian = true
	return v
}
