package crop

import (
	"crypto/sha1"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// namespace is the UUID of the name space of our UIDs, 7b6a3d52-0c7f-5b0e-9a41-4d1f6c58e2a7. It never changes.
var namespace = [16]byte{0x7b, 0x6a, 0x3d, 0x52, 0x0c, 0x7f, 0x5b, 0x0e, 0x9a, 0x41, 0x4d, 0x1f, 0x6c, 0x58, 0xe2, 0xa7}

// uid returns the UID of a name: "2.25." and the decimal number of its UUID of version 5 (PS3.5 B.2, RFC 9562 5.5).
func uid(name string) string {
	h := sha1.New()
	h.Write(namespace[:])
	h.Write([]byte(name))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0F | 0x50
	u[8] = u[8]&0x3F | 0x80
	return "2.25." + new(big.Int).SetBytes(u).String()
}

// SeriesUID is the UID of the series that all derived instances of a source
// series with one rectangle and version of rules are in, so that they stack:
// of the name "series|<source series>|<x>,<y>,<w>,<h>|<rules>".
func SeriesUID(sourceSeries string, r Rect, rules string) string {
	return uid(fmt.Sprintf("series|%s|%d,%d,%d,%d|%s", sourceSeries, r.X, r.Y, r.W, r.H, rules))
}

// InstanceUID is the UID of a derived instance: of the name
// "inst|<source instance>|<SHA-256 of its file>|<frames>|<x>,<y>,<w>,<h>|<rules>",
// with frames as numbers from 1 with commas between, or "all" for nil.
// Series Number, creation time and build are no part of it.
func InstanceUID(source string, spec Spec) string {
	frames := "all"
	if spec.Frames != nil {
		list := make([]string, len(spec.Frames))
		for i, n := range spec.Frames {
			list[i] = strconv.Itoa(n)
		}
		frames = strings.Join(list, ",")
	}
	r := spec.Rect
	return uid(fmt.Sprintf("inst|%s|%s|%s|%d,%d,%d,%d|%s", source, strings.ToLower(spec.File), frames, r.X, r.Y, r.W, r.H, spec.Rules))
}

// validUID reports whether a UID of the source can be part of a name and a reference (PS3.5 9.1); leading zeros, a common fault, are let through.
func validUID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return false
		}
	}
	return true
}
