package catalog

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON and SQL text hold valid Unicode only, and PostgreSQL no NUL. UIDs and
// file names may be any bytes (hospital systems write GBK names), so they are
// kept escaped: control characters, bytes that are not UTF-8, and the
// backslash itself become \xHH. What a standard UID or an ordinary path holds is not changed.

func escape(s string) string {
	if plain(s) {
		return s
	}
	const hexDigits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r < 0x20 || r == 0x7f || r == '\\' {
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[s[i]>>4])
			b.WriteByte(hexDigits[s[i]&15])
			i++
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// unescape undoes escape. Sequences that escape never writes stay as they are.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if v, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
