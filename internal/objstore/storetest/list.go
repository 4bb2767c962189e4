package storetest

import (
	"fmt"
	"slices"
	"strings"
)

// treacherous has names whose byte order differs from the order of a walk
// through folders: + - . sort before the slash, digits, = _ and letters after it.
var treacherous = []string{
	"a/x", "a+x", "a-x", "a.x", "a0x", "a=x", "a_x", "ax", "A/x", "Z", "b/1", "b/10", "b/2", "b-/y", "b./y", "b0/y",
	"b/c/d/e/f", "b/c-d", "b/c.d/e", "b/c/d-e", "b/cc", "c/...", "c/..x", "c/-", "c/=/=", "zz/z/z/z", "0", "00/0",
}

func (s *suite) listOrder() {
	for i, name := range treacherous {
		// Keys spread over all classes must come out as one list.
		s.putIn(name, []byte(name), s.caps.Classes[i%len(s.caps.Classes)])
	}
	want := slices.Sorted(slices.Values(treacherous))
	if got := s.list("", ""); !slices.Equal(got, want) {
		s.Errorf("List:\ngot  %q\nwant %q", got, want)
	}
	for info, err := range s.store.List(s.Context(), s.prefix, "") {
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		name := info.Key[len(s.prefix):]
		class := s.caps.Classes[slices.Index(treacherous, name)%len(s.caps.Classes)]
		if info.Size != int64(len(name)) || info.Class != class || info.Version == "" || info.Modified.IsZero() {
			s.Errorf("List yields %+v for %s, want size %d, class %q, a version and a time", info, name, len(name), class)
		}
	}
}

func (s *suite) listPages() {
	for _, name := range treacherous {
		s.put(name, nil)
	}
	want := slices.Sorted(slices.Values(treacherous))
	// Every key, and strings that are no keys, as the mark to go on from.
	marks := append(slices.Clone(want), "a", "a/", "a/w", "a/xx", "b/c", "b/c/", "b/c/d", "b/c/d/", "b/c/d/e/g", "b/c/d/e/f/g", "~", "b/1/x", "c/.", "bb")
	for _, after := range marks {
		var rest []string
		for _, name := range want {
			if name > after {
				rest = append(rest, name)
			}
		}
		if got := s.list("", after); !slices.Equal(got, rest) {
			s.Errorf("List after %q:\ngot  %q\nwant %q", after, got, rest)
		}
		var below []string
		for _, name := range rest {
			if strings.HasPrefix(name, "b") {
				below = append(below, name)
			}
		}
		if got := s.list("b", after); !slices.Equal(got, below) {
			s.Errorf("List of b after %q:\ngot  %q\nwant %q", after, got, below)
		}
	}
	var pages []string
	for after := ""; ; after = pages[len(pages)-1] {
		page := 0
		mark := after
		if mark != "" {
			mark = s.key(mark)
		}
		for info, err := range s.store.List(s.Context(), s.prefix, mark) {
			if err != nil {
				s.Fatalf("List after %q: %v", after, err)
			}
			pages = append(pages, info.Key[len(s.prefix):])
			if page++; page == 3 {
				break
			}
		}
		if page < 3 {
			break
		}
	}
	if !slices.Equal(pages, want) {
		s.Errorf("pages of three:\ngot  %q\nwant %q", pages, want)
	}
}

func (s *suite) listPrefixes() {
	for _, name := range treacherous {
		s.put(name, nil)
	}
	all := slices.Sorted(slices.Values(treacherous))
	prefixes := []string{"a", "a/", "a.", "b", "b/", "b/c", "b/c/", "b/c/d", "b/c/d/", "b/c/d/e/f", "b/c/d/e/f/", "b/1", "z", "zz/z/z/z", "zz/z/z/z/z",
		"c/.", "c/..", "c/../", "c/...", "q", "a//", "/", "//", "..", "../", "./a", "a/../a", "~", "a b", "\x00", "b/\xff"}
	for _, prefix := range prefixes {
		want := []string{}
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if got := s.list(prefix, ""); !slices.Equal(got, want) {
			s.Errorf("List(%q):\ngot  %q\nwant %q", prefix, got, want)
		}
	}
	// The prefix of the whole test without its last slash and last letter is not at a slash either.
	cut := s.prefix[:len(s.prefix)-2]
	var got []string
	for info, err := range s.store.List(s.Context(), cut, "") {
		if err != nil {
			s.Fatalf("List(%q): %v", cut, err)
		}
		got = append(got, strings.TrimPrefix(info.Key, s.prefix))
	}
	if !slices.Equal(got, all) {
		s.Errorf("List(%q):\ngot  %q\nwant %q", cut, got, all)
	}
}

func (s *suite) listWhileDeleting() {
	const n = 40
	for i := range n {
		s.put(fmt.Sprintf("w/%02d/k", i), nil)
	}
	seen := make(map[string]bool)
	for info, err := range s.store.List(s.Context(), s.prefix, "") {
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		name := info.Key[len(s.prefix):]
		seen[name] = true
		var i int
		if _, err := fmt.Sscanf(name, "w/%02d/k", &i); err != nil {
			s.Fatalf("List yields %q", name)
		}
		// Delete the one just listed and one not yet listed.
		for _, j := range []int{i, i + 3} {
			if err := s.store.Delete(s.Context(), s.key(fmt.Sprintf("w/%02d/k", j))); err != nil {
				s.Errorf("Delete: %v", err)
			}
		}
	}
	for i := range 3 {
		if name := fmt.Sprintf("w/%02d/k", i); !seen[name] {
			s.Errorf("List left out %s, which existed all the time", name)
		}
	}
	for _, name := range s.list("", "") {
		if seen[name] {
			s.Errorf("%s was deleted and is listed again", name)
		}
	}
}
