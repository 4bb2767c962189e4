package jpegls

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// syntheticFrames stand in for the corpus where there is none.
func syntheticFrames() map[string][]codecs.View {
	images := map[string][]codecs.View{}
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range patterns {
		switch p.name {
		case "smooth", "noise", "runs":
			images[p.name+"-12"] = []codecs.View{makeView(r, 512, 512, 1, 16, 12, false, layout{}, p)}
			images[p.name+"-8"] = []codecs.View{makeView(r, 512, 512, 1, 8, 8, false, layout{}, p)}
		}
	}
	return images
}

func rawBytes(views []codecs.View) (n int64) {
	for _, v := range views {
		n += int64(v.Width) * int64(v.Height) * int64(v.Components) * int64(v.WordBytes())
	}
	return n
}

// BenchmarkEncode and BenchmarkDecode run over frames of the corpus by modality.
func BenchmarkEncode(b *testing.B) { benchEncode(b, nativeFrames(b, 2, 100_000)) }
func BenchmarkDecode(b *testing.B) { benchDecode(b, nativeFrames(b, 2, 100_000)) }

func BenchmarkEncodeSynthetic(b *testing.B) { benchEncode(b, syntheticFrames()) }
func BenchmarkDecodeSynthetic(b *testing.B) { benchDecode(b, syntheticFrames()) }

func benchEncode(b *testing.B, images map[string][]codecs.View) {
	for _, name := range slices.Sorted(maps.Keys(images)) {
		b.Run(name, func(b *testing.B) {
			e := NewEncoder(Options{})
			var out []byte
			total := 0
			b.SetBytes(rawBytes(images[name]))
			b.ReportAllocs()
			for b.Loop() {
				total = 0
				for _, v := range images[name] {
					out, _, _ = e.Encode(out[:0], v, codecs.EncodeOptions{})
					total += len(out)
				}
			}
			b.ReportMetric(float64(rawBytes(images[name]))/float64(total), "ratio")
		})
	}
}

func benchDecode(b *testing.B, images map[string][]codecs.View) {
	for _, name := range slices.Sorted(maps.Keys(images)) {
		b.Run(name, func(b *testing.B) {
			e, d := NewEncoder(Options{}), NewDecoder()
			var streams [][][]byte
			var into []codecs.View
			for _, v := range images[name] {
				data, _, err := e.Encode(nil, v, codecs.EncodeOptions{})
				if err != nil {
					b.Fatal(err)
				}
				streams = append(streams, [][]byte{data})
				v.Pix = make([]byte, len(v.Pix))
				into = append(into, v)
			}
			b.SetBytes(rawBytes(images[name]))
			b.ReportAllocs()
			for b.Loop() {
				for i, v := range into {
					if err := d.Decode(v, streams[i], codecs.DecodeOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
