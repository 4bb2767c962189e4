package crop

import (
	"strings"
	"testing"
)

// The expected UIDs were computed with Python's uuid.uuid5, and must never change: stored instances carry them.
func TestUIDs(t *testing.T) {
	spec := Spec{Rect: Rect{10, 20, 64, 65}, File: strings.Repeat("ab", 32), Rules: "1"}
	some := spec
	some.Frames = []int{2, 3, 7}
	for _, row := range []struct{ what, got, want string }{
		{"series", SeriesUID("1.2.3", spec.Rect, "1"), "2.25.12900084530441407283655061427975899905"},
		{"instance", InstanceUID("1.2.3.4", spec), "2.25.271654081915753514971181373700177869954"},
		{"instance, some frames", InstanceUID("1.2.3.4", some), "2.25.10680565152747707807694344219822509096"},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %s, want %s", row.what, row.got, row.want)
		}
		if len(row.got) > 44 || strings.HasPrefix(row.got, "2.25.0") {
			t.Errorf("%s: %s is too long or begins with 0", row.what, row.got)
		}
	}
	upper, later := spec, spec
	upper.File, later.Number, later.Build = strings.ToUpper(spec.File), 5, "X"
	if a, b, c := InstanceUID("1.2.3.4", spec), InstanceUID("1.2.3.4", upper), InstanceUID("1.2.3.4", later); a != b || a != c {
		t.Errorf("letters of the digest, number and build change the UID: %s, %s, %s", a, b, c)
	}
}
