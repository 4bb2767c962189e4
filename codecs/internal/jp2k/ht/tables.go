package ht

// vlcEntry is a decoded CxtVLC codeword: bits 0-3 rho, 6 uOff, 8 whether the right samples make the next context, 9-12 ek, 13-16 e1,
// 17-19 its length. Where bits lie saves the decoder's longest chain of operations some shifts.
type vlcEntry = uint32

const (
	entryOff  = 6
	entryLeft = 8
	entryEK   = 9
	entryE1   = 13
	entryLen  = 17
	entryU    = 20 // where the decoder puts u
)

// vlcDecode is what a decoder looks up. The kernel knows its layout.
type vlcDecode struct {
	// codewords finds, by context and the next 7 bits, the codeword that they begin with. Every pattern of bits begins with one.
	codewords [8 << 7]vlcEntry
	// prefixes is uPrefix as far as it is used outside the initial row.
	prefixes [4 << 6]uint32
}

// vlcEncode finds, by context, rho and the samples whose exponent is U (0 if u is 0), a codeword: bits 0-6 its bits, 7-9 its length, 10-13 ek.
type vlcEncode [8 << 8]uint16

var (
	decodeInitial, decodeTables = newVLCDecode(initialRows[:]), newVLCDecode(laterRows[:])
	encodeInitial, encodeLater  = newVLCEncode(initialRows[:]), newVLCEncode(laterRows[:])
)

func newVLCDecode(rows []row) *vlcDecode {
	t := new(vlcDecode)
	for _, r := range rows {
		e := vlcEntry(r.rho) | vlcEntry(r.ek)<<entryEK | vlcEntry(r.e1)<<entryE1 | vlcEntry(r.uOff)<<entryOff | vlcEntry(r.len)<<entryLen | vlcEntry(r.rho>>2&1|r.rho>>3)<<entryLeft
		for high := 0; high < 1<<(7-r.len); high++ {
			t.codewords[int(r.c)<<7|high<<r.len|int(r.cwd)] = e
		}
	}
	copy(t.prefixes[:], uPrefix[:])
	return t
}

func newVLCEncode(rows []row) *vlcEncode {
	t := new(vlcEncode)
	var known [8 << 8]int // exponents that the codeword found so far tells
	for i := range known {
		known[i] = -1
	}
	for _, r := range rows {
		for eps := range uint8(16) {
			// A codeword fits if what it tells is true. Of several the one that tells most saves most MagSgn bits.
			if (eps == 0) != (r.uOff == 0) || eps&^r.rho != 0 || eps&r.ek != r.e1 {
				continue
			}
			at, n := int(r.c)<<8|int(r.rho)<<4|int(eps), ones(r.ek)
			if n > known[at] {
				known[at] = n
				t[at] = uint16(r.cwd) | uint16(r.len)<<7 | uint16(r.ek)<<10
			}
		}
	}
	return t
}

func ones(x uint8) (n int) {
	for ; x != 0; x &= x - 1 {
		n++
	}
	return n
}

// melExponents is Table 2 of T.814: runs of state k are 1<<melExponents[k] long.
var melExponents = [13]uint8{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5}

// How u of a pair of quads is coded (7.3.6, Table 3): by which of them have one, and in the initial row also by a MEL event.
const (
	uNone     = 0
	uFirst    = 1
	uSecond   = 2
	uBoth     = 3 // outside the initial row
	uBothLow  = 4 // initial row, at least one is 1 or 2
	uBothHigh = 5 // initial row, both are over 2
)

// uPrefix tells the prefixes of a pair's u, by mode and the next 6 bits: bits 0-2 their length, 3-5 and 6-8 the lengths of
// both suffixes, 9-11 and 12-14 what the prefixes stand for, 16-20 the length of prefixes and suffixes.
var uPrefix = newUPrefix()

func newUPrefix() *[6 << 6]uint32 {
	t := new([6 << 6]uint32)
	for mode := range 6 {
		for b := range 64 {
			n, p0, s0 := 0, 0, 0
			if mode != uNone && mode != uSecond {
				n, p0, s0 = prefix(b)
			}
			p1, s1 := 0, 0
			switch {
			case mode == uBothLow && p0 > 2: // then the second is 1 or 2, and one bit says which
				p1 = 1 + b>>n&1
				n++
			case mode >= uSecond:
				var n1 int
				n1, p1, s1 = prefix(b >> n)
				n += n1
			}
			if mode == uBothHigh {
				p0, p1 = p0+2, p1+2
			}
			t[mode<<6|b] = uint32(n | s0<<3 | s1<<6 | p0<<9 | p1<<12 | (n+s0+s1)<<16)
		}
	}
	return t
}

// prefix reads a u-prefix from the low bits of b: its length, what it stands for, and the length of the suffix (Table 3).
func prefix(b int) (n, value, suffix int) {
	switch {
	case b&1 != 0:
		return 1, 1, 0
	case b&2 != 0:
		return 2, 2, 0
	case b&4 != 0:
		return 3, 3, 1
	}
	return 3, 5, 5
}
