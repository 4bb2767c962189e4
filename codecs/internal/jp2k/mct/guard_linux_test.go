package mct

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// guarded is n words that end at a page that must not be touched, n at most 1024.
func guarded(t *testing.T, n int) []int32 {
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&mem[page-4*n : page+1][0])), n)
}

// TestGuarded runs the kernels on lines that end at a guard page.
func TestGuarded(t *testing.T) {
	const widest = 200
	rng := rand.New(rand.NewPCG(7, 5))
	var whole [6][]int32
	for i := range whole {
		whole[i] = guarded(t, widest)
	}
	for w := 1; w <= widest; w++ {
		var got, want [6][]int32
		var gotF, wantF [6][]float32
		for i := range whole {
			got[i] = whole[i][widest-w:]
			copy(got[i], line(rng, w, "samples"))
			want[i] = slices.Clone(got[i])
			gotF[i] = unsafe.Slice((*float32)(unsafe.Pointer(&got[i][0])), w)
			wantF[i] = unsafe.Slice((*float32)(unsafe.Pointer(&want[i][0])), w)
		}
		check := func(name string) {
			for i := range got {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("%s, width %d, line %d: got %v, want %v", name, w, i, got[i], want[i])
				}
			}
		}
		ForwardRCT(got[0], got[1], got[2], true)
		ForwardRCT(want[0], want[1], want[2], false)
		check("ForwardRCT")
		InverseRCT(got[3], got[4], got[5], got[0], got[1], got[2], true)
		InverseRCT(want[3], want[4], want[5], want[0], want[1], want[2], false)
		check("InverseRCT")
		for i := range 3 {
			for j, x := range got[i] {
				gotF[i][j], wantF[i][j] = float32(x), float32(x)
			}
		}
		InverseICT(gotF[3], gotF[4], gotF[5], gotF[0], gotF[1], gotF[2], true)
		InverseICT(wantF[3], wantF[4], wantF[5], wantF[0], wantF[1], wantF[2], false)
		check("InverseICT")
	}
}
