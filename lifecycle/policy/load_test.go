package policy

import (
	"io/fs"
	"strings"
	"testing"
)

// good is a policy that loads; the cases change one thing of it.
const good = `schema: radtier.policy/1
name: test
zone: Asia/Shanghai
tiers: [hot, warm, cold]
rules:
  - name: full
    match: {class: full}
    keep: P3M
    tiers:
      - {tier: hot, after: P0D}
      - {tier: warm, after: P30D}
  - name: rest
    match: {class: [region, result, preview]}
    keep: P5Y
  - name: mammography
    match: {class: full, modality: MG}
    priority: 5
    keep: P10Y
`

func TestShippedFiles(t *testing.T) {
	names, err := fs.Glob(Files, "files/*.yaml")
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v; want two files", names, err)
	}
	for _, name := range names {
		raw, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Load(name, raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range p.Sentences() {
			t.Log(s)
		}
	}
}

// Every mistake is refused, with its line and what to do about it.
func TestLoadRefuses(t *testing.T) {
	if _, err := Load("p.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"not YAML", "schema", "\t- :", "p.yaml: yaml:"},
		{"no mapping", good, "- 1\n", "p.yaml:1: a policy is a mapping"},
		{"empty", good, "", "p.yaml:1: a policy is a mapping"},
		{"another schema", "policy/1", "policy/9", `p.yaml:1: schema "radtier.policy/9"`},
		{"unknown key", "name: test\n", "name: test\nzones: x\n", `p.yaml:3: the policy has no "zones"`},
		{"a key twice", "name: test\n", "name: test\nname: test\n", "p.yaml:3: the policy has name twice"},
		{"unknown zone", "Asia/Shanghai", "Asia/Atlantis", `p.yaml:3: zone "Asia/Atlantis" is not known`},
		{"the machine's zone", "Asia/Shanghai", "Local", "is not known"},
		{"no tiers", "[hot, warm, cold]", "[]", "p.yaml:4: tiers is an empty list"},
		{"a tier twice", "[hot, warm, cold]", "[hot, warm, hot]", "p.yaml:4: tiers: hot twice"},
		{"no rules", good[strings.Index(good, "rules"):], "rules: []\n", "p.yaml:5: rules: a policy has a list of rules"},
		{"no match", "    match: {class: full}\n", "", "p.yaml:6: rule full has no match: it would be for everything"},
		{"an empty match", "{class: full}\n    keep: P3M", "{}\n    keep: P3M", "p.yaml:7: rule full has no match"},
		{"no class", "{class: full, modality: MG}", "{modality: MG}", "rule mammography names no class"},
		{"an empty list", "{class: full, modality: MG}", "{class: full, modality: []}", "modality is an empty list"},
		{"unknown class", "{class: full}", "{class: fully}", `p.yaml:7: class "fully" is none of full, region, result, preview`},
		{"no bound", "    keep: P3M\n", "", "p.yaml:6: rule full says not how long"},
		{"no period", "P3M", "3 months", `p.yaml:8: keep: "3 months" is no period`},
		{"no length", "P3M", "P", `keep: "P" is no period`},
		{"a time of day", "P3M", "PT5H", `keep: "PT5H" is no period`},
		{"endless", "P3M", "P99999Y", "at most 36525"},
		{"unknown anchor", "    keep: P3M\n", "    keep: P3M\n    from: birth\n", `p.yaml:9: from "birth" is none of`},
		{"unknown tier", "{tier: warm, after", "{tier: tepid, after", `p.yaml:11: rule full: tier "tepid" is not among`},
		{"up again", "      - {tier: warm, after: P30D}\n", "      - {tier: warm, after: P30D}\n      - {tier: hot, after: P40D}\n", "p.yaml:12: rule full: tier hot does not lie below warm"},
		{"steps in disorder", "      - {tier: warm, after: P30D}\n", "      - {tier: warm, after: P30D}\n      - {tier: cold, after: P1M}\n", "p.yaml:12: rule full: cold after P1M does not come after warm after P30D"},
		{"a step after the end, for what may not be deleted", "after: P30D", "after: P4M", ""},
		{"a name twice", "name: rest", "name: full", "rule full has the name of the rule in line 6"},
		{"a tie", "    priority: 5\n", "", "p.yaml:15: rules full (line 6) and mammography can match the same study, and both have priority 0"},
		{"a class without a rule", "[region, result, preview]", "[region, result]", "class preview: some study would match no rule"},
		{"a class with conditions only", "{class: full}", "{class: full, patient: inpatient}", "class full: some study would match no rule"},
		{"half the roles", "{class: full}", "{class: full, role: secondary}", "class full: some study would match no rule"},
		{"an alias", "match: {class: full}\n", "match: &m {class: full}\n", ""},
		{"an alias used", "{class: [region, result, preview]}", "*m", "p.yaml"},
		{"no size", "modality: MG}", "modality: MG, min_size: much}", `min_size "much": write a size`},
		{"sizes crossed", "modality: MG}", "modality: MG, min_size: 2GiB, max_size: 1GiB}", "so nothing matches"},
		{"floors lowered by nobody", "name: test\n", "name: test\nfloors: {outpatient: P10Y}\n", "p.yaml:3: floors below the law's"},
		{"floors lowered by one", "name: test\n", "name: test\nfloors: {inpatient: P20Y, approved_by: [A. Person]}\n", "need the names of two people"},
		{"floors lowered by one twice", "name: test\n", "name: test\nfloors: {inpatient: P20Y, approved_by: [A, A]}\n", "A twice"},
		{"floors lowered by two", "name: test\n", "name: test\nfloors: {inpatient: P20Y, approved_by: [A, B]}\n", ""},
		{"no role", "name: test\n", "name: test\nroles: {a: third}\n", `p.yaml:3: roles: "third" is none of`},
		{"a role of no tenant", "name: test\n", "name: test\nroles: {A/B: primary}\n", `p.yaml:3: roles: "A/B" is no tenant`},
		{"roles", "name: test\n", "name: test\nroles: {a: primary, \"*\": secondary}\n", ""},
		{"trash for ever", "name: test\n", "name: test\ntrash: forever\n", "p.yaml:3: trash cannot be forever"},
		{"a share of more than all", "name: test\n", "name: test\nbreaker: {share: 200%}\n", `share "200%"`},
		{"a share without its sign", "name: test\n", "name: test\nbreaker: {share: 2}\n", `share "2"`},
		{"a proof that is none", "name: test\n", "name: test\nproof: {level: believed}\n", `level "believed" is none of`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%s: nothing changed", c.name)
		}
		_, err := Load("p.yaml", []byte(text))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it\n%s", c.name, err, c.want, text)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	for _, name := range []string{"files/regional.yaml", "files/keep-and-tier.yaml"} {
		raw, err := Files.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Load("p.yaml", raw)
		if (p == nil) == (err == nil) {
			t.Fatalf("policy %v and error %v", p, err)
		}
		if p != nil {
			p.Sentences()
			p.Decide(noon(t, "2026-06-15"), someFacts())
		}
	})
}
