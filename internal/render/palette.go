package render

import "fmt"

// Palette is the three lookup tables of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5), reduced to 8 bits per colour.
type Palette struct {
	First int // stored value of the first entry
	RGB   [][3]uint8
}

// At returns the colour of a stored value, that of the first or last entry for values outside the table.
func (p *Palette) At(stored int) [3]uint8 {
	return p.RGB[max(0, min(stored-p.First, len(p.RGB)-1))]
}

// channel is one colour of a palette as the data set has it.
type channel struct {
	descriptor []int
	data       []int // 16-bit words, or bytes if the data element is one of bytes
	segmented  []int // the same, of the segmented form (PS3.3 C.7.9.2); used if data is absent
	bytes      bool  // data or segmented are bytes
}

// newPalette reduces red, green and blue to one table of 8-bit colours.
//
// Entries of 8 bits may lie two in a word or one in a word, in its low byte
// or, with some writers, in its high byte; entries of 16 bits count by their
// high byte, except in files that hold 8-bit values in them. Which of these it is, is judged from all three tables together.
func newPalette(c [3]channel) (*Palette, error) {
	var table [3][]uint16
	var first, width, most int
	for i := range c {
		name := [...]string{"red", "green", "blue"}[i] + " palette"
		n, f, w, err := describe(name, c[i].descriptor)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first, width = f, w
		}
		if table[i], err = c[i].expand(name, n, w); err != nil {
			return nil, err
		}
		for _, v := range table[i] {
			most = max(most, int(v))
		}
	}
	shift := 0
	if most > 255 {
		shift = 8
		if width > 8 && most < 1<<width {
			shift = width - 8
		}
	}
	p := &Palette{First: first, RGB: make([][3]uint8, max(len(table[0]), len(table[1]), len(table[2])))}
	for i := range p.RGB {
		for k := range table {
			p.RGB[i][k] = uint8(table[k][min(i, len(table[k])-1)] >> shift)
		}
	}
	return p, nil
}

func (c *channel) expand(name string, entries, width int) ([]uint16, error) {
	table := words(c.data)
	switch {
	case len(table) == 0 && len(c.segmented) > 0:
		raw := words(c.segmented)
		if width <= 8 && !c.bytes {
			raw = splitWords(raw)
		}
		unit := 2
		if width <= 8 {
			unit = 1
		} else if c.bytes {
			raw = joinBytes(raw)
		}
		var err error
		if table, err = segments(name, raw, unit, entries); err != nil {
			return nil, err
		}
	case c.bytes && width > 8:
		table = joinBytes(table)
	case !c.bytes && width <= 8 && len(table) < entries && len(table) >= (entries+1)/2:
		table = splitWords(table)
	}
	if len(table) == 0 {
		return nil, malformed(name + " has no entries")
	}
	if len(table) > entries {
		table = table[:entries]
	}
	return table, nil
}

func joinBytes(b []uint16) []uint16 {
	list := make([]uint16, len(b)/2)
	for i := range list {
		list[i] = b[2*i] | b[2*i+1]<<8
	}
	return list
}

// segments expands a segmented palette of data elements of unit bytes (PS3.3
// C.7.9.2): discrete, linear and indirect segments. It makes at most entries values, whatever the segments say.
func segments(name string, data []uint16, unit, entries int) ([]uint16, error) {
	x := segmentReader{name: name, data: data, unit: unit, entries: entries}
	for at := 0; at < len(data) && len(x.out) < entries; {
		// A pad byte or word after the last segment is none.
		if at == len(data)-1 && data[at] == 0 {
			break
		}
		next, err := x.segment(at, true)
		if err != nil {
			return nil, err
		}
		at = next
	}
	return x.out, nil
}

type segmentReader struct {
	name    string
	data    []uint16
	unit    int
	entries int
	steps   int
	out     []uint16
}

// maxSegments bounds the work that empty segments can ask for.
const maxSegments = 1 << 17

// segment expands the segment at index at of the data and returns the index of the next one.
func (x *segmentReader) segment(at int, indirect bool) (int, error) {
	if x.steps++; x.steps > maxSegments {
		return 0, x.broken(at, "is one of too many")
	}
	if at < 0 || at+2 > len(x.data) {
		return 0, x.broken(at, "is cut off")
	}
	kind, n := x.data[at], int(x.data[at+1])
	at += 2
	switch kind {
	case 0:
		if at+n > len(x.data) {
			return 0, x.broken(at, "is cut off")
		}
		x.out = append(x.out, x.data[at:at+min(n, x.entries-len(x.out))]...)
		return at + n, nil
	case 1:
		if at >= len(x.data) {
			return 0, x.broken(at, "is cut off")
		}
		if len(x.out) == 0 {
			return 0, x.broken(at, "is linear and the first")
		}
		from, to := int(x.out[len(x.out)-1]), int(x.data[at])
		for i := 1; i <= n && len(x.out) < x.entries; i++ {
			// Rounded to nearest, for rising and falling segments alike.
			x.out = append(x.out, uint16((2*(from*(n-i)+to*i)+n)/(2*n)))
		}
		return at + 1, nil
	case 2:
		offset, width := 0, 4/x.unit
		if !indirect || at+width > len(x.data) {
			return 0, x.broken(at, "refers to another one where it must not")
		}
		for i := width - 1; i >= 0; i-- {
			offset = offset<<(8*x.unit) | int(x.data[at+i])
		}
		from := offset / x.unit
		for range n {
			if len(x.out) >= x.entries {
				break
			}
			next, err := x.segment(from, false)
			if err != nil {
				return 0, err
			}
			from = next
		}
		return at + width, nil
	}
	return 0, x.broken(at-2, fmt.Sprintf("has the unknown opcode %d", kind))
}

func (x *segmentReader) broken(at int, what string) error {
	return malformed(fmt.Sprintf("%s: the segment at element %d %s", x.name, at, what))
}
