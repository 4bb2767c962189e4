package dcm

import "strings"

// splitText splits a text value at its backslashes. In GB18030 and GBK, and in
// the two-byte sets of ISO 2022 (PS3.5 6.1.2.5), the byte 5C may be the second half of a character.
func splitText(s, charset string) []string {
	gb := strings.Contains(charset, "GB18030") || strings.Contains(charset, "GBK")
	iso := strings.Contains(charset, "ISO 2022")
	if !gb && !iso {
		return strings.Split(s, `\`)
	}
	var list []string
	start, wide := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0x1B && iso:
			// ESC $ ... selects a two-byte set for the codes below 80, unless it is for those above: ESC $ ).
			wide = i+2 < len(s) && s[i+1] == '$' && s[i+2] != ')'
			i += 2
			if i < len(s) && s[i-1] == '$' && (s[i] == '(' || s[i] == ')') {
				i++
			}
		case wide && c > 0x20, gb && c >= 0x81:
			i++
		case c == '\\':
			list = append(list, s[start:i])
			start, wide = i+1, false
		case c < 0x20:
			wide = false
		}
	}
	return append(list, s[start:])
}
