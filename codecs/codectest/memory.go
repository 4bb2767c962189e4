package codectest

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// taken returns the bytes that fn allocates: the least of a few runs, since other goroutines allocate too.
func taken(fn func()) int64 {
	least := int64(math.MaxInt64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return least
}

// noise of a measurement: an error value, a test's own closure.
const slack = 4 << 10

// checkMemory holds MemoryNeeded against what fresh codecs allocate.
func checkMemory(t reporter, c *Config) {
	for _, size := range [][2]int{{1, 1}, {200, 150}, {3000, 20}, {1, 9000}} {
		for i, s := range c.fewer(size[0], size[1]) {
			for _, m := range []Image{Images()[7], Images()[8], Images()[0]} {
				v := Layouts()[0].Frame(s, m.Samples(s, uint64(i))).View
				var src []byte
				var err error
				fresh := make([]codec, 0, 3)
				for range cap(fresh) {
					fresh = append(fresh, c.codec())
				}
				n := 0
				got := taken(func() { src, _, err = fresh[n].enc.Encode(nil, v, codecs.EncodeOptions{}); n++ })
				if err != nil {
					t.Errorf("%v, %s: Encode: %v", s, m.Name, err)
					continue
				}
				if most := fresh[0].enc.MemoryNeeded(v); got > most+slack {
					t.Errorf("%v, %s: Encode took %d bytes, MemoryNeeded says %d", s, m.Name, got, most)
				}
				info, err := fresh[0].dec.Probe([][]byte{src})
				if err != nil {
					t.Errorf("%v, %s: Probe: %v", s, m.Name, err)
					continue
				}
				most := fresh[0].dec.MemoryNeeded(info, codecs.DecodeOptions{})
				out := Layouts()[0].New(s)
				n = 0
				got = taken(func() { err = fresh[n].dec.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{}); n++ })
				if err != nil || got > most+slack {
					t.Errorf("%v, %s: Decode took %d bytes, MemoryNeeded says %d (error %v)", s, m.Name, got, most, err)
				}
				fresh = append(fresh[:0], c.codec(), c.codec(), c.codec())
				n = 0
				got = taken(func() { err = fresh[n].dec.Compare(v, [][]byte{src}, codecs.DecodeOptions{}); n++ })
				if err != nil || got > most+slack {
					t.Errorf("%v, %s: Compare took %d bytes, MemoryNeeded says %d (error %v)", s, m.Name, got, most, err)
				}
			}
		}
	}
}

// checkAllocations wants none per frame, whatever frame came before.
func checkAllocations(t reporter, c *Config) {
	k := c.codec()
	shapes := c.few(60, 44)
	for i, s := range shapes {
		v := Layouts()[0].Frame(s, Images()[12].Samples(s, uint64(i))).View
		other := shapes[(i+1)%len(shapes)]
		other.Width, other.Height = 31, 90
		w := Layouts()[0].Frame(other, Images()[7].Samples(other, uint64(i))).View
		a, errA := k.encode(v)
		b, errB := k.encode(w)
		if errA != nil || errB != nil {
			t.Errorf("%v, %v: Encode: %v, %v", s, other, errA, errB)
			continue
		}
		srcA, srcB := [][]byte{a}, [][]byte{b}
		// Slices that Encode has returned once are large enough for it.
		outA, outB := a[:0:cap(a)], b[:0:cap(b)]
		srcA[0], srcB[0] = bytes.Clone(a), bytes.Clone(b)
		for name, pair := range map[string]func() error{
			"Encode": func() error {
				_, _, err := k.enc.Encode(outA, v, codecs.EncodeOptions{})
				_, _, errB := k.enc.Encode(outB, w, codecs.EncodeOptions{})
				return errors.Join(err, errB)
			},
			"Decode": func() error {
				err := k.dec.Decode(v, srcA, codecs.DecodeOptions{})
				return errors.Join(err, k.dec.Decode(w, srcB, codecs.DecodeOptions{}))
			},
			"Compare": func() error {
				err := k.dec.Compare(v, srcA, codecs.DecodeOptions{})
				return errors.Join(err, k.dec.Compare(w, srcB, codecs.DecodeOptions{}))
			},
			"Probe": func() error {
				_, err := k.dec.Probe(srcA)
				_, errB := k.dec.Probe(srcB)
				return errors.Join(err, errB)
			},
		} {
			var err error
			if n := testing.AllocsPerRun(10, func() { err = pair() }); n != 0 || err != nil {
				t.Errorf("%v and %v: %s allocates %v times for two frames (error %v)", s, other, name, n, err)
			}
		}
	}
}

