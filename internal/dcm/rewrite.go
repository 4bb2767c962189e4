package dcm

import (
	"bufio"
	"cmp"
	"compress/flate"
	"fmt"
	"io"
	"slices"
)

// Target says what [Rewrite] makes of an instance.
type Target struct {
	Syntax       string // Transfer Syntax UID; the data set is written as Explicit VR Little Endian, deflated for 1.2.840.10008.1.2.1.99
	Encapsulated bool   // pixel data becomes fragments, one per frame
	Photometric  string // replaces Photometric Interpretation, "" keeps it
	Planar0      bool   // sets Planar Configuration 0, for samples that are given interleaved
	// Length is, for native pixel data, the bytes that the Frame calls write
	// together, without pad; 0 means frame size times frames.
	Length int64
	// FrameLengths has, for encapsulated pixel data, the bytes that each Frame
	// call will write. With them codestreams are passed on as they come and
	// an offset table is written; without them each is held in memory, and the offset table is empty.
	FrameLengths []int64
	// Frame writes the samples of frame i, little endian, or its codestream.
	// It is called once for each frame, in order. If nil, the pixel data
	// stays as it is, native words turned little endian.
	Frame func(i int, w io.Writer) error
}

// Rewrite writes the instance that Scan found in r in another transfer syntax.
// Every element keeps its value; what changes is:
//
//   - the meta group's syntax and implementation; preamble zero,
//   - the encoding: Explicit VR Little Endian. Private and unknown elements of
//     implicit VR become UN with their bytes, as do values too long for their VR. US or SS follows Pixel Representation,
//   - group lengths, Data Set Trailing Padding and bytes behind the last element are dropped, odd values padded,
//   - Pixel Data, its offset tables, and what Target names,
//   - overlays in unused bits of replaced pixel data move to (60xx,3000), for encapsulated targets (PS3.5 8.1.2).
//
// It returns an *UnsupportedError where that is not possible; w may then hold
// part of a file, as after any error. Digital signatures are copied, and no longer hold if they cover Pixel Data: ask f.Find(0xFFFAFFFA) first.
func Rewrite(w io.Writer, r io.ReaderAt, f *File, target Target) error {
	x, err := newRewriter(r, f, target)
	if err != nil {
		return err
	}
	meta, err := x.meta(r)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	x.out = out
	if _, err := out.Write(meta); err != nil {
		return err
	}
	var deflater *flate.Writer
	if target.Syntax == deflatedLE {
		if deflater, err = flate.NewWriter(out, flate.DefaultCompression); err != nil {
			return err
		}
		x.out = deflater
	}
	if err := x.dataset(); err != nil {
		return err
	}
	if deflater != nil {
		if err := deflater.Close(); err != nil {
			return err
		}
	}
	return out.Flush()
}

type rewriter struct {
	walker
	f        *File
	t        Target
	out      io.Writer
	x        encoder // holds one top-level element at a time
	root     surroundings
	overlays []overlay // to be moved out of the pixel data
}

func newRewriter(r io.ReaderAt, f *File, t Target) (*rewriter, error) {
	src, size := f.dataset(r)
	x := &rewriter{walker: walker{src: newWindow(src, size), lim: Limits{}.withDefaults()}, f: f, t: t,
		x: encoder{enc: Encoding{Explicit: true}}}
	if l := labelled(t.Syntax); !l.Explicit || l.BigEndian || l.Deflated && t.Syntax != deflatedLE || t.Syntax == "" {
		return nil, &UnsupportedError{0, "writing transfer syntax " + t.Syntax}
	}
	if f.IsDICOMDIR() {
		return nil, &UnsupportedError{0x00041220, "rewriting a DICOMDIR, whose records refer to byte offsets"}
	}
	for i := range f.Elements {
		if e := &f.Elements[i]; e.Tag>>16 == 2 {
			return nil, &UnsupportedError{e.Tag, "file meta element inside the data set"}
		}
	}
	px := f.Pixel
	switch {
	case px == nil && t.Frame != nil:
		return nil, &UnsupportedError{0, "replacing pixel data of an instance that has none"}
	case px == nil:
	case t.Frame == nil && px.Encapsulated != t.Encapsulated:
		return nil, &UnsupportedError{px.Tag, "keeping pixel data in a syntax of the other kind (native or encapsulated)"}
	case t.Frame == nil && f.Encoding.BigEndian && px.Encapsulated:
		return nil, &UnsupportedError{px.Tag, "encapsulated pixel data in a big endian data set"}
	case t.Frame == nil && f.unclearWords():
		return nil, &UnsupportedError{px.Tag, fmt.Sprintf("big endian samples of %d bits in words of another size: readers disagree on their order", f.Image.BitsAllocated)}
	case px.FrameProblem == severalPixels:
		return nil, &UnsupportedError{px.Tag, severalPixels}
	case t.Frame != nil && px.FrameProblem != "":
		return nil, &UnsupportedError{px.Tag, "replacing pixel data whose frames are not clear: " + px.FrameProblem}
	case t.Frame != nil && px.Tag != 0x7FE00010:
		return nil, &UnsupportedError{px.Tag, "replacing float or double pixel data"}
	case t.FrameLengths != nil && len(t.FrameLengths) != f.Image.Frames:
		return nil, &UnsupportedError{px.Tag, "as many frame lengths as frames must be given"}
	}
	if t.Frame != nil && t.Encapsulated && f.OverlayInPixels() {
		if err := x.findOverlays(); err != nil {
			return nil, err
		}
	}
	x.root = surroundings{elements: f.Elements, enc: f.Encoding}
	return x, nil
}

