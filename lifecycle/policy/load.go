package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines without a database of them

	"go.yaml.in/yaml/v3"

	"github.com/radtier/radtier/internal/catalog"
)

// LoadFile reads and checks a policy file.
func LoadFile(path string) (*Policy, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return Load(path, raw)
}

// maxFile bounds a policy: hundreds of rules take tens of kilobytes.
const maxFile = 4 << 20

// Load reads and checks a policy. Every error names file, line and rule; all that are found are returned together.
func Load(name string, raw []byte) (*Policy, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, a policy has at most %d", name, len(raw), maxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l := &loader{file: name}
	p := l.policy(&doc)
	if len(l.errs) == 0 {
		l.check(p)
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	sum := sha256.Sum256(raw)
	p.Digest, p.Source = hex.EncodeToString(sum[:]), bytes.Clone(raw)
	return p, nil
}

// loader turns nodes into a policy and collects what is wrong.
type loader struct {
	file string
	errs []error
}

// maxErrors bounds what is said of one file.
const maxErrors = 20

func (l *loader) fail(line int, format string, args ...any) {
	if len(l.errs) < maxErrors {
		l.errs = append(l.errs, fmt.Errorf("%s:%d: %s", l.file, line, fmt.Sprintf(format, args...)))
	}
}

func (l *loader) policy(doc *yaml.Node) *Policy {
	p := &Policy{}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		l.fail(1, "a policy is a mapping that begins with schema: %s", Schema)
		return p
	}
	m := l.mapping(doc.Content[0], "the policy", "schema", "name", "zone", "tiers", "trash", "quiet", "appointments", "roles", "floors", "proof", "breaker", "rules")
	if s := l.text(m, "schema"); s != Schema {
		l.fail(m.line("schema"), "schema %q: this version reads %s", s, Schema)
	}
	p.Name = l.name(m, "name")
	zone := l.text(m, "zone")
	if zone == "" {
		zone = DefaultZone
	}
	var err error
	if p.Zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
		l.fail(m.line("zone"), "zone %q is not known: write one like Asia/Shanghai", zone)
	}
	p.Tiers = l.list(m, "tiers", regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`), "a tier")
	p.Trash = l.period(m, "trash", Period{Days: 30}, false)
	p.Quiet = l.period(m, "quiet", Period{Days: 7}, false)
	p.Appointments = l.period(m, "appointments", Period{Days: 14}, false)
	if n := m.nodes["roles"]; n != nil {
		l.roles(n, p)
	}
	p.Floors = lawful
	if n := m.nodes["floors"]; n != nil {
		f := l.mapping(n, "floors", "outpatient", "inpatient", "approved_by")
		p.Floors = Floors{l.period(f, "outpatient", lawful.Outpatient, true), l.period(f, "inpatient", lawful.Inpatient, true), l.list(f, "approved_by", regexp.MustCompile(`^.{1,64}$`), "a person")}
		if lower := p.Floors.Outpatient.Shorter(lawful.Outpatient) || p.Floors.Inpatient.Shorter(lawful.Inpatient); lower && len(p.Floors.ApprovedBy) < 2 {
			l.fail(n.Line, "floors below the law's (outpatient %s, inpatient %s) need the names of two people: approved_by: [NAME, NAME]", lawful.Outpatient, lawful.Inpatient)
		}
	}
	p.Proof = Proof{Level: Attested, Age: Period{Days: 30}}
	if n := m.nodes["proof"]; n != nil {
		f := l.mapping(n, "proof", "level", "age")
		if f.nodes["level"] != nil {
			p.Proof.Level = one(l, f, "level", Listed, Sampled, Attested)
		}
		p.Proof.Age = l.period(f, "age", p.Proof.Age, false)
	}
	p.Breaker = Breaker{Studies: 100, Share: 0.02}
	if n := m.nodes["breaker"]; n != nil {
		f := l.mapping(n, "breaker", "studies", "share")
		p.Breaker.Studies = l.whole(f, "studies", p.Breaker.Studies)
		if s := l.text(f, "share"); s != "" {
			v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
			if err != nil || !strings.HasSuffix(s, "%") || !(v > 0 && v <= 100) {
				l.fail(f.line("share"), "share %q: write a share of the tenant's studies, such as 2%%", s)
			}
			p.Breaker.Share = v / 100
		}
	}
	n := m.nodes["rules"]
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		l.fail(m.line("rules"), "rules: a policy has a list of rules")
		return p
	}
	for _, c := range n.Content {
		p.Rules = append(p.Rules, l.rule(c, p))
	}
	slices.SortStableFunc(p.Rules, func(a, b *Rule) int { return b.Priority - a.Priority })
	return p
}

func (l *loader) roles(n *yaml.Node, p *Policy) {
	p.Roles = map[string]Role{}
	if n.Kind != yaml.MappingNode {
		l.fail(n.Line, "roles is a mapping of tenants, or \"*\" for all others, to primary or secondary")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		_, twice := p.Roles[k.Value]
		switch role := Role(v.Value); {
		case k.Value != "*" && !tenantForm.MatchString(k.Value) || twice:
			l.fail(k.Line, "roles: %q is no tenant, or is there twice", k.Value)
		case v.Kind != yaml.ScalarNode || role != Primary && role != Secondary:
			l.fail(v.Line, "roles: %q is none of %s, %s", v.Value, Primary, Secondary)
		default:
			p.Roles[k.Value] = role
		}
	}
}

var tenantForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func (l *loader) rule(n *yaml.Node, p *Policy) *Rule {
	r := &Rule{Line: n.Line, From: FromArrival}
	m := l.mapping(n, "a rule", "name", "priority", "match", "keep", "from", "tiers")
	r.Name = l.name(m, "name")
	r.Priority = int(l.signed(m, "priority"))
	if m.nodes["keep"] == nil {
		l.fail(n.Line, "rule %s says not how long: write keep: P3M, or keep: forever", r.Name)
	}
	r.Keep = l.period(m, "keep", Period{}, true)
	if m.nodes["from"] != nil {
		r.From = one(l, m, "from", FromStudy, FromArrival, FromAccess, FromEvent)
	}
	l.match(m, r)
	if s := m.nodes["tiers"]; s != nil {
		l.steps(s, r, p)
	}
	return r
}

func (l *loader) match(m *mapping, r *Rule) {
	n := m.nodes["match"]
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		l.fail(m.line("match"), "rule %s has no match: it would be for everything. Write at least match: {class: full}", r.Name)
		return
	}
	f := l.mapping(n, "match", "class", "role", "tenant", "modality", "body_part", "department", "age", "patient", "older_than", "min_size", "max_size")
	x := &r.Match
	if f.nodes["class"] == nil {
		l.fail(n.Line, "rule %s names no class: full, region, result, preview", r.Name)
	}
	x.Classes = many(l, f, "class", Classes...)
	x.Roles = many(l, f, "role", Primary, Secondary)
	x.Ages = many(l, f, "age", Neonate, Child, Adult)
	x.Patients = many(l, f, "patient", Outpatient, Inpatient)
	x.Tenants = l.list(f, "tenant", tenantForm, "a tenant")
	code := regexp.MustCompile(`^[A-Z0-9][A-Z0-9 _]{0,15}$`) // CS (PS3.5 6.2)
	x.Modalities = l.list(f, "modality", code, "a modality")
	x.BodyParts = l.list(f, "body_part", code, "a body part")
	x.Departments = l.list(f, "department", regexp.MustCompile(`^.{1,64}$`), "a department")
	x.OlderThan = l.period(f, "older_than", Period{}, false)
	x.MinBytes, x.MaxBytes = l.bytes(f, "min_size"), l.bytes(f, "max_size")
	if x.MaxBytes > 0 && x.MaxBytes < x.MinBytes {
		l.fail(f.line("max_size"), "rule %s: max_size is less than min_size, so nothing matches", r.Name)
	}
}

func (l *loader) steps(n *yaml.Node, r *Rule, p *Policy) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		l.fail(n.Line, "rule %s: tiers is a list of {tier: NAME, after: PERIOD}", r.Name)
		return
	}
	for _, c := range n.Content {
		f := l.mapping(c, "a step", "tier", "after", "from")
		s := Step{Tier: l.text(f, "tier"), After: l.period(f, "after", Period{}, false), From: r.From}
		if f.nodes["from"] != nil {
			s.From = one(l, f, "from", FromStudy, FromArrival, FromAccess, FromEvent)
		}
		if !slices.Contains(p.Tiers, s.Tier) {
			l.fail(c.Line, "rule %s: tier %q is not among the policy's tiers %s", r.Name, s.Tier, strings.Join(p.Tiers, ", "))
		}
		if k := len(r.Steps); k > 0 {
			before := r.Steps[k-1]
			if down, ok := p.colder(before.Tier, s.Tier); ok && down <= 0 {
				l.fail(c.Line, "rule %s: tier %s does not lie below %s: steps go from hot to cold", r.Name, s.Tier, before.Tier)
			}
			if s.From == before.From && !before.After.Shorter(s.After) {
				l.fail(c.Line, "rule %s: %s after %s does not come after %s after %s", r.Name, s.Tier, s.After, before.Tier, before.After)
			}
		}
		r.Steps = append(r.Steps, s)
	}
}

// mapping is a YAML mapping whose keys were checked.
type mapping struct {
	node  *yaml.Node
	nodes map[string]*yaml.Node
	lines map[string]int
}

func (m *mapping) line(key string) int {
	if n, ok := m.lines[key]; ok {
		return n
	}
	return m.node.Line
}

func (l *loader) mapping(n *yaml.Node, what string, keys ...string) *mapping {
	m := &mapping{node: n, nodes: map[string]*yaml.Node{}, lines: map[string]int{}}
	if n.Kind != yaml.MappingNode {
		l.fail(n.Line, "%s must be a mapping of %s", what, strings.Join(keys, ", "))
		return m
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || !slices.Contains(keys, k.Value):
			l.fail(k.Line, "%s has no %q; it has %s", what, k.Value, strings.Join(keys, ", "))
			continue
		case m.nodes[k.Value] != nil:
			l.fail(k.Line, "%s has %s twice", what, k.Value)
			continue
		case v.Kind == yaml.AliasNode:
			l.fail(k.Line, "%s: aliases are not read", k.Value)
			continue
		}
		m.nodes[k.Value], m.lines[k.Value] = v, k.Line
	}
	return m
}

// text is a scalar, "" if the key is not there.
func (l *loader) text(m *mapping, key string) string {
	n := m.nodes[key]
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		l.fail(m.line(key), "%s must have one value", key)
		return ""
	}
	return n.Value
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func (l *loader) name(m *mapping, key string) string {
	s := l.text(m, key)
	if !nameForm.MatchString(s) {
		l.fail(m.line(key), "%s %q: 1 to 64 of a-z, 0-9 and ._-", key, s)
	}
	return s
}

func (l *loader) period(m *mapping, key string, standard Period, forever bool) Period {
	if m.nodes[key] == nil {
		return standard
	}
	p, err := ParsePeriod(l.text(m, key))
	if err != nil {
		l.fail(m.line(key), "%s: %v", key, err)
	} else if p.Forever && !forever {
		l.fail(m.line(key), "%s cannot be forever", key)
	}
	return p
}

func (l *loader) signed(m *mapping, key string) int64 {
	if m.nodes[key] == nil {
		return 0
	}
	n, err := strconv.ParseInt(l.text(m, key), 10, 32)
	if err != nil {
		l.fail(m.line(key), "%s %q is no whole number", key, m.nodes[key].Value)
	}
	return n
}

func (l *loader) whole(m *mapping, key string, standard int64) int64 {
	if m.nodes[key] == nil {
		return standard
	}
	n := l.signed(m, key)
	if n < 0 {
		l.fail(m.line(key), "%s is less than 0", key)
	}
	return n
}

var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}}

func (l *loader) bytes(m *mapping, key string) int64 {
	s := l.text(m, key)
	if s == "" {
		return 0
	}
	for _, u := range units {
		if digits, ok := strings.CutSuffix(s, u.name); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32); err == nil && n > 0 {
				return n * u.size
			}
		}
	}
	l.fail(m.line(key), "%s %q: write a size like 64MiB or 2GB", key, s)
	return 0
}

// list is one value or a list of them, nil if the key is not there. An empty list would match nothing, and is refused.
func (l *loader) list(m *mapping, key string, form *regexp.Regexp, what string) []string {
	n := m.nodes[key]
	if n == nil {
		return nil
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	if len(items) == 0 {
		l.fail(m.line(key), "%s is an empty list", key)
	}
	var out []string
	for _, c := range items {
		switch {
		case c.Kind != yaml.ScalarNode || !form.MatchString(c.Value):
			l.fail(c.Line, "%s: %q is not the name of %s", key, c.Value, what)
		case slices.Contains(out, c.Value):
			l.fail(c.Line, "%s: %s twice", key, c.Value)
		default:
			out = append(out, c.Value)
		}
	}
	return out
}

// many is a list of known words.
func many[T ~string](l *loader, m *mapping, key string, known ...T) []T {
	var out []T
	for _, s := range l.list(m, key, regexp.MustCompile(`.`), "anything") {
		if !slices.Contains(known, T(s)) {
			l.fail(m.line(key), "%s %q is none of %s", key, s, join(known))
		}
		out = append(out, T(s))
	}
	return out
}

// one is one of some known words.
func one[T ~string](l *loader, m *mapping, key string, known ...T) T {
	s := T(l.text(m, key))
	if !slices.Contains(known, s) {
		l.fail(m.line(key), "%s %q is none of %s", key, s, join(known))
	}
	return s
}

func join[T ~string](list []T) string {
	var s []string
	for _, x := range list {
		s = append(s, string(x))
	}
	return strings.Join(s, ", ")
}

// check looks at rules together.
func (l *loader) check(p *Policy) {
	if len(p.Tiers) == 0 {
		l.fail(1, "tiers: a policy lists its tiers, hot to cold")
	}
	for i, r := range p.Rules {
		for _, o := range p.Rules[i+1:] {
			if o.Name == r.Name {
				l.fail(o.Line, "rule %s has the name of the rule in line %d", o.Name, r.Line)
			}
			if o.Priority == r.Priority && r.Match.meets(&o.Match) {
				l.fail(o.Line, "rules %s (line %d) and %s can match the same study, and both have priority %d: which one counts would be chance. Give one another priority", r.Name, r.Line, o.Name, o.Priority)
			}
		}
	}
	for _, c := range Classes {
		if !covered(p.Rules, c) {
			l.fail(1, "class %s: some study would match no rule. Add one that names the class only: match: {class: %s}, or one for each role", c, c)
		}
		if !slices.ContainsFunc(p.Rules, func(r *Rule) bool { return slices.Contains(r.Match.Classes, c) && r.Steps != nil }) && len(p.Tiers) > 1 && c == catalog.ClassFull {
			l.fail(1, "class %s: no rule says on which tiers it lies", c)
		}
	}
}

// covered reports whether every study matches a rule for a class: one without conditions, or one without others for each role.
func covered(rules []*Rule, c catalog.Class) bool {
	roles := map[Role]bool{}
	for _, r := range rules {
		if !slices.Contains(r.Match.Classes, c) {
			continue
		}
		m := r.Match
		m.Roles = nil
		if !m.all() {
			continue
		}
		if r.Match.Roles == nil {
			return true
		}
		for _, x := range r.Match.Roles {
			roles[x] = true
		}
	}
	return roles[Primary] && roles[Secondary]
}
