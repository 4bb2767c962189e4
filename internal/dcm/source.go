package dcm

import (
	"fmt"
	"io"
)

// Bytes is a whole file in memory. It is an [io.ReaderAt] that Scan,
// ReadDataset and Rewrite look into without copying.
type Bytes []byte

// ReadAt implements [io.ReaderAt].
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// window reads small pieces of a ReaderAt through a buffer. A jump over
// bulk data shrinks the next read, so that little of the bulk is touched;
// reading on in sequence grows it.
type window struct {
	r     io.ReaderAt
	mem   []byte // the whole source, if it is in memory
	size  int64
	buf   []byte // what is buffered, starting at source offset at
	at    int64
	chunk int // size of the next read
}

const (
	minChunk = 512
	maxChunk = 32 << 10
	peekMax  = 4 << 10 // largest value that is looked at while scanning
)

func newWindow(r io.ReaderAt, size int64) window {
	w := window{r: r, size: size, chunk: 8 << 10}
	if b, ok := r.(Bytes); ok && int64(len(b)) >= size {
		w.mem = b[:size]
	}
	return w
}

// peek returns at least n bytes at off, valid until the next call. The caller
// has checked that they lie within the source.
func (w *window) peek(off int64, n int) ([]byte, error) {
	if w.mem != nil {
		if off < 0 || n < 0 || off+int64(n) > int64(len(w.mem)) {
			return nil, io.ErrUnexpectedEOF
		}
		return w.mem[off:], nil
	}
	if n >= 0 && off >= w.at && off+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[off-w.at:], nil
	}
	return w.fill(off, n)
}

func (w *window) fill(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off+int64(n) > w.size {
		return nil, io.ErrUnexpectedEOF
	}
	if w.buf != nil {
		if end := w.at + int64(len(w.buf)); off >= w.at && off <= end {
			w.chunk = min(w.chunk*2, maxChunk)
		} else {
			w.chunk = minChunk
		}
	}
	want := int(min(int64(max(n, w.chunk)), w.size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, 0, max(want, 8<<10))
	}
	w.buf, w.at = w.buf[:want], off
	got, err := w.r.ReadAt(w.buf, off)
	w.buf = w.buf[:got]
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("dcm: read %d bytes at byte %d: %w", n, off, err)
	}
	return w.buf, nil
}

// bytes returns exactly [off, off+n); the caller has compared n with a limit
// and with the source's size. Memory sources are not copied.
func (w *window) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off+n > w.size {
		return nil, io.ErrUnexpectedEOF
	}
	if w.mem != nil {
		return w.mem[off : off+n : off+n], nil
	}
	b := make([]byte, n)
	if n == 0 {
		return b, nil
	}
	if got, err := w.r.ReadAt(b, off); int64(got) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("dcm: read %d bytes at byte %d: %w", n, off, err)
	}
	return b, nil
}
