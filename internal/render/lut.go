package render

import (
	"math"
	"math/bits"
)

// LUT is a Modality or VOI lookup table (PS3.3 C.11.1.1, C.11.2.1.1).
type LUT struct {
	First int // input value of the first entry
	Bits  int // significant bits of an entry, 1..16
	Data  []uint16
}

// At returns the entry for an input, the first or last one for inputs outside the table.
func (l *LUT) At(x float64) uint16 {
	i := math.Round(x) - float64(l.First)
	switch {
	case !(i > 0):
		return l.Data[0]
	case i >= float64(len(l.Data)):
		return l.Data[len(l.Data)-1]
	}
	return l.Data[int(i)]
}

// gray returns the entry for x scaled from Bits to 8 bits.
func (l *LUT) gray(x float64) uint8 {
	return uint8(int(l.At(x)) * 255 / (1<<l.Bits - 1))
}

// newLUT makes a table of a descriptor (entries, first, bits) and its data. It
// takes what writers do wrong: 8-bit entries two to a word, fewer entries than declared, entries wider than declared.
func newLUT(name string, descriptor, data []int) (*LUT, error) {
	entries, first, width, err := describe(name, descriptor)
	if err != nil {
		return nil, err
	}
	table := words(data)
	if width <= 8 && len(table) < entries && len(table) >= (entries+1)/2 {
		table = splitWords(table)
	}
	if len(table) == 0 {
		return nil, malformed(name + " has no entries")
	}
	if len(table) > entries {
		table = table[:entries]
	}
	most := uint16(0)
	for _, v := range table {
		most = max(most, v)
	}
	return &LUT{First: first, Bits: max(width, bits.Len16(most), 1), Data: table}, nil
}

// describe reads a LUT descriptor (PS3.3 C.11.1.1.1).
func describe(name string, d []int) (entries, first, width int, err error) {
	if len(d) != 3 {
		return 0, 0, 0, malformed(name + " has no descriptor of three values")
	}
	entries, first, width = d[0], d[1], d[2]
	if entries == 0 {
		entries = 1 << 16
	}
	if entries < 0 || entries > 1<<16 || width < 0 || width > 16 {
		return 0, 0, 0, malformed(name + " has a descriptor out of range")
	}
	return entries, first, width, nil
}

func words(data []int) []uint16 {
	table := make([]uint16, len(data))
	for i, v := range data {
		table[i] = uint16(v)
	}
	return table
}

// splitWords unpacks entries of 8 bits from words, the first in the low byte.
func splitWords(table []uint16) []uint16 {
	list := make([]uint16, 0, 2*len(table))
	for _, w := range table {
		list = append(list, w&0xFF, w>>8)
	}
	return list
}
