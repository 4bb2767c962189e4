package jpegls

import (
	"github.com/radtier/radtier/codecs"
)

// Options changes what an Encoder writes. The zero value is the default.
type Options struct {
	Interleave Interleave
	// RestartInterval is the number of lines between restart markers, at most
	// 65535; 0 writes none. It costs compression and is meant for tests of decoders.
	RestartInterval int

	preset preset // tests write T1, T2, T3 and RESET of their own
}

// Encoder makes lossless JPEG-LS codestreams. It implements codecs.Encoder.
type Encoder struct {
	opts      Options
	par       params
	precision int
	quant     quantiser
	model     model
	bits      bitWriter
	words     []uint16 // backing of all lines
	contexts  []int16  // backing of all context numbers

	// Per component: the line above and this one, each with a sample more at
	// both ends. The components of a sample-interleaved scan lie side by side in the first.
	lines   [4][2][]uint16
	px      []uint16 // predictions of a line
	q       []int16  // context numbers of a line
	scratch []uint16 // one component of a line

	// How far a frame is: length of dst at its start, lines done, lines in all, bound of the output.
	start, done, total, most int

	kernels bool // use the processor's kernels; tests turn it off
	kernel  kernel
}

var _ codecs.Encoder = (*Encoder)(nil)

// NewEncoder returns an encoder; it takes its memory at the first frame.
func NewEncoder(opts Options) *Encoder { return &Encoder{opts: opts, kernels: haveKernels()} }

// interleave is the mode for an image of so many components.
func (e *Encoder) interleave(components int) Interleave {
	switch {
	case components == 1:
		return InterleaveNone
	case e.opts.Interleave == InterleaveDefault:
		return InterleaveSample
	}
	return e.opts.Interleave
}

// lineBytes bounds the codes of one line over all components: LIMIT is at most
// 4P bits for P of 8 and more, and one bit in 15 is stuffed.
func lineBytes(width, components int) int { return width*components*9 + 64 }

// outputBound bounds a frame's codestream. A code can be as long as LIMIT, but
// a context that saw one raises its Golomb order, so that over a line the
// worst mixes of samples stay below 3P/2+2 bits each.
func outputBound(v *codecs.View) int64 {
	samples := int64(v.Width) * int64(v.Height) * int64(v.Components)
	return samples*int64(3*Precision(*v)/2+2)/8 + 1024
}

// MemoryNeeded bounds what Encode takes. The output may exist twice while it moves to a larger array.
func (e *Encoder) MemoryNeeded(v codecs.View) int64 {
	out := outputBound(&v)
	scratch := int64(lineBytes(v.Width, v.Components)) + int64(v.Width+16)*int64(v.Components)*20
	return 2*out + out/4 + scratch + int64(len(e.quant.table)) + 16<<10
}

// Encode appends the codestream of the view. See codecs.Encoder.
func (e *Encoder) Encode(dst []byte, v codecs.View, opts codecs.EncodeOptions) ([]byte, codecs.Layout, error) {
	if err := v.Check(codecName); err != nil {
		return dst, codecs.Layout{}, err
	}
	if e.opts.RestartInterval < 0 || e.opts.RestartInterval > 65535 {
		return dst, codecs.Layout{}, &codecs.UnsupportedError{Codec: codecName, What: "restart interval outside 0..65535 lines"}
	}
	e.precision = Precision(v)
	par, wrong := newParams(e.precision, 0, e.opts.preset)
	if wrong != "" || !par.fast() {
		return dst, codecs.Layout{}, &codecs.UnsupportedError{Codec: codecName, What: "preset parameters: " + wrong}
	}
	e.par = par
	e.quant.set(par)
	e.kernel.set(&e.par, e.precision, &e.model)
	mode := e.interleave(v.Components)
	e.grow(v.Width, v.Components, mode)
	e.start, e.done, e.total, e.most = len(dst), 0, v.Height, int(outputBound(&v))
	if mode == InterleaveNone {
		e.total *= v.Components
	}
	dst = e.appendHeader(dst, &v)
	var err error
	if mode == InterleaveNone {
		for c := 0; c < v.Components && err == nil; c++ {
			dst, err = e.encodeScan(dst, &v, c, 1, mode, opts)
		}
	} else {
		dst, err = e.encodeScan(dst, &v, 0, v.Components, mode, opts)
	}
	if err != nil {
		return dst, codecs.Layout{}, err
	}
	return append(dst, 0xFF, markerEOI), codecs.Layout{}, nil
}

