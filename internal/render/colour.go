package render

import (
	"image"
	"strings"

	"github.com/radtier/radtier/codecs"
)

// paletteFrame maps stored values through the palette; index values are never scaled.
func paletteFrame(v codecs.View, p Params) (image.Image, error) {
	if p.Palette == nil || len(p.Palette.RGB) == 0 {
		return nil, malformed("PALETTE COLOR without a palette")
	}
	table := make([][3]uint8, 1<<v.Bits)
	for w := range table {
		table[w] = p.Palette.At(stored(v, w))
	}
	img := image.NewNRGBA(image.Rect(0, 0, v.Width, v.Height))
	mask := uint16(len(table) - 1)
	for y := range v.Height {
		row, dst := v.Pix[y*v.RowStride:], img.Pix[y*img.Stride:]
		for x := range v.Width {
			c := table[word(row[x*v.PixelStride:], v)&mask]
			d := dst[4*x : 4*x+4 : 4*x+4]
			d[0], d[1], d[2], d[3] = c[0], c[1], c[2], 255
		}
	}
	return img, nil
}

// colourFrame draws three components, each reduced to 8 bits first.
func colourFrame(v codecs.View, p Params) (image.Image, error) {
	convert, err := converter(p.Photometric)
	if err != nil {
		return nil, err
	}
	reduce := make([]uint8, 1<<v.Bits)
	for w := range reduce {
		reduce[w] = uint8(w * 255 / (len(reduce) - 1))
	}
	img := image.NewNRGBA(image.Rect(0, 0, v.Width, v.Height))
	planes := [3][]uint8{make([]uint8, v.Width), make([]uint8, v.Width), make([]uint8, v.Width)}
	for y := range v.Height {
		for c, plane := range planes {
			w := v
			w.Pix = v.Pix[c*v.PlaneStride:]
			mapRow(plane, w, y, reduce)
		}
		dst := img.Pix[y*img.Stride:]
		for x := range v.Width {
			d := dst[4*x : 4*x+4 : 4*x+4]
			d[0], d[1], d[2], d[3] = planes[0][x], planes[1][x], planes[2][x], 255
		}
		if convert != nil {
			for x := range v.Width {
				convert(dst[4*x : 4*x+3 : 4*x+3])
			}
		}
	}
	return img, nil
}

// converter returns what turns three 8-bit samples into RGB in place, nil for RGB itself. Subsampled
// interpretations are those of samples that a decoder, or FrameRaw, has brought to full resolution.
func converter(photometric string) (func(p []uint8), error) {
	switch {
	case photometric == "RGB" || photometric == "" || photometric == "YBR_RCT" || photometric == "YBR_ICT" || strings.HasPrefix(photometric, "MONOCHROME"):
		return nil, nil
	case strings.HasPrefix(photometric, "YBR_FULL"):
		return fromYBRFull, nil
	case strings.HasPrefix(photometric, "YBR_PARTIAL"):
		return fromYBRPartial, nil
	}
	return nil, unsupported("colour space of Photometric Interpretation (0028,0004)")
}

// fromYBRFull is the inverse of PS3.3 C.7.6.3.1.2 YBR_FULL.
func fromYBRFull(p []uint8) {
	y, cb, cr := float64(p[0]), float64(p[1])-128, float64(p[2])-128
	p[0] = clamp8(y + 1.402*cr + 0.5)
	p[1] = clamp8(y - 0.344136*cb - 0.714136*cr + 0.5)
	p[2] = clamp8(y + 1.772*cb + 0.5)
}

// fromYBRPartial is the inverse of YBR_PARTIAL (ITU-R BT.601): Y in 16..235, chroma in 16..240.
func fromYBRPartial(p []uint8) {
	y, cb, cr := 255.0/219*(float64(p[0])-16), 255.0/224*(float64(p[1])-128), 255.0/224*(float64(p[2])-128)
	p[0] = clamp8(y + 1.402*cr + 0.5)
	p[1] = clamp8(y - 0.344136*cb - 0.714136*cr + 0.5)
	p[2] = clamp8(y + 1.772*cb + 0.5)
}
