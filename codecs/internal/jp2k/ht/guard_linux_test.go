package ht

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns n values that end at a page that must not be touched.
func guarded[T any](t *testing.T, n int) []T {
	var one T
	size := n * int(unsafe.Sizeof(one))
	page := syscall.Getpagesize()
	whole := (size + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, whole+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[whole:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[whole-size : whole+1][0])), n)
}

// TestGuarded runs encoder and decoder on blocks of all widths up to 64 whose coefficients, bytes and buffers end where
// their documentation says that they end: at a page that must not be touched. Decoders are also given random bytes.
func TestGuarded(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	plainE, plainD := NewEncoder(true), NewDecoder(true)
	e, d := NewEncoder(false), NewDecoder(false)
	mag := guarded[byte](t, len(e.mag))
	vlc := guarded[byte](t, len(e.vlc))
	e.mag, e.vlc, e.stuffed = mag, vlc, guarded[byte](t, len(e.stuffed))
	d.quads, d.expo, d.above = guarded[uint32](t, len(d.quads)), guarded[uint8](t, len(d.expo)), guarded[uint8](t, len(d.above))
	samples := guarded[int32](t, 64*64)
	bytesEnd := guarded[byte](t, 1<<16)
	for w := 1; w <= 64; w++ {
		for h := 1; h <= 64; h += 1 + r.IntN(9) {
			src := samples[len(samples)-w*h:]
			size := r.IntN(24)
			for i := range src {
				src[i] = 0
				if r.IntN(3) != 0 {
					src[i] = int32(r.IntN(1<<r.IntN(size+1))) * int32(1-2*r.IntN(2))
				}
			}
			want := plainE.Cleanup(nil, src, w, w, h)
			if got := e.Cleanup(nil, src, w, w, h); !bytes.Equal(got, want) {
				t.Fatalf("%d x %d: encoders differ", w, h)
			}
			for round := range 3 {
				stream := want
				if round > 0 || len(stream) < 2 {
					stream = make([]byte, 2+r.IntN(2*w*h+2))
					for i := range stream {
						if stream[i] = byte(r.Uint32()); r.IntN(8) == 0 {
							stream[i] = 0xFF
						}
					}
					n := 2 + r.IntN(min(len(stream)-1, 4000))
					stream[len(stream)-1], stream[len(stream)-2] = byte(n>>4), stream[len(stream)-2]&0xF0|byte(n&15)
				}
				in := bytesEnd[len(bytesEnd)-len(stream):]
				copy(in, stream)
				a := make([]int32, w*h)
				planes := 1 + r.IntN(30)
				errA, errB := plainD.Cleanup(a, w, w, h, stream, planes), d.Cleanup(src, w, w, h, in, planes)
				if (errA == nil) != (errB == nil) || errA != nil && *errA != *errB {
					t.Fatalf("%d x %d, %d planes: %v with kernels, %v without", w, h, planes, errB, errA)
				}
				if errA == nil && !slices.Equal(a, src) {
					t.Fatalf("%d x %d, %d planes: decoders differ", w, h, planes)
				}
			}
		}
	}
}
