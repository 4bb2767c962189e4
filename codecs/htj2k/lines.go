package htj2k

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// loadLine reads row y of component c, masked to the significant bits, and sign-extended or shifted to
// be around zero (T.800 G.1): what the wavelet transform takes. scratch has a byte for each sample.
func loadLine(dst []int32, v *codecs.View, c, y int, scratch []byte, kernel bool) {
	pix := v.Pix[c*v.PlaneStride+y*v.RowStride:]
	n := len(dst) &^ 15
	up, shift := 32-v.Bits, int32(0)
	if !v.Signed {
		shift = 1 << (v.Bits - 1)
	}
	switch {
	case !kernel || n == 0 || v.BigEndian:
		n = 0
	case v.Container == 16 && v.PixelStride == 2:
		loadWordsKernel(&dst[0], &pix[0], n, up, shift, v.Signed)
	case v.Container == 16:
		n = 0
	case v.PixelStride == 1:
		loadBytesKernel(&dst[0], &pix[0], n, up, shift, v.Signed)
	default: // the bytes of other components lie between
		scratch = scratch[:n]
		at, step := 0, v.PixelStride
		for i := range scratch {
			scratch[i] = pix[at]
			at += step
		}
		loadBytesKernel(&dst[0], &scratch[0], n, up, shift, v.Signed)
	}
	if n < len(dst) {
		loadPlain(dst[n:], pix[n*v.PixelStride:], v)
	}
}

// loadPlain reads samples PixelStride apart.
func loadPlain(dst []int32, pix []byte, v *codecs.View) {
	at, step := 0, v.PixelStride
	up := uint(32 - v.Bits)
	switch {
	case v.Container == 8 && v.Signed:
		for x := range dst {
			dst[x] = int32(uint32(pix[at])<<up) >> up
			at += step
		}
	case v.Container == 8:
		shift := int32(1) << (v.Bits - 1)
		for x := range dst {
			dst[x] = int32(uint32(pix[at])<<up>>up) - shift
			at += step
		}
	case v.BigEndian && v.Signed:
		for x := range dst {
			dst[x] = int32(uint32(binary.BigEndian.Uint16(pix[at:at+2]))<<up) >> up
			at += step
		}
	case v.BigEndian:
		shift := int32(1) << (v.Bits - 1)
		for x := range dst {
			dst[x] = int32(uint32(binary.BigEndian.Uint16(pix[at:at+2]))<<up>>up) - shift
			at += step
		}
	case v.Signed:
		for x := range dst {
			dst[x] = int32(uint32(binary.LittleEndian.Uint16(pix[at:at+2]))<<up) >> up
			at += step
		}
	default:
		shift := int32(1) << (v.Bits - 1)
		for x := range dst {
			dst[x] = int32(uint32(binary.LittleEndian.Uint16(pix[at:at+2]))<<up>>up) - shift
			at += step
		}
	}
}

// format is how the values of a codestream's component become words of a view.
type format struct {
	shift    int32 // added to each value: the level shift of unsigned components (G.1)
	low, top int32 // values are clamped to the component's range (G.1.2)
	_        int32
	up       uint // bits above those of the view; a value is cut to them and extended again
	signed   bool // of the view
}

func formatFor(bits int, signed bool, v *codecs.View) format {
	f := format{up: uint(32 - v.Bits), signed: v.Signed}
	if signed {
		f.low, f.top = -1<<(bits-1), 1<<(bits-1)-1
	} else {
		f.shift, f.top = 1<<(bits-1), 1<<bits-1
	}
	return f
}

// word is the word of a value.
func (f *format) word(x int32) uint32 {
	x = min(max(x+f.shift, f.low), f.top)
	if f.signed {
		return uint32(x << f.up >> f.up)
	}
	return uint32(x) << f.up >> f.up
}

// storeLine writes decoded values as columns from x on of row y of component c. scratch has a byte for each.
func storeLine(v *codecs.View, c, x, y int, line []int32, f *format, scratch []byte, kernel bool) {
	pix := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	if n := len(line) &^ 15; kernel && n > 0 && !v.BigEndian {
		switch {
		case v.PixelStride == v.WordBytes():
			pack(pix[:n*v.WordBytes()], line[:n], v.Container, f)
		case v.Container == 8:
			scratch = scratch[:n]
			pack(scratch, line[:n], 8, f)
			at, step := 0, v.PixelStride
			for _, b := range scratch {
				pix[at] = b
				at += step
			}
		default:
			n = 0
		}
		if n == len(line) {
			return
		}
		pix, line = pix[n*v.PixelStride:], line[n:]
	}
	at, step := 0, v.PixelStride
	switch {
	case v.Container == 8:
		for _, s := range line {
			pix[at] = byte(f.word(s))
			at += step
		}
	case v.BigEndian:
		for _, s := range line {
			binary.BigEndian.PutUint16(pix[at:at+2], uint16(f.word(s)))
			at += step
		}
	default:
		for _, s := range line {
			binary.LittleEndian.PutUint16(pix[at:at+2], uint16(f.word(s)))
			at += step
		}
	}
}

// pack makes words of values with the processor's kernels; their number is a multiple of 16.
func pack(pix []byte, line []int32, container int, f *format) {
	if container == 16 {
		packWordsKernel(&pix[0], &line[0], len(line), f)
	} else {
		packBytesKernel(&pix[0], &line[0], len(line), f)
	}
}

// compareLine returns the first column, counted from x, where decoded values are not those of the view, -1 if
// there is none. Only the significant bits of the view count. scratch has 2 bytes for each value.
func compareLine(v *codecs.View, c, x, y int, line []int32, f *format, scratch []byte, kernel bool) int {
	pix := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	from := 0
	switch n := len(line) &^ 15; {
	case !kernel || n == 0 || v.BigEndian:
	case v.Container == 8 && v.PixelStride > 1:
		from = n
		got := scratch[:n]
		pack(got, line[:n], 8, f)
		var differ byte
		at, step := 0, v.PixelStride
		for _, b := range got {
			differ |= b ^ pix[at]
			at += step
		}
		if differ&(1<<v.Bits-1) != 0 {
			from = 0 // there is one
		}
	case v.PixelStride == v.WordBytes():
		from = n
		got := scratch[:from*v.WordBytes()]
		pack(got, line[:from], v.Container, f)
		mask := uint64(1<<v.Bits-1) * (^uint64(0) / (1<<v.Container - 1))
		var differ uint64
		for p, q := got, pix[:len(got)]; len(p) >= 8 && len(q) >= 8; p, q = p[8:], q[8:] {
			differ |= binary.LittleEndian.Uint64(p) ^ binary.LittleEndian.Uint64(q)
		}
		if differ&mask != 0 {
			from = 0 // there is one
		}
	}
	return compareFrom(v, pix, line, f, from)
}

func compareFrom(v *codecs.View, pix []byte, line []int32, f *format, from int) int {
	step := v.PixelStride
	at := from * step
	for i, s := range line[from:] {
		var w uint32
		switch {
		case v.Container == 8:
			w = uint32(pix[at])
		case v.BigEndian:
			w = uint32(binary.BigEndian.Uint16(pix[at : at+2]))
		default:
			w = uint32(binary.LittleEndian.Uint16(pix[at : at+2]))
		}
		if (f.word(s)^w)<<f.up != 0 {
			return from + i
		}
		at += step
	}
	return -1
}
