package worker

import (
	"math/bits"
	"sync"
)

// buffers lends byte slices in sizes of powers of two, so that memory of
// read files and codestreams is used again instead of being collected.
type buffers struct {
	pools [40]sync.Pool
}

const smallestBuffer = 12 // 4 KiB

// get returns a slice of n bytes with unspecified contents.
func (p *buffers) get(n int64) []byte {
	class := max(bits.Len64(uint64(max(n, 1)-1)), smallestBuffer)
	if b, ok := p.pools[class].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, n, 1<<class)
}

// put takes a slice back. The caller must not use it any more.
func (p *buffers) put(b []byte) {
	c := cap(b)
	if c < 1<<smallestBuffer || c&(c-1) != 0 {
		return // not one of ours, or grown by append: let it be collected
	}
	b = b[:0]
	p.pools[bits.TrailingZeros(uint(c))].Put(&b)
}
