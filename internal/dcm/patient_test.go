package dcm

import (
	"strings"
	"testing"
)

func TestSamePatient(t *testing.T) {
	for _, c := range []struct {
		name   string
		a, b   [2]string // id, issuer
		want   bool
		equals bool
	}{
		{"equal", [2]string{"4711", "H"}, [2]string{"4711", "H"}, true, true},
		{"another id", [2]string{"4711", "H"}, [2]string{"4712", "H"}, false, false},
		{"another issuer", [2]string{"4711", "H"}, [2]string{"4711", "K"}, false, false},
		{"issuer missing", [2]string{"4711", "H"}, [2]string{"4711", ""}, true, false},
		{"id missing", [2]string{"4711", "H"}, [2]string{"", ""}, true, false},
		{"issuer missing, another id", [2]string{"4711", "H"}, [2]string{"4712", ""}, false, false},
	} {
		a, b := patientKey(c.a[0], c.a[1]), patientKey(c.b[0], c.b[1])
		if got := SamePatient(a, b); got != c.want || SamePatient(b, a) != c.want || (a == b) != c.equals {
			t.Errorf("%s: got %v, keys equal %v; want %v, %v", c.name, got, a == b, c.want, c.equals)
		}
		if strings.Contains(a, "4711") {
			t.Errorf("%s: key %q holds the id", c.name, a)
		}
	}
}
