package jpegls

import (
	"github.com/radtier/radtier/codecs"
)

// Defaults of codecs.Limits.
const (
	defaultMaxPixels = 1 << 32
	defaultMaxBytes  = 1 << 30
)

// Decoder reads JPEG-LS codestreams. It implements codecs.Decoder.
type Decoder struct {
	stream stream
	bits   bitReader
	par    params
	quant  quantiser
	model  model
	words  []uint16 // backing of all lines

	// Per component of the scan: the line above and this one, each with a
	// sample more at both ends. The components of a sample-interleaved scan lie side by side in the first.
	lines   [4][2][]uint16
	out     []uint16 // decoded values on their way into the view
	scratch []uint16 // all components of a line of the view, or one of the scan
	against []uint16 // one component of a line of the view
	q       []int16  // what analyseAbove found

	kernels bool // use the processor's kernels; tests turn it off
	kernel  kernel
	general bool // do not take the fast path
}

var _ codecs.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder; it takes its memory at the first frame.
func NewDecoder() *Decoder { return &Decoder{kernels: haveKernels()} }

// NewPlainDecoder returns a decoder that goes the general way in plain Go, so that it can vouch for the fast one
// and for the kernels. The two share what parses headers and what packs samples into the words of a view.
func NewPlainDecoder() *Decoder { return &Decoder{general: true} }

// Probe reads all frame and scan headers. Lossless means that NEAR is 0 in each of them.
func (d *Decoder) Probe(src [][]byte) (codecs.Info, error) {
	s := &d.stream
	if err := s.open(src); err != nil {
		return codecs.Info{}, err
	}
	near := 0
	for {
		var sc scan
		more, err := s.nextScan(&sc)
		if err != nil {
			return codecs.Info{}, err
		}
		if !more {
			break
		}
		near = max(near, sc.near)
		if s.complete() {
			break
		}
		s.skipScan()
	}
	f := &s.frame
	return codecs.Info{Width: int(f.width), Height: int(f.height), Components: f.components, Bits: f.precision,
		Lossless: near == 0, Near: near}, nil
}

// MemoryNeeded is the size of the lines in work; the image itself is never held.
func (d *Decoder) MemoryNeeded(info codecs.Info, _ codecs.DecodeOptions) int64 {
	return memoryNeeded(int64(info.Width), int64(info.Components))
}

func memoryNeeded(width, components int64) int64 {
	return (width+16)*2*(10*components+2) + 1<<17 + 16<<10
}

// Decode writes the samples into dst. See codecs.Decoder.
func (d *Decoder) Decode(dst codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.run(&dst, src, &opts, false)
}

// Compare decodes line by line and compares. See codecs.Decoder.
func (d *Decoder) Compare(view codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.run(&view, src, &opts, true)
}

func (d *Decoder) run(v *codecs.View, src [][]byte, opts *codecs.DecodeOptions, compare bool) error {
	defer d.release()
	if opts.Reduce != 0 {
		return unsupported("decoding at reduced resolution")
	}
	if err := v.Check(codecName); err != nil {
		return err
	}
	s := &d.stream
	if err := s.open(src); err != nil {
		return err
	}
	for first := true; ; first = false {
		var sc scan
		more, err := s.nextScan(&sc)
		if err != nil || !more {
			return err
		}
		if first {
			if err := d.admit(v, opts); err != nil {
				return err
			}
		}
		if s.transform != 0 && sc.n != 3 {
			return unsupported("a colour transform in a scan of %d components", sc.n)
		}
		if err := d.decodeScan(v, &sc, opts, compare); err != nil {
			return err
		}
	}
}

// release lets go of the caller's bytes.
func (d *Decoder) release() {
	d.stream.source, d.bits.source, d.kernel = source{}, source{}, kernel{}
}

// admit checks the image against the view and the limits, and then makes lines for it.
func (d *Decoder) admit(v *codecs.View, opts *codecs.DecodeOptions) error {
	f := &d.stream.frame
	limit := func(what string, need, most, byDefault int64) error {
		if most == 0 {
			most = byDefault
		}
		if need > most {
			return &codecs.LimitError{Codec: codecName, What: what, Need: need, Most: most}
		}
		return nil
	}
	if f.width > 1<<20 || f.height > 1<<40 {
		return unsupported("image of %d x %d", f.width, f.height)
	}
	if err := limit("samples of the image", f.width*f.height*int64(f.components), opts.Limits.MaxPixels, defaultMaxPixels); err != nil {
		return err
	}
	if err := limit("bytes of memory", memoryNeeded(f.width, int64(f.components)), opts.Limits.MaxBytes, defaultMaxBytes); err != nil {
		return err
	}
	if f.width != int64(v.Width) || f.height != int64(v.Height) || f.components != v.Components {
		return unsupported("codestream of %d x %d with %d components for a view of %d x %d with %d",
			f.width, f.height, f.components, v.Width, v.Height, v.Components)
	}
	if f.precision > v.Container {
		return unsupported("precision of %d bits for words of %d", f.precision, v.Container)
	}
	d.grow(v.Width, v.Components)
	return nil
}

