package dcm

import (
	"fmt"
	"math/bits"

	"github.com/radtier/radtier/codecs"
)

// Image is the image pixel module (PS3.3 C.7.6.3) as the data set declares it; nothing in it is checked.
type Image struct {
	Rows, Columns int
	Frames        int // Number of Frames, 1 if absent
	Samples       int // samples per pixel, 1 if absent
	BitsAllocated int
	BitsStored    int
	HighBit       int
	Signed        bool // Pixel Representation 1
	Planar        int  // Planar Configuration, 0 if absent
	Photometric   string
}

// halfSamples is twice the number of samples of one frame (4:2:0 has one and a half a pixel), 0 if there is none or it overflows.
func (f *File) halfSamples() int64 {
	img := f.Image
	if img.Rows <= 0 || img.Columns <= 0 || img.Samples <= 0 || img.Samples > 1<<16 {
		return 0
	}
	per := uint64(2 * img.Samples)
	if img.Samples == 3 {
		per = f.subsampled()
	}
	hi, n := bits.Mul64(uint64(img.Rows)*uint64(img.Columns), per)
	if hi != 0 || n > 1<<60 || uint64(img.Rows) > 1<<31 || uint64(img.Columns) > 1<<31 {
		return 0
	}
	return int64(n)
}

// subsampled returns twice the samples per pixel of a three-sample native
// image: 4 and 3 for the photometric interpretations that share chroma
// between pixels (PS3.3 C.7.6.3.1.2), unless the value is long enough for all samples, as some writers store it.
func (f *File) subsampled() uint64 {
	img := f.Image
	per := uint64(6)
	switch img.Photometric {
	case "YBR_FULL_422", "YBR_PARTIAL_422":
		per = 4
	case "YBR_PARTIAL_420":
		per = 3
	}
	if px := f.Pixel; per != 6 && px != nil && !px.Encapsulated && img.Rows < 1<<16 && img.Columns < 1<<16 && img.Frames < 1<<28 {
		full := int64(img.Rows) * int64(img.Columns) * 3 * int64(max(1, img.BitsAllocated/8))
		if full > 0 && px.Length/full >= int64(img.Frames) {
			per = 6
		}
	}
	return per
}

// FrameBits is the number of bits of one native frame, 0 if the image declares none that makes sense.
func (f *File) FrameBits() int64 {
	if f.Image == nil || f.Image.BitsAllocated <= 0 || f.Image.BitsAllocated > 64 {
		return 0
	}
	hi, n := bits.Mul64(uint64(f.halfSamples()), uint64(f.Image.BitsAllocated))
	if hi != 0 || n > 1<<62 {
		return 0
	}
	return int64(n / 2)
}

// FrameSize is the number of bytes of one native frame; 0 if it is not whole
// bytes (1-bit images run on over frame borders) or makes no sense.
func (f *File) FrameSize() int64 {
	n := f.FrameBits()
	if n%8 != 0 {
		return 0
	}
	return n / 8
}

// FrameRanges returns where the bytes of frame i lie, in order: one range for
// native pixel data, the frame's fragments for encapsulated. It returns nil
// where there is no such frame, or the frames cannot be told apart or are not whole bytes.
func (f *File) FrameRanges(i int) []Fragment {
	px := f.Pixel
	switch {
	case px == nil || px.FrameProblem != "" || i < 0 || i >= f.Image.Frames:
		return nil
	case px.Encapsulated:
		return px.Fragments[px.Frames[i][0]:px.Frames[i][1]]
	}
	size := f.FrameSize()
	if size == 0 {
		return nil
	}
	return []Fragment{{px.ValueOffset + int64(i)*size, size}}
}

// nativeProblem says why a native value does not hold the frames that the image declares, "" if it does.
func (f *File) nativeProblem() string {
	frame, px := f.FrameBits(), f.Pixel
	if frame == 0 {
		return fmt.Sprintf("no frame size follows from %d x %d, %d samples of %d bits", f.Image.Columns, f.Image.Rows, f.Image.Samples, f.Image.BitsAllocated)
	}
	hi, all := bits.Mul64(uint64(frame), uint64(f.Image.Frames))
	need := int64(all/8) + int64((all%8+7)/8)
	if hi != 0 || need > px.Length {
		return fmt.Sprintf("%d frames declared, the value of %d bytes holds fewer", f.Image.Frames, px.Length)
	}
	return ""
}

