package rle

import (
	"encoding/binary"
	"math/bits"
)

const (
	maxRun     = 128 // bytes of one packet, run or literal (G.3.1)
	ones       = 0x0101010101010101
	highs      = 0x8080808080808080
	packetRoom = maxRun + 1
)

// worstRow is the most bytes that pack makes of a row of n bytes: literals only.
func worstRow(n int) int { return n + (n+maxRun-1)/maxRun }

// pack appends one row as packets (PS3.5 G.3.1): runs of three and more equal
// bytes as replicate runs, everything between them as literals. Two equal
// bytes become a run only where that is shorter, when they stand alone between runs.
func pack(dst, row []byte) []byte {
	literal := 0 // row[literal:i] waits to be written as a literal
	for i := 0; i < len(row); {
		n := runFrom(row, i)
		if n == 0 { // no three equal bytes from here on
			i = len(row)
			break
		}
		start := n - 1
		length := runLength(row, start)
		dst = packLiteral(dst, row[literal:start])
		for length >= maxRun {
			dst = append(dst, 257-maxRun, row[start])
			start, length = start+maxRun, length-maxRun
		}
		if length > 1 {
			dst = append(dst, byte(257-length), row[start])
			start, length = start+length, 0
		}
		literal = start // a single byte that is left over begins the next literal
		i = start + length
	}
	return packLiteral(dst, row[literal:])
}

// runFrom returns 1 + the first index from i on where three equal bytes begin, 0 if there is none.
func runFrom(row []byte, i int) int {
	for ; i+10 <= len(row); i += 8 {
		a := binary.LittleEndian.Uint64(row[i:])
		b := binary.LittleEndian.Uint64(row[i+1:])
		c := binary.LittleEndian.Uint64(row[i+2:])
		differ := (a ^ b) | (b ^ c) // a zero byte where three are equal
		if zero := (differ - ones) &^ differ & highs; zero != 0 {
			return i + bits.TrailingZeros64(zero)/8 + 1 // the lowest flag is exact
		}
	}
	for ; i+2 < len(row); i++ {
		if row[i] == row[i+1] && row[i] == row[i+2] {
			return i + 1
		}
	}
	return 0
}

// runLength returns how many bytes from i on equal row[i].
func runLength(row []byte, i int) int {
	value := uint64(row[i]) * ones
	n := i + 1
	for ; n+8 <= len(row); n += 8 {
		if differ := binary.LittleEndian.Uint64(row[n:]) ^ value; differ != 0 {
			return n + bits.TrailingZeros64(differ)/8 - i
		}
	}
	for n < len(row) && row[n] == row[i] {
		n++
	}
	return n - i
}

func packLiteral(dst, lit []byte) []byte {
	if len(lit) == 2 && lit[0] == lit[1] {
		return append(dst, 257-2, lit[0])
	}
	for len(lit) > 0 {
		n := min(len(lit), maxRun)
		dst = append(dst, byte(n-1))
		dst = append(dst, lit[:n]...)
		lit = lit[n:]
	}
	return dst
}
