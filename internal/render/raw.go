package render

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"

	"github.com/radtier/radtier/codecs"
)

// Raw is a frame of native words of any kind that DICOM allows, also those that a [codecs.View] cannot express.
type Raw struct {
	Pix           []byte
	FirstBit      int // where in Pix a frame of single bits starts, 0..7 (PS3.5 8.1.1: frames run on without padding)
	Width, Height int
	Components    int
	Allocated     int  // bits of a word: 1, 8, 16, 32 or 64
	Stored        int  // significant bits
	HighBit       int  // number of the most significant one
	Signed        bool // two's complement
	Float         bool // IEEE 754 words of 32 or 64 bits (7FE0,0008), (7FE0,0009)
	BigEndian     bool
	Planar        bool // components follow one another
	Shared        bool // YBR 4:2:2, Y Y Cb Cr for two pixels (PS3.3 C.7.6.3.1.2)
}

// maxPixels bounds what FrameRaw draws: pictures of more pixels serve nobody as a preview.
const maxPixels = 1 << 29

// FrameRaw draws a frame of native words, see [Frame] for how.
func FrameRaw(r Raw, p Params) (image.Image, error) {
	if r.Width < 1 || r.Height < 1 || r.Width > 65535 || r.Height > 65535 || r.Components < 1 || r.Components > 4 {
		return nil, unsupported(fmt.Sprintf("image of %d x %d with %d samples", r.Width, r.Height, r.Components))
	}
	if n := int64(r.Width) * int64(r.Height); n > maxPixels {
		return nil, &codecs.LimitError{Codec: "render", What: "pixels of a picture", Need: n, Most: maxPixels}
	}
	if need := r.bytes(); need > int64(len(r.Pix)) {
		return nil, malformed(fmt.Sprintf("frame of %d bytes, the image needs %d", len(r.Pix), need))
	}
	switch {
	case r.Float && (r.Allocated == 32 || r.Allocated == 64) && r.Components == 1:
		return r.wide(p), nil
	case r.Float:
		return nil, unsupported(fmt.Sprintf("floating point words of %d bits, %d samples", r.Allocated, r.Components))
	case r.Stored < 1 || r.Stored > r.Allocated || r.HighBit < r.Stored-1 || r.HighBit >= r.Allocated:
		return nil, unsupported(fmt.Sprintf("%d bits up to bit %d in words of %d", r.Stored, r.HighBit, r.Allocated))
	case r.Shared:
		if r.Components != 3 || r.Allocated != 8 {
			return nil, unsupported("shared chroma in samples of other than 8 bits")
		}
		return Frame(r.unshare(), p)
	case r.Allocated == 1:
		return Frame(r.unpack(), p)
	case r.Allocated == 8 || r.Allocated == 16:
		return Frame(r.view(), p)
	case (r.Allocated == 32 || r.Allocated == 64) && r.Components == 1 && p.Photometric != "PALETTE COLOR":
		return r.wide(p), nil
	case r.Allocated == 32 && r.Stored > 16 && r.Components == 3:
		return Frame(r.narrow(), p)
	}
	return nil, unsupported(fmt.Sprintf("words of %d bits, %d samples", r.Allocated, r.Components))
}

func (r *Raw) bytes() int64 {
	n := int64(r.Width) * int64(r.Height)
	if r.Shared {
		return int64(r.Height) * int64((r.Width+1)/2) * 4 * int64(max(r.Allocated, 8)/8)
	}
	bits := n * int64(r.Components) * int64(r.Allocated)
	if r.Allocated == 1 {
		bits += int64(r.FirstBit)
	}
	return (bits + 7) / 8
}

// view is the frame as codecs see it; bits stored above bit 0 are moved down into a copy.
func (r *Raw) view() codecs.View {
	layout := codecs.Interleaved
	if r.Planar && r.Components > 1 {
		layout = codecs.Planar
	}
	v := layout(r.Pix, r.Width, r.Height, r.Components, r.Allocated, r.Stored, r.Signed)
	v.BigEndian = r.BigEndian
	down := r.HighBit - r.Stored + 1
	if down == 0 {
		return v
	}
	v.Pix = make([]byte, r.bytes())
	if r.Allocated == 8 {
		for i := range v.Pix {
			v.Pix[i] = r.Pix[i] >> down
		}
		return v
	}
	order := r.order()
	for i := 0; i+2 <= len(v.Pix); i += 2 {
		order.PutUint16(v.Pix[i:], order.Uint16(r.Pix[i:])>>down)
	}
	return v
}