// Surplus is the number of bytes of a native value behind the declared
// frames: 1 for a pad byte, more where the data set declares too few; 0 for
// encapsulated pixel data and where FrameProblem says that the frames are not there.
func (f *File) Surplus() int64 {
	if f.Pixel == nil || f.Pixel.Encapsulated || f.Pixel.FrameProblem != "" {
		return 0
	}
	return f.Pixel.Length - (f.FrameBits()*int64(f.Image.Frames)+7)/8
}

// PixelBigEndian reports whether the words of native pixel data are big
// endian: in big endian data sets, and those over 8 bits in GE's private
// syntax, whose data set is little endian. Always false without pixel data.
func (f *File) PixelBigEndian() bool {
	if f.Image == nil {
		return false
	}
	return f.Encoding.BigEndian || f.Syntax == gePrivate && f.Image.BitsAllocated > 8
}

// swapped8 reports whether 8-bit samples lie in big endian 16-bit words, the second sample first.
func (f *File) swapped8() bool {
	return f.PixelBigEndian() && f.Image.BitsAllocated <= 8 && (f.Pixel.VR == vrOW || f.Pixel.VR == (VR{}))
}

// unclearWords reports whether big endian samples lie in words of another
// size (32 bits in OW, 16 in OB): readers disagree on their order.
func (f *File) unclearWords() bool {
	bits := f.Image.BitsAllocated
	return f.PixelBigEndian() && f.Pixel.Tag == 0x7FE00010 && (bits > 16 || bits > 8 && f.Pixel.VR == vrOB)
}

// View returns the samples of one native frame, given its bytes as they lie
// in the file, as codecs want them. It returns an *UnsupportedError for
// layouts that a view cannot express: other than 8 or 16 bits allocated,
// shared chroma, bits stored that do not end at bit 0, 8-bit samples in big endian words.
func (f *File) View(frame []byte) (codecs.View, error) {
	img, px := f.Image, f.Pixel
	if img == nil {
		return codecs.View{}, &UnsupportedError{0, "no pixel data to view"}
	}
	no := func(what string, args ...any) (codecs.View, error) {
		return codecs.View{}, &UnsupportedError{px.Tag, fmt.Sprintf(what, args...)}
	}
	switch {
	case px.Encapsulated:
		return no("encapsulated pixel data has no native samples")
	case px.Tag != 0x7FE00010:
		return no("floating point samples")
	case img.BitsAllocated != 8 && img.BitsAllocated != 16:
		return no("%d bits allocated", img.BitsAllocated)
	case img.BitsStored < 1 || img.BitsStored > img.BitsAllocated:
		return no("%d of %d bits stored", img.BitsStored, img.BitsAllocated)
	case img.HighBit != img.BitsStored-1:
		return no("high bit %d with %d bits stored", img.HighBit, img.BitsStored)
	case img.Rows < 1 || img.Columns < 1 || img.Rows > 65535 || img.Columns > 65535:
		return no("image of %d x %d", img.Columns, img.Rows)
	case img.Samples < 1 || img.Samples > 4:
		return no("%d samples per pixel", img.Samples)
	case f.halfSamples() != 2*int64(img.Rows)*int64(img.Columns)*int64(img.Samples):
		return no("chroma shared between pixels")
	case f.unclearWords():
		return no("big endian samples of %d bits in words of another size", img.BitsAllocated)
	case f.swapped8():
		return no("8-bit samples in big endian 16-bit words")
	case int64(len(frame)) < f.FrameSize():
		return codecs.View{}, &MalformedError{px.Offset, px.Tag, fmt.Sprintf("frame of %d bytes, the image needs %d", len(frame), f.FrameSize())}
	}
	layout := codecs.Interleaved
	if img.Samples > 1 && img.Planar == 1 {
		layout = codecs.Planar
	}
	v := layout(frame, img.Columns, img.Rows, img.Samples, img.BitsAllocated, img.BitsStored, img.Signed)
	v.BigEndian = f.PixelBigEndian() && img.BitsAllocated == 16
	return v, nil
}
