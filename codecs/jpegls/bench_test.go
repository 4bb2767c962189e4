package jpegls

import (
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// benchImages are frames of the corpus by modality where there is one, and synthetic ones.
func benchImages(b *testing.B) (names []string, images map[string][]codecs.View) {
	images = map[string][]codecs.View{}
	b.Run("corpus", func(b *testing.B) {
		if b.N == 1 && len(images) == 0 {
			images = nativeFrames(b, 2, 100_000)
		}
	})
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range []string{"smooth", "noise", "runs"} {
		for _, q := range patterns {
			if q.name == p {
				images["synthetic-"+p+"-12"] = []codecs.View{makeView(r, 512, 512, 1, 16, 12, false, layout{}, q)}
				images["synthetic-"+p+"-8"] = []codecs.View{makeView(r, 512, 512, 1, 8, 8, false, layout{}, q)}
			}
		}
	}
	for name := range images {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, images
}

func rawBytes(views []codecs.View) (n int64) {
	for _, v := range views {
		n += int64(v.Width) * int64(v.Height) * int64(v.Components) * int64(v.WordBytes())
	}
	return n
}

func BenchmarkEncode(b *testing.B) {
	names, images := benchImages(b)
	for _, name := range names {
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

func BenchmarkDecode(b *testing.B) {
	names, images := benchImages(b)
	for _, name := range names {
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
