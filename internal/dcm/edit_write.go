package dcm

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
)

// NativePixels is the pixel data of a file that is written from an Edit.
type NativePixels struct {
	Length int64 // bytes, without pad
	// Write gives them: little endian, planes interleaved.
	Write func(w io.Writer) error
}

// WriteFile writes a Part 10 file in Explicit VR Little Endian with native
// pixel data. Its meta group is new: class and instance UIDs are the data
// set's as it is now, the implementation is ours under the given version name (up to 16 characters).
func (e *Edit) WriteFile(w io.Writer, version string, px NativePixels) error {
	x := e.x
	if px.Length < 0 || px.Length+px.Length%2 >= undefinedLength {
		return &LimitError{-1, "bytes of native pixel data", px.Length, undefinedLength - 1}
	}
	class, err := e.uid(0x00080016)
	if err != nil {
		return err
	}
	instance, err := e.uid(0x00080018)
	if err != nil {
		return err
	}
	meta, err := metaGroup([]metaElement{
		{0x00020001, vrOB, []byte{0, 1}},
		{0x00020002, vrUI, class},
		{0x00020003, vrUI, instance},
		{0x00020010, vrUI, []byte(explicitLE)},
		{0x00020012, vrUI, []byte(implementationUID)},
		{0x00020013, vrSH, []byte(cmp.Or(version, implementationName))},
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	x.out, x.x.b = out, x.x.b[:0]
	if _, err := out.Write(meta); err != nil {
		return err
	}
	written := false
	for i := range e.entries {
		if e.entries[i].Tag > 0x7FE00010 && !written {
			written = true
			if err := x.samples(px); err != nil {
				return err
			}
		}
		if err := e.write(&e.entries[i]); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	if !written {
		if err := x.samples(px); err != nil {
			return err
		}
	}
	return out.Flush()
}

// uid returns an element as it will be written.
func (e *Edit) uid(tag uint32) ([]byte, error) {
	x := e.find(tag)
	switch {
	case x == nil:
		return nil, &MalformedError{-1, tag, "absent"}
	case x.fresh != nil:
		return x.fresh.value, nil
	case x.Length > peekMax:
		return nil, &MalformedError{x.Offset, tag, fmt.Sprintf("UID of %d bytes", x.Length)}
	}
	return e.x.src.bytes(x.ValueOffset, x.Length)
}

func (x *rewriter) samples(px NativePixels) error {
	vr := vrOB
	if x.f.Image != nil && x.f.Image.BitsAllocated > 8 {
		vr = vrOW
	}
	x.x.header(0x7FE00010, vr, uint32(px.Length+px.Length%2))
	if err := x.flush(); err != nil {
		return err
	}
	to := &exactWriter{w: x.out, left: px.Length}
	if err := px.Write(to); err != nil {
		return err
	}
	if to.left != 0 {
		return fmt.Errorf("dcm: pixel data is %d bytes short of the %d announced", to.left, px.Length)
	}
	x.x.pad(vrOB, int(px.Length%2))
	return x.flush()
}

// write appends one element to the buffer, or passes on a long one.
func (e *Edit) write(en *entry) error {
	x := e.x
	switch {
	case en.fresh != nil:
		return (&Builder{elements: map[uint32]built{en.Tag: *en.fresh}}).encode(&x.x, e.depth)
	case en.opened:
	case e.parent == nil && en.Length > bulkBytes && !en.isSequence() && !en.Undefined:
		return x.long(&en.Element)
	default:
		return x.element(&en.Element, e.in, e.depth)
	}
	mark := x.x.begin(en.Tag, en.Undefined)
	for _, it := range en.items {
		at := x.x.begin(tagItem, it.undefined)
		if it.fresh != nil {
			if err := it.fresh.encode(&x.x, e.depth+1); err != nil {
				return err
			}
		} else {
			for i := range it.edit.entries {
				if err := it.edit.write(&it.edit.entries[i]); err != nil {
					return err
				}
			}
		}
		if err := x.x.end(tagItem, at, it.undefined); err != nil {
			return err
		}
	}
	return x.x.end(en.Tag, mark, en.Undefined)
}
