package ht

import "testing"

// TestUsable: without any one of the instructions that the kernels use, the plain path is taken.
func TestUsable(t *testing.T) {
	for n := range 16 {
		f := features{avx2: n&1 != 0, bmi1: n&2 != 0, bmi2: n&4 != 0, popcnt: n&8 != 0}
		if got, want := f.usable(), n == 15; got != want {
			t.Errorf("%+v: usable %v, want %v", f, got, want)
		}
	}
}
