package ht

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTwins: with kernels and without, encoders give the same bytes, and decoders the same coefficients or error, for random bytes too.
func TestTwins(t *testing.T) {
	if !haveKernels() {
		t.Skip("this processor has no kernels")
	}
	r := rand.New(rand.NewPCG(5, 6))
	plainE, kernelE := NewEncoder(true), NewEncoder(false)
	plainD, kernelD := NewDecoder(true), NewDecoder(false)
	rounds := 20000
	if testing.Short() {
		rounds = 4000
	}
	for round := range rounds {
		w, h := 1+r.IntN(70), 1+r.IntN(12)
		if round%50 == 0 {
			w, h = 1+r.IntN(1024), 1+r.IntN(4)
		}
		src := make([]int32, w*h)
		size := r.IntN(24)
		for i := range src {
			if r.IntN(3) != 0 {
				src[i] = int32(r.IntN(1<<r.IntN(size+1))) * int32(1-2*r.IntN(2))
			}
		}
		out := plainE.Cleanup(nil, src, w, w, h)
		if again := kernelE.Cleanup(nil, src, w, w, h); !bytes.Equal(out, again) {
			t.Fatalf("round %d, %d x %d: encoders differ: % x with kernels, % x without", round, w, h, again, out)
		}
		// Then what hostile streams have in store.
		planes := 1 + r.IntN(24)
		if round%2 == 0 || len(out) < 2 {
			out = make([]byte, 2+r.IntN(4*w*h))
			for i := range out {
				if out[i] = byte(r.Uint32()); r.IntN(8) == 0 {
					out[i] = 0xFF
				}
			}
			size := 2 + r.IntN(len(out)-1)
			out[len(out)-1], out[len(out)-2] = byte(size>>4), out[len(out)-2]&0xF0|byte(size&15)
		} else {
			out[r.IntN(len(out))] ^= byte(1 << r.IntN(8))
		}
		a, b := make([]int32, w*h), make([]int32, w*h)
		errA, errB := plainD.Cleanup(a, w, w, h, out, planes), kernelD.Cleanup(b, w, w, h, out, planes)
		if (errA == nil) != (errB == nil) || errA != nil && *errA != *errB {
			t.Fatalf("round %d, %d x %d, %d planes: %v with kernels, %v without", round, w, h, planes, errB, errA)
		}
		if errA == nil && !slices.Equal(a, b) {
			t.Fatalf("round %d, %d x %d, %d planes: decoders differ: %d with kernels, %d without", round, w, h, planes, b, a)
		}
	}
}
