package htj2k

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// TestLines: whatever a view looks like, lines are loaded, stored and compared alike with and without kernels.
func TestLines(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, container := range []int{8, 16} {
		for bits := 1; bits <= container; bits++ {
			for _, signed := range []bool{false, true} {
				for _, width := range []int{1, 2, 15, 16, 17, 31, 32, 33, 64, 100} {
					for _, big := range []bool{false, container == 16} {
						for _, step := range []int{container / 8, container/8 + 3} {
							v := codecs.View{Width: width, Height: 1, Components: 1, Container: container, Bits: bits, Signed: signed, BigEndian: big, PixelStride: step, RowStride: step * width}
							v.Pix = make([]byte, step*width)
							for i := range v.Pix {
								v.Pix[i] = byte(r.Uint32())
							}
							name := fmt.Sprintf("%d of %d bits, signed %v, big endian %v, width %d, step %d", bits, container, signed, big, width, step)
							scratch := make([]byte, 2*width)
							a, b := make([]int32, width+1), make([]int32, width+1)
							loadLine(a[:width], &v, 0, 0, scratch, false)
							loadLine(b[:width], &v, 0, 0, scratch, haveKernels())
							if !slices.Equal(a, b) {
								t.Fatalf("%s: loadLine gave %v with kernels, %v without", name, b, a)
							}
							low, top := int32(-1)<<(bits-1), int32(1)<<(bits-1)-1
							if slices.Min(a[:width]) < low || slices.Max(a[:width]) > top {
								t.Fatalf("%s: loaded %v outside %d..%d", name, a, low, top)
							}
							f := formatFor(bits, signed, &v)
							for _, kernel := range []bool{false, haveKernels()} {
								if x := compareLine(&v, 0, 0, 0, a[:width], &f, scratch, kernel); x >= 0 {
									t.Fatalf("%s: column %d differs from itself", name, x)
								}
								at := r.IntN(width)
								a[at] = ((a[at] - low) ^ 1) + low
								if x := compareLine(&v, 0, 0, 0, a[:width], &f, scratch, kernel); x != at {
									t.Fatalf("%s: column %d differs, found %d", name, at, x)
								}
								a[at] = ((a[at] - low) ^ 1) + low
							}
							// Values outside the range are clamped, and other precisions cut and extended.
							for i := range a {
								a[i] = int32(r.Uint32()) >> r.IntN(32)
							}
							for coded := 1; coded <= 16; coded++ {
								f := formatFor(coded, r.IntN(2) == 0, &v)
								one, two := v, v
								one.Pix, two.Pix = bytes.Clone(v.Pix), bytes.Clone(v.Pix)
								storeLine(&one, 0, 0, 0, a[:width], &f, scratch, false)
								storeLine(&two, 0, 0, 0, a[:width], &f, scratch, haveKernels())
								if !bytes.Equal(one.Pix, two.Pix) {
									t.Fatalf("%s, %d bits coded: storeLine gave % x with kernels, % x without", name, coded, two.Pix, one.Pix)
								}
							}
						}
					}
				}
			}
		}
	}
}
