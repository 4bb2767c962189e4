package codecs

import "fmt"

// WordBytes is the size of one stored word in bytes: 1 or 2.
func (v *View) WordBytes() int { return v.Container / 8 }

// Check reports the first thing that makes a view unusable: sizes out of
// range, or samples that would lie outside Pix. Every codec calls it first.
func (v *View) Check(codec string) error {
	switch {
	case v.Width < 1 || v.Height < 1 || v.Width > 65535 || v.Height > 65535:
		return &UnsupportedError{codec, fmt.Sprintf("image of %d x %d", v.Width, v.Height)}
	case v.Components < 1 || v.Components > 4:
		return &UnsupportedError{codec, fmt.Sprintf("%d components", v.Components)}
	case v.Container != 8 && v.Container != 16:
		return &UnsupportedError{codec, fmt.Sprintf("words of %d bits", v.Container)}
	case v.Bits < 1 || v.Bits > v.Container:
		return &UnsupportedError{codec, fmt.Sprintf("%d significant bits in words of %d", v.Bits, v.Container)}
	case v.PixelStride < v.WordBytes() || v.RowStride < 0 || v.PlaneStride < 0:
		return &UnsupportedError{codec, "strides that overlap"}
	}
	last := int64(v.Components-1)*int64(v.PlaneStride) + int64(v.Height-1)*int64(v.RowStride) + int64(v.Width-1)*int64(v.PixelStride) + int64(v.WordBytes())
	if last > int64(len(v.Pix)) {
		return &LimitError{codec, "bytes of the sample buffer", last, int64(len(v.Pix))}
	}
	return nil
}

// Interleaved returns the view of a frame whose samples of one pixel lie side
// by side (Planar Configuration 0) and whose rows follow without gaps.
func Interleaved(pix []byte, width, height, components, container, bits int, signed bool) View {
	w := container / 8
	return View{Pix: pix, Width: width, Height: height, Components: components, Container: container, Bits: bits, Signed: signed,
		PixelStride: w * components, RowStride: w * components * width, PlaneStride: w}
}

// Planar returns the view of a frame whose components follow one another (Planar Configuration 1).
func Planar(pix []byte, width, height, components, container, bits int, signed bool) View {
	w := container / 8
	return View{Pix: pix, Width: width, Height: height, Components: components, Container: container, Bits: bits, Signed: signed,
		PixelStride: w, RowStride: w * width, PlaneStride: w * width * height}
}
