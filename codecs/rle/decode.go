package rle

import "github.com/radtier/radtier/codecs"

// Decoder is a [codecs.Decoder].
type Decoder struct {
	rows     []byte     // a row of the high and one of the low byte plane, each with slack behind it
	segments [8]segment // most significant first, component by component
	ends     [8]int64   // of the segments, as offsets in the frame
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Probe reads the header. Width and height are zero, since the codestream has
// none. The segments tell components and precision as far as they can: 1, 3
// and 4 segments are taken for components of 8 bits, 2, 6 and 8 for 16 bits.
// Decode goes by its view instead, so a frame of 4 segments that is one component of 32 bits is noticed there.
func (d *Decoder) Probe(src [][]byte) (codecs.Info, error) {
	h, err := parse(src)
	if err != nil {
		return codecs.Info{}, err
	}
	info := codecs.Info{Components: h.segments, Bits: 8, Lossless: true}
	switch h.segments {
	case 1, 3, 4:
	case 2, 6, 8:
		info.Components, info.Bits = h.segments/2, 16
	default:
		return codecs.Info{}, unsupported("%d segments: neither 1, 3 nor 4 components of 8 or 16 bits", h.segments)
	}
	return info, nil
}

const maxWidth = 65535

// MemoryNeeded returns the size of two rows of bytes, of the widest image if info has no width.
func (d *Decoder) MemoryNeeded(info codecs.Info, _ codecs.DecodeOptions) int64 {
	width := info.Width
	if width == 0 {
		width = maxWidth
	}
	return grown(int64(rowBytes(width)))
}

// rowBytes is the scratch memory for images of a width.
func rowBytes(width int) int { return 2 * (width + rowSlack) }

// Decode writes the frame into dst, whose words of 8 or 16 bits and components say how many segments there must be.
// Segments of 8-bit samples also fit into words of 16 bits.
func (d *Decoder) Decode(dst codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.rowwise(&dst, src, opts, false)
}

// Compare decodes the frame and returns a *codecs.MismatchError for the first
// sample, in the order of rows, then components, then columns, that Decode
// would give another value than the view has.
func (d *Decoder) Compare(view codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.rowwise(&view, src, opts, true)
}

// rowwise unpacks all segments side by side, row by row, and stores or compares each.
func (d *Decoder) rowwise(v *codecs.View, src [][]byte, opts codecs.DecodeOptions, compare bool) error {
	defer clear(d.segments[:]) // not to keep the caller's bytes alive
	planes, err := d.open(v, src, opts)
	if err != nil {
		return err
	}
	w := v.Width
	high, low := d.rows[:w:w+rowSlack], d.rows[w+rowSlack:2*w+rowSlack:2*w+2*rowSlack]
	if planes == 1 {
		clear(high)
	}
	for y := range v.Height {
		if err := cancelled(opts.Context, y); err != nil {
			return err
		}
		for c := range v.Components {
			i := c * planes
			if planes == 2 {
				if !d.segments[i].unpack(high) {
					return d.short(i, v, y)
				}
				i++
			}
			if !d.segments[i].unpack(low) {
				return d.short(i, v, y)
			}
			switch {
			case !compare:
				store(v, c, y, high, low)
			default:
				if x := differs(v, c, y, high, low); x >= 0 {
					return &codecs.MismatchError{Codec: name, Component: c, X: x, Y: y}
				}
			}
		}
	}
	for i := range v.Components * planes {
		if s := &d.segments[i]; !s.padded() {
			return malformed(d.ends[i]-s.rest(), "PS3.5 G.3.1", "segment %d holds more than an image of %d x %d", i+1, v.Width, v.Height)
		}
	}
	return nil
}

// short is the error of a segment that ends in row y.
func (d *Decoder) short(i int, v *codecs.View, y int) error {
	return malformed(d.ends[i], "PS3.5 G.3.1", "segment %d ends in row %d of %d x %d", i+1, y, v.Width, v.Height)
}

// open checks everything that can be told from the header and places the
// segments. It returns the byte planes of a coded sample, 1 or 2.
func (d *Decoder) open(v *codecs.View, src [][]byte, opts codecs.DecodeOptions) (planes int, err error) {
	if err := check(v); err != nil {
		return 0, err
	}
	if opts.Reduce != 0 {
		return 0, unsupported("reduced resolutions")
	}
	h, err := parse(src)
	if err != nil {
		return 0, err
	}
	planes = h.segments / v.Components
	switch {
	case h.segments%v.Components == 0 && planes >= 1 && planes <= v.WordBytes():
	case h.segments%v.Components == 0 && (planes == 2 || planes == 4 || planes == 8):
		return 0, unsupported("samples of %d bytes in words of %d bits", planes, v.Container)
	default:
		return 0, malformed(0, "PS3.5 G.2", "%d segments for %d components of %d bits", h.segments, v.Components, v.Container)
	}
	if err := d.limits(v, opts.Limits); err != nil {
		return 0, err
	}
	total := size(src)
	for i := range h.segments {
		from, to, err := h.bounds(i, total)
		if err != nil {
			return 0, err
		}
		d.segments[i].open(src, from, to)
		d.ends[i] = to
	}
	return planes, nil
}

func (d *Decoder) limits(v *codecs.View, lim codecs.Limits) error {
	pixels, memory := lim.MaxPixels, lim.MaxBytes
	if pixels == 0 {
		pixels = 1 << 32
	}
	if memory == 0 {
		memory = 1 << 30
	}
	if need := int64(v.Width) * int64(v.Height) * int64(v.Components); need > pixels {
		return &codecs.LimitError{Codec: name, What: "samples of the image", Need: need, Most: pixels}
	}
	need := int64(rowBytes(v.Width))
	if need > memory {
		return &codecs.LimitError{Codec: name, What: "bytes of memory", Need: need, Most: memory}
	}
	if int64(cap(d.rows)) < need {
		d.rows = make([]byte, need)
	}
	return nil
}
