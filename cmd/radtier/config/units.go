package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var byteUnits = []struct {
	name string
	size int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// ParseBytes reads a number of bytes: 1073741824, 1GiB, 1.5GB. KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB of 1000.
func ParseBytes(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTkib ")
	unit := strings.TrimSpace(s[len(digits):])
	for _, u := range byteUnits {
		if u.name != unit {
			continue
		}
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/u.size {
			return n * u.size, nil
		}
		if f, err := strconv.ParseFloat(digits, 64); err == nil && f >= 0 && f*float64(u.size) < 1<<62 && u.size > 1 {
			return int64(f * float64(u.size)), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a number of bytes: write 512MiB, 1GiB, 2GB", s)
}

// FormatBytes writes a number of bytes exactly, with the largest binary unit that divides it.
func FormatBytes(n int64) string {
	for _, u := range []int{3, 2, 1, 0} {
		if n != 0 && n%byteUnits[u].size == 0 {
			return strconv.FormatInt(n/byteUnits[u].size, 10) + byteUnits[u].name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseDuration is time.ParseDuration with days: 90s, 10m, 2h30m, 3d.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write 30s, 10m, 2h30m, 3d", s)
	}
	return d, nil
}

// FormatDuration writes a duration without zero parts.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