// grow makes lines for an image of this width.
func (d *Decoder) grow(w, components int) {
	all := w * components
	if need := 2*(all+2*components) + 2*all + w; cap(d.words) < need {
		d.words = make([]uint16, need)
		d.q = make([]int16, need)
	}
	d.out, d.scratch, d.against = d.words[:all], d.words[all:2*all], d.words[2*all:2*all+w]
}

// cut divides the memory for lines among the components of a scan.
func (d *Decoder) cut(w int, sc *scan) {
	rest := d.words[len(d.out)+len(d.scratch)+len(d.against):]
	lines, line := sc.n, w+2
	if sc.mode == InterleaveSample {
		lines, line = 1, sc.n*(w+2)
	}
	for c := range lines {
		d.lines[c] = [2][]uint16{rest[:line:line], rest[line : 2*line : 2*line]}
		rest = rest[2*line:]
	}
}

// decodeScan decodes the entropy-coded data of a scan, with its restart intervals.
func (d *Decoder) decodeScan(v *codecs.View, sc *scan, opts *codecs.DecodeOptions, compare bool) error {
	s := &d.stream
	par, wrong := newParams(s.frame.precision, sc.near, s.preset)
	if wrong != "" {
		return s.malformed(s.offset(), "C.2.4.1.1", "%s", wrong)
	}
	d.par = par
	d.quant.set(par)
	d.kernel.set(&d.par, s.frame.precision, &d.model)
	fast := par.fast() && !d.general
	d.bits.source = s.source
	d.cut(v.Width, sc)
	lines, lag := sc.n, 1
	if sc.mode == InterleaveSample {
		lines, lag = 1, sc.n
	}
	d.startInterval(lines)
	for y := range v.Height {
		if y%16 == 0 && opts.Context != nil && opts.Context.Err() != nil {
			return opts.Context.Err()
		}
		if s.restart > 0 && y > 0 && int64(y)%s.restart == 0 {
			if err := d.nextInterval(int64(y)/s.restart, lines); err != nil {
				return err
			}
		}
		for c := range lines {
			frameLine(d.lines[c][0], d.lines[c][1], lag)
		}
		var wrong string
		switch {
		case sc.mode == InterleaveSample && fast:
			wrong = d.decodePixels(v.Width, sc.n)
		case sc.mode == InterleaveSample:
			wrong = d.decodeGeneral(v.Width, 0, sc.n)
		case fast:
			for c := 0; c < sc.n && wrong == ""; c++ {
				wrong = d.decodeLine(v.Width, c)
			}
		default:
			for c := 0; c < sc.n && wrong == ""; c++ {
				wrong = d.decodeGeneral(v.Width, c, 1)
			}
		}
		if wrong != "" {
			return s.malformed(d.bits.offset(), "Annex A", "%s in line %d", wrong, y)
		}
		if err := d.deliver(v, sc, y, compare); err != nil {
			return err
		}
		for c := range lines {
			d.lines[c][0], d.lines[c][1] = d.lines[c][1], d.lines[c][0]
		}
	}
	if wrong := d.bits.finish(); wrong != "" {
		return s.malformed(d.bits.offset(), "A.1", "%s", wrong)
	}
	s.source = d.bits.source
	return nil
}

// startInterval resets the model, and the line above to zeros, for a scan or restart interval (A.2.1).
func (d *Decoder) startInterval(lines int) {
	d.model.reset(&d.par)
	d.bits.start()
	for c := range lines {
		clear(d.lines[c][0])
	}
}

// nextInterval passes the restart marker that ends the given interval, counted from 1 (C.2.5).
func (d *Decoder) nextInterval(number int64, lines int) error {
	s := &d.stream
	wrong := d.bits.finish()
	at := d.bits.offset()
	if wrong != "" {
		return s.malformed(at, "A.1", "%s", wrong)
	}
	s.source = d.bits.source
	code, ok, err := s.marker()
	if err != nil {
		return err
	}
	if want := markerRST0 + byte((number-1)%8); !ok || code != want {
		return s.malformed(at, "C.2.5", "no restart marker RST%d where it must be", want-markerRST0)
	}
	d.bits.source = s.source
	d.startInterval(lines)
	return nil
}
