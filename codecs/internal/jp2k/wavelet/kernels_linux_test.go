package wavelet

import (
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// guarded gives slices whose last word lies before a page that must not be
// touched, or whose first word lies behind one.
type guarded struct {
	mem        []byte
	first, end int // of the words in between, in bytes
}

func newGuarded(t *testing.T, words int) *guarded {
	page := syscall.Getpagesize()
	room := (4*words + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, room+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{mem[:page], mem[page+room:]} {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	return &guarded{mem, page, page + room}
}

// words is a slice of n words at the end, or the beginning, of the room.
func (g *guarded) words(n int, atEnd bool) []int32 {
	at := g.first
	if atEnd {
		at = g.end - 4*n
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&g.mem[at : g.end+1][0])), n)
}

// kernelCase is a kernel with its twin: both write the first outs of some
// lines, whose lengths depend on the width of the case.
type kernelCase struct {
	name   string
	outs   int
	length func(w int) []int
	least  int
	floats bool
	run    func(fast bool, l [][]int32, w int)
}

// halves of a line of w samples; first is its first sample's parity.
func halves(w, first int) (even, odd int) { return (w + 1 - first) / 2, (w + first) / 2 }

func same(n int) func(int) []int { return func(w int) []int { return slices.Repeat([]int{w}, n) } }

func floats(x []int32) []float32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}

var kernelCases = []kernelCase{
	{"forwardRow even", 2, func(w int) []int { e, o := halves(w, 0); return []int{e, o, w} }, 2, false, func(fast bool, l [][]int32, _ int) { forwardRow(fast, l[0], l[1], l[2], false) }},
	{"forwardRow odd", 2, func(w int) []int { e, o := halves(w, 1); return []int{e, o, w} }, 2, false, func(fast bool, l [][]int32, _ int) { forwardRow(fast, l[0], l[1], l[2], true) }},
	{"inverseRow even", 1, func(w int) []int { e, o := halves(w, 0); return []int{w, e, o} }, 2, false, func(fast bool, l [][]int32, _ int) { inverseRow(fast, l[0], l[1], l[2], false) }},
	{"inverseRow odd", 1, func(w int) []int { e, o := halves(w, 1); return []int{w, e, o} }, 2, false, func(fast bool, l [][]int32, _ int) { inverseRow(fast, l[0], l[1], l[2], true) }},
	{"forwardLines", 2, same(6), 0, false, func(fast bool, l [][]int32, _ int) { forwardLines(fast, l[0], l[1], l[2], l[3], l[4], l[5]) }},
	{"inverseLines", 2, same(6), 0, false, func(fast bool, l [][]int32, _ int) { inverseLines(fast, l[0], l[1], l[2], l[3], l[4], l[5]) }},
	{"inverseLines at the end", 2, same(6), 0, false, func(fast bool, l [][]int32, _ int) { inverseLines(fast, l[0], l[1], l[2], l[3], l[3], l[5]) }},
	{"unstep", 1, same(4), 0, true, func(fast bool, l [][]int32, _ int) {
		unstep(fast, floats(l[0]), floats(l[1]), floats(l[2]), floats(l[3]), alpha)
	}},
	{"unstep in place", 1, same(3), 0, true, func(fast bool, l [][]int32, _ int) {
		unstep(fast, floats(l[0]), floats(l[0]), floats(l[1]), floats(l[2]), delta)
	}},
	{"scale", 1, same(2), 0, true, func(fast bool, l [][]int32, _ int) { scale(fast, floats(l[0]), floats(l[1]), bigK) }},
	{"join", 1, func(w int) []int { e, o := halves(w, 0); return []int{w, e, o} }, 0, true, func(fast bool, l [][]int32, _ int) {
		join(fast, floats(l[0]), floats(l[1]), floats(l[2]))
	}},
}

// TestKernels holds kernels against their twins for all widths, on lines that
// begin or end at a page that must not be touched, with words of all kinds.
func TestKernels(t *testing.T) {
	if !haveKernels() {
		t.Skip("no kernels for this processor")
	}
	const widest = 200
	rng := rand.New(rand.NewPCG(5, 3))
	var rooms []*guarded
	for range 6 {
		rooms = append(rooms, newGuarded(t, widest))
	}
	for _, k := range kernelCases {
		for w := k.least; w <= widest; w++ {
			for round := range 4 {
				atEnd := round&1 == 0
				var fast, plain [][]int32
				for i, n := range k.length(w) {
					l := rooms[i].words(n, atEnd)
					for j := range l {
						l[j] = int32(rng.Uint32())
						if round < 2 {
							l[j] >>= 16
						}
						if k.floats {
							l[j] = int32(math.Float32bits(float32(l[j]) / 64))
						}
					}
					fast, plain = append(fast, l), append(plain, slices.Clone(l))
				}
				k.run(true, fast, w)
				k.run(false, plain, w)
				for i := range plain {
					if !slices.Equal(fast[i], plain[i]) {
						t.Fatalf("%s, width %d, round %d: line %d (of which %d are written): got %v, want %v", k.name, w, round, i, k.outs, fast[i], plain[i])
					}
				}
			}
		}
	}
}
