package rle

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// unpackSimply follows PS3.5 G.3.2 word by word; it shares no code with the package.
func unpackSimply(p []byte) []byte {
	var out []byte
	for len(p) > 0 {
		switch n := int8(p[0]); {
		case n >= 0:
			out = append(out, p[1:2+int(n)]...)
			p = p[2+int(n):]
		case n > -128:
			out = append(out, bytes.Repeat(p[1:2], 1-int(n))...)
			p = p[2:]
		default:
			p = p[1:]
		}
	}
	return out
}

func seq(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i)
	}
	return p
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func run(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func TestPack(t *testing.T) {
	for _, row := range []struct {
		name      string
		row, want []byte
	}{
		{"one byte", []byte{9}, []byte{0, 9}},
		{"two equal alone", []byte{9, 9}, []byte{255, 9}},
		{"two different", []byte{9, 8}, []byte{1, 9, 8}},
		{"three equal", []byte{9, 9, 9}, []byte{254, 9}},
		{"two equal inside a literal", []byte{1, 9, 9, 2}, []byte{3, 1, 9, 9, 2}},
		{"two equal between runs", join(run(3, 1), run(2, 2), run(3, 3)), []byte{254, 1, 255, 2, 254, 3}},
		{"literal, run, literal", join([]byte{1, 2}, run(5, 7), []byte{3}), []byte{1, 1, 2, 252, 7, 0, 3}},
		{"run of 128", run(128, 5), []byte{129, 5}},
		{"run of 129", run(129, 5), []byte{129, 5, 0, 5}},
		{"run of 129 and more", join(run(129, 5), []byte{6}), []byte{129, 5, 1, 5, 6}},
		{"run of 130", run(130, 5), []byte{129, 5, 255, 5}},
		{"run of 131", run(131, 5), []byte{129, 5, 254, 5}},
		{"run of 256", run(256, 5), []byte{129, 5, 129, 5}},
		{"literal of 128", seq(128), join([]byte{127}, seq(128))},
		{"literal of 129", seq(129), join([]byte{127}, seq(128), []byte{0, 128})},
		{"run in the second word", join(seq(13), run(3, 99)), join([]byte{12}, seq(13), []byte{254, 99})},
	} {
		if got := pack([]byte{42}, row.row); !bytes.Equal(got, join([]byte{42}, row.want)) {
			t.Errorf("%s: pack(%v) after a byte 42: got %v, want %v", row.name, row.row, got[1:], row.want)
		}
		if got := unpackSimply(row.want); !bytes.Equal(got, row.row) {
			t.Errorf("%s: the expected packets unpack to %v, want %v", row.name, got, row.row)
		}
	}
}

// TestPackRandomRows checks contents, the bound, and the way back through unpack, for rows of all kinds.
func TestPackRandomRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 20000 {
		row := make([]byte, 1+r.IntN(600))
		values := 1 + r.IntN(1+r.IntN(256))
		for i := 0; i < len(row); {
			b := byte(r.IntN(values))
			for stop := i + 1 + r.IntN(1+r.IntN(1+n%300)); i < len(row) && i < stop; i++ {
				row[i] = b
			}
		}
		packed := pack(nil, row)
		if got := unpackSimply(packed); !bytes.Equal(got, row) {
			t.Fatalf("row %d: pack(%v) unpacks to %v", n, row, got)
		}
		if len(packed) > worstRow(len(row)) {
			t.Fatalf("row %d: %d bytes pack to %d, the bound is %d", n, len(row), len(packed), worstRow(len(row)))
		}
		// Unpacked in rows of another length, from two fragments.
		var s segment
		at := r.IntN(len(packed) + 1)
		s.open([][]byte{packed[:at], packed[at:]}, 0, int64(len(packed)))
		var got []byte
		width := 1 + r.IntN(len(row))
		buf := make([]byte, width+rowSlack)
		for left := len(row); left > 0; left -= width {
			w := min(width, left)
			if !s.unpack(buf[:w]) {
				t.Fatalf("row %d: unpack of %v cut at %d, %d bytes at a time: ends early", n, packed, at, width)
			}
			got = append(got, buf[:w]...)
		}
		if !bytes.Equal(got, row) || !s.padded() || s.unpack(buf[:1]) {
			t.Fatalf("row %d: unpack of %v cut at %d, %d bytes at a time: got %v, want %v and no more", n, packed, at, width, got, row)
		}
	}
}
