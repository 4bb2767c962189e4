package render

import (
	"cmp"
	"math"
	"slices"
)

// bin is a value and how many samples have it.
type bin struct {
	value float64
	count int64
}

// spreadOf returns the values to spread over the grey scale: percentiles 1
// and 99 by nearest rank, minimum and maximum if those are equal. Without samples both are 0.
func spreadOf(bins []bin) (low, high float64) {
	slices.SortFunc(bins, func(a, b bin) int { return cmp.Compare(a.value, b.value) })
	var total int64
	for _, b := range bins {
		total += b.count
	}
	if total == 0 {
		return 0, 0
	}
	low, high = rank(bins, nearestRank(1, total)), rank(bins, nearestRank(99, total))
	if low == high {
		low, high = bins[0].value, bins[len(bins)-1].value
	}
	return low, high
}

// nearestRank is the 1-based place of a percentile among n sorted samples.
func nearestRank(percent, n int64) int64 { return (percent*n + 99) / 100 }

func rank(bins []bin, place int64) float64 {
	for _, b := range bins {
		if place -= b.count; place <= 0 {
			return b.value
		}
	}
	return bins[len(bins)-1].value
}

// spreadOfValues is spreadOf for samples that are too many kinds to count: it
// selects the ranks 16 bits at a time, in several passes over the samples and constant memory. Values that are no numbers do not count.
func spreadOfValues(each func(func(v float64))) (low, high float64) {
	var total int64
	least, most := math.Inf(1), math.Inf(-1)
	each(func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			total++
			least, most = min(least, v), max(most, v)
		}
	})
	if total == 0 {
		return 0, 0
	}
	low, high = selectRank(each, nearestRank(1, total)), selectRank(each, nearestRank(99, total))
	if low == high {
		low, high = least, most
	}
	return low, high
}

func selectRank(each func(func(v float64)), place int64) float64 {
	var prefix uint64
	count := make([]int64, 1<<16)
	for shift := 48; shift >= 0; shift -= 16 {
		clear(count)
		each(func(v float64) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
			if k := orderKey(v); shift == 48 || k>>(shift+16) == prefix {
				count[uint16(k>>shift)]++
			}
		})
		for i, n := range count {
			if place > n {
				place -= n
				continue
			}
			prefix = prefix<<16 | uint64(i)
			break
		}
	}
	return fromOrderKey(prefix)
}

// orderKey maps numbers to integers of the same order.
func orderKey(v float64) uint64 {
	b := math.Float64bits(v)
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

func fromOrderKey(k uint64) float64 {
	if k>>63 == 1 {
		return math.Float64frombits(k &^ (1 << 63))
	}
	return math.Float64frombits(^k)
}
