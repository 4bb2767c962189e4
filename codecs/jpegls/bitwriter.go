package jpegls

// bitWriter appends bits, most significant first, with a zero bit after each byte FF (A.1).
type bitWriter struct {
	buf []byte // scratch for at least one line; its first n bytes are written
	n   int
	acc uint64 // its low cnt bits are not in buf yet
	cnt int    // below 32 between calls
	ff  bool   // the last byte in buf is FF
}

// put appends the low n bits of v, n at most 32.
func (w *bitWriter) put(v uint64, n int) {
	w.acc = w.acc<<(uint(n)&63) | v
	w.cnt += n
	if w.cnt >= 32 {
		w.flush()
	}
}

// hasFF reports whether a byte of w is FF.
func hasFF(w uint32) bool { return (^w-0x01010101)&w&0x80808080 != 0 }

// flush moves whole bytes to buf.
func (w *bitWriter) flush() {
	acc, cnt, n := w.acc, w.cnt, w.n
	for {
		width := 8
		if w.ff {
			width = 7
		}
		if cnt < width {
			break
		}
		cnt -= width
		b := byte(acc>>(uint(cnt)&63)) & byte(1<<width-1)
		w.buf[n] = b
		n++
		w.ff = b == 0xFF
	}
	w.cnt, w.n = cnt, n
}

// golomb writes the limited-length code of m (A.5.3).
func (w *bitWriter) golomb(m, k, limit, qbpp int) {
	zeros := m >> k
	if most := limit - qbpp - 1; zeros >= most {
		w.zeros(most)
		w.put(1, 1)
		w.put(uint64(m-1)&(1<<qbpp-1), qbpp)
		return
	}
	w.zeros(zeros)
	w.put(1<<k|uint64(m)&(1<<k-1), k+1)
}

func (w *bitWriter) zeros(n int) {
	for ; n > 32; n -= 32 {
		w.put(0, 32)
	}
	w.put(0, n)
}

// finish pads with zero bits to a whole byte, and one more if the last is FF, so that a marker can follow (A.1).
func (w *bitWriter) finish() {
	w.flush()
	for w.cnt > 0 || w.ff {
		pad := 8 - w.cnt
		if w.ff {
			pad = 7 - w.cnt
		}
		w.acc <<= uint(pad) & 63
		w.cnt += pad
		w.flush()
	}
	w.acc = 0
}
