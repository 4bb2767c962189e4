package geom

// Rect is half-open: it holds the samples [X0, X1) x [Y0, Y1).
type Rect struct{ X0, Y0, X1, Y1 int }

// W is the width in samples.
func (r Rect) W() int { return r.X1 - r.X0 }

// H is the height in samples.
func (r Rect) H() int { return r.Y1 - r.Y0 }

// Empty reports whether the rectangle has no samples.
func (r Rect) Empty() bool { return r.X1 <= r.X0 || r.Y1 <= r.Y0 }

// Orient is the orientation of a sub-band: which of the two directions was filtered high-pass (B.5).
type Orient uint8

// Orientations, in the order of the sub-bands in a packet (B.9).
const (
	LL Orient = iota
	HL        // high-pass across
	LH        // high-pass down
	HH
)

// ceilDiv is the quotient rounded up.
func ceilDiv(x, d int64) int64 { return (x + d - 1) / d }

// ceilShift is x / 2^n rounded up; x may be negative (B-15).
func ceilShift(x int64, n uint) int64 { return (x + 1<<n - 1) >> n }

// at divides the corners of r by powers of two (B-14, B-15): the rectangle's samples at
// multiples of 2^n behind (ox, oy).
func (r Rect) at(n uint, ox, oy int64) Rect {
	return Rect{
		X0: int(ceilShift(int64(r.X0)-ox, n)), Y0: int(ceilShift(int64(r.Y0)-oy, n)),
		X1: int(ceilShift(int64(r.X1)-ox, n)), Y1: int(ceilShift(int64(r.Y1)-oy, n)),
	}
}

// cells counts the cells of size 2^n that [a, b) touches, and says which is the first.
func cells(a, b int, n uint) (first, count int) {
	if b <= a {
		return 0, 0
	}
	first = a >> n
	return first, (b-1)>>n - first + 1
}
