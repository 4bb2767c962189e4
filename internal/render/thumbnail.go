package render

import (
	"image"
	"io"
	"math"

	"github.com/disintegration/imaging"
)

// DefaultSide is the length of the longer side of a thumbnail in pixels.
const DefaultSide = 256

// JPEGQuality is what EncodeJPEG compresses with, 1..100.
const JPEGQuality = 85

// maxAspect bounds the pixel aspect that is believed: a scan may be four times as high as wide, not forty.
const maxAspect = 16

// Thumbnail returns img with square pixels and its longer side at most side
// pixels (0: DefaultSide), shrunk by area average. aspect is the height of a pixel divided by
// its width ([Params.Aspect]). An image that is small enough is not enlarged, except along the
// longer side of its pixels. The result is *[image.Gray] for *[image.Gray], else *[image.NRGBA]. Beyond img it takes some MiB at most, however large that is.
func Thumbnail(img image.Image, aspect float64, side int) image.Image {
	if side <= 0 {
		side = DefaultSide
	}
	size := thumbnailSize(img.Bounds().Size(), aspect, side)
	gray, isGray := img.(*image.Gray)
	if f := shrinkFactors(img.Bounds().Size(), size); f != image.Pt(1, 1) {
		if isGray {
			img = shrinkGray(gray, f)
		} else if nrgba, ok := img.(*image.NRGBA); ok {
			img = shrinkNRGBA(nrgba, f)
		}
	}
	if img.Bounds().Size() != size {
		filter := imaging.Box
		if size.X > img.Bounds().Dx() || size.Y > img.Bounds().Dy() {
			filter = imaging.Linear
		}
		img = imaging.Resize(img, size.X, size.Y, filter)
	}
	if isGray {
		return toGray(img)
	}
	return img
}

// thumbnailSize fits columns x rows*aspect into a square, without enlarging both sides.
func thumbnailSize(n image.Point, aspect float64, side int) image.Point {
	if !(aspect >= 1.0/maxAspect && aspect <= maxAspect) {
		aspect = 1
	}
	w, h := float64(n.X), float64(n.Y)*aspect
	if aspect < 1 {
		w, h = float64(n.X)/aspect, float64(n.Y)
	}
	if f := float64(side) / max(w, h); f < 1 {
		w, h = w*f, h*f
	}
	return image.Pt(max(1, int(math.Round(w))), max(1, int(math.Round(h))))
}

// shrinkFactors is the size of the boxes of whole pixels that are averaged
// before imaging, so that at least twice the thumbnail remains for it to place exactly.
func shrinkFactors(from, to image.Point) image.Point {
	return image.Pt(max(1, from.X/(2*to.X)), max(1, from.Y/(2*to.Y)))
}

// shrinkGray averages boxes of f.X x f.Y pixels; those at the right and lower border may be smaller.
func shrinkGray(src *image.Gray, f image.Point) *image.Gray {
	size := src.Bounds().Size()
	dst := image.NewGray(image.Rect(0, 0, (size.X+f.X-1)/f.X, (size.Y+f.Y-1)/f.Y))
	sum := make([]uint32, dst.Rect.Dx())
	for y := range dst.Rect.Dy() {
		clear(sum)
		rows := min(f.Y, size.Y-y*f.Y)
		for k := range rows {
			row := src.Pix[(y*f.Y+k)*src.Stride:][:size.X]
			for x := range sum {
				for _, v := range row[x*f.X : min((x+1)*f.X, len(row))] {
					sum[x] += uint32(v)
				}
			}
		}
		for x, s := range sum {
			n := uint32(rows * min(f.X, size.X-x*f.X))
			dst.Pix[y*dst.Stride+x] = uint8((s + n/2) / n)
		}
	}
	return dst
}

// shrinkNRGBA does the same for opaque colour.
func shrinkNRGBA(src *image.NRGBA, f image.Point) *image.NRGBA {
	size := src.Bounds().Size()
	dst := image.NewNRGBA(image.Rect(0, 0, (size.X+f.X-1)/f.X, (size.Y+f.Y-1)/f.Y))
	sum := make([][3]uint32, dst.Rect.Dx())
	for y := range dst.Rect.Dy() {
		clear(sum)
		rows := min(f.Y, size.Y-y*f.Y)
		for k := range rows {
			row := src.Pix[(y*f.Y+k)*src.Stride:][:4*size.X]
			for x := range sum {
				box := row[4*x*f.X : min(4*(x+1)*f.X, len(row))]
				for ; len(box) >= 4; box = box[4:] {
					sum[x][0] += uint32(box[0])
					sum[x][1] += uint32(box[1])
					sum[x][2] += uint32(box[2])
				}
			}
		}
		for x, s := range sum {
			n := uint32(rows * min(f.X, size.X-x*f.X))
			d := dst.Pix[y*dst.Stride+4*x:][:4]
			d[0], d[1], d[2], d[3] = uint8((s[0]+n/2)/n), uint8((s[1]+n/2)/n), uint8((s[2]+n/2)/n), 255
		}
	}
	return dst
}

// toGray takes one channel of an image whose three are equal.
func toGray(img image.Image) *image.Gray {
	if g, ok := img.(*image.Gray); ok {
		return g
	}
	src := img.(*image.NRGBA)
	dst := image.NewGray(src.Bounds())
	for y := range src.Rect.Dy() {
		for x := range src.Rect.Dx() {
			dst.Pix[y*dst.Stride+x] = src.Pix[y*src.Stride+4*x]
		}
	}
	return dst
}

// EncodeJPEG writes img as JPEG, one component if it is *[image.Gray]. The file carries no metadata.
func EncodeJPEG(w io.Writer, img image.Image) error {
	return imaging.Encode(w, img, imaging.JPEG, imaging.JPEGQuality(JPEGQuality))
}

// EncodePNG writes img as PNG. The file carries no metadata.
func EncodePNG(w io.Writer, img image.Image) error { return imaging.Encode(w, img, imaging.PNG) }
