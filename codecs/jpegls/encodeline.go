package jpegls

// encodeRegularPlain codes samples from number i on in regular mode (A.4 to A.6)
// and stops at the first in run mode (q is 0) or at the end; it returns where.
// q and px are what analyse found, xs the samples.
func (e *Encoder) encodeRegularPlain(q []int16, px, xs []uint16, i int) int {
	px, xs = px[:len(q)], xs[:len(q)]
	precision, maxVal := uint(e.precision)&31, e.par.maxVal
	reset, qbpp := int32(e.par.reset), e.par.qbpp
	most := e.par.limit - qbpp - 1
	up := (32 - precision) & 31
	ctx := &e.model.ctx
	acc, cnt := e.bits.acc, e.bits.cnt
	for ; i < len(q); i++ {
		qi := int(q[i])
		if qi == 0 {
			break
		}
		s := qi >> 63
		c := &ctx[((qi^s)-s)&(len(ctx)-1)]
		// Correct the prediction and clamp it to 0..MAXVAL (A.4.2).
		p := int(px[i]) + (int(c.c) ^ s - s)
		p &^= p >> 63
		over := maxVal - p
		p += over & (over >> 63)
		// The error, its sign turned, modulo RANGE = 2^P (A.4.3, A.4.5).
		err := int32(xs[i]) - int32(p)
		err = (err ^ int32(s)) - int32(s)
		err = err << up >> up
		a, b, n := c.a, c.b, c.n
		k := uint(golombOrder(uint32(n), a))
		// Map to non-negative (A.5.2); the special case flips the lowest bit.
		m := uint32(err<<1) ^ uint32(err>>31)
		if k == 0 {
			m ^= uint32((2*b+n-1)>>31) & 1
		}
		zeros := int(m >> (k & 31))
		length := zeros + 1 + int(k)
		if zeros < most && length <= 32 {
			acc = acc<<(uint(length)&63) | uint64(1)<<(k&63) | uint64(m)&(uint64(1)<<(k&63)-1)
			cnt += length
			if cnt >= 32 {
				word := uint32(acc >> (uint(cnt-32) & 63))
				if buf := e.bits.buf[e.bits.n:]; !hasFF(word) && !e.bits.ff && len(buf) >= 4 {
					buf[0], buf[1], buf[2], buf[3] = byte(word>>24), byte(word>>16), byte(word>>8), byte(word)
					e.bits.n += 4
					cnt -= 32
				} else {
					e.bits.acc, e.bits.cnt = acc, cnt
					e.bits.flush()
					cnt = e.bits.cnt
				}
			}
		} else {
			e.bits.acc, e.bits.cnt = acc, cnt
			e.bits.golomb(int(m), int(k), e.par.limit, qbpp)
			acc, cnt = e.bits.acc, e.bits.cnt
		}
		// Update (A.6.1).
		b += err
		es := err >> 31
		a += uint32((err ^ es) - es)
		if n == reset {
			a >>= 1
			b >>= 1
			n >>= 1
		}
		n++
		c.a, c.n = a, n
		c.b, c.c = adjustBias(b, n, c.c)
	}
	e.bits.acc, e.bits.cnt = acc, cnt
	return i
}

// adjustBias is A.6.2 without branches.
func adjustBias(b, n, c int32) (int32, int32) {
	low := (b + n - 1) >> 31 // all ones if b <= -n
	high := -b >> 31         // all ones if b > 0
	b += n&low - n&high
	// Clamp to -n+1..0 in whichever direction moved.
	up := (1 - n - b) & low
	b += up &^ (up >> 31)
	b &= ^(high & (-b >> 31))
	c += low&((-128-c)>>31) - high&((c-127)>>31)
	return b, c
}

// encodeRun codes the run that starts at column x in a line of one component
// (A.7.1), with the sample that ends it (A.7.2), and returns the column after it.
func (e *Encoder) encodeRun(cur, prev []uint16, x, w, comp int) int {
	ra := cur[x]
	// A sample continues the run if it equals its left neighbour.
	end := x + equalPrefix(cur[x:w], cur[x+1:w+1])
	index := &e.model.runIndex[comp]
	e.encodeRunLength(end-x, end == w, index)
	if end == w {
		return end
	}
	rb := int(prev[end+1])
	riType := 0
	if int(ra) == rb {
		riType = 1
	}
	e.encodeInterruption(int(cur[end+1]), int(ra), rb, riType, runOrder[*index])
	*index = max(0, *index-1)
	return end + 1
}

// encodeRunLength codes the length of a run (A.7.1.2).
func (e *Encoder) encodeRunLength(count int, toEnd bool, index *int) {
	for count >= 1<<runOrder[*index] {
		e.bits.put(1, 1)
		count -= 1 << runOrder[*index]
		*index = min(31, *index+1)
	}
	switch {
	case !toEnd:
		e.bits.put(uint64(count), int(runOrder[*index])+1)
	case count > 0:
		e.bits.put(1, 1)
	}
}

// encodeInterruption codes the sample that ends a run (A.7.2).
func (e *Encoder) encodeInterruption(x, ra, rb, riType int, order uint8) {
	px := rb
	err := x - rb
	if riType == 1 {
		px = ra
		err = x - px
	} else if ra > rb {
		err = -err
	}
	up := uint(32-e.precision) & 31
	err = int(int32(err) << up >> up)
	c := &e.model.run[riType]
	k := c.order(riType)
	em := 2*max(err, -err) - riType
	if c.mapsNegative(err, k) {
		em--
	}
	e.bits.golomb(em, k, e.par.limit-int(order)-1, e.par.qbpp)
	c.update(err, em, riType, e.par.reset)
}
