package dcm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// pixelData writes the instance's pixel data element.
func (x *rewriter) pixelData(e *Element) error {
	switch {
	case x.t.Frame == nil && e.Undefined:
		return x.keepFragments(e)
	case x.t.Frame == nil:
		return x.keepNative(e)
	case x.t.Encapsulated:
		return x.encapsulate(e)
	}
	return x.native(e)
}

// nativeVR is the VR of native pixel data (PS3.5 A.2): as it was written, if
// the element came as native and with a VR that fits, else OW for more than 8 bits.
func (x *rewriter) nativeVR(e *Element) VR {
	switch {
	case e.Tag == 0x7FE00008:
		return VR{'O', 'F'}
	case e.Tag == 0x7FE00009:
		return VR{'O', 'D'}
	case x.f.Image.BitsAllocated > 8:
		return vrOW
	case !e.Undefined && (e.VR == vrOW || e.VR == vrOB):
		return e.VR
	}
	return vrOB
}

func (x *rewriter) keepNative(e *Element) error {
	vr := x.nativeVR(e)
	unit := 1
	if x.f.PixelBigEndian() {
		switch {
		case e.VR == (VR{}):
			unit = vr.unit()
			if x.f.swapped8() {
				unit = 2
			}
		default:
			unit = e.VR.unit()
		}
	}
	if e.VR == vrOB && x.f.Image.BitsAllocated > 8 {
		vr = vrOB // bytes by declaration: nothing to swap, nothing to rename
	}
	x.x.header(e.Tag, vr, uint32(e.Length+e.Length%2))
	if err := x.stream(e.ValueOffset, e.Length, unit); err != nil {
		return err
	}
	x.x.pad(vr, int(e.Length%2))
	return nil
}

// keepFragments copies offset table and fragments as they are, odd ones too: padding them would move the offsets.
func (x *rewriter) keepFragments(e *Element) error {
	x.x.header(e.Tag, vrOB, undefinedLength)
	if err := x.stream(e.ValueOffset, e.Length, 1); err != nil {
		return err
	}
	if !x.f.Pixel.delimited {
		x.x.header(tagSequenceEnd, VR{}, 0)
	}
	return nil
}

func (x *rewriter) native(e *Element) error {
	n := x.t.Length
	if n == 0 {
		n = (x.f.FrameBits()*int64(x.f.Image.Frames) + 7) / 8
	}
	if n+n%2 >= undefinedLength {
		return &LimitError{e.Offset, "bytes of native pixel data", n, undefinedLength - 1}
	}
	x.x.header(e.Tag, x.nativeVR(e), uint32(n+n%2))
	if err := x.flush(); err != nil {
		return err
	}
	out := &exactWriter{w: x.out, left: n}
	for i := range x.f.Image.Frames {
		if err := x.t.Frame(i, out); err != nil {
			return fmt.Errorf("dcm: write frame %d: %w", i, err)
		}
	}
	if out.left != 0 {
		return fmt.Errorf("dcm: the frames are %d bytes short of the %d announced", out.left, n)
	}
	if n%2 == 1 {
		x.x.b = append(x.x.b, 0)
	}
	return nil
}

// exactWriter passes on at most the announced number of bytes: one more would fall into the next element.
type exactWriter struct {
	w    io.Writer
	left int64
}

func (e *exactWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, fmt.Errorf("dcm: %d bytes more than announced", int64(len(p))-e.left)
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}

// encapsulate writes one fragment per frame (PS3.5 A.4).
func (x *rewriter) encapsulate(e *Element) error {
	n := x.f.Image.Frames
	table, err := x.offsetTable(n)
	if err != nil {
		return err
	}
	x.x.header(e.Tag, vrOB, undefinedLength)
	x.x.header(tagItem, VR{}, uint32(len(table)))
	x.x.b = append(x.x.b, table...)
	for i := range n {
		if err := x.fragment(i); err != nil {
			return err
		}
	}
	x.x.header(tagSequenceEnd, VR{}, 0)
	return nil
}

// offsetTable returns the Basic Offset Table: empty for one frame and where
// lengths are not known beforehand. When offsets do not fit 32 bits it appends the Extended Offset Table's two elements instead (PS3.3 C.7.6.3.1.8).
func (x *rewriter) offsetTable(n int) ([]byte, error) {
	lengths := x.t.FrameLengths
	if lengths == nil || n == 1 {
		return nil, nil
	}
	var at int64
	offsets := make([]uint64, n)
	for i, l := range lengths {
		if l < 0 || l+l%2 >= undefinedLength {
			return nil, &LimitError{-1, "bytes of one frame's codestream", l, undefinedLength - 1}
		}
		offsets[i] = uint64(at)
		at += 8 + l + l%2
	}
	if offsets[n-1] < undefinedLength {
		var table []byte
		for _, o := range offsets {
			table = binary.LittleEndian.AppendUint32(table, uint32(o))
		}
		return table, nil
	}
	var ext, size []byte
	for i, o := range offsets {
		ext = binary.LittleEndian.AppendUint64(ext, o)
		size = binary.LittleEndian.AppendUint64(size, uint64(lengths[i]))
	}
	if err := x.x.value(0x7FE00001, vrOV, ext); err != nil {
		return nil, err
	}
	return nil, x.x.value(0x7FE00002, vrOV, size)
}

func (x *rewriter) fragment(i int) error {
	if x.t.FrameLengths == nil {
		var b bytes.Buffer
		if err := x.t.Frame(i, &b); err != nil {
			return fmt.Errorf("dcm: write frame %d: %w", i, err)
		}
		n := int64(b.Len())
		if n+n%2 >= undefinedLength {
			return &LimitError{-1, "bytes of one frame's codestream", n, undefinedLength - 1}
		}
		x.x.header(tagItem, VR{}, uint32(n+n%2))
		if err := x.flush(); err != nil {
			return err
		}
		if _, err := b.WriteTo(x.out); err != nil {
			return err
		}
		x.x.pad(vrOB, int(n))
		return nil
	}
	n := x.t.FrameLengths[i]
	if n < 0 || n+n%2 >= undefinedLength {
		return &LimitError{-1, "bytes of one frame's codestream", n, undefinedLength - 1}
	}
	x.x.header(tagItem, VR{}, uint32(n+n%2))
	if err := x.flush(); err != nil {
		return err
	}
	out := &exactWriter{w: x.out, left: n}
	if err := x.t.Frame(i, out); err != nil {
		return fmt.Errorf("dcm: write frame %d: %w", i, err)
	}
	if out.left != 0 {
		return fmt.Errorf("dcm: frame %d is %d bytes short of the %d announced", i, out.left, n)
	}
	x.x.pad(vrOB, int(n%2))
	return nil
}
