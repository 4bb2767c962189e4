package htj2k

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
)

// reduced decodes a codestream without its drop highest levels.
func reduced(t *testing.T, d *Decoder, src []byte, v *codecs.View, drop int) codecs.View {
	t.Helper()
	w, h := v.Width, v.Height
	for range drop {
		w, h = (w+1)/2, (h+1)/2
	}
	out := codecs.Interleaved(make([]byte, w*h*v.Components*v.WordBytes()), w, h, v.Components, v.Container, v.Bits, v.Signed)
	if err := d.Decode(out, [][]byte{src}, codecs.DecodeOptions{Reduce: drop}); err != nil {
		t.Fatalf("%s, %d levels dropped: %v", describe(v), drop, err)
	}
	return out
}

// checkCuts cuts a codestream at every level: the prefix that LevelEnds tells decodes as the whole does, Reduce makes the same small
// codestream of it, and that decodes to the same samples here and, if there are any, in other decoders.
func checkCuts(t *testing.T, d *Decoder, src []byte, v *codecs.View, dir string, others ...other) {
	t.Helper()
	ends, err := LevelEnds(nil, src)
	if err != nil {
		t.Fatalf("%s: %v", describe(v), err)
	}
	for drop := range ends {
		prefix := src[:ends[len(ends)-1-drop]]
		want := reduced(t, d, src, v, drop)
		if drop > 0 {
			if got := reduced(t, d, prefix, v, drop); !bytes.Equal(got.Pix, want.Pix) {
				t.Fatalf("%s, %d levels dropped: a prefix of %d bytes decodes to other samples", describe(v), drop, len(prefix))
			}
		}
		small, err := Reduce(nil, src, drop)
		if err != nil {
			t.Fatalf("%s, %d levels dropped: %v", describe(v), drop, err)
		}
		again, err := Reduce(nil, prefix, drop)
		if err != nil || !bytes.Equal(small, again) {
			t.Fatalf("%s, %d levels dropped: the prefix gives another codestream (%v)", describe(v), drop, err)
		}
		if got := reduced(t, d, small, &want, 0); !bytes.Equal(got.Pix, want.Pix) {
			t.Fatalf("%s, %d levels dropped: the small codestream decodes to other samples", describe(v), drop)
		}
		for _, o := range others {
			o.agree(t, dir, small, &want, 0)
		}
	}
}

// TestCuts: codestreams of all kinds of images are cut at all levels. Levels are forced here, so that small images have some.
func TestCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	d := NewDecoder()
	images := codectest.Images()
	for name, tool := range map[string]func(*testing.T) other{"ours": nil, "OpenJPH": openJPH, "OpenJPEG": openJPEG} {
		every := 3
		if tool != nil {
			every = 41
		}
		if os.Getenv("RADTIER_LONG") != "" {
			every = 1
		}
		var others []other
		run := func(t *testing.T) {
			if tool != nil {
				others = []other{tool(t)}
			}
			dir := t.TempDir()
			n := 0
			for w := 1; w <= 70; w++ {
				for h := 1; h <= 70; h++ {
					if n++; n%every != 0 {
						continue
					}
					s := codectest.Shape{Width: w, Height: h, Components: 1 + 2*r.IntN(2), Container: 16, Bits: 8 + r.IntN(9)}
					if s.Bits == 8 {
						s.Container = 8
					}
					v := codectest.Layouts()[0].Frame(s, images[r.IntN(len(images))].Samples(s, uint64(n))).View
					e := NewEncoder(Options{})
					e.levels = min(r.IntN(7), log2(min(w, h))) // more than that OpenJPEG refuses
					src, layout, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: s.Components == 3})
					if err != nil {
						t.Fatal(err)
					}
					if ends, err := LevelEnds(nil, src); err != nil || !slices.Equal(ends, layout.LevelEnds) {
						t.Fatalf("%v: LevelEnds found %v (%v), Encode said %v", s, ends, err, layout.LevelEnds)
					}
					checkCuts(t, d, src, &v, dir, others...)
				}
			}
		}
		t.Run(name, run)
	}
}

func log2(n int) (k int) {
	for ; n > 1; n /= 2 {
		k++
	}
	return k
}

// TestCutsCorpus: so are real frames.
func TestCutsCorpus(t *testing.T) {
	d, e := NewDecoder(), NewEncoder(Options{})
	most := 3
	if os.Getenv("RADTIER_LONG") != "" {
		most = 1000
	}
	for _, views := range nativeFrames(t, most, 0) {
		for _, v := range views {
			src, _, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3})
			if err != nil {
				t.Fatal(err)
			}
			checkCuts(t, d, src, &v, "")
		}
	}
}

// TestCutMemory: a header of some bytes that asks for millions of code-blocks is refused before memory is taken for them.
func TestCutMemory(t *testing.T) {
	pix := make([]byte, 64*64)
	src, _, err := NewEncoder(Options{}).Encode(nil, codecs.Interleaved(pix, 64, 64, 1, 8, 8, false), codecs.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	siz, cod := bytes.Index(src, []byte{0xFF, 0x51}), bytes.Index(src, []byte{0xFF, 0x52})
	for _, at := range []int{siz + 6, siz + 10, siz + 22, siz + 26} { // Xsiz, Ysiz, XTsiz, YTsiz (A.5.1)
		binary.BigEndian.PutUint32(src[at:], 11_000)
	}
	src[cod+10], src[cod+11] = 0, 0 // code-blocks of 4 x 4 (A.6.1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, endsErr := LevelEnds(nil, src)
	_, reduceErr := Reduce(nil, src, 1)
	runtime.ReadMemStats(&after)
	var limit *codecs.LimitError
	if !errors.As(endsErr, &limit) || !errors.As(reduceErr, &limit) {
		t.Errorf("11,000 x 11,000 in code-blocks of 4 x 4: %v, %v; want limits", endsErr, reduceErr)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 2*cutBytes {
		t.Errorf("%d bytes were allocated", taken)
	}
}
