package render

import (
	"encoding/binary"
	"math"

	"github.com/radtier/radtier/codecs"
)

// Samples is a frame as codecs see it.
type Samples struct {
	View codecs.View
	// Scaled says that a stored value is Scale x the view's sample + Base, because its words are wider than 16 bits.
	Scaled      bool
	Scale, Base float64
}

// Samples gives a frame of native words of any kind: single bits and shared chroma get a word for each sample, significant
// bits are moved down to bit 0, and words of 32 and 64 bits, integers or not, are scaled from their least and greatest value
// to 16 bits (values that are no number become the least). The view may refer to r.Pix.
func (r *Raw) Samples() (Samples, error) {
	as := func(v codecs.View) (Samples, error) { return Samples{View: v}, nil }
	switch {
	case r.Width < 1 || r.Height < 1 || r.Width > 65535 || r.Height > 65535 || r.Components < 1 || r.Components > 4 || int64(r.Width)*int64(r.Height) > maxPixels:
		return Samples{}, unsupported("image size")
	case r.bytes() > int64(len(r.Pix)):
		return Samples{}, malformed("frame of too few bytes")
	case r.Float && r.Components == 1 && (r.Allocated == 32 || r.Allocated == 64):
		return r.scaled(), nil
	case r.Float:
		return Samples{}, unsupported("floating point words of this kind")
	case r.Stored < 1 || r.Stored > r.Allocated || r.HighBit < r.Stored-1 || r.HighBit >= r.Allocated:
		return Samples{}, unsupported("stored bits that are not in their words")
	case r.Shared && r.Components == 3 && r.Allocated == 8:
		return as(r.unshare())
	case r.Shared:
		return Samples{}, unsupported("shared chroma in samples of other than 8 bits")
	case r.Allocated == 1:
		return as(r.unpack())
	case r.Allocated == 8 || r.Allocated == 16:
		return as(r.view())
	case r.Components == 1 && (r.Allocated == 32 || r.Allocated == 64):
		return r.scaled(), nil
	}
	return Samples{}, unsupported("samples of this kind in a small picture")
}

// scaled maps the values of words of 32 and 64 bits to 0..65535.
func (r *Raw) scaled() Samples {
	at, n := r.reader(), r.Width*r.Height
	low, high := math.Inf(1), math.Inf(-1)
	for i := range n {
		if v := at(i); !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 0
	}
	s := Samples{Scaled: true, Base: low, Scale: (high/2 - low/2) / 65535 * 2} // halves: the difference of two numbers may overflow
	pix := make([]byte, 2*n)
	for i := range n {
		if v := at(i); s.Scale > 0 && v > low {
			binary.LittleEndian.PutUint16(pix[2*i:], uint16(math.Round(min((v-low)/s.Scale, 65535))))
		}
	}
	s.View = codecs.Interleaved(pix, r.Width, r.Height, 1, 16, 16, false)
	return s
}
