package evidence

import (
	"encoding/binary"
	"math/bits"

	"github.com/radtier/radtier/roi/space"
)

// masks finds, for each label of a frame, the first and the last set pixel of every row: enough for the convex polygon around them.
type masks struct {
	seen   []int // labels, in the order in which they were met
	at     map[int]int
	rowsOf [][]extent
	pixels []int64
	rows   int
}

// extent is the first and the last set column of a row; empty where last < first.
type extent struct{ first, last int32 }

func newMasks(rows int) *masks { return &masks{at: map[int]int{}, rows: rows} }

func (m *masks) reset() {
	m.seen = m.seen[:0]
	clear(m.at)
}

// of returns the rows of a label.
func (m *masks) of(label int) (rows []extent, k int) {
	k, ok := m.at[label]
	if !ok {
		k = len(m.seen)
		m.at[label] = k
		m.seen = append(m.seen, label)
		if k == len(m.rowsOf) {
			m.rowsOf, m.pixels = append(m.rowsOf, make([]extent, m.rows)), append(m.pixels, 0)
		}
		for y := range m.rowsOf[k] {
			m.rowsOf[k][y] = extent{0, -1}
		}
		m.pixels[k] = 0
	}
	return m.rowsOf[k], k
}

// bits reads a frame of one bit for each pixel, lowest bit first, which begins at bit skip (PS3.5 8.1.1, Annex D). Its label is 1.
func (m *masks) bits(p []byte, skip uint, rows, columns int) {
	for y := range rows {
		from := int(skip) + y*columns
		first, last, n := setBits(p, from, from+columns)
		if n == 0 {
			continue
		}
		r, k := m.of(1)
		r[y] = extent{int32(first - from), int32(last - from)}
		m.pixels[k] += int64(n)
	}
}

// setBits returns the first and last set bit in [from, to), and their number.
func setBits(p []byte, from, to int) (first, last, n int) {
	for at := from; at < to; {
		i := at >> 3
		if at&7 == 0 && to-at >= 64 && i+8 <= len(p) {
			if w := binary.LittleEndian.Uint64(p[i:]); w != 0 {
				if n == 0 {
					first = at + bits.TrailingZeros64(w)
				}
				last = at + 63 - bits.LeadingZeros64(w)
				n += bits.OnesCount64(w)
			}
			at += 64
			continue
		}
		end := min(to, (i+1)<<3)
		if b := p[i] >> (at & 7) & (1<<(end-at) - 1); b != 0 {
			if n == 0 {
				first = at + bits.TrailingZeros8(b)
			}
			last = at + 7 - bits.LeadingZeros8(b)
			n += bits.OnesCount8(b)
		}
		at = end
	}
	return first, last, n
}

// bytes reads a frame of one byte for each pixel: of a fractional segmentation every value but 0 counts. Its label is 1.
func (m *masks) bytes(p []byte, rows, columns int) {
	for y := range rows {
		row := p[y*columns:][:columns]
		for x := 0; x < columns; x++ {
			if x+8 <= columns && binary.LittleEndian.Uint64(row[x:]) == 0 {
				x += 7
				continue
			}
			if row[x] != 0 {
				m.set(1, y, x, x+1)
			}
		}
	}
}

// labels reads a frame whose pixels are segment numbers.
func (m *masks) labels(p []byte, size, rows, columns, background int, bigEndian bool) {
	value := func(at int) int {
		switch {
		case size == 1:
			return int(p[at])
		case bigEndian:
			return int(binary.BigEndian.Uint16(p[2*at:]))
		}
		return int(binary.LittleEndian.Uint16(p[2*at:]))
	}
	for y := range rows {
		base := y * columns
		for x := 0; x < columns; {
			if background == 0 && (x+8/size) <= columns && binary.LittleEndian.Uint64(p[(base+x)*size:]) == 0 {
				x += 8 / size
				continue
			}
			v, end := value(base+x), x+1
			for end < columns && value(base+end) == v {
				end++
			}
			if v != background {
				m.set(v, y, x, end)
			}
			x = end
		}
	}
}

// set notes the pixels [from, to) of a row.
func (m *masks) set(label, y, from, to int) {
	r, k := m.of(label)
	if e := &r[y]; e.last < e.first {
		*e = extent{int32(from), int32(to - 1)}
	} else {
		e.first, e.last = min(e.first, int32(from)), max(e.last, int32(to-1))
	}
	m.pixels[k] += int64(to - from)
}

// shape is the convex polygon around the pixels of a label, whose corners it goes through.
func (m *masks) shape(label int) Shape {
	k := m.at[label]
	var pts []space.Point
	for y, e := range m.rowsOf[k] {
		if e.last < e.first {
			continue
		}
		a, b, c := float64(e.first), float64(e.last+1), float64(y)
		pts = append(pts, space.Point{X: a, Y: c}, space.Point{X: a, Y: c + 1}, space.Point{X: b, Y: c}, space.Point{X: b, Y: c + 1})
	}
	return Shape{Type: Mask, P: space.Hull(pts), Pixels: m.pixels[k]}
}