// grow makes lines for an image of this width.
func (e *Encoder) grow(w, components int, mode Interleave) {
	all := w * components
	if need := 2*(all+2*components) + 2*all; cap(e.words) < need {
		e.words = make([]uint16, need)
		e.contexts = make([]int16, need)
	}
	if n := lineBytes(w, components); cap(e.bits.buf) < n {
		e.bits.buf = make([]byte, n)
	}
	rest := e.words[:cap(e.words)]
	take := func(n int) []uint16 {
		s := rest[:n:n]
		rest = rest[n:]
		return s
	}
	if mode == InterleaveSample {
		e.lines[0] = [2][]uint16{take(all + 2*components), take(all + 2*components)}
	} else {
		for c := range components {
			e.lines[c] = [2][]uint16{take(w + 2), take(w + 2)}
		}
		all = w
	}
	e.px, e.q, e.scratch = take(all), e.contexts[:all], take(w)
	e.bits.buf = e.bits.buf[:cap(e.bits.buf)]
}

// appendHeader writes SOI, SOF55, LSE if a test asked for presets, and DRI (C.2.2, C.2.4, C.2.5).
func (e *Encoder) appendHeader(dst []byte, v *codecs.View) []byte {
	n := v.Components
	dst = append(dst, 0xFF, markerSOI, 0xFF, markerSOF55, 0, byte(8+3*n), byte(e.precision),
		byte(v.Height>>8), byte(v.Height), byte(v.Width>>8), byte(v.Width), byte(n))
	for c := range n {
		dst = append(dst, byte(c+1), 0x11, 0)
	}
	if e.opts.preset != (preset{}) {
		dst = append(dst, 0xFF, markerLSE, 0, 13, 1)
		for _, p := range []int{e.par.maxVal, e.par.t1, e.par.t2, e.par.t3, e.par.reset} {
			dst = append(dst, byte(p>>8), byte(p))
		}
	}
	if r := e.opts.RestartInterval; r > 0 {
		dst = append(dst, 0xFF, markerDRI, 0, 4, byte(r>>8), byte(r))
	}
	return dst
}

// encodeScan writes SOS and the entropy-coded data of n components from first on (C.2.3).
func (e *Encoder) encodeScan(dst []byte, v *codecs.View, first, n int, mode Interleave, opts codecs.EncodeOptions) ([]byte, error) {
	dst = append(dst, 0xFF, markerSOS, 0, byte(6+2*n), byte(n))
	for c := range n {
		dst = append(dst, byte(first+c+1), 0)
	}
	dst = append(dst, 0, byte(mode-InterleaveNone), 0)
	e.startInterval(n)
	for y := range v.Height {
		if y%16 == 0 && opts.Context != nil && opts.Context.Err() != nil {
			return dst, opts.Context.Err()
		}
		if r := e.opts.RestartInterval; r > 0 && y > 0 && y%r == 0 {
			e.bits.finish()
			dst = e.emit(dst)
			dst = append(dst, 0xFF, byte(markerRST0+(y/r-1)%8))
			e.startInterval(n)
		}
		if mode == InterleaveSample {
			prev, cur := e.lines[0][0], e.lines[0][1]
			loadPixels(cur[n:len(cur)-n], v, y, e.scratch)
			frameLine(prev, cur, n)
			e.encodePixels(prev, cur, v.Width, n)
			e.lines[0] = [2][]uint16{cur, prev}
		} else {
			for c := range n {
				prev, cur := e.lines[c][0], e.lines[c][1]
				loadLine(cur[1:v.Width+1], v, first+c, y)
				frameLine(prev, cur, 1)
				e.encodeLine(prev, cur, v.Width, c)
				e.lines[c] = [2][]uint16{cur, prev}
			}
		}
		e.done++
		dst = e.emit(dst)
	}
	e.bits.finish()
	return e.emit(dst), nil
}

