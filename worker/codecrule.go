package worker

import (
	"fmt"
	"slices"

	"github.com/radtier/radtier/codecs"
)

// Codec names a codec for native frames.
type Codec string

// The codecs that native frames may be stored with.
const (
	HTJ2K  Codec = "htj2k"  // 1.2.840.10008.1.2.4.202: progressive, the default
	JPEGLS Codec = "jpegls" // 1.2.840.10008.1.2.4.80: smaller, without resolution levels
)

// Codecs lists them, the default first.
func Codecs() []Codec { return []Codec{HTJ2K, JPEGLS} }

// Syntax is the transfer syntax that a codec writes, empty of one that is not known.
func (c Codec) Syntax() string {
	switch c {
	case HTJ2K:
		return syntaxHTJ2K
	case JPEGLS:
		return syntaxJPEGLS
	}
	return ""
}

// CodecRule says which codec the native frames of some instances are stored with.
type CodecRule struct {
	Modalities []string // Modality (0008,0060) is one of these; empty: any
	Classes    []string // SOP Class UID is one of these; empty: any
	Use        Codec
}

// CodecRules is an ordered list: the first rule that holds for an instance
// decides, and without one it is the default. What is stored already stays as it is.
type CodecRules []CodecRule

// For is the codec for an instance.
func (list CodecRules) For(modality, class string) Codec {
	for i := range list {
		if r := &list[i]; holds(r.Modalities, modality) && holds(r.Classes, class) {
			return r.Use
		}
	}
	return Codecs()[0]
}

func holds(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

// CodecRuleError is a mistake in rule number Rule, counted from 0.
type CodecRuleError struct {
	Rule int
	What string
}

func (e *CodecRuleError) Error() string { return fmt.Sprintf("codec rule %d: %s", e.Rule+1, e.What) }

// Check finds the first rule that names no codec, or that no instance reaches because earlier rules decide for all that it is about.
func (list CodecRules) Check() error {
	for i, r := range list {
		if r.Use.Syntax() == "" {
			return &CodecRuleError{i, fmt.Sprintf("codec %q is not known: use %s or %s", string(r.Use), HTJ2K, JPEGLS)}
		}
		if before, covered := list[:i].cover(r); covered {
			return &CodecRuleError{i, "no instance reaches it: all that it is about is decided by " + numbered(before)}
		}
	}
	return nil
}

// cover reports whether rules decide for all instances that r is about, and by which of them. A value that no rule names
// stands for all such, so a rule for any modality is covered by rules for any modality only.
func (list CodecRules) cover(r CodecRule) (by []int, all bool) {
	const others = "\x00"
	values := func(named []string) []string {
		if len(named) == 0 {
			return []string{others}
		}
		return named
	}
	for _, m := range values(r.Modalities) {
		for _, c := range values(r.Classes) {
			first := slices.IndexFunc(list, func(x CodecRule) bool { return holds(x.Modalities, m) && holds(x.Classes, c) })
			if first < 0 {
				return nil, false
			}
			if !slices.Contains(by, first) {
				by = append(by, first)
			}
		}
	}
	return by, true
}

// numbered names rules as people count them, from 1.
func numbered(rules []int) string {
	slices.Sort(rules)
	s := "rule"
	if len(rules) > 1 {
		s = "rules"
	}
	for i, n := range rules {
		switch {
		case i > 0 && i == len(rules)-1:
			s += " and"
		case i > 0:
			s += ","
		}
		s += fmt.Sprintf(" %d", n+1)
	}
	return s
}

// canEncode reports whether a set has what a codec needs: frames are written only if they can be decoded again.
func canEncode(set *codecs.Set, syntax string) bool {
	x, ok := set.Lookup(syntax)
	return ok && x.NewEncoder != nil && x.NewDecoder != nil
}
