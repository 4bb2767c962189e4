package preview

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/radtier/radtier/internal/pack"
)

// columns writes or reads the body of an index: one routine describes the
// format for both directions. A column holds one number per record. *plain* is uvarints, *delta*
// zigzag uvarints of the difference from the record before (the first from 0), *real* IEEE 754 binary64 of 8 bytes, XORed with the value before.
// Reading is of hostile bytes: after the first error everything reads as zero.
type columns struct {
	b       []byte // written so far, or left to read
	reading bool
	all     int
	err     error
	what    string
}

func (c *columns) fail(format string, args ...any) {
	if c.err == nil {
		c.err = &pack.MalformedError{What: "preview index body: " + c.what + ": " + fmt.Sprintf(format, args...), Offset: int64(c.all - len(c.b))}
	}
}

// number is one number in least..most.
func (c *columns) number(v *int64, last, least, most int64) {
	if !c.reading {
		if *v < least || *v > most {
			c.fail("%d is outside %d to %d", *v, least, most)
		}
		c.b = binary.AppendVarint(c.b, *v-last)
		return
	}
	*v = least
	if c.err != nil {
		return
	}
	d, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail("broken number")
		return
	}
	if d += last; d < least || d > most { // wraps on hostile input
		c.fail("%d is outside %d to %d", d, least, most)
		return
	}
	*v, c.b = d, c.b[n:]
}

// delta is a column of differences.
func delta[T int | int64 | uint32](c *columns, what string, n int, least, most int64, at func(i int) *T) {
	c.what = what
	var last int64
	for i := 0; i < n && c.err == nil; i++ {
		p := at(i)
		v := int64(*p)
		c.number(&v, last, least, most)
		*p, last = T(v), v
	}
}

// plain is a column of small numbers from 0.
func plain[T int | int64 | uint8 | uint16 | uint32](c *columns, what string, n int, most int64, at func(i int) *T) {
	c.what = what
	for i := 0; i < n && c.err == nil; i++ {
		p := at(i)
		if !c.reading {
			if int64(*p) < 0 || int64(*p) > most {
				c.fail("%d is more than %d", *p, most)
			}
			c.b = binary.AppendUvarint(c.b, uint64(*p))
			continue
		}
		v, size := binary.Uvarint(c.b)
		if size <= 0 || v > uint64(most) {
			c.fail("broken number, or one above %d", most)
			return
		}
		*p, c.b = T(v), c.b[size:]
	}
}

// flags is one byte of booleans for every record.
func flags(c *columns, what string, n int, at func(i int) []*bool) {
	c.what = what
	for i := 0; i < n && c.err == nil; i++ {
		list := at(i)
		if !c.reading {
			var v byte
			for k, p := range list {
				if *p {
					v |= 1 << k
				}
			}
			c.b = append(c.b, v)
			continue
		}
		if len(c.b) == 0 || int(c.b[0])>>len(list) != 0 {
			c.fail("missing or unknown flags")
			return
		}
		for k, p := range list {
			*p = c.b[0]>>k&1 == 1
		}
		c.b = c.b[1:]
	}
}

// real is a column of finite numbers.
func real(c *columns, what string, n int, at func(i int) *float64) {
	c.what = what
	var last uint64
	for i := 0; i < n && c.err == nil; i++ {
		p := at(i)
		if !c.reading {
			v := math.Float64bits(*p)
			c.b = binary.LittleEndian.AppendUint64(c.b, v^last)
			last = v
			continue
		}
		if len(c.b) < 8 {
			c.fail("body ends")
			return
		}
		last ^= binary.LittleEndian.Uint64(c.b)
		if *p = math.Float64frombits(last); math.IsNaN(*p) || math.IsInf(*p, 0) {
			c.fail("not a finite number")
			return
		}
		c.b = c.b[8:]
	}
}

// mostString is the longest string.
const mostString = 1 << 16

// text is a column of strings: for each the bytes shared with the string before, those that follow, and these.
func text(c *columns, what string, n int, at func(i int) *string) {
	c.what = what
	last := ""
	for i := 0; i < n && c.err == nil; i++ {
		p := at(i)
		if !c.reading {
			if len(*p) > mostString {
				c.fail("string of %d bytes", len(*p))
			}
			shared := 0
			for shared < min(len(last), len(*p)) && last[shared] == (*p)[shared] {
				shared++
			}
			c.b = binary.AppendUvarint(c.b, uint64(shared))
			c.b = binary.AppendUvarint(c.b, uint64(len(*p)-shared))
			c.b = append(c.b, (*p)[shared:]...)
			last = *p
			continue
		}
		var shared, more int
		plain(c, what, 1, int64(len(last)), func(int) *int { return &shared })
		plain(c, what, 1, mostString, func(int) *int { return &more })
		if c.err == nil && (more > len(c.b) || shared+more > mostString) {
			c.fail("body ends, or the string is too long")
		}
		if c.err != nil {
			return
		}
		*p = last[:shared] + string(c.b[:more])
		last, c.b = *p, c.b[more:]
	}
}

// digests is a column of SHA-256.
func digests(c *columns, what string, n int, at func(i int) *pack.Digest) {
	c.what = what
	for i := 0; i < n && c.err == nil; i++ {
		p := at(i)
		if !c.reading {
			c.b = append(c.b, p[:]...)
			continue
		}
		if len(c.b) < len(p) {
			c.fail("body ends")
			return
		}
		c.b = c.b[copy(p[:], c.b):]
	}
}

// count is how many records follow, each of at least size bytes of what is left, so that nothing is allocated for records that are not there.
func count[T any](c *columns, what string, list *[]T, size, most int) int {
	n := len(*list)
	plain(c, what, 1, int64(most), func(int) *int { return &n })
	if !c.reading {
		return n
	}
	if c.err == nil && n*size > len(c.b) {
		c.fail("%d records in %d bytes", n, len(c.b))
	}
	if c.err != nil {
		return 0
	}
	if n > 0 {
		*list = make([]T, n)
	}
	return n
}

// lengths is a column of how many items each record has, least at a time size bytes of what is left.
func lengths[T any](c *columns, what string, n, size, most int, at func(i int) *[]T) (all int) {
	counts := make([]int, n)
	if !c.reading {
		for i := range counts {
			counts[i] = len(*at(i))
		}
	}
	plain(c, what, n, int64(most), func(i int) *int { return &counts[i] })
	for _, k := range counts {
		all += k
	}
	if c.reading {
		if c.err == nil && (all*size > len(c.b) || uint64(all)*uint64(unsafe.Sizeof(*new(T))) > mostMemory) {
			c.fail("%d records in %d bytes", all, len(c.b))
		}
		if c.err != nil {
			return 0
		}
		store := make([]T, all)
		for i, k := range counts {
			if k > 0 {
				*at(i), store = store[:k:k], store[k:]
			}
		}
	}
	return all
}
