package crop

import (
	"fmt"
	"io"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// BenchmarkMake crops a quarter out of slices, and frames out of an enhanced image of many.
func BenchmarkMake(b *testing.B) {
	for _, frames := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d frames", frames), func(b *testing.B) {
			image := slice()
			if frames > 1 {
				groups := make([]*dcm.Builder, frames)
				for i := range groups {
					groups[i] = position(dcm.NewBuilder(), "-10", "-20", fmt.Sprint(i))
				}
				image = enhanced(false).Items(tagPerFrame, groups...).Ints(tagNumberOfFrames, frames).Native(make([]byte, 2*wide*tall*frames))
			}
			s := build(b, image, explicitLE)
			spec := s.spec(part)
			var view codecs.View
			b.ReportAllocs()
			for b.Loop() {
				_, err := Make(io.Discard, s.data, s.f, spec, func(i int) (v codecs.View, err error) {
					view, err = s.frame(i)
					return view, err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("512 x 512", func(b *testing.B) {
		s := build(b, slice().Ints(0x00280010, 512).Ints(0x00280011, 512).Native(make([]byte, 2*512*512)), explicitLE)
		spec := s.spec(Rect{128, 128, 256, 256})
		b.SetBytes(2 * 256 * 256)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Make(io.Discard, s.data, s.f, spec, s.frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}
