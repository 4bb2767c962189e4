package pack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	readBytes = 8 << 20  // neighbouring entries are read together up to this
	gapBytes  = 16 << 10 // bytes between two wanted entries that are read rather than asked for apart
)

// window reads the entries of a list, which ascends, several at a time.
type window struct {
	v     *Volume
	list  []int
	start int64
	bytes []byte
}

// entry returns the checked payload of an entry of the list; it is valid until the next call.
func (w *window) entry(ctx context.Context, e int) ([]byte, error) {
	rec := w.v.Index.Entries[e]
	if rec.Offset < w.start || rec.Offset+rec.Size > w.start+int64(len(w.bytes)) {
		at, _ := slices.BinarySearch(w.list, e)
		end := rec.Offset + rec.Size
		for _, next := range w.list[min(at+1, len(w.list)):] {
			n := w.v.Index.Entries[next]
			if n.Offset-end > gapBytes || n.Offset+n.Size-rec.Offset > readBytes {
				break
			}
			end = n.Offset + n.Size
		}
		w.bytes = nil // let go before the next is read
		p, err := readRange(ctx, w.v.r, rec.Offset, end-rec.Offset)
		if damaged(err) && end > rec.Offset+rec.Size { // the volume ends early: not before this entry, perhaps
			p, err = readRange(ctx, w.v.r, rec.Offset, rec.Size)
		}
		if err != nil {
			return nil, w.v.named(e, err)
		}
		w.start, w.bytes = rec.Offset, p
	}
	p := w.bytes[rec.Offset-w.start:][:rec.Size:rec.Size]
	return p, w.v.checkEntry(e, p)
}

// allEntries lists the entries of an instance in ascending order.
func allEntries(inst *Instance) []int {
	var list []int
	for f := range inst.Frames {
		list = append(list, entriesOf(&inst.Frames[f])...)
	}
	for _, s := range inst.Segments {
		if s.Kind == SegmentEntry {
			list = append(list, s.Ref)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Rebuild writes the received file of instance i to w. It holds one frame or
// value and up to 8 MiB of stored bytes. Every frame is checked before it is
// written, the whole file afterwards: after an error what was written must not be used. If the received file
// cannot be rebuilt (Instance.Exact is false) it writes nothing and returns ErrNotExact.
func (v *Volume) Rebuild(ctx context.Context, dec *Decoders, i int, w io.Writer) error {
	inst, err := v.instance(i)
	if err != nil {
		return err
	}
	if !inst.Exact {
		return fmt.Errorf("instance %q: %w", inst.SOPUID, ErrNotExact)
	}
	header, err := v.Header(ctx, i)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	in := window{v: v, list: allEntries(inst)}
	var raw, scratch []byte // bytes of the frame or value that was rebuilt last
	kind, ref := SegmentHeader, 0
	for _, s := range inst.Segments {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p := header[:min(s.Length, int64(len(header)))]
		switch {
		case s.Kind == SegmentHeader:
			header = header[len(p):]
		case s.Kind != kind || s.Ref != ref:
			kind, ref = s.Kind, s.Ref
			if s.Kind == SegmentFrame {
				raw, err = v.rebuildFrame(ctx, dec, &in, inst, s.Ref, scratch)
			} else {
				raw, err = v.value(ctx, &in, s.Ref, scratch)
			}
			if err != nil {
				return err
			}
			scratch = raw
			fallthrough
		default:
			p = raw[s.Offset : s.Offset+s.Length]
		}
		if _, err := out.Write(p); err != nil {
			return fmt.Errorf("instance %q: write rebuilt file: %w", inst.SOPUID, err)
		}
	}
	if got := Digest(sum.Sum(nil)); inst.FileSHA256 != (Digest{}) && got != inst.FileSHA256 {
		return &DamagedError{Part: "file", SOPUID: inst.SOPUID, Frame: -1, Offset: -1, Err: errors.New("SHA-256 of the rebuilt file differs")}
	}
	return nil
}

// value returns the raw bytes of a SegmentEntry's entry, using dst if it is large enough.
func (v *Volume) value(ctx context.Context, in *window, e int, dst []byte) ([]byte, error) {
	p, err := in.entry(ctx, e)
	if err != nil {
		return nil, err
	}
	rec := v.Index.Entries[e]
	if dst, err = grow(dst, rec.RawSize); err == nil {
		dst, err = RebuildFrame(ctx, nil, nil, false, rec.Coding, p, nil, dst)
	}
	if err != nil {
		return nil, v.entryDamage(e, err)
	}
	return dst, nil
}
