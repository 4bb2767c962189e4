package objstore

import (
	"fmt"
	"strings"
)

const (
	// MaxKeyBytes is the longest key, so that it fits every provider's limit (1024) with a bucket prefix before it.
	MaxKeyBytes = 900
	// MaxPartBytes is the longest part between slashes, so that it fits a file name (255) with a suffix after it.
	MaxPartBytes = 200
)

// KeyError says why a key cannot be used in any store.
type KeyError struct {
	Key string
	Why string
}

func (e *KeyError) Error() string {
	shown := e.Key
	if len(shown) > 120 {
		shown = shown[:120] + "..."
	}
	return fmt.Sprintf("invalid object key %q: %s", shown, e.Why)
}

// CheckKey reports, as a *KeyError, why key is not a valid key: it must be
// parts of ASCII letters, digits and ._=+- joined by single slashes, at most
// [MaxKeyBytes] long with parts of at most [MaxPartBytes], and no part may be "." or "..".
func CheckKey(key string) error {
	if key == "" {
		return &KeyError{key, "it is empty"}
	}
	if len(key) > MaxKeyBytes {
		return &KeyError{key, fmt.Sprintf("it has %d bytes, the most is %d", len(key), MaxKeyBytes)}
	}
	for part := range strings.SplitSeq(key, "/") {
		if why := partFault(part); why != "" {
			return &KeyError{key, why}
		}
	}
	return nil
}

// ValidPart reports whether s can be one part of a key, between slashes.
func ValidPart(s string) bool { return partFault(s) == "" }

func partFault(part string) string {
	switch {
	case part == "":
		return "it has an empty part (a slash at an end, or two in a row)"
	case part == "." || part == "..":
		return fmt.Sprintf("the part %q would lead elsewhere", part)
	case len(part) > MaxPartBytes:
		return fmt.Sprintf("a part has %d bytes, the most is %d", len(part), MaxPartBytes)
	}
	for i := range len(part) {
		if !keyByte(part[i]) {
			return fmt.Sprintf("byte %#02x is not one of A-Z a-z 0-9 . _ = + - /", part[i])
		}
	}
	return ""
}

func keyByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '=' || c == '+' || c == '-'
}
