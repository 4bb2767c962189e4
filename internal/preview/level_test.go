package preview

import "testing"

func TestChoose(t *testing.T) {
	ct := Cost{512, 512, []int64{3000, 10000, 40000, 120000}, 120000} // 64, 128, 256, 512
	for _, row := range []struct {
		name   string
		limit  Limit
		frames []Cost
		want   int
	}{
		{"128 samples for 8 %", Limit{}, []Cost{ct, ct}, 128},
		{"128 samples for 14 %: 64", Limit{}, []Cost{{512, 512, []int64{3000, 17000, 40000, 120000}, 120000}}, 64},
		{"a series together, not a frame alone", Limit{}, []Cost{ct, ct, {512, 512, []int64{3000, 17000, 40000, 120000}, 120000}}, 128},
		{"nothing fits: the lowest", Limit{}, []Cost{{128, 128, []int64{3000, 16000}, 16000}}, 1},
		{"the lowest is far too dear: from samples", Limit{}, []Cost{{128, 128, []int64{5000, 16000}, 16000}}, 0},
		{"one level only", Limit{}, []Cost{{64, 64, []int64{5000}, 5000}}, 0},
		{"a larger share", Limit{Share: 0.5}, []Cost{ct}, 128},
		{"a longer side", Limit{Side: 256, Share: 0.5}, []Cost{ct}, 256},
		{"a shorter side", Limit{Side: 64}, []Cost{ct}, 64},
		{"sides that levels do not hit", Limit{}, []Cost{{600, 300, []int64{2000, 6000, 20000, 70000}, 70000}}, 128},
		{"frames without levels do not count", Limit{}, []Cost{ct, {512, 512, nil, 1}}, 128},
		{"none", Limit{}, nil, 128},
	} {
		if got := row.limit.Choose(row.frames); got != row.want {
			t.Errorf("%s: Choose(%+v): got %d, want %d", row.name, row.frames, got, row.want)
		}
	}
}

func TestDrop(t *testing.T) {
	for _, row := range []struct{ width, height, levels, side, want int }{
		{512, 512, 4, 128, 2}, {512, 512, 4, 64, 3}, {512, 512, 4, 1, 3}, {512, 512, 4, 512, 0}, {512, 512, 1, 128, 0},
		{513, 40, 4, 128, 3}, {40, 512, 4, 128, 2}, {129, 1, 3, 128, 1}, {65535, 64, 7, 128, 6},
	} {
		if got := Drop(row.width, row.height, row.levels, row.side); got != row.want {
			t.Errorf("Drop(%d, %d, %d, %d): got %d, want %d", row.width, row.height, row.levels, row.side, got, row.want)
		}
	}
}

// TestDivisor: every size gives a picture within the sides, and one that costs no more samples than agreed unless it would be tiny.
func TestDivisor(t *testing.T) {
	for _, row := range []struct{ width, height, want int }{
		{512, 512, 4}, {256, 256, 4}, {640, 480, 5}, {4096, 3328, 32}, {100, 100, 3}, {32, 32, 1}, {20, 7, 1}, {1, 1, 1}, {65535, 1, 512},
	} {
		if got := (Limit{}).Divisor(row.width, row.height); got != row.want {
			t.Errorf("Divisor(%d, %d): got %d, want %d", row.width, row.height, got, row.want)
		}
	}
	for n := 1; n < 3000; n++ {
		k := (Limit{}).Divisor(n, 1+n/3)
		side := (n + k - 1) / k
		if side > defaultSide || side < min(n, smallestSide) || side > smallestSide && 1.75 > defaultShare*float64(k*k) && (n+k)/(k+1) >= smallestSide {
			t.Fatalf("Divisor(%d, %d): got %d, a side of %d", n, 1+n/3, k, side)
		}
	}
}
