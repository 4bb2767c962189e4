package pack

import (
	"encoding/binary"
	"fmt"
)

// The body of an index is a sequence of columns, each of one number per
// record, so that equal neighbours compress to nearly nothing. A plain column
// holds uvarints. A delta column holds, as zigzag uvarints, the difference of
// each value from the one before it (the first from 0).

type columnWriter struct{ b []byte }

func (w *columnWriter) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *columnWriter) plain(n int, value func(i int) int64) {
	for i := range n {
		w.uint(uint64(value(i)))
	}
}

func (w *columnWriter) delta(n int, value func(i int) int64) {
	var last int64
	for i := range n {
		v := value(i)
		w.b = binary.AppendVarint(w.b, v-last)
		last = v
	}
}

// columnReader reads columns of hostile bytes. After the first error it yields zeros and keeps that error.
type columnReader struct {
	b    []byte
	all  int
	err  error
	what string // the column being read, for errors
}

func (r *columnReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &MalformedError{"index body: " + r.what + ": " + fmt.Sprintf(format, args...), int64(r.all - len(r.b))}
	}
}

// uint reads a uvarint of at most most.
func (r *columnReader) uint(most int64) int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("broken number")
		return 0
	}
	if most < 0 || v > uint64(most) {
		r.fail("%d is more than %d", v, most)
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

// int reads a zigzag uvarint.
func (r *columnReader) int() int64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("broken number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many records follow, each of at least size bytes in what is left, so that nothing is allocated for records that are not there.
func (r *columnReader) count(what string, size, most int) int {
	r.what = what
	n := int(r.uint(int64(most)))
	if n*size > len(r.b) {
		r.fail("%d records in %d bytes", n, len(r.b))
		return 0
	}
	return n
}

func (r *columnReader) plain(what string, n int, most int64, set func(i int, v int64)) {
	r.what = what
	for i := 0; i < n && r.err == nil; i++ {
		if v := r.uint(most); r.err == nil {
			set(i, v)
		}
	}
}

// delta reads a delta column whose values lie in least..most.
func (r *columnReader) delta(what string, n int, least, most int64, set func(i int, v int64)) {
	r.what = what
	var last int64
	for i := 0; i < n && r.err == nil; i++ {
		d, size := binary.Varint(r.b)
		if size <= 0 {
			r.fail("broken number")
			return
		}
		last += d // wraps on hostile input; the range check follows
		if last < least || last > most {
			r.fail("%d is outside %d to %d", last, least, most)
			return
		}
		r.b = r.b[size:]
		set(i, last)
	}
}

func (r *columnReader) digest(to *Digest) {
	r.what = "digests"
	if r.err == nil && len(r.b) < len(to) {
		r.fail("body ends")
	}
	if r.err != nil {
		return
	}
	copy(to[:], r.b)
	r.b = r.b[len(to):]
}
