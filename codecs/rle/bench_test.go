package rle_test

import (
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/codecs/rle"
)

// benchmark runs fn over frames like those of a CT, a noisy MR and an ultrasound.
func benchmark(b *testing.B, fn func(b *testing.B, v codecs.View, src []byte)) {
	images := codectest.Images()
	for _, row := range []struct {
		name  string
		shape codectest.Shape
		image codectest.Image
	}{
		{"disc-512x512-16bit", codectest.Shape{Width: 512, Height: 512, Components: 1, Container: 16, Bits: 12, Signed: true}, images[13]},
		{"noisy-512x512-16bit", codectest.Shape{Width: 512, Height: 512, Components: 1, Container: 16, Bits: 12}, images[12]},
		{"disc-640x480-rgb", codectest.Shape{Width: 640, Height: 480, Components: 3, Container: 8, Bits: 8}, images[13]},
	} {
		b.Run(row.name, func(b *testing.B) {
			v := codectest.Layouts()[0].Frame(row.shape, row.image.Samples(row.shape, 1)).View
			src, _, err := rle.NewEncoder().Encode(nil, v, codecs.EncodeOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(v.Pix)))
			b.ReportAllocs()
			fn(b, v, src)
			b.ReportMetric(float64(len(v.Pix))/float64(len(src)), "ratio")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	benchmark(b, func(b *testing.B, v codecs.View, src []byte) {
		enc := rle.NewEncoder()
		var out []byte
		for b.Loop() {
			var err error
			if out, _, err = enc.Encode(out[:0], v, codecs.EncodeOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(b *testing.B, v codecs.View, src []byte) {
		dec, frame := rle.NewDecoder(), [][]byte{src}
		for b.Loop() {
			if err := dec.Decode(v, frame, codecs.DecodeOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	benchmark(b, func(b *testing.B, v codecs.View, src []byte) {
		dec, frame := rle.NewDecoder(), [][]byte{src}
		for b.Loop() {
			if err := dec.Compare(v, frame, codecs.DecodeOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
