package lifecycle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Listed is an instance as the archive of the keeper lists it.
type Listed struct {
	SOPUID                string
	Frames, Rows, Columns int // 0: it does not say
}

// OwnListed is a stored instance, to be compared with a list. Several of one UID are versions.
type OwnListed struct {
	SOPUID                string
	Content               string // SHA-256 in hex: of its samples, of its file where they are not known
	Frames, Rows, Columns int    // 0: it has no frames
}

// maxNamed is how many instances a note names.
const maxNamed = 3

// CompareListed says whether the archive of the keeper lists all that we have: each of our instances, in its size, where both sides say one. What it has more than
// we is fine. An archive has one object of a UID: where we have versions of different content, it cannot have them all. A note says what differs, or what is more.
func CompareListed(own []OwnListed, listed []Listed) (same bool, note string) {
	theirs := make(map[string]Listed, len(listed))
	for _, x := range listed {
		theirs[x.SOPUID] = x
	}
	first := make(map[string]OwnListed, len(own))
	missing, other, versions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, o := range own {
		if f, ok := first[o.SOPUID]; !ok {
			first[o.SOPUID] = o
		} else if f.Content != o.Content {
			versions[o.SOPUID] = true
		}
		x, ok := theirs[o.SOPUID]
		switch {
		case !ok:
			missing[o.SOPUID] = true
		case unlike(o.Frames, x.Frames) || unlike(o.Rows, x.Rows) || unlike(o.Columns, x.Columns):
			other[o.SOPUID] = true
		}
	}
	more := 0
	for sop := range theirs {
		if _, ok := first[sop]; !ok {
			more++
		}
	}
	var notes []string
	for _, x := range []struct {
		uids map[string]bool
		what string
	}{{missing, "not listed"}, {other, "of another size or number of frames"}, {versions, "here in versions of different content, of which an archive has one"}} {
		if len(x.uids) > 0 {
			notes = append(notes, fmt.Sprintf("%d %s (%s)", len(x.uids), x.what, named(x.uids)))
		}
	}
	switch {
	case len(own) == 0:
		return false, "there is nothing to compare: no instance is stored"
	case len(listed) == 0:
		return false, fmt.Sprintf("the study is not there: none of %d instances is listed", len(first))
	case len(notes) > 0:
		return false, fmt.Sprintf("of %d instances %s", len(first), strings.Join(notes, ", "))
	case more > 0:
		return true, fmt.Sprintf("%d instances, and %d more that are not here", len(first), more)
	}
	return true, fmt.Sprintf("%d instances", len(first))
}

func unlike(a, b int) bool { return a > 0 && b > 0 && a != b }

// named lists a few UIDs. What is no UID is quoted, and cut.
func named(uids map[string]bool) string {
	var list []string
	for uid := range uids {
		if len(uid) > 64 || strings.Trim(uid, "0123456789.") != "" {
			uid = fmt.Sprintf("%+.32q", uid)
		}
		list = append(list, uid)
	}
	slices.Sort(list)
	if len(list) > maxNamed {
		list = append(list[:maxNamed], "...")
	}
	return strings.Join(list, ", ")
}

// ListedDigest is the SHA-256 in hex of what an archive listed: a line of UID, frames, rows and columns for each instance, sorted. "" if it listed nothing.
func ListedDigest(listed []Listed) string {
	if len(listed) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(listed), func(a, b Listed) int { return cmp.Compare(a.SOPUID, b.SOPUID) })
	sum := sha256.New()
	for _, x := range sorted {
		fmt.Fprintf(sum, "%q %d %d %d\n", x.SOPUID, x.Frames, x.Rows, x.Columns)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
