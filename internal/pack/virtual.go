package pack

import (
	"context"
	"fmt"
	"io"
	"sort"
	"sync"
)

// Virtual returns the received file of instance i, and its size, with every
// frame read as zeros: enough to scan its elements without touching a frame.
// It reads the header at once and long values when they are asked for, under ctx. It is safe for concurrent use.
func (v *Volume) Virtual(ctx context.Context, i int) (io.ReaderAt, int64, error) {
	inst, err := v.instance(i)
	if err != nil {
		return nil, 0, err
	}
	header, err := v.Header(ctx, i)
	if err != nil {
		return nil, 0, err
	}
	f := &virtualFile{ctx: ctx, v: v, header: header, segments: inst.Segments, size: inst.FileSize, valueOf: -1}
	var at, head int64
	for _, s := range inst.Segments {
		f.starts = append(f.starts, at)
		f.heads = append(f.heads, head)
		at += s.Length
		if s.Kind == SegmentHeader {
			head += s.Length
		}
	}
	return f, f.size, nil
}

type virtualFile struct {
	ctx      context.Context
	v        *Volume
	header   []byte
	segments []Segment
	starts   []int64 // of each segment in the file
	heads    []int64 // header bytes before each segment
	size     int64

	mu      sync.Mutex
	valueOf int // entry whose bytes are kept, -1: none
	value   []byte
}

func (f *virtualFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("pack: read at offset %d", off)
	}
	n := 0
	at := sort.Search(len(f.starts), func(i int) bool { return f.starts[i] > off }) - 1
	for ; n < len(p) && off < f.size; at++ {
		s := f.segments[at]
		in := off - f.starts[at]
		part := p[n:][:min(int64(len(p)-n), s.Length-in)]
		switch s.Kind {
		case SegmentHeader:
			copy(part, f.header[f.heads[at]+in:])
		case SegmentFrame:
			clear(part)
		case SegmentEntry:
			if len(part) == 0 {
				break
			}
			if err := f.readValue(part, s.Ref, s.Offset+in); err != nil {
				return n, err
			}
		}
		n += len(part)
		off += int64(len(part))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *virtualFile) readValue(p []byte, e int, off int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.valueOf != e {
		w := window{v: f.v, list: []int{e}}
		raw, err := f.v.value(f.ctx, &w, e, nil)
		if err != nil {
			return err
		}
		f.valueOf, f.value = e, raw
	}
	copy(p, f.value[off:])
	return nil
}
