package worker

import (
	"errors"
	"strings"
	"testing"
)

func TestCodecRules(t *testing.T) {
	const ct, mg = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2"
	rules := CodecRules{
		{Modalities: []string{"MG"}, Classes: []string{mg}, Use: HTJ2K},
		{Modalities: []string{"CR", "MG"}, Use: JPEGLS},
		{Classes: []string{ct}, Use: JPEGLS},
	}
	if err := rules.Check(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		modality, class string
		want            Codec
	}{
		{"MG", mg, HTJ2K}, {"MG", ct, JPEGLS}, {"CR", "1.2.3", JPEGLS}, {"CT", ct, JPEGLS}, {"CT", "1.2.3", HTJ2K}, {"", "", HTJ2K},
	} {
		if got := rules.For(row.modality, row.class); got != row.want {
			t.Errorf("codec for modality %q, class %s: got %s, want %s", row.modality, row.class, got, row.want)
		}
	}
	if got := (CodecRules)(nil).For("CT", ct); got != HTJ2K {
		t.Errorf("without rules: got %s, want %s", got, HTJ2K)
	}
}

func TestCodecRulesCheck(t *testing.T) {
	a, b, ab := []string{"A"}, []string{"B"}, []string{"A", "B"}
	for _, row := range []struct {
		name  string
		rules CodecRules
		rule  int    // that is wrong, -1: none
		want  string // part of the text
	}{
		{"none", nil, -1, ""},
		{"default spelled out at the end", CodecRules{{Modalities: a, Use: JPEGLS}, {Use: HTJ2K}}, -1, ""},
		{"unknown codec", CodecRules{{Use: HTJ2K}, {Use: "jpeg"}}, 1, `"jpeg" is not known: use htj2k or jpegls`},
		{"no codec", CodecRules{{Modalities: a}}, 0, `"" is not known`},
		{"after one for everything", CodecRules{{Use: HTJ2K}, {Modalities: a, Use: JPEGLS}}, 1, "decided by rule 1"},
		{"same again", CodecRules{{Modalities: a, Use: HTJ2K}, {Modalities: a, Use: JPEGLS}}, 1, "decided by rule 1"},
		{"part of an earlier one", CodecRules{{Modalities: ab, Use: HTJ2K}, {Modalities: b, Classes: a, Use: JPEGLS}}, 1, "decided by rule 1"},
		{"covered by two together", CodecRules{{Modalities: b, Use: HTJ2K}, {Modalities: a, Use: HTJ2K}, {Modalities: ab, Use: JPEGLS}}, 2, "decided by rules 1 and 2"},
		{"crosswise", CodecRules{{Modalities: a, Use: HTJ2K}, {Classes: b, Use: HTJ2K}, {Modalities: a, Classes: ab, Use: JPEGLS}}, 2, "decided by rule 1"},
		{"wider than an earlier one", CodecRules{{Modalities: a, Use: HTJ2K}, {Modalities: ab, Use: JPEGLS}}, -1, ""},
		{"any modality", CodecRules{{Modalities: ab, Use: HTJ2K}, {Classes: a, Use: JPEGLS}}, -1, ""},
		{"any modality of a class that is decided", CodecRules{{Classes: ab, Use: HTJ2K}, {Classes: a, Use: JPEGLS}}, 1, "decided by rule 1"},
	} {
		err := row.rules.Check()
		var wrong *CodecRuleError
		switch {
		case row.rule < 0 && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.rule < 0:
		case !errors.As(err, &wrong) || wrong.Rule != row.rule || !strings.Contains(err.Error(), row.want):
			t.Errorf("%s: got %v, want one of rule %d with %q", row.name, err, row.rule+1, row.want)
		}
	}
}
