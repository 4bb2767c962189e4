package jpegls

import (
	"math/bits"

	"github.com/radtier/radtier/codecs"
)

const codecName = "jpegls"

// Precision returns the precision P of the codestream that the encoder makes
// of a view. Unsigned samples keep their significant bits, but P is at least 2
// (C.2.2), and at least 9 in 16-bit words, because readers in the field choose
// their word size by P. Signed samples are coded as sign-extended words, so P
// is the width of the word: readers that do not extend the sign themselves
// then still see the right values.
func Precision(v codecs.View) int {
	switch {
	case v.Signed:
		return v.Container
	case v.Container == 16:
		return max(v.Bits, 9)
	default:
		return max(v.Bits, 2)
	}
}

// preset holds the preset coding parameters of an LSE segment of type 1; a zero means its default (C.2.4.1.1).
type preset struct {
	maxVal, t1, t2, t3, reset int
}

// params is everything that Annex A derives from the precision, NEAR and the presets. It is comparable.
type params struct {
	maxVal, near int
	t1, t2, t3   int
	reset        int
	span         int // RANGE
	qbpp         int // bits of an error, ceil(log2 RANGE)
	limit        int // LIMIT, the longest code
}

// newParams derives the parameters (A.2.1, C.2.4.1.1.1). The second result is what is wrong, empty if nothing.
func newParams(precision, near int, s preset) (params, string) {
	p := params{maxVal: s.maxVal, near: near, t1: s.t1, t2: s.t2, t3: s.t3, reset: s.reset}
	full := 1<<precision - 1
	if p.maxVal == 0 {
		p.maxVal = full
	}
	if p.maxVal > full {
		return p, "MAXVAL exceeds the precision"
	}
	if near > min(255, p.maxVal/2) {
		return p, "NEAR exceeds MAXVAL/2 or 255"
	}
	t1, t2, t3 := defaultThresholds(p.maxVal, near, p.t1, p.t2)
	if p.t1 == 0 {
		p.t1 = t1
	}
	if p.t2 == 0 {
		p.t2 = t2
	}
	if p.t3 == 0 {
		p.t3 = t3
	}
	if p.t1 < near+1 || p.t2 < p.t1 || p.t3 < p.t2 || p.t3 > p.maxVal {
		return p, "thresholds T1, T2, T3 out of order"
	}
	if p.reset == 0 {
		p.reset = 64
	}
	if p.reset < 3 || p.reset > max(255, p.maxVal) {
		return p, "RESET out of range"
	}
	p.span = p.maxVal + 1
	if near > 0 {
		p.span = (p.maxVal+2*near)/(2*near+1) + 1
	}
	p.qbpp = bits.Len(uint(p.span - 1))
	bpp := max(2, bits.Len(uint(p.maxVal)))
	p.limit = 2 * (bpp + max(8, bpp))
	return p, ""
}

// defaultThresholds are T1, T2 and T3 where the presets have none; a
// threshold that is given bounds the defaults of the next ones (C.2.4.1.1.1).
func defaultThresholds(maxVal, near, t1, t2 int) (int, int, int) {
	clamp := func(i, least int) int {
		if i > maxVal || i < least {
			return least
		}
		return i
	}
	var d1, d2, d3 int
	if maxVal >= 128 {
		f := (min(maxVal, 4095) + 128) >> 8
		d1, d2, d3 = f*(3-2)+2+3*near, f*(7-3)+3+5*near, f*(21-4)+4+7*near
	} else {
		f := 256 / (maxVal + 1)
		d1, d2, d3 = max(2, 3/f+3*near), max(3, 7/f+5*near), max(4, 21/f+7*near)
	}
	if t1 == 0 {
		t1 = clamp(d1, near+1)
	}
	if t2 == 0 {
		t2 = clamp(d2, t1)
	}
	return t1, t2, clamp(d3, t2)
}

// fast reports whether the parameters are those of the fast path: lossless, all values of the precision in use.
func (p *params) fast() bool { return p.near == 0 && p.span&(p.span-1) == 0 && p.span >= 4 }

// quantise maps a local gradient to its region, -4 to 4 (A.3.3).
func (p *params) quantise(d int) int {
	switch {
	case d <= -p.t3:
		return -4
	case d <= -p.t2:
		return -3
	case d <= -p.t1:
		return -2
	case d < -p.near:
		return -1
	case d <= p.near:
		return 0
	case d < p.t1:
		return 1
	case d < p.t2:
		return 2
	case d < p.t3:
		return 3
	}
	return 4
}

// quantiser is A.3.3 as a table over all differences -65535..65535, which
// keeps two uint16 subtractions in bounds for every precision. Only the part up to MAXVAL is filled.
type quantiser struct {
	par   params
	words [3]uint16 // T1, T2, T3
	table [1 << 17]int8
}

// quantiserCentre is the table's index of difference 0.
const quantiserCentre = 1 << 16

// set fills the table for other thresholds; frames of one series find it filled.
func (q *quantiser) set(p params) {
	key := params{maxVal: p.maxVal, near: p.near, t1: p.t1, t2: p.t2, t3: p.t3}
	if q.par == key {
		return
	}
	q.par = key
	q.words = [3]uint16{uint16(p.t1), uint16(p.t2), uint16(p.t3)}
	// Between these bounds lies one region each.
	bounds := [...]int{-p.maxVal, -p.t3 + 1, -p.t2 + 1, -p.t1 + 1, -p.near, p.near + 1, p.t1, p.t2, p.t3, p.maxVal + 1}
	for i, from := range bounds[:len(bounds)-1] {
		region := q.table[quantiserCentre+from : quantiserCentre+max(from, bounds[i+1])]
		for j := range region {
			region[j] = int8(i - 4)
		}
	}
}