// checkLimits asks for more than is allowed, and measures what was taken before the answer.
func checkLimits(t reporter, c *Config) {
	lim := limit(t)
	for _, x := range c.streams(t, 120, 90) {
		s := shapeOf(x.View)
		src := [][]byte{x.Src}
		k := c.codec()
		info, err := k.dec.Probe(src)
		if err != nil {
			lim.Errorf("%s: Probe: %v", x.Name, err)
			continue
		}
		need := k.dec.MemoryNeeded(info, codecs.DecodeOptions{})
		out := Layouts()[0].New(s)
		for _, row := range []struct {
			name    string
			limits  codecs.Limits
			refused bool
		}{
			{"one pixel too few", codecs.Limits{MaxPixels: int64(s.Len()) - 1}, true},
			{"one pixel", codecs.Limits{MaxPixels: 1}, s.Len() > 1},
			{"just enough pixels", codecs.Limits{MaxPixels: int64(s.Len())}, false},
			{"one byte", codecs.Limits{MaxBytes: 1}, need > 1},
			{"just enough bytes", codecs.Limits{MaxBytes: max(1, need)}, false},
		} {
			for name, call := range map[string]func(d codecs.Decoder) error{
				"Decode": func(d codecs.Decoder) error {
					return d.Decode(out.View, src, codecs.DecodeOptions{Limits: row.limits})
				},
				"Compare": func(d codecs.Decoder) error {
					return d.Compare(x.View, src, codecs.DecodeOptions{Limits: row.limits})
				},
			} {
				fresh := []codecs.Decoder{c.NewDecoder(), c.NewDecoder(), c.NewDecoder()}
				n := 0
				var err error
				got := taken(func() { err = guarded(func() error { return call(fresh[n]) }); n++ })
				var over *codecs.LimitError
				switch {
				case row.refused && (!errors.As(err, &over) || over.Need <= over.Most):
					lim.Errorf("%s, limit of %s: %s: got %v, want *codecs.LimitError", x.Name, row.name, name, err)
				case row.refused && got > slack:
					lim.Errorf("%s, limit of %s: %s took %d bytes before it refused", x.Name, row.name, name, got)
				case !row.refused && err != nil:
					lim.Errorf("%s, limit of %s: %s: %v", x.Name, row.name, name, err)
				}
			}
		}
	}
	checkDeclaredSizes(lim, c)
}

// checkDeclaredSizes damages the first bytes of codestreams, where sizes are
// declared, and wants no more memory taken than the frame at hand needs.
func checkDeclaredSizes(t limited, c *Config) {
	for _, x := range c.streams(t, 20, 10) {
		d := c.NewDecoder()
		info, err := d.Probe([][]byte{x.Src})
		if err != nil {
			t.Errorf("%s: Probe: %v", x.Name, err)
			continue
		}
		most := d.MemoryNeeded(info, codecs.DecodeOptions{}) + 64<<10
		out := Layouts()[0].New(shapeOf(x.View))
		for at := range min(len(x.Src), 80) {
			for _, b := range []byte{0xFF, 0x7F, x.Src[at] ^ 0x10} {
				src := bytes.Clone(x.Src)
				src[at] = b
				fresh := c.NewDecoder()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_ = guarded(func() error { return fresh.Decode(out.View, [][]byte{src}, codecs.DecodeOptions{}) })
				runtime.ReadMemStats(&after)
				if got := int64(after.TotalAlloc - before.TotalAlloc); got > most {
					t.Errorf("%s with byte %d set to %#x: Decode of %v took %d bytes", x.Name, at, b, shapeOf(x.View), got)
				}
			}
		}
	}
}
