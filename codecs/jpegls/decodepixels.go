package jpegls

import "math/bits"

// decodePixels decodes a line of n components that lie side by side, with the
// parameters of the fast path. It returns what is wrong. It is decodeLine
// for pixels: one is in run mode when all its components are, else all of them are in regular mode (B.3).
func (d *Decoder) decodePixels(w, n int) string {
	prev, cur := d.lines[0][0], d.lines[0][1]
	for x, ready := 0, 0; x < w; {
		if x >= ready {
			from, to := analyseRange(x, w)
			analyseAbove(d.q[from*n:to*n], prev[from*n:], n, &d.quant)
			ready = to
		}
		var wrong string
		if x, wrong = d.decodeRegularPixels(prev, cur, x, ready, n); wrong == "" && x < ready {
			x, wrong = d.decodeRun(x, w, 0, n)
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

// decodeRegularPixelsPlain is decodeRegularPlain for pixels of several components.
func (d *Decoder) decodeRegularPixelsPlain(prev, cur []uint16, x, w, components int) (int, string) {
	maxVal, reset := d.par.maxVal, int32(d.par.reset)
	most := d.par.limit - d.par.qbpp - 1
	t := &d.quant.table
	ctx := &d.model.ctx
	r := &d.bits
	acc, cnt := r.acc, r.cnt
	var numbers [4]int
	for ; x < w; x++ {
		from, to := x*components, (x+1)*components
		q := d.q[from:to]
		left, corner := cur[from:to], prev[from:to]
		here, above := cur[to:to+len(q)], prev[to:to+len(q)]
		some := 0
		for i := range q {
			qi := int(q[i]) + int(t[(quantiserCentre+int(corner[i])-int(left[i]))&(len(t)-1)])
			numbers[i&3] = qi
			some |= qi
		}
		if some == 0 {
			break
		}
		for i := range q {
			qi := numbers[i&3]
			ra, rb, rc := int(left[i]), int(above[i]), int(corner[i])
			if qi == 0 {
				qi = zeroRegular
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
			here[i] = uint16((p + (int(e) ^ s - s)) & maxVal)
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
	}
	r.acc, r.cnt = acc, cnt
	return x, ""
}
