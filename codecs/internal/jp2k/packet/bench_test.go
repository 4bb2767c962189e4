package packet

import (
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// BenchmarkPackets reads and writes the packets of an image of 2048 x 2048 samples: 1024 code-blocks and more.
func BenchmarkPackets(b *testing.B) {
	h := header(2048, 2048, 1, 5)
	var tile geom.Tile
	if err := tile.Set(&h.Size, &h.Params, 0, 1<<28); err != nil {
		b.Fatal(err)
	}
	arena := fillBlocks(rand.New(rand.NewPCG(1, 1)), &tile)
	var w Writer
	src, err := write(&w, &h, &tile, arena)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		var k parsed
		b.ReportAllocs()
		for b.Loop() {
			if err := k.parse(src, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		dst := make([]byte, 0, len(src))
		b.ReportAllocs()
		for b.Loop() {
			for r := range 6 {
				if _, err := w.Append(dst, &tile, r, arena); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
