package jpegls

import "github.com/radtier/radtier/codecs"

// deliver stores a decoded line of the scan's components in the view, or compares it.
func (d *Decoder) deliver(v *codecs.View, sc *scan, y int, compare bool) error {
	kind, precision := d.stream.transform, d.stream.frame.precision
	w, n := v.Width, sc.n
	// The line itself must stay for the next line's predictions.
	asIs := kind == 0 && !needsNormalise(v, precision)
	if sc.mode == InterleaveSample {
		pixels := d.lines[0][1][n : n+w*n]
		if !asIs {
			copy(d.out, pixels)
			pixels = d.out[:len(pixels)]
			if kind != 0 {
				undoTransform(kind, precision, pixels, pixels[1:], pixels[2:], n)
			}
			normalise(pixels, v)
		}
		return d.deliverPixels(v, sc, y, pixels, compare)
	}
	lines := [4][]uint16{}
	for c := range n {
		lines[c] = d.lines[c][1][1 : w+1]
		if !asIs {
			copy(d.out[c*w:(c+1)*w], lines[c])
			lines[c] = d.out[c*w : (c+1)*w]
		}
	}
	if kind != 0 {
		undoTransform(kind, precision, lines[0], lines[1], lines[2], 1)
	}
	for c := range n {
		if !asIs {
			normalise(lines[c], v)
		}
		if err := d.deliverLine(v, sc.component[c], y, lines[c], compare); err != nil {
			return err
		}
	}
	return nil
}

// deliverPixels is deliver for components that lie side by side.
func (d *Decoder) deliverPixels(v *codecs.View, sc *scan, y int, pixels []uint16, compare bool) error {
	n := sc.n
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

// deliverLine stores one component of a line, or compares it.
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
