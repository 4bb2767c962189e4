package jpegls

import "math/bits"

// regularContext holds the variables of one regular-mode context (A.2.1). Kernels in assembly know its layout.
type regularContext struct {
	a uint32 // sum of absolute errors
	b int32  // bias: sum of errors
	c int32  // prediction correction, -128..127
	n int32  // occurrences since the last halving
}

// runContext holds the variables of a run interruption context (A.2.1).
type runContext struct {
	a     uint32
	n, nn int32
}

// zeroRegular is the context of a sample whose own gradients are zero in a
// pixel of a sample-interleaved scan that is not in run mode. It is context 0
// of the standard, which then codes such samples only; the encoder needs
// number 0 to mark runs.
const zeroRegular = 365

// model is the adaptive state of a scan (A.2.1).
type model struct {
	ctx      [512]regularContext // 1..364, zeroRegular; a power of two lets a mask replace bounds checks
	run      [2]runContext
	runIndex [4]int // per component, as line-interleaved scans need it
}

// reset starts a scan or restart interval (A.2.1).
func (m *model) reset(p *params) {
	a := uint32(max(2, (p.span+32)>>6))
	for i := range m.ctx {
		m.ctx[i] = regularContext{a: a, n: 1}
	}
	for i := range m.run {
		m.run[i] = runContext{a: a, n: 1}
	}
	m.runIndex = [4]int{}
}

// runOrder is the table J of A.2.1.
var runOrder = [32]uint8{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// golombOrder is the smallest k with n<<k >= a (A.5.1). The difference of the
// bit lengths is k or one too small.
func golombOrder(n, a uint32) int {
	d := bits.Len32(a) - bits.Len32(n)
	d &^= d >> 63
	return d + int((uint64(n)<<(uint(d)&63)-uint64(a))>>63)
}

// update is A.6.1 and A.6.2: e is the error of the sample, NEAR not yet multiplied in.
func (c *regularContext) update(e int32, near, reset int) {
	c.b += e * int32(2*near+1)
	if e < 0 {
		c.a += uint32(-e)
	} else {
		c.a += uint32(e)
	}
	if int(c.n) == reset {
		c.a >>= 1
		c.b >>= 1
		c.n >>= 1
	}
	c.n++
	if c.b <= -c.n {
		c.b += c.n
		if c.c > -128 {
			c.c--
		}
		if c.b <= -c.n {
			c.b = -c.n + 1
		}
	} else if c.b > 0 {
		c.b -= c.n
		if c.c < 127 {
			c.c++
		}
		if c.b > 0 {
			c.b = 0
		}
	}
}

// order is the Golomb order of a run interruption sample (A.7.2, TEMP).
func (c *runContext) order(riType int) int {
	a := c.a
	if riType == 1 {
		a += uint32(c.n >> 1)
	}
	return golombOrder(uint32(c.n), a)
}

// update is A.7.2.2, last part.
func (c *runContext) update(e, em, riType, reset int) {
	if e < 0 {
		c.nn++
	}
	c.a += uint32(em+1-riType) >> 1
	if int(c.n) == reset {
		c.a >>= 1
		c.n >>= 1
		c.nn >>= 1
	}
	c.n++
}

// mapsNegative is the variable map of A.7.2: whether the error's sign takes the shorter of two codes.
func (c *runContext) mapsNegative(e, k int) bool {
	switch {
	case k == 0 && e > 0 && 2*c.nn < c.n:
		return true
	case e < 0 && 2*c.nn >= c.n:
		return true
	case e < 0 && k != 0:
		return true
	}
	return false
}

// predict is the median edge detector (A.4.1).
func predict(ra, rb, rc int) int {
	low, high := min(ra, rb), max(ra, rb)
	return low + high - min(max(rc, low), high)
}
