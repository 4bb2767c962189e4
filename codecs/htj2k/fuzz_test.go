package htj2k

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
)

// smallStreams are codestreams of small images with levels, of one and three components, by whichever transform.
func smallStreams(t testing.TB) [][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(31, 32))
	var list [][]byte
	for i, m := range codectest.Images() {
		s := codectest.Shape{Width: 1 + r.IntN(40), Height: 1 + r.IntN(40), Components: 1 + 2*(i&1), Container: 16, Bits: 1 + r.IntN(16), Signed: i%3 == 0}
		e := NewEncoder(Options{})
		e.levels = r.IntN(6)
		src, _, err := e.Encode(nil, codectest.Layouts()[0].Frame(s, m.Samples(s, uint64(i))).View, codecs.EncodeOptions{RGB: s.Components == 3})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, src)
	}
	if dir := os.Getenv("RADTIER_CORPUS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "codestreams", "htj2k-openjph", "*.j*"))
		for _, name := range files {
			if file, err := os.ReadFile(name); err == nil && len(file) < 100_000 {
				if at := bytes.Index(file, []byte{0xFF, 0x4F, 0xFF, 0x51}); at >= 0 {
					list = append(list, file[at:])
				}
			}
		}
	}
	return list
}

// fuzzLimits are what a decoder may take for a fuzzed codestream.
var fuzzLimits = codecs.Limits{MaxPixels: 1 << 20, MaxBytes: 64 << 20}

// FuzzDecode: no input panics or passes its limits; kernels and plain code agree, full and reduced;
// and what a lossless stream decodes to survives our own encoder.
func FuzzDecode(f *testing.F) {
	for _, data := range smallStreams(f) {
		f.Add(data, 0)
		f.Add(data, 1)
	}
	decoders := []*Decoder{NewDecoder(), NewPlainDecoder()}
	encoder := NewEncoder(Options{})
	f.Fuzz(func(t *testing.T, data []byte, reduce int) {
		if len(data) > 1<<17 || reduce < 0 || reduce > 32 {
			return
		}
		var first codecs.View
		var firstErr error
		for i, d := range decoders {
			v, err := decodeAny(d, data, reduce)
			if err != nil {
				assertTyped(t, err)
			}
			if i == 0 {
				first, firstErr = v, err
			} else if (err == nil) != (firstErr == nil) || err == nil && !bytes.Equal(v.Pix, first.Pix) {
				t.Fatalf("with kernels: %v, without: %v, or other samples", firstErr, err)
			}
		}
		if firstErr != nil || reduce > 0 || first.Components != 1 && first.Components != 3 {
			return
		}
		again, _, err := encoder.Encode(nil, first, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := codecs.Verify(decoders[1], first, again, codecs.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

// decodeAny decodes a codestream into a view that fits it.
func decodeAny(d *Decoder, data []byte, reduce int) (codecs.View, error) {
	info, err := d.Probe([][]byte{data})
	if err != nil {
		return codecs.View{}, err
	}
	w, h := d.cs.ComponentSize(0, min(reduce, info.Levels))
	if int64(w)*int64(h)*int64(info.Components) > fuzzLimits.MaxPixels {
		return codecs.View{}, errors.Join(&codecs.LimitError{Codec: codecName, What: "pixels of a test"})
	}
	v := codecs.Interleaved(make([]byte, 2*w*h*info.Components), w, h, info.Components, 16, info.Bits, info.Signed)
	return v, d.Decode(v, [][]byte{data}, codecs.DecodeOptions{Reduce: reduce, Limits: fuzzLimits})
}

// FuzzCuts: LevelEnds and Reduce give an error or something that decodes as the whole does, or not at all.
func FuzzCuts(f *testing.F) {
	for _, data := range smallStreams(f) {
		f.Add(data, 1)
	}
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, data []byte, drop int) {
		if len(data) > 1<<17 || drop < 0 || drop > 32 {
			return
		}
		if _, err := LevelEnds(nil, data); err != nil {
			assertTyped(t, err)
		}
		small, err := Reduce(nil, data, drop)
		if err != nil {
			assertTyped(t, err)
			return
		}
		v, err := decodeAny(d, data, drop)
		w, errSmall := decodeAny(d, small, 0)
		if err == nil && errSmall == nil && !bytes.Equal(v.Pix, w.Pix) {
			t.Fatal("the small codestream decodes to other samples than the reduced one")
		}
		if err == nil && errSmall != nil {
			t.Fatalf("the codestream decodes, the small one made of it does not: %v", errSmall)
		}
	})
}
