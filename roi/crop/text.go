package crop

import (
	"strings"
	"unicode/utf8"
)

// start is the longest beginning of a text of up to n characters, and of up to most bytes, that ends
// where ASCII can follow: not inside a character, and not where a code
// extension is in force (PS3.5 6.1.2.5), which a value's end would undo.
func start(s, charset string, n, most int) string {
	gb := strings.Contains(charset, "GB18030") || strings.Contains(charset, "GBK")
	iso := strings.Contains(charset, "ISO 2022")
	utf := strings.Contains(charset, "ISO_IR 192")
	end, chars, initial, wide := 0, 0, true, false
	for i := 0; i < len(s) && chars < n; {
		size := 1
		switch c := s[i]; {
		case iso && c == 0x1B:
			size, initial, wide = escape(s[i:], initial, wide)
			chars-- // no character
		case iso && wide && c > 0x20 && c < 0x7F, iso && c >= 0xA1 && i+1 < len(s) && s[i+1] >= 0xA1: // for one-byte sets an underestimate of what fits
			size = 2
		case gb && c >= 0x81:
			size = 2
			if i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				size = 4
			}
		case utf && c >= 0x80:
			_, size = utf8.DecodeRuneInString(s[i:])
		}
		if i+size > min(len(s), most) {
			break
		}
		i += size
		chars++
		if initial {
			end = i
		}
	}
	return s[:end]
}

// escape reads an escape sequence: its length, and what is in G0 afterwards:
// initial for ASCII or JIS X 0201, wide for a set of two bytes a character. Sets for G1 change nothing of G0.
func escape(s string, initial, wide bool) (size int, _, _ bool) {
	switch {
	case len(s) >= 4 && s[1] == '$' && s[2] == '(':
		return 4, false, true
	case len(s) >= 4 && s[1] == '$' && s[2] == ')':
		return 4, initial, wide
	case len(s) >= 3 && s[1] == '$':
		return 3, false, true
	case len(s) >= 3 && s[1] == '(':
		return 3, s[2] == 'B' || s[2] == 'J', false
	}
	return min(3, len(s)), initial, wide
}
