package pack

import "strings"

// stringTable holds each string of an index once, in the order of first use.
// A string shares the bytes that it begins with with the string before it: UIDs of one study differ in their last digits.
type stringTable struct {
	list  []string
	index map[string]int
}

func (t *stringTable) ref(s string) int64 {
	i, known := t.index[s]
	if !known {
		if t.index == nil {
			t.index = make(map[string]int)
		}
		i = len(t.list)
		t.index[s] = i
		t.list = append(t.list, s)
	}
	return int64(i)
}

func (t *stringTable) write(w *columnWriter) {
	w.uint(uint64(len(t.list)))
	last := ""
	for _, s := range t.list {
		n := 0
		for n < len(s) && n < len(last) && s[n] == last[n] {
			n++
		}
		w.uint(uint64(n))
		w.uint(uint64(len(s) - n))
		w.b = append(w.b, s[n:]...)
		last = s
	}
}

const (
	mostString  = 1 << 20  // bytes of one string
	mostStrings = 64 << 20 // bytes of all strings of an index, prefixes repeated
)

func readStrings(r *columnReader) []string {
	n := r.count("strings", 2, maxIndexInstances*4)
	list := make([]string, 0, n)
	last, total := "", 0
	for range n {
		shared := int(r.uint(int64(len(last))))
		own := int(r.uint(mostString))
		if r.err == nil && own > len(r.b) {
			r.fail("string of %d bytes, %d left", own, len(r.b))
		}
		if total += shared + own; r.err == nil && (shared+own > mostString || total > mostStrings) {
			r.fail("strings are too long")
		}
		if r.err != nil {
			return nil
		}
		var b strings.Builder
		b.Grow(shared + own)
		b.WriteString(last[:shared])
		b.Write(r.b[:own])
		r.b = r.b[own:]
		last = b.String()
		list = append(list, last)
	}
	return list
}
