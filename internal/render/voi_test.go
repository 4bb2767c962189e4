package render

import (
	"math"
	"testing"
)

func TestWindow(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		w    Window
		x    float64
		want uint8
	}{
		// LINEAR, PS3.3 C.11.2.1.2.1: for c=2048 w=4096 the ramp runs from 0 to 4095.
		{Window{2048, 4096, Linear}, 0, 0},
		{Window{2048, 4096, Linear}, 1, 0},
		{Window{2048, 4096, Linear}, 17, 1},
		{Window{2048, 4096, Linear}, 2047, 127},
		{Window{2048, 4096, Linear}, 2048, 127},
		{Window{2048, 4096, Linear}, 2056, 128},
		{Window{2048, 4096, Linear}, 4094, 254},
		{Window{2048, 4096, Linear}, 4095, 255},
		{Window{2048, 4096, Linear}, 9000, 255},
		{Window{2048, 1, Linear}, 2047, 0},
		{Window{2048, 1, Linear}, 2048, 255},
		{Window{0, 100, Linear}, -50, 0},
		{Window{0, 100, Linear}, -49, 2},
		{Window{0, 100, Linear}, 49, 255},
		{Window{40, 400, Linear}, -160, 0},
		{Window{40, 400, Linear}, 40, 127},
		{Window{40, 400, Linear}, 239, 255},
		{Window{40, 400, Linear}, nan, 0},
		{Window{40, 400, Linear}, math.Inf(1), 255},
		{Window{40, 400, Linear}, math.Inf(-1), 0},
		// LINEAR_EXACT, C.11.2.1.3.2.
		{Window{2048, 4096, LinearExact}, 0, 0},
		{Window{2048, 4096, LinearExact}, 2048, 127},
		{Window{2048, 4096, LinearExact}, 4096, 255},
		{Window{2048, 1, LinearExact}, 2047.5, 0},
		{Window{2048, 1, LinearExact}, 2048, 127},
		{Window{2048, 1, LinearExact}, 2048.5, 255},
		{Window{0.5, 0.5, LinearExact}, 0.25, 0},
		{Window{0.5, 0.5, LinearExact}, 0.5, 127},
		{Window{0.5, 0.5, LinearExact}, 0.7, 229},
		{Window{0.5, 0.5, LinearExact}, 1, 255},
		// SIGMOID, C.11.2.1.3.1: 255/(1+exp(-4(x-c)/w)).
		{Window{2048, 4096, Sigmoid}, 2048, 127},
		{Window{2048, 4096, Sigmoid}, 0, 30},
		{Window{2048, 4096, Sigmoid}, 4096, 224},
		{Window{2048, 1, Sigmoid}, 2048.25, 186},
		{Window{0, 0.1, Sigmoid}, 1, 255},
		{Window{0, 0.1, Sigmoid}, -1, 0},
	}
	for _, x := range tests {
		if got := x.w.Gray(x.x); got != x.want {
			t.Errorf("%+v at %v: got %d, want %d", x.w, x.x, got, x.want)
		}
	}
}

func TestWindowValid(t *testing.T) {
	tests := []struct {
		w    *Window
		want bool
	}{
		{nil, false},
		{&Window{40, 400, Linear}, true},
		{&Window{40, 1, Linear}, true},
		{&Window{40, 0.99, Linear}, false},
		{&Window{40, 0, Linear}, false},
		{&Window{40, -5, Linear}, false},
		{&Window{40, 0.01, LinearExact}, true},
		{&Window{40, 0, LinearExact}, false},
		{&Window{40, 0.01, Sigmoid}, true},
		{&Window{40, -1, Sigmoid}, false},
		{&Window{math.NaN(), 400, Linear}, false},
		{&Window{40, math.Inf(1), Linear}, false},
	}
	for _, x := range tests {
		if got := x.w.Valid(); got != x.want {
			t.Errorf("%+v: got %v, want %v", x.w, got, x.want)
		}
	}
}

func TestSpread(t *testing.T) {
	ramp := func(n int) []bin {
		var b []bin
		for i := range n {
			b = append(b, bin{float64(n - 1 - i), 1}) // falling, to be sorted
		}
		return b
	}
	tests := []struct {
		name      string
		bins      []bin
		low, high float64
	}{
		{"0..99", ramp(100), 0, 98},
		{"0..199", ramp(200), 1, 197},
		{"one value", []bin{{7, 1000}}, 7, 7},
		{"outliers of less than one per cent are cut", []bin{{-30000, 5}, {10, 500}, {20, 500}, {30000, 5}}, 10, 20},
		{"a bright dot on black counts although the percentiles are equal", []bin{{0, 10000}, {5, 3}}, 0, 5},
		{"none", nil, 0, 0},
	}
	for _, x := range tests {
		if low, high := spreadOf(x.bins); low != x.low || high != x.high {
			t.Errorf("%s: got %v..%v, want %v..%v", x.name, low, high, x.low, x.high)
		}
		// The selection for samples that cannot be counted must agree.
		low, high := spreadOfValues(func(f func(float64)) {
			f(math.NaN())
			f(math.Inf(-1))
			for _, b := range x.bins {
				for range b.count {
					f(b.value)
				}
			}
		})
		if low != x.low || high != x.high {
			t.Errorf("%s, by selection: got %v..%v, want %v..%v", x.name, low, high, x.low, x.high)
		}
	}
}
