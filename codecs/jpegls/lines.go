package jpegls

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// loadLine reads row y of component c into dst as the unsigned values that are
// coded: masked to the significant bits, and for signed samples sign-extended to the word.
func loadLine(dst []uint16, v *codecs.View, c, y int) {
	pix := v.Pix[c*v.PlaneStride+y*v.RowStride:]
	switch {
	case v.Container == 8 && v.PixelStride == 1:
		widen(dst, pix[:len(dst)])
	case v.Container == 8:
		at := 0
		for x := range dst {
			dst[x] = uint16(pix[at])
			at += v.PixelStride
		}
	case v.BigEndian:
		at := 0
		for x := range dst {
			dst[x] = binary.BigEndian.Uint16(pix[at : at+2])
			at += v.PixelStride
		}
	case v.PixelStride == 2:
		// The usual case: four samples at a time, and masked on the way.
		mask := ^uint64(0)
		if !v.Signed {
			mask = (1<<v.Bits - 1) * 0x0001000100010001
		}
		d, p := dst, pix[:2*len(dst)]
		for len(p) >= 8 && len(d) >= 4 {
			w := binary.LittleEndian.Uint64(p) & mask
			d[0], d[1], d[2], d[3] = uint16(w), uint16(w>>16), uint16(w>>32), uint16(w>>48)
			p, d = p[8:], d[4:]
		}
		for x := range d {
			d[x] = binary.LittleEndian.Uint16(p[2*x:]) & uint16(mask)
		}
		if !v.Signed {
			return
		}
	default:
		at := 0
		for x := range dst {
			dst[x] = binary.LittleEndian.Uint16(pix[at : at+2])
			at += v.PixelStride
		}
	}
	normalise(dst, v)
}

// normalise gives words the value of their significant bits: masked, or
// sign-extended to the width of the container (PS3.5 8.1.1).
func normalise(line []uint16, v *codecs.View) {
	if v.Bits == v.Container {
		return
	}
	if v.Signed {
		word := uint16(1<<v.Container - 1)
		up := uint(16-v.Bits) & 15
		for x, s := range line {
			line[x] = uint16(int16(s<<up)>>up) & word
		}
		return
	}
	mask := uint16(1)<<v.Bits - 1
	for x := range line {
		line[x] &= mask
	}
}

// needsNormalise reports whether values of a codestream's precision can differ from what normalise makes of them.
func needsNormalise(v *codecs.View, precision int) bool {
	return v.Bits < v.Container && (v.Signed || precision > v.Bits)
}

// storeLine writes normalised values as row y of component c.
func storeLine(v *codecs.View, c, y int, line []uint16) {
	pix := v.Pix[c*v.PlaneStride+y*v.RowStride:]
	switch {
	case v.Container == 8 && v.PixelStride == 1:
		narrow(pix[:len(line)], line)
	case v.Container == 8:
		at := 0
		for _, s := range line {
			pix[at] = uint8(s)
			at += v.PixelStride
		}
	case v.BigEndian:
		at := 0
		for _, s := range line {
			binary.BigEndian.PutUint16(pix[at:at+2], s)
			at += v.PixelStride
		}
	case v.PixelStride == 2:
		p := pix[:2*len(line)]
		for len(p) >= 8 && len(line) >= 4 {
			binary.LittleEndian.PutUint64(p, uint64(line[0])|uint64(line[1])<<16|uint64(line[2])<<32|uint64(line[3])<<48)
			p, line = p[8:], line[4:]
		}
		for x, s := range line {
			binary.LittleEndian.PutUint16(p[2*x:], s)
		}
	default:
		at := 0
		for _, s := range line {
			binary.LittleEndian.PutUint16(pix[at:at+2], s)
			at += v.PixelStride
		}
	}
}

// compareLine returns the first column where decoded values are not those of
// row y of component c, -1 if there is none. Both are normalised. It uses scratch.
func compareLine(v *codecs.View, c, y int, line, scratch []uint16) int {
	scratch = scratch[:len(line)]
	loadLine(scratch, v, c, y)
	var differ uint16
	for x, s := range scratch {
		differ |= s ^ line[x]
	}
	if differ == 0 {
		return -1
	}
	for x, s := range scratch {
		if s != line[x] {
			return x
		}
	}
	return -1
}

// pixelsAsLine returns the view whose line has all components of v's pixels
// side by side, if they lie so.
func pixelsAsLine(v *codecs.View) (codecs.View, bool) {
	word := v.WordBytes()
	if v.PlaneStride != word || v.PixelStride != v.Components*word {
		return codecs.View{}, false
	}
	flat := *v
	flat.Width, flat.Components, flat.PixelStride = v.Width*v.Components, 1, word
	return flat, true
}

// loadPixels is loadLine for all components, which lie side by side in dst.
func loadPixels(dst []uint16, v *codecs.View, y int, scratch []uint16) {
	if flat, ok := pixelsAsLine(v); ok {
		loadLine(dst, &flat, 0, y)
		return
	}
	n := v.Components
	for c := range n {
		loadLine(scratch, v, c, y)
		at := c
		for _, s := range scratch {
			dst[at] = s
			at += n
		}
	}
}

// onePlane takes component c of n that lie side by side.
func onePlane(dst, pixels []uint16, c, n int) {
	for x := range dst {
		dst[x] = pixels[c]
		c += n
	}
}
