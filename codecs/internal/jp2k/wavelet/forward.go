package wavelet

import "github.com/radtier/radtier/codecs/internal/jp2k/geom"

// Forward computes the reversible 5/3 transform (FDWT, F.4).
type Forward struct {
	sink   Sink
	fast   bool // use the processor's kernels
	levels []forwardLevel
	n      int // levels in use
	y      int // of the next line, if there are no levels
}

// forwardLevel splits the lines of one level (2D_SD, F.4.2): down the columns
// (VER_SD, F.4.3), then along the lines (HOR_SD, F.4.4).
type forwardLevel struct {
	area geom.Rect
	res  int // resolution level of its high-pass sub-bands
	y    int // of the next line
	lines[int32]
	next  []int32 // the line that is to be filled
	even  []int32 // the last even line
	odd   []int32 // the odd line after it
	above []int32 // the high-pass line before even
	high  []int32 // the high-pass line after even
	low   []int32 // even, after its step
	// What of these there is.
	hasEven, hasOdd, hasAbove bool
}

// NewForward returns a transform that hands its sub-bands to sink. plain keeps
// it from using the processor's kernels; the sub-bands are the same.
func NewForward(sink Sink, plain bool) *Forward {
	return &Forward{sink: sink, fast: !plain && haveKernels()}
}

// Set begins a tile-component of an area, with so many decomposition levels.
// The component before it need not be complete.
func (f *Forward) Set(area geom.Rect, levels int) {
	for len(f.levels) < levels {
		f.levels = append(f.levels, forwardLevel{})
	}
	f.n, f.y = levels, area.Y0
	for d := range levels {
		l := &f.levels[d]
		w := max(0, area.W())
		l.reserve(6, w)
		*l = forwardLevel{area: area, res: levels - d, y: area.Y0, lines: l.lines,
			next: l.line(0, w), even: l.line(1, w), odd: l.line(2, w), above: l.line(3, w), high: l.line(4, w), low: l.line(5, w)}
		area = below(area)
	}
}

// Line is where the next line of the component is to be written: as many
// samples as it is wide. It may be asked for more than once.
func (f *Forward) Line() []int32 {
	if f.n == 0 {
		return f.sink.Row(0, geom.LL, f.y)
	}
	l := &f.levels[0]
	return l.next[:l.area.W()]
}

// Push takes the line that was written. There must be no more of them than
// the area has, and none if it is empty.
func (f *Forward) Push() {
	if f.n == 0 {
		f.sink.Done(0, geom.LL, f.y)
		f.y++
		return
	}
	f.push(0)
}

// push takes the next line of level d. An even line completes the odd line
// above it, and that the even line above that one; the last line completes
// what is left, with the mirror image below it (F.4.7).
func (f *Forward) push(d int) {
	l := &f.levels[d]
	y := l.y
	l.y++
	last := l.y == l.area.Y1
	if l.area.H() == 1 { // F.4.6: a single sample, doubled if odd
		if y&1 != 0 {
			for i := range l.next {
				l.next[i] <<= 1
			}
		}
		f.emit(d, y, l.next)
		return
	}
	if y&1 != 0 {
		l.next, l.odd = l.odd, l.next
		l.hasOdd = true
		if last {
			highStep(l.high, l.odd, l.even, l.even)
			f.finishEven(l, l.high)
			f.emit(d, y-1, l.low)
			f.emit(d, y, l.high)
		}
		return
	}
	if l.hasOdd {
		switch {
		case l.hasAbove:
			forwardLines(f.fast, l.low, l.high, l.even, l.odd, l.next, l.above)
			f.emit(d, y-2, l.low)
		case l.hasEven:
			highStep(l.high, l.odd, l.even, l.next)
			f.finishEven(l, l.high)
			f.emit(d, y-2, l.low)
		default: // the area begins with an odd line
			highStep(l.high, l.odd, l.next, l.next)
		}
		f.emit(d, y-1, l.high)
		l.above, l.high = l.high, l.above
		l.hasOdd, l.hasAbove = false, true
	}
	l.next, l.even = l.even, l.next
	l.hasEven = true
	if last {
		f.finishEven(l, l.above)
		f.emit(d, y, l.low)
	}
}

// finishEven takes the step of the last even line at an end of the area; under
// is the high-pass line below it, or its mirror image.
func (f *Forward) finishEven(l *forwardLevel, under []int32) {
	over := under
	if l.hasAbove {
		over = l.above
	}
	lowStep(l.low, l.even, over, under)
}

// emit splits line y, whose steps down are done, in its two sub-bands. Its
// low-pass part may be a line of the next level.
func (f *Forward) emit(d, y int, line []int32) {
	l := &f.levels[d]
	x0, x1 := l.area.X0, l.area.X1
	line = line[:x1-x0]
	evens, odds := (x1+1)>>1-(x0+1)>>1, x1>>1-x0>>1
	lo, hi := bandsOf(y)
	down := lo == geom.LL && d+1 < f.n
	res := l.res
	if lo == geom.LL {
		res = 0
	}
	var low, high []int32
	switch {
	case evens == 0:
	case down:
		low = f.levels[d+1].next[:evens]
	default:
		low = f.sink.Row(res, lo, y>>1)[:evens]
	}
	if odds > 0 {
		high = f.sink.Row(l.res, hi, y>>1)[:odds]
	}
	switch {
	case evens == 0:
		high[0] = line[0] << 1 // F.4.6
	case odds == 0:
		low[0] = line[0]
	default:
		forwardRow(f.fast, low, high, line, x0&1 != 0)
	}
	if odds > 0 {
		f.sink.Done(l.res, hi, y>>1)
	}
	switch {
	case evens == 0:
	case down:
		f.push(d + 1)
	default:
		f.sink.Done(res, lo, y>>1)
	}
}
