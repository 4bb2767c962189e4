package jpegls

import (
	"github.com/radtier/radtier/codecs"
)

// Interleave is how the components of an image share its scans (C.2.3, ILV).
type Interleave int

const (
	// InterleaveDefault is InterleaveSample for several components, which
	// compresses colour images best, and InterleaveNone for one.
	InterleaveDefault Interleave = iota
	InterleaveNone               // one scan per component
	InterleaveLine               // one scan, line by line
	InterleaveSample             // one scan, sample by sample
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

	lines [4][2][]uint16 // per component: the line above and this one, two samples longer than the image
	px    []uint16       // predictions of a line
	q     []int16        // context numbers of a line
	// Sample interleave: the same with the components side by side.
	allX, allPx []uint16
	allQ        []int16
}

var _ codecs.Encoder = (*Encoder)(nil)

// NewEncoder returns an encoder; it takes its memory at the first frame.
func NewEncoder(opts Options) *Encoder { return &Encoder{opts: opts} }

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

// MemoryNeeded bounds what Encode takes. A code can be as long as LIMIT, but a
// context that saw one raises its Golomb order, so that over a line the worst
// mixes of samples stay below 3P/2+2 bits each. The output may exist twice
// while append moves it to a larger array.
func (e *Encoder) MemoryNeeded(v codecs.View) int64 {
	samples := int64(v.Width) * int64(v.Height) * int64(v.Components)
	out := samples*int64(3*Precision(v)/2+2)/8 + 1024
	scratch := int64(lineBytes(v.Width, v.Components)) + int64(v.Width+16)*int64(v.Components)*4*4
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
	mode := e.interleave(v.Components)
	e.grow(v.Width, v.Components, mode)
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
	line := w + 2
	need := 2*line*components + w
	if mode == InterleaveSample {
		need += 2 * w * components
	}
	if cap(e.words) < need {
		e.words = make([]uint16, need)
	}
	if n := w * (components + 1); cap(e.contexts) < n {
		e.contexts = make([]int16, n)
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
	for c := range components {
		e.lines[c] = [2][]uint16{take(line), take(line)}
	}
	e.px = take(w)
	e.q = e.contexts[:w]
	if mode == InterleaveSample {
		e.allX, e.allPx = take(w*components), take(w*components)
		e.allQ = e.contexts[w : w*(components+1)]
	}
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
			dst = append(dst, e.bits.buf[:e.bits.n]...)
			dst = append(dst, 0xFF, byte(markerRST0+(y/r-1)%8))
			e.startInterval(n)
		}
		for c := range n {
			prev, cur := e.lines[c][0], e.lines[c][1]
			loadLine(cur[1:v.Width+1], v, first+c, y)
			frameLine(prev, cur)
		}
		if mode == InterleaveSample {
			e.encodePixels(v.Width, n)
		} else {
			for c := range n {
				e.encodeLine(e.lines[c][0], e.lines[c][1], v.Width, c)
			}
		}
		for c := range n {
			e.lines[c][0], e.lines[c][1] = e.lines[c][1], e.lines[c][0]
		}
		dst = append(dst, e.bits.buf[:e.bits.n]...)
		e.bits.n = 0
	}
	e.bits.finish()
	dst = append(dst, e.bits.buf[:e.bits.n]...)
	e.bits.n = 0
	return dst, nil
}

// frameLine sets the samples that A.2.1 assumes beside a line: left of it the
// first sample above, and right of the line above its last sample once more.
// What is left of prev stays from its own turn, as A.2.1 has it.
func frameLine(prev, cur []uint16) {
	cur[0] = prev[1]
	prev[len(prev)-1] = prev[len(prev)-2]
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
	analyse(e.q, e.px, prev, cur, &e.quant)
	for x := 0; x < w; {
		if x = e.encodeRegular(e.q, e.px, cur[1:w+1], x); x < w {
			x = e.encodeRun(cur, prev, x, w, comp)
		}
	}
}

// encodePixels codes one line of all components, sample by sample: a pixel is
// in run mode when all its components are, and one that is not codes all of
// them in regular mode (B.3).
func (e *Encoder) encodePixels(w, n int) {
	for c := range n {
		analyse(e.q, e.px, e.lines[c][0], e.lines[c][1], &e.quant)
		at := c
		cur := e.lines[c][1][1 : w+1]
		for x, q := range e.q {
			e.allQ[at], e.allPx[at], e.allX[at] = q, e.px[x], cur[x]
			at += n
		}
	}
	for x := 0; x < w; x++ {
		pixel := e.allQ[x*n : x*n+n]
		any := int16(0)
		for _, q := range pixel {
			any |= q
		}
		if any != 0 {
			for c, q := range pixel {
				if q == 0 {
					pixel[c] = zeroRegular
				}
			}
		}
	}
	for i := 0; i < w*n; {
		if i = e.encodeRegular(e.allQ[:w*n], e.allPx, e.allX, i); i < w*n {
			i = n * e.encodePixelRun(i/n, w, n)
		}
	}
}

// encodePixelRun is encodeRun for pixels of several components, which share a
// run and its index; the samples that end it are all of RItype 0.
func (e *Encoder) encodePixelRun(x, w, n int) int {
	end := x
run:
	for ; end < w; end++ {
		for c := range n {
			if cur := e.lines[c][1]; cur[end+1] != cur[x] {
				break run
			}
		}
	}
	index := &e.model.runIndex[0]
	e.encodeRunLength(end-x, end == w, index)
	if end == w {
		return end
	}
	for c := range n {
		e.encodeInterruption(int(e.lines[c][1][end+1]), int(e.lines[c][1][x]), int(e.lines[c][0][end+1]), 0, runOrder[*index])
	}
	*index = max(0, *index-1)
	return end + 1
}