// narrow keeps the upper 16 bits of colour samples of 32.
func (r *Raw) narrow() codecs.View {
	order, down := r.order(), r.HighBit-15
	pix := make([]byte, r.bytes()/2)
	for i := 0; i+2 <= len(pix); i += 2 {
		binary.LittleEndian.PutUint16(pix[i:], uint16(order.Uint32(r.Pix[2*i:])>>down))
	}
	if r.Planar {
		return codecs.Planar(pix, r.Width, r.Height, r.Components, 16, 16, false)
	}
	return codecs.Interleaved(pix, r.Width, r.Height, r.Components, 16, 16, false)
}

// unpack gives every bit a byte, the least significant bit first.
func (r *Raw) unpack() codecs.View {
	pix := make([]byte, r.Width*r.Height*r.Components)
	for i := range pix {
		bit := i + r.FirstBit
		pix[i] = r.Pix[bit>>3] >> (bit & 7) & 1
	}
	if r.Planar && r.Components > 1 {
		return codecs.Planar(pix, r.Width, r.Height, r.Components, 8, 1, false)
	}
	return codecs.Interleaved(pix, r.Width, r.Height, r.Components, 8, 1, false)
}

// unshare gives every pixel its own chroma.
func (r *Raw) unshare() codecs.View {
	pix := make([]byte, 3*r.Width*r.Height)
	pairs := (r.Width + 1) / 2
	for y := range r.Height {
		src, dst := r.Pix[y*pairs*4:], pix[y*r.Width*3:]
		for x := range r.Width {
			q := src[x/2*4:]
			dst[3*x], dst[3*x+1], dst[3*x+2] = q[x&1], q[2], q[3]
		}
	}
	return codecs.Interleaved(pix, r.Width, r.Height, 3, 8, 8, false)
}

func (r *Raw) order() binary.ByteOrder {
	if r.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// wide draws words of 32 and 64 bits, for which no table is possible.
func (r *Raw) wide(p Params) image.Image {
	at := r.reader()
	padded := func(v float64) bool { return p.Padding.holdsFloat(v) }
	if r.Float {
		padded = p.FloatPadding.holds
	}
	n := r.Width * r.Height
	show := p.shader(func() (float64, float64) {
		return spreadOfValues(func(count func(float64)) {
			for i := range n {
				if v := at(i); !padded(v) {
					count(p.modality(v))
				}
			}
		})
	})
	img := image.NewGray(image.Rect(0, 0, r.Width, r.Height))
	for i := range n {
		if v := at(i); !padded(v) && !math.IsNaN(v) {
			img.Pix[i] = show(p.modality(v))
		}
	}
	return img
}

func (p *Padding) holdsFloat(v float64) bool {
	return p != nil && v >= float64(min(p.Low, p.High)) && v <= float64(max(p.Low, p.High))
}

// reader returns the value of the i-th sample. Integers over 53 bits lose their last digits, which no picture shows.
func (r *Raw) reader() func(i int) float64 {
	order := r.order()
	switch {
	case r.Float && r.Allocated == 32:
		return func(i int) float64 { return float64(math.Float32frombits(order.Uint32(r.Pix[4*i:]))) }
	case r.Float:
		return func(i int) float64 { return math.Float64frombits(order.Uint64(r.Pix[8*i:])) }
	}
	up, down := 63-r.HighBit, 64-r.Stored
	extend := func(w uint64) float64 {
		if r.Signed {
			return float64(int64(w<<up) >> down)
		}
		return float64(w << up >> down)
	}
	if r.Allocated == 32 {
		return func(i int) float64 { return extend(uint64(order.Uint32(r.Pix[4*i:]))) }
	}
	return func(i int) float64 { return extend(order.Uint64(r.Pix[8*i:])) }
}
