package htj2k

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/radtier/radtier/codecs"
)

// guardedBytes returns n bytes that end at a page that must not be touched, n at most one page.
func guardedBytes(t *testing.T, n int) []byte {
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return mem[page-n : page : page]
}

// TestGuardedLines loads, stores and compares lines of all widths whose samples and values end at a guard page.
func TestGuardedLines(t *testing.T) {
	const widest = 200
	r := rand.New(rand.NewPCG(9, 9))
	pixels, values, scratches := guardedBytes(t, 6*widest), guardedBytes(t, 4*widest), guardedBytes(t, 2*widest)
	for width := 1; width <= widest; width++ {
		for _, container := range []int{8, 16} {
			for _, step := range []int{container / 8, 3 * container / 8} {
				v := codecs.View{Width: width, Height: 1, Components: 1, Container: container, Bits: 1 + r.IntN(container), Signed: r.IntN(2) == 0, PixelStride: step, RowStride: step * width}
				// The last sample of the view ends at the guard page: what follows it is not the view's.
				v.Pix = pixels[len(pixels)-(step*(width-1)+container/8):]
				for i := range v.Pix {
					v.Pix[i] = byte(r.Uint32())
				}
				line := unsafe.Slice((*int32)(unsafe.Pointer(&values[len(values)-4*width])), width)
				scratch := scratches[len(scratches)-2*width:]
				want := make([]int32, width)
				loadLine(want, &v, 0, 0, make([]byte, 2*width), false)
				loadLine(line, &v, 0, 0, scratch, haveKernels())
				if !slices.Equal(line, want) {
					t.Fatalf("width %d, %d bits in %d, step %d: loaded %v, want %v", width, v.Bits, container, step, line, want)
				}
				f := formatFor(v.Bits, v.Signed, &v)
				if x := compareLine(&v, 0, 0, 0, line, &f, scratch, haveKernels()); x >= 0 {
					t.Fatalf("width %d, %d bits in %d, step %d: column %d differs from itself", width, v.Bits, container, step, x)
				}
				for i := range line {
					line[i] = int32(r.Uint32()) >> r.IntN(32)
				}
				other := v
				other.Pix = bytes.Clone(v.Pix)
				storeLine(&other, 0, 0, 0, line, &f, make([]byte, 2*width), false)
				storeLine(&v, 0, 0, 0, line, &f, scratch, haveKernels())
				if !bytes.Equal(v.Pix, other.Pix) {
					t.Fatalf("width %d, %d bits in %d, step %d: stored % x, want % x", width, v.Bits, container, step, v.Pix, other.Pix)
				}
			}
		}
	}
}
