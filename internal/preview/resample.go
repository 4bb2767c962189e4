package preview

import (
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// Shrink makes a picture of every k x k samples of a view: their mean, rounded
// to the nearest integer and half up, or with Picked the sample in their middle. Boxes at the right and lower border may be smaller.
// The result has interleaved little endian samples of the view's container, bits and sign. A codec's errors are returned for a view that is none.
func Shrink(v codecs.View, k int, method Method) (codecs.View, error) {
	if err := v.Check("preview"); err != nil {
		return codecs.View{}, err
	}
	w, h := (v.Width+k-1)/k, (v.Height+k-1)/k
	out := codecs.Interleaved(make([]byte, w*h*v.Components*v.WordBytes()), w, h, v.Components, v.Container, v.Bits, v.Signed)
	for c := range v.Components {
		for y := range h {
			for x := range w {
				x0, y0 := x*k, y*k
				x1, y1 := min(x0+k, v.Width), min(y0+k, v.Height)
				var value int64
				if method == Picked {
					value = sample(&v, c, (x0+x1)/2, (y0+y1)/2)
				} else {
					value = mean(&v, c, x0, y0, x1, y1)
				}
				at := out.Pix[c*out.PlaneStride+y*out.RowStride+x*out.PixelStride:]
				if out.Container == 8 {
					at[0] = byte(value)
				} else {
					binary.LittleEndian.PutUint16(at, uint16(value))
				}
			}
		}
	}
	return out, nil
}

func mean(v *codecs.View, c, x0, y0, x1, y1 int) int64 {
	var sum int64
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			sum += sample(v, c, x, y)
		}
	}
	n := int64((x1 - x0) * (y1 - y0))
	sum = 2*sum + n // floor(sum/n + 1/2)
	q := sum / (2 * n)
	if sum%(2*n) < 0 {
		q--
	}
	return q
}

// sample is a value with its sign.
func sample(v *codecs.View, c, x, y int) int64 {
	p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	var word uint16
	switch {
	case v.Container == 8:
		word = uint16(p[0])
	case v.BigEndian:
		word = binary.BigEndian.Uint16(p)
	default:
		word = binary.LittleEndian.Uint16(p)
	}
	if v.Signed {
		return int64(int16(word<<(16-v.Bits)) >> (16 - v.Bits))
	}
	return int64(word & (1<<v.Bits - 1))
}
