package htj2k

import (
	"maps"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
)

// syntheticFrames stand in for the corpus where there is none.
func syntheticFrames() map[string][]codecs.View {
	frames := map[string][]codecs.View{}
	for _, m := range codectest.Images() {
		for _, s := range []codectest.Shape{{Width: 512, Height: 512, Components: 1, Container: 16, Bits: 12}, {Width: 512, Height: 512, Components: 3, Container: 8, Bits: 8}} {
			frames[m.Name+" "+s.String()] = []codecs.View{codectest.Layouts()[0].Frame(s, m.Samples(s, 1)).View}
		}
	}
	return frames
}

func rawBytes(views []codecs.View) (n int64) {
	for _, v := range views {
		n += int64(v.Width) * int64(v.Height) * int64(v.Components) * int64(v.WordBytes())
	}
	return n
}

// BenchmarkEncode and BenchmarkDecode run over frames of the corpus by modality, in MB/s of raw pixels.
func BenchmarkEncode(b *testing.B) { benchEncode(b, nativeFrames(b, 2, 100_000)) }
func BenchmarkDecode(b *testing.B) { benchDecode(b, nativeFrames(b, 2, 100_000)) }

func BenchmarkEncodeSynthetic(b *testing.B) { benchEncode(b, syntheticFrames()) }
func BenchmarkDecodeSynthetic(b *testing.B) { benchDecode(b, syntheticFrames()) }

func benchEncode(b *testing.B, frames map[string][]codecs.View) {
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		b.Run(name, func(b *testing.B) {
			e := NewEncoder(Options{})
			var out []byte
			total := 0
			b.SetBytes(rawBytes(frames[name]))
			b.ReportAllocs()
			for b.Loop() {
				total = 0
				for _, v := range frames[name] {
					var err error
					if out, _, err = e.Encode(out[:0], v, codecs.EncodeOptions{RGB: v.Components == 3}); err != nil {
						b.Fatal(err)
					}
					total += len(out)
				}
			}
			b.ReportMetric(float64(rawBytes(frames[name]))/float64(total), "ratio")
		})
	}
}

func benchDecode(b *testing.B, frames map[string][]codecs.View) {
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		b.Run(name, func(b *testing.B) {
			e, d := NewEncoder(Options{}), NewDecoder()
			var streams [][]byte
			for _, v := range frames[name] {
				out, _, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3})
				if err != nil {
					b.Fatal(err)
				}
				streams = append(streams, out)
			}
			dst := make([]byte, rawBytes(frames[name]))
			b.SetBytes(rawBytes(frames[name]))
			b.ReportAllocs()
			for b.Loop() {
				for i, v := range frames[name] {
					out := codecs.Interleaved(dst, v.Width, v.Height, v.Components, v.Container, v.Bits, v.Signed)
					if err := d.Decode(out, streams[i:i+1], codecs.DecodeOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
