package jpegls

import "github.com/radtier/radtier/codecs"

// deliver stores a decoded line of the scan's components in the view, or compares it.
func (d *Decoder) deliver(v *codecs.View, sc *scan, y int, compare bool) error {
	if sc.mode == InterleaveSample {
		return d.deliverPixels(v, sc, y, compare)
	}
	w := v.Width
	for c := range sc.n {
		copy(d.out[c*w:(c+1)*w], d.lines[c][1][1:])
	}
	if kind := d.stream.transform; kind != 0 {
		undoTransform(kind, d.stream.frame.precision, d.out[:w], d.out[w:2*w], d.out[2*w:3*w], 1)
	}
	for c := range sc.n {
		if err := d.deliverLine(v, sc.component[c], y, d.out[c*w:(c+1)*w], compare); err != nil {
			return err
		}
	}
	return nil
}

// deliverPixels is deliver for components that lie side by side.
func (d *Decoder) deliverPixels(v *codecs.View, sc *scan, y int, compare bool) error {
	n := sc.n
	pixels := d.out[:v.Width*n]
	copy(pixels, d.lines[0][1][n:])
	if kind := d.stream.transform; kind != 0 {
		undoTransform(kind, d.stream.frame.precision, pixels, pixels[1:], pixels[2:], n)
	}
	if flat, ok := pixelsAsLine(v); ok && n == v.Components && sc.inOrder() {
		if !compare {
			storeLine(&flat, 0, y, pixels)
		} else if i := compareLine(&flat, 0, y, pixels, d.scratch); i >= 0 {
			return &codecs.MismatchError{Codec: codecName, Component: i % n, X: i / n, Y: y}
		}
		return nil
	}
	plane := d.scratch[:v.Width]
	for c := range n {
		onePlane(plane, pixels, c, n)
		if err := d.deliverLine(v, sc.component[c], y, plane, compare); err != nil {
			return err
		}
	}
	return nil
}

// deliverLine stores one component of a line, or compares it. It may change line.
func (d *Decoder) deliverLine(v *codecs.View, c, y int, line []uint16, compare bool) error {
	if !compare {
		storeLine(v, c, y, line)
		return nil
	}
	if x := compareLine(v, c, y, line, d.against); x >= 0 {
		return &codecs.MismatchError{Codec: codecName, Component: c, X: x, Y: y}
	}
	return nil
}

// inOrder reports whether the scan names the components in their order.
func (sc *scan) inOrder() bool {
	for i, c := range sc.component[:sc.n] {
		if i != c {
			return false
		}
	}
	return true
}