// meta returns preamble and meta group: the source's elements, with our syntax and implementation.
func (x *rewriter) meta(r io.ReaderAt) ([]byte, error) {
	f := x.f
	w := walker{src: newWindow(r, f.Size)}
	list := []metaElement{
		{0x00020001, vrOB, []byte{0, 1}},
		{0x00020002, vrUI, []byte(f.ClassUID)},
		{0x00020003, vrUI, []byte(f.SOPUID)},
		{0x00020010, vrUI, []byte(x.t.Syntax)},
		{0x00020012, vrUI, []byte(implementationUID)},
		{0x00020013, vrSH, []byte(implementationName)},
	}
	for i := range f.Meta {
		e := &f.Meta[i]
		switch {
		case e.Tag == 0x00020000 || e.Tag == 0x00020010 || e.Tag == 0x00020012 || e.Tag == 0x00020013 || e.Undefined:
			continue
		case e.Length > bulkBytes:
			return nil, &UnsupportedError{e.Tag, "meta element of more than 64 KiB"}
		}
		v, err := w.src.bytes(e.ValueOffset, e.Length)
		if err != nil {
			return nil, err
		}
		vr := e.VR
		if !vr.known() {
			vr = cmp.Or(dictionaryVR(e.Tag), vrUN)
		}
		m := metaElement{e.Tag, vr, v}
		if at := slices.IndexFunc(list, func(o metaElement) bool { return o.tag == e.Tag }); at >= 0 {
			list[at] = m
		} else {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b metaElement) int { return cmp.Compare(a.tag, b.tag) })
	return metaGroup(list)
}

// flush passes the element in the buffer on.
func (x *rewriter) flush() error {
	_, err := x.out.Write(x.x.b)
	x.x.b = x.x.b[:0]
	return err
}

func (x *rewriter) dataset() error {
	replaced := x.t.Frame != nil
	planar := x.t.Planar0 && x.f.Image != nil && x.f.Image.Samples > 1 && x.f.Find(0x00280006) == nil
	for i := range x.f.Elements {
		e := &x.f.Elements[i]
		if planar && e.Tag > 0x00280006 {
			planar = false
			if err := x.x.value(0x00280006, vrUS, []byte{0, 0}); err != nil {
				return err
			}
		}
		if err := x.overlayData(e.Tag); err != nil {
			return err
		}
		var err error
		switch {
		case dropped(e.Tag):
		case replaced && (e.Tag == 0x7FE00001 || e.Tag == 0x7FE00002):
		case isPixelData(e.Tag):
			err = x.pixelData(e)
		case e.Tag == 0x00280004 && x.t.Photometric != "":
			err = x.x.value(e.Tag, vrCS, []byte(x.t.Photometric))
		case e.Tag == 0x00280006 && x.t.Planar0:
			err = x.x.value(e.Tag, vrUS, []byte{0, 0})
		case x.overlayElement(e.Tag):
			err = x.overlayDescription(e)
		case e.Length > bulkBytes && !e.isSequence() && !e.Undefined:
			err = x.long(e)
		default:
			err = x.element(e, &x.root, 0)
		}
		if err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}

// dropped reports whether an element is never written: group lengths and Data Set Trailing Padding.
func dropped(tag uint32) bool { return tag&0xFFFF == 0 || tag == 0xFFFCFFFC }
