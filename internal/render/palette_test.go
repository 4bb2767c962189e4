package render

import (
	"errors"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs"
)

func TestPalette(t *testing.T) {
	tests := []struct {
		name string
		c    channel
		at   []int
		want []uint8
	}{
		{"8 bits, one in a word", channel{descriptor: []int{3, 0, 8}, data: []int{1, 2, 3}}, []int{-1, 0, 1, 2, 9}, []uint8{1, 1, 2, 3, 3}},
		{"8 bits, two in a word", channel{descriptor: []int{4, 10, 8}, data: []int{0x0201, 0x0403}}, []int{10, 11, 12, 13}, []uint8{1, 2, 3, 4}},
		{"8 bits, odd count, two in a word", channel{descriptor: []int{3, 0, 8}, data: []int{0x0201, 0x0003}}, []int{0, 1, 2}, []uint8{1, 2, 3}},
		{"8 bits in the high byte", channel{descriptor: []int{2, 0, 8}, data: []int{0x0100, 0xFF00}}, []int{0, 1}, []uint8{1, 255}},
		{"16 bits", channel{descriptor: []int{2, 0, 16}, data: []int{0x1234, 0xFFFF}}, []int{0, 1}, []uint8{0x12, 255}},
		{"8 bits declared as 16", channel{descriptor: []int{2, 0, 16}, data: []int{0x34, 0xFF}}, []int{0, 1}, []uint8{0x34, 255}},
		{"16 bits in bytes", channel{descriptor: []int{2, 0, 16}, data: []int{0x34, 0x12, 0xFF, 0xFF}, bytes: true}, []int{0, 1}, []uint8{0x12, 255}},
		{"12 bits", channel{descriptor: []int{2, 0, 12}, data: []int{0x123, 0xFFF}}, []int{0, 1}, []uint8{0x12, 255}},
		{"segmented 16 bits", channel{descriptor: []int{8, 0, 16}, segmented: []int{
			0, 1, 0x1000, // discrete
			1, 2, 0x3000, // linear: 2000 3000
			2, 2, 6, 0, // indirect: the linear segment at byte 6 and the following indirect one is not allowed, see below
		}}, nil, nil},
		{"segmented 16 bits, indirect", channel{descriptor: []int{7, 0, 16}, segmented: []int{
			0, 2, 0x1000, 0x2000,
			1, 2, 0x4000,
			2, 1, 0, 0, // again the discrete one, at byte 0
			0, 1, 0xFF00,
		}}, []int{0, 1, 2, 3, 4, 5, 6}, []uint8{0x10, 0x20, 0x30, 0x40, 0x10, 0x20, 0xFF}},
		{"segmented 8 bits in words", channel{descriptor: []int{4, 0, 8}, segmented: []int{0x0100, 0x0110, 0x4003}}, []int{0, 1, 2, 3}, []uint8{0x10, 0x20, 0x30, 0x40}},
		{"segmented, falling", channel{descriptor: []int{3, 0, 16}, segmented: []int{0, 1, 0x4000, 1, 2, 0x2000}}, []int{0, 1, 2}, []uint8{0x40, 0x30, 0x20}},
		{"segmented, longer than declared", channel{descriptor: []int{2, 0, 16}, segmented: []int{0, 1, 0x4000, 1, 60000, 0x4000}}, []int{0, 1, 5}, []uint8{0x40, 0x40, 0x40}},
		{"no entries", channel{descriptor: []int{2, 0, 16}}, nil, nil},
		{"no descriptor", channel{data: []int{1}}, nil, nil},
		{"linear first", channel{descriptor: []int{2, 0, 16}, segmented: []int{1, 2, 3}}, nil, nil},
		{"cut off", channel{descriptor: []int{9, 0, 16}, segmented: []int{0, 9, 3}}, nil, nil},
		{"unknown opcode", channel{descriptor: []int{9, 0, 16}, segmented: []int{7, 9, 3}}, nil, nil},
		{"indirect to itself", channel{descriptor: []int{9, 0, 16}, segmented: []int{2, 1, 0, 0}}, nil, nil},
		{"empty segments without end", channel{descriptor: []int{9, 0, 16}, segmented: slices.Repeat([]int{0, 0, 2, 60000, 0, 0}, 99)}, nil, nil},
	}
	for _, x := range tests {
		p, err := newPalette([3]channel{x.c, x.c, x.c})
		if x.want == nil {
			var bad *codecs.MalformedError
			if !errors.As(err, &bad) {
				t.Errorf("%s: got %v, want a MalformedError", x.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		for i, at := range x.at {
			if got := p.At(at); got != [3]uint8{x.want[i], x.want[i], x.want[i]} {
				t.Errorf("%s: entry for %d: got %v, want %d", x.name, at, got, x.want[i])
			}
		}
	}
}

func TestLUT(t *testing.T) {
	lut, err := newLUT("test", []int{4, 0, 8}, []int{0x0201, 0x0403})
	if err != nil || lut.At(2) != 3 || lut.Bits != 8 {
		t.Errorf("bytes in words: got %+v, %v, want entries 1 2 3 4", lut, err)
	}
	lut, err = newLUT("test", []int{2, 0, 8}, []int{0, 4095})
	if err != nil || lut.gray(1) != 255 || lut.Bits != 12 {
		t.Errorf("wider entries than declared: got %+v, %v, want 12 bits", lut, err)
	}
	for _, d := range [][]int{nil, {1, 2}, {-1, 0, 8}, {70000, 0, 8}, {1, 0, 17}} {
		if _, err := newLUT("test", d, []int{1}); err == nil {
			t.Errorf("descriptor %v: got no error", d)
		}
	}
}
