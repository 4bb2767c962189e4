package catalog

import (
	"crypto/rand"
	"time"
)

// crockford is the alphabet of ULIDs: sorts like the numbers it writes.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newID returns 26 letters and digits in the layout of a ULID: 48 bits of
// time in milliseconds, then 80 random bits. Ids sort by the millisecond they were made in.
func newID(now time.Time) string {
	var b [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	rand.Read(b[6:]) // never fails, see crypto/rand
	var out [26]byte
	var acc uint32 // 130 bits are written, the first two are zero
	bits, n := 2, 0
	for _, c := range b {
		acc = acc<<8 | uint32(c)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[n] = crockford[acc>>bits&31]
			n++
		}
	}
	return string(out[:])
}
