package jpegls

import "math/bits"

// decodeLine decodes a line of one component with the parameters of the fast path. It returns what is wrong.
func (d *Decoder) decodeLine(w, comp int) string {
	prev, cur := d.lines[comp][0], d.lines[comp][1]
	for x, ready := 0, 0; x < w; {
		if x >= ready {
			from, to := analyseRange(x, w)
			analyseAbove(d.q[from:to], prev[from:], 1, &d.quant)
			ready = to
		}
		var wrong string
		if x, wrong = d.decodeRegular(prev, cur, x, ready); wrong == "" && x < ready {
			x, wrong = d.decodeRun(x, w, comp, 1)
		}
		if wrong != "" {
			return wrong
		}
	}
	if d.bits.overrun() {
		return "entropy-coded data ends early"
	}
	return ""
}

// decodeRegularPlain decodes samples from column x on in regular mode, and stops at
// the first in run mode or at the end of the line; it returns where, and what is wrong.
func (d *Decoder) decodeRegularPlain(prev, cur []uint16, x, w int) (int, string) {
	q := d.q[:w]
	prev, cur = prev[:w+1], cur[:w+1]
	maxVal, reset := d.par.maxVal, int32(d.par.reset)
	most := d.par.limit - d.par.qbpp - 1
	t := &d.quant.table
	ctx := &d.model.ctx
	r := &d.bits
	acc, cnt := r.acc, r.cnt
	ra, rc := int(cur[x]), int(prev[x])
	for ; x < len(q); x++ {
		rb := int(prev[x+1])
		qi := int(q[x]) + int(t[(quantiserCentre+rc-ra)&(len(t)-1)])
		if qi == 0 {
			break
		}
		if cnt < 32 {
			r.acc, r.cnt = acc, cnt
			r.fill()
			acc, cnt = r.acc, r.cnt
		}
		s := qi >> 63
		c := &ctx[((qi^s)-s)&(len(ctx)-1)]
		// Prediction (A.4.1, A.4.2).
		diff := ra - rb
		mask := diff >> 63
		low := rb + diff&mask
		u := rc - low
		u &^= u >> 63
		u -= (diff ^ mask) - mask
		u &= u >> 63
		p := low - u
		p += (int(c.c) ^ s) - s
		p &^= p >> 63
		over := maxVal - p
		p += over & (over >> 63)
		// The mapped error (A.5.3).
		a, b, n := c.a, c.b, c.n
		k := uint(golombOrder(uint32(n), a))
		zeros := bits.LeadingZeros64(acc)
		length := zeros + 1 + int(k)
		var m int
		if zeros < most && length <= 32 {
			acc <<= uint(zeros+1) & 63
			m = zeros<<(k&63) | int(acc>>1>>((63-k)&63))
			acc <<= k & 63
			cnt -= length
			if m > longestError {
				return x, "no Golomb code"
			}
		} else {
			r.acc, r.cnt = acc, cnt
			if m = r.golomb(int(k), d.par.limit, d.par.qbpp); m < 0 {
				return x, "no Golomb code"
			}
			acc, cnt = r.acc, r.cnt
		}
		e := int32(m>>1) ^ -int32(m&1)
		if k == 0 {
			e ^= (2*b + n - 1) >> 31
		}
		ra = (p + (int(e) ^ s - s)) & maxVal
		cur[x+1] = uint16(ra)
		rc = rb
		// Update (A.6.1).
		b += e
		es := e >> 31
		a += uint32((e ^ es) - es)
		if n == reset {
			a >>= 1
			b >>= 1
			n >>= 1
		}
		n++
		c.a, c.n = a, n
		c.b, c.c = adjustBias(b, n, c.c)
	}
	r.acc, r.cnt = acc, cnt
	return x, ""
}
