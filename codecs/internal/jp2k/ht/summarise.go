package ht

import "math/bits"

// summarise looks at the samples of a row of quads: it fills quads, values and
// the bottom samples' exponents, and returns all patterns of significance in one. bottom is nil in the last row of an odd block.
func (e *Encoder) summarise(quads []quadSummary, top, bottom []int32) quadSummary {
	w := len(top)
	whole := 0
	any := quadSummary(0)
	e.expo[0] = 0
	if bottom == nil {
		clear(e.expo[1 : w+4])
		return e.summarisePlain(quads, top, nil, 0)
	}
	if e.kernel && w >= 4 {
		whole = w &^ 3
		any = quadSummary(summariseKernel(&top[0], &bottom[0], whole/4, &quads[0], &e.values[0], &e.expo[1]))
	}
	clear(e.expo[1+whole : w+4])
	return any | e.summarisePlain(quads, top, bottom, whole)
}

// summarisePlain does so from column x on, which is even.
func (e *Encoder) summarisePlain(quads []quadSummary, top, bottom []int32, x int) (any quadSummary) {
	for ; x < len(top); x += 2 {
		var c [4]int32
		c[0] = top[x]
		right := x+1 < len(top)
		if right {
			c[2] = top[x+1]
		}
		if bottom != nil {
			c[1] = bottom[x]
			if right {
				c[3] = bottom[x+1]
			}
		}
		s, largest := quadSummary(0), uint8(0)
		var exponent [4]uint8
		values := e.values[2*x:][:4:4]
		for n, v := range c {
			if v == 0 {
				values[n] = 0
				continue
			}
			sign := uint32(v) >> 31
			mu := uint32((v ^ v>>31) - v>>31)
			s |= 1 << n
			values[n] = 2*(mu-1) | sign
			exponent[n] = uint8(bits.Len32(2*mu - 1))
			largest = max(largest, exponent[n])
		}
		for n, k := range exponent {
			if k == largest && k > 0 {
				s |= 1 << (4 + n)
			}
		}
		e.expo[1+x], e.expo[2+x] = exponent[1], exponent[3]
		quads[x/2] = s | quadSummary(largest)<<8
		any |= s
	}
	return any
}
