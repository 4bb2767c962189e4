package codectest

import (
	"fmt"

	"github.com/radtier/radtier/codecs"
)

// Shape is what a frame is, apart from its samples and where they lie.
type Shape struct {
	Width, Height int
	Components    int
	Container     int // bits of a word, 8 or 16
	Bits          int // significant bits
	Signed        bool
}

func (s Shape) String() string {
	sign := "u"
	if s.Signed {
		sign = "s"
	}
	return fmt.Sprintf("%dx%dx%d %s%d/%d", s.Width, s.Height, s.Components, sign, s.Bits, s.Container)
}

// Min returns the smallest sample value of the shape.
func (s Shape) Min() int {
	if s.Signed {
		return -1 << (s.Bits - 1)
	}
	return 0
}

// Max returns the largest sample value of the shape.
func (s Shape) Max() int {
	if s.Signed {
		return 1<<(s.Bits-1) - 1
	}
	return 1<<s.Bits - 1
}

// Len returns the number of samples.
func (s Shape) Len() int { return s.Width * s.Height * s.Components }

// Layout is how the samples of a frame lie in memory.
type Layout struct {
	Name      string
	Planar    bool
	BigEndian bool
	PixelGap  int // unused bytes after each pixel (of a plane, if planar)
	RowGap    int // unused bytes after each row
	PlaneGap  int // unused bytes after each plane, planar only
	Junk      bool
}

// Layouts returns the layouts that every codec must read and write.
func Layouts() []Layout {
	return []Layout{
		{Name: "interleaved"},
		{Name: "planar", Planar: true},
		{Name: "big endian", BigEndian: true},
		{Name: "planar big endian", Planar: true, BigEndian: true},
		{Name: "row gaps", RowGap: 3},
		{Name: "pixel gaps", PixelGap: 1},
		{Name: "pixel and row gaps", PixelGap: 3, RowGap: 5},
		{Name: "planar with gaps", Planar: true, PixelGap: 2, RowGap: 7, PlaneGap: 11},
		{Name: "big endian with gaps", BigEndian: true, PixelGap: 2, RowGap: 2},
		{Name: "junk bits", Junk: true},
		{Name: "planar junk bits big endian", Planar: true, BigEndian: true, Junk: true},
	}
}

const (
	guardBytes = 64   // before and after Pix
	filler     = 0xA5 // of guards, gaps and words not yet written
)

// Frame is a view with guard bytes around its samples.
type Frame struct {
	codecs.View
	whole []byte
}

// New returns a frame whose every byte is filler.
func (l Layout) New(s Shape) *Frame {
	w := s.Container / 8
	v := codecs.View{Width: s.Width, Height: s.Height, Components: s.Components, Container: s.Container, Bits: s.Bits,
		Signed: s.Signed, BigEndian: l.BigEndian}
	size := 0
	if l.Planar {
		v.PixelStride = w + l.PixelGap
		v.RowStride = v.PixelStride*s.Width + l.RowGap
		v.PlaneStride = v.RowStride*s.Height + l.PlaneGap
		size = v.PlaneStride * s.Components
	} else {
		v.PixelStride = w*s.Components + l.PixelGap
		v.RowStride = v.PixelStride*s.Width + l.RowGap
		v.PlaneStride = w
		size = v.RowStride * s.Height
	}
	f := &Frame{View: v, whole: make([]byte, size+2*guardBytes)}
	f.Pix = f.whole[guardBytes : guardBytes+size : guardBytes+size]
	f.Wipe()
	return f
}

// Frame returns a frame that holds the samples, given by row, column, component.
func (l Layout) Frame(s Shape, samples []int32) *Frame {
	f := l.New(s)
	state := uint32(1)
	for i, value := range samples {
		c, x, y := place(s, i)
		word := uint32(value)
		if l.Junk {
			state = state*1664525 + 1013904223
			word = word&(1<<s.Bits-1) | state>>8<<s.Bits
		}
		f.setWord(c, x, y, uint16(word))
	}
	return f
}

// Wipe fills all bytes, also guards and gaps.
func (f *Frame) Wipe() {
	for i := range f.whole {
		f.whole[i] = filler
	}
}

// place returns the component, column and row of the i-th sample.
func place(s Shape, i int) (c, x, y int) {
	return i % s.Components, i / s.Components % s.Width, i / s.Components / s.Width
}

func shapeOf(v codecs.View) Shape {
	return Shape{v.Width, v.Height, v.Components, v.Container, v.Bits, v.Signed}
}

func offset(v *codecs.View, c, x, y int) int {
	return c*v.PlaneStride + y*v.RowStride + x*v.PixelStride
}

func (f *Frame) setWord(c, x, y int, word uint16) {
	o := offset(&f.View, c, x, y)
	switch {
	case f.Container == 8:
		f.Pix[o] = byte(word)
	case f.BigEndian:
		f.Pix[o], f.Pix[o+1] = byte(word>>8), byte(word)
	default:
		f.Pix[o], f.Pix[o+1] = byte(word), byte(word>>8)
	}
}

// word returns the whole stored word, zero-extended.
func word(v *codecs.View, c, x, y int) uint16 {
	o := offset(v, c, x, y)
	switch {
	case v.Container == 8:
		return uint16(v.Pix[o])
	case v.BigEndian:
		return uint16(v.Pix[o])<<8 | uint16(v.Pix[o+1])
	}
	return uint16(v.Pix[o]) | uint16(v.Pix[o+1])<<8
}

// extend masks a value to bits and, if signed, extends its sign.
func extend(value uint32, bits int, signed bool) int32 {
	value &= 1<<bits - 1
	if signed {
		return int32(value<<(32-bits)) >> (32 - bits)
	}
	return int32(value)
}

// Samples returns the samples of a view by row, column, component.
func Samples(v codecs.View) []int32 {
	s := shapeOf(v)
	out := make([]int32, s.Len())
	for i := range out {
		c, x, y := place(s, i)
		out[i] = extend(uint32(word(&v, c, x, y)), v.Bits, v.Signed)
	}
	return out
}

// holds says how a decoded frame differs from the samples it should hold:
// each word must be the extended value. "" if it does not differ.
func (f *Frame) holds(samples []int32) string {
	s := shapeOf(f.View)
	mask := uint16(1<<s.Container - 1)
	for i, want := range samples {
		c, x, y := place(s, i)
		if got := word(&f.View, c, x, y); got != uint16(want)&mask {
			return fmt.Sprintf("component %d, column %d, row %d: got word %#x, want %#x", c, x, y, got, uint16(want)&mask)
		}
	}
	return ""
}

// untouched says which byte outside the samples was written, "" if none.
func (f *Frame) untouched() string {
	sample := make([]bool, len(f.whole))
	s := shapeOf(f.View)
	for i := range s.Len() {
		c, x, y := place(s, i)
		o := guardBytes + offset(&f.View, c, x, y)
		for k := range s.Container / 8 {
			sample[o+k] = true
		}
	}
	for i, b := range f.whole {
		if !sample[i] && b != filler {
			return fmt.Sprintf("byte %d of Pix (length %d), which is no sample, was written", i-guardBytes, len(f.Pix))
		}
	}
	return ""
}