// emit moves what was coded to dst and leaves room for a few markers. If dst is
// full, the lines so far tell how much more the frame will take, so that a
// frame's output moves once or twice and not with every doubling.
func (e *Encoder) emit(dst []byte) []byte {
	need := len(dst) + e.bits.n + 64
	if need > cap(dst) {
		made := need - e.start
		size := max(made+made/2, int(int64(made)*int64(e.total)/int64(max(e.done, 1))*9/8))
		size = max(made, min(size, e.most))
		grown := make([]byte, len(dst), e.start+size)
		copy(grown, dst)
		dst = grown
	}
	dst = append(dst, e.bits.buf[:e.bits.n]...)
	e.bits.n = 0
	return dst
}

// frameLine sets the samples that A.2.1 assumes beside a line: left of it the
// first sample above, and right of the line above its last sample once more.
// What is left of prev stays from its own turn, as A.2.1 has it.
// n components lie side by side.
func frameLine(prev, cur []uint16, n int) {
	copy(cur[:n], prev[n:2*n])
	copy(prev[len(prev)-n:], prev[len(prev)-2*n:len(prev)-n])
}

// startInterval resets the model, and the line above to zeros, for a scan or restart interval (A.2.1).
func (e *Encoder) startInterval(components int) {
	e.model.reset(&e.par)
	e.bits.n, e.bits.acc, e.bits.cnt, e.bits.ff = 0, 0, 0, false
	for c := range components {
		clear(e.lines[c][0])
	}
}

// encodeLine codes one line of one component.
func (e *Encoder) encodeLine(prev, cur []uint16, w, comp int) {
	for x, ready := 0, 0; x < w; {
		if x >= ready {
			from, to := analyseRange(x, w)
			analyse(e.q[from:to], e.px[from:to], prev[from:], cur[from:], 1, &e.quant)
			ready = to
		}
		if x = e.encodeRegular(e.q[:ready], e.px, cur[1:w+1], x); x < ready {
			x = e.encodeRun(cur, prev, x, w, comp)
		}
	}
}

// encodePixels codes one line of all components, sample by sample: a pixel is
// in run mode when all its components are, and one that is not codes all of
// them in regular mode (B.3).
func (e *Encoder) encodePixels(prev, cur []uint16, w, n int) {
	xs := cur[n : n+w*n]
	for i, ready := 0, 0; i < w*n; {
		if i >= ready {
			from, to := analyseRange(i/n, w)
			from, ready = from*n, to*n
			q := e.q[from:ready]
			analyse(q, e.px[from:ready], prev[from:], cur[from:], n, &e.quant)
			if n == 3 {
				markRegular3(q)
			} else {
				markRegular(q, n)
			}
		}
		if i = e.encodeRegular(e.q[:ready], e.px, xs, i); i < ready {
			i = n * e.encodePixelRun(prev, cur, i/n, w, n)
		}
	}
}

// markRegular gives zero context numbers in pixels that are not in run mode their number.
func markRegular(q []int16, n int) {
	for ; len(q) >= n; q = q[n:] {
		some := int16(0)
		for _, v := range q[:n] {
			some |= v
		}
		for c, v := range q[:n] {
			q[c] = v | zeroMask(v)&^zeroMask(some)&zeroRegular
		}
	}
}

// markRegular3 is markRegular for colour.
func markRegular3(q []int16) {
	for ; len(q) >= 3; q = q[3:] {
		a, b, c := q[0], q[1], q[2]
		number := zeroRegular &^ zeroMask(a|b|c)
		q[0], q[1], q[2] = a|zeroMask(a)&number, b|zeroMask(b)&number, c|zeroMask(c)&number
	}
}

// zeroMask is all ones if v is 0.
func zeroMask(v int16) int16 { return int16((int32(uint16(v)) - 1) >> 31) }

// encodePixelRun is encodeRun for pixels of n components, which share a run
// and its index; the samples that end it are all of RItype 0.
func (e *Encoder) encodePixelRun(prev, cur []uint16, x, w, n int) int {
	// A pixel continues the run if it equals its left neighbour.
	left, here := cur[:(w+1)*n], cur[n:(w+1)*n]
	end := x + equalPrefix(left[x*n:len(here)], here[x*n:])/n
	index := &e.model.runIndex[0]
	e.encodeRunLength(end-x, end == w, index)
	if end == w {
		return end
	}
	order := runOrder[*index]
	for c := range n {
		e.encodeInterruption(int(here[end*n+c]), int(cur[x*n+c]), int(prev[(end+1)*n+c]), 0, order)
	}
	*index = max(0, *index-1)
	return end + 1
}
