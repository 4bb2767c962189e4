package render

import (
	"fmt"
	"image"

	"github.com/radtier/radtier/codecs"
)

// Frame draws a frame of 8- or 16-bit words in full size: an *[image.Gray] for one
// component, an opaque *[image.NRGBA] for colour and palettes.
//
// Without a usable VOI transformation a CT in Hounsfield units is drawn with
// center 40 and width 400; any other image with the percentiles 1 and 99 of its samples without padding, from black
// to white; one with equal percentiles from its minimum to its maximum, and one of equal samples mid grey. Padding is black, also in inverted images.
func Frame(view codecs.View, p Params) (image.Image, error) {
	if err := view.Check("render"); err != nil {
		return nil, err
	}
	switch {
	case view.Components == 1 && p.Photometric == "PALETTE COLOR":
		return paletteFrame(view, p)
	case view.Components == 1:
		return grayFrame(view, p), nil
	case view.Components == 3:
		return colourFrame(view, p)
	}
	return nil, unsupported(fmt.Sprintf("%d samples per pixel", view.Components))
}

// grayFrame looks every word up in a table of 1<<Bits display values.
func grayFrame(v codecs.View, p Params) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, v.Width, v.Height))
	table := grayTable(v, p)
	for y := range v.Height {
		mapRow(img.Pix[y*img.Stride:][:v.Width], v, y, table)
	}
	return img
}

// grayTable returns the display value of every masked word.
func grayTable(v codecs.View, p Params) []uint8 {
	padding := p.Padding.within(v)
	show := p.shader(func() (float64, float64) {
		var bins []bin
		for word, n := range histogram(v) {
			if s := stored(v, word); n > 0 && !padding.holds(s) {
				bins = append(bins, bin{p.modality(float64(s)), n})
			}
		}
		return spreadOf(bins)
	})
	table := make([]uint8, 1<<v.Bits)
	for word := range table {
		if s := stored(v, word); !padding.holds(s) {
			table[word] = show(p.modality(float64(s)))
		}
	}
	return table
}

// stored is the value of a masked word.
func stored(v codecs.View, word int) int {
	if v.Signed && word>>(v.Bits-1) == 1 {
		return word - 1<<v.Bits
	}
	return word
}

// within returns the padding as values that the view can hold, nil if it
// holds none. A padding written with the other sign is taken for what its bits say.
func (p *Padding) within(v codecs.View) *Padding {
	if p == nil {
		return nil
	}
	low, high := 0, 1<<v.Bits-1
	if v.Signed {
		low, high = -1<<(v.Bits-1), 1<<(v.Bits-1)-1
	}
	as := func(x int) int {
		switch {
		case v.Signed && x > high && x < 1<<v.Bits:
			return x - 1<<v.Bits
		case v.Signed && x > high && v.Container == 16 && x < 1<<16:
			return x - 1<<16
		case !v.Signed && x < 0 && v.Bits == 16 && x >= -1<<15:
			return x + 1<<16
		}
		return x
	}
	q := &Padding{as(p.Low), as(p.High)}
	if max(q.Low, q.High) < low || min(q.Low, q.High) > high {
		return nil
	}
	return q
}

// histogram counts the masked words of the first component.
func histogram(v codecs.View) []int64 {
	count := make([]int64, 1<<v.Bits)
	mask := uint16(1<<v.Bits - 1)
	for y := range v.Height {
		row := v.Pix[y*v.RowStride:]
		for x := range v.Width {
			count[word(row[x*v.PixelStride:], v)&mask]++
		}
	}
	return count
}

func word(p []byte, v codecs.View) uint16 {
	switch {
	case v.Container == 8:
		return uint16(p[0])
	case v.BigEndian:
		return uint16(p[0])<<8 | uint16(p[1])
	}
	return uint16(p[0]) | uint16(p[1])<<8
}

// mapRow looks up row y of the first component. The two layouts that nearly all images have get loops of their own.
func mapRow(dst []uint8, v codecs.View, y int, table []uint8) {
	row := v.Pix[y*v.RowStride:]
	mask := uint16(len(table) - 1)
	switch {
	case v.Container == 8 && v.PixelStride == 1:
		row = row[:len(dst)]
		for x := range dst {
			dst[x] = table[uint16(row[x])&mask]
		}
	case v.Container == 16 && v.PixelStride == 2 && !v.BigEndian:
		row = row[:2*len(dst)]
		for x := range dst {
			dst[x] = table[(uint16(row[2*x])|uint16(row[2*x+1])<<8)&mask]
		}
	default:
		for x := range dst {
			dst[x] = table[word(row[x*v.PixelStride:], v)&mask]
		}
	}
}
