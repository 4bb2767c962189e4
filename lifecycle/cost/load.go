package cost

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

	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds a price book.
const maxFile = 4 << 20

// LoadFile reads and checks a price book.
func LoadFile(path string) (*Book, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("price book: %w", err)
	}
	return Load(path, raw)
}

// Open reads a price book that is shipped, by its name, or a file.
func Open(name string) (*Book, error) {
	if slices.Contains(ShippedNames(), name) {
		return Shipped(name)
	}
	return LoadFile(name)
}

// Load reads and checks a price book. Every error names file and line; all that are found are returned together, and then there is no book.
func Load(name string, raw []byte) (*Book, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, a price book has at most %d", name, len(raw), maxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l := &loader{file: name}
	b := l.book(&doc)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	sum := sha256.Sum256(raw)
	b.Digest, b.Source = hex.EncodeToString(sum[:]), bytes.Clone(raw)
	return b, nil
}

// loader turns nodes into a book and collects what is wrong.
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

// fields are the entries of a mapping.
type fields struct {
	at    int
	nodes map[string]*yaml.Node
}

func (f fields) line(key string) int {
	if n := f.nodes[key]; n != nil {
		return n.Line
	}
	return f.at
}

// mapping reads a mapping with known keys only; no keys at all: any.
func (l *loader) mapping(n *yaml.Node, what string, keys ...string) fields {
	f := fields{n.Line, map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		l.fail(n.Line, "%s must be a mapping", what)
		return f
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case len(keys) > 0 && !slices.Contains(keys, k.Value):
			l.fail(k.Line, "%s: %q is not known: there are %s", what, k.Value, strings.Join(keys, ", "))
		case f.nodes[k.Value] != nil:
			l.fail(k.Line, "%s: %q is there twice", what, k.Value)
		default:
			f.nodes[k.Value] = n.Content[i+1]
		}
	}
	return f
}

func (l *loader) text(f fields, key string, needed bool) string {
	n := f.nodes[key]
	if n == nil {
		if needed {
			l.fail(f.at, "%s is missing", key)
		}
		return ""
	}
	if n.Kind != yaml.ScalarNode || needed && n.Value == "" || len(n.Value) > 500 {
		l.fail(n.Line, "%s must be a text of 1 to 500 bytes", key)
	}
	return n.Value
}

func (l *loader) book(doc *yaml.Node) *Book {
	b := &Book{}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		l.fail(1, "a price book is a mapping that begins with schema: %s", Schema)
		return b
	}
	f := l.mapping(doc.Content[0], "the price book", "schema", "name", "provider", "region", "currency", "unit", "zone", "month_days", "failed_requests", "editions")
	if s := l.text(f, "schema", true); s != Schema {
		l.fail(f.line("schema"), "schema %q: this version reads %s", s, Schema)
	}
	b.Name, b.Provider, b.Region, b.Currency = l.text(f, "name", true), l.text(f, "provider", true), l.text(f, "region", true), l.text(f, "currency", true)
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`).MatchString(b.Name) {
		l.fail(f.line("name"), "name %q: use lower-case letters, digits and hyphens", b.Name)
	}
	if !regexp.MustCompile(`^[A-Z]{3}$`).MatchString(b.Currency) {
		l.fail(f.line("currency"), "currency %q: three capital letters, such as CNY", b.Currency)
	}
	switch u := l.text(f, "unit", true); u {
	case "GB":
		b.Unit = GB
	case "GiB":
		b.Unit = GiB
	default:
		l.fail(f.line("unit"), "unit %q: GB (10^9 bytes) or GiB (2^30 bytes): they differ by 7 %%", u)
	}
	var err error
	if b.Zone, err = time.LoadLocation(l.text(f, "zone", true)); err != nil || b.Zone == time.Local {
		l.fail(f.line("zone"), "zone is not known: write one like Asia/Shanghai")
		b.Zone = time.UTC
	}
	b.MonthDays, b.Calendar = monthDays, f.nodes["month_days"] == nil
	if n := f.nodes["month_days"]; n != nil {
		if b.MonthDays = l.amount(n, "month_days"); b.MonthDays.LessThan(whole(28)) || b.MonthDays.GreaterThan(whole(31)) {
			l.fail(n.Line, "month_days: 28 to 31")
		}
	}
	switch s := l.text(f, "failed_requests", true); s {
	case string(FailedNone), string(FailedClient), string(FailedAll):
		b.Failed = Failed(s)
	default:
		l.fail(f.line("failed_requests"), "failed_requests %q: none, client (4xx) or all are billed", s)
	}
	n := f.nodes["editions"]
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		l.fail(f.line("editions"), "editions: a price book has a list of editions")
		return b
	}
	for _, c := range n.Content {
		e := l.edition(b, c)
		if k := len(b.Editions); k > 0 && !b.Editions[k-1].From.Before(e.From) {
			l.fail(c.Line, "edition from %s: it must be later than the one before, from %s", e.From.Format("2006-01-02"), b.Editions[k-1].From.Format("2006-01-02"))
		}
		b.Editions = append(b.Editions, e)
	}
	for i := range b.Editions {
		b.Editions[i].Book = b
	}
	return b
}

func (l *loader) edition(b *Book, n *yaml.Node) Edition {
	f := l.mapping(n, "the edition", "from", "source", "confidence", "egress", "cpu_hour", "classes")
	e := Edition{Source: l.text(f, "source", true), Confidence: l.text(f, "confidence", true)}
	day, err := time.ParseInLocation("2006-01-02", l.text(f, "from", true), b.Zone)
	if err != nil {
		l.fail(f.line("from"), "from: a day, as 2026-01-31")
	}
	e.From = day
	e.egress, e.cpuHour = l.price(f, "egress"), l.price(f, "cpu_hour")
	cn := f.nodes["classes"]
	if cn == nil || cn.Kind != yaml.MappingNode || len(cn.Content) == 0 {
		l.fail(f.line("classes"), "classes: an edition has a mapping of classes")
		return e
	}
	l.mapping(cn, "classes")
	lines := map[string]int{}
	for i := 0; i+1 < len(cn.Content); i += 2 {
		name := cn.Content[i]
		if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name.Value) {
			l.fail(name.Line, "class %q: use letters, digits, dots, hyphens and underscores", name.Value)
		}
		for other := range lines {
			if strings.EqualFold(other, name.Value) {
				l.fail(name.Line, "class %s is there twice", name.Value)
			}
		}
		lines[name.Value] = name.Line
		e.Classes = append(e.Classes, l.class(name.Value, cn.Content[i+1]))
	}
	for _, c := range e.Classes {
		for what, other := range map[string]string{"overhead": c.Other, "temporary": c.TempClass} {
			if other != "" && !slices.ContainsFunc(e.Classes, func(o Class) bool { return o.Name == other }) {
				l.fail(lines[c.Name], "class %s: %s: there is no class %s", c.Name, what, other)
			}
		}
	}
	return e
}

func (l *loader) class(name string, n *yaml.Node) Class {
	f := l.mapping(n, "class "+name, "archive", "storage", "min_days", "min_clock", "min_bytes", "stays_below", "overhead", "requests", "transition", "retrieval", "restore", "temporary", "monitor")
	c := Class{Name: name, requests: map[Request]decimal.Decimal{}}
	switch s := l.text(f, "archive", false); s {
	case "", "no", "false":
	case "yes", "true":
		c.Archive = true
	default:
		l.fail(f.line("archive"), "archive %q: yes or no", s)
	}
	c.steps = l.steps(f)
	c.MinDays, c.MinBytes, c.Stays = l.whole(f, "min_days", 3650), l.size(f, "min_bytes"), l.size(f, "stays_below")
	switch s := l.text(f, "min_clock", c.MinDays > 0); Clock(s) {
	case "", ClockModified, ClockTransition:
		c.Clock = Clock(s)
	default:
		l.fail(f.line("min_clock"), "min_clock %q: modified or transition", s)
	}
	if o := f.nodes["overhead"]; o != nil {
		g := l.mapping(o, "overhead", "own", "other", "class")
		c.OwnBytes, c.OtherBytes, c.Other = l.size(g, "own"), l.size(g, "other"), l.text(g, "class", false)
		if (c.OtherBytes > 0) != (c.Other != "") {
			l.fail(o.Line, "overhead: other and class go together")
		}
	}
	if r := f.nodes["requests"]; r == nil {
		l.fail(f.at, "class %s: requests are missing", name)
	} else {
		g := l.mapping(r, "requests", "put", "copy", "get", "head", "list", "delete")
		for _, k := range Requests {
			if p := l.price(g, string(k)); p != nil {
				c.requests[k] = *p
			}
		}
	}
	c.transition, c.retrieval, c.monitor, c.TempClass = l.price(f, "transition"), l.price(f, "retrieval"), l.price(f, "monitor"), l.text(f, "temporary", false)
	if r := f.nodes["restore"]; r != nil {
		g := l.mapping(r, "restore", "bulk", "standard", "expedited")
		for _, s := range []string{"bulk", "standard", "expedited"} {
			if g.nodes[s] != nil {
				c.speeds = append(c.speeds, l.speed(s, g.nodes[s]))
			}
		}
	}
	if c.Archive != (len(c.speeds) > 0) {
		l.fail(f.at, "class %s: archive classes have a restore, and others have none", name)
	}
	return c
}

func (l *loader) steps(f fields) []Step {
	n := f.nodes["storage"]
	if n == nil {
		l.fail(f.at, "storage is missing")
		return []Step{{}}
	}
	if n.Kind == yaml.ScalarNode {
		return []Step{{Price: l.amount(n, "storage")}}
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		l.fail(n.Line, "storage: a price, or a list of {up_to, price}")
		return []Step{{}}
	}
	var list []Step
	for i, c := range n.Content {
		g := l.mapping(c, "storage", "up_to", "price")
		s := Step{}
		if p := g.nodes["price"]; p != nil {
			s.Price = l.amount(p, "price")
		} else {
			l.fail(c.Line, "price is missing")
		}
		last := i == len(n.Content)-1
		if u := g.nodes["up_to"]; u != nil {
			s.UpTo = l.amount(u, "up_to")
		}
		if last != s.UpTo.IsZero() || i > 0 && !last && !list[i-1].UpTo.LessThan(s.UpTo) {
			l.fail(c.Line, "storage: each step but the last has an up_to, larger than the one before")
		}
		list = append(list, s)
	}
	return list
}

func (l *loader) speed(name string, n *yaml.Node) Speed {
	f := l.mapping(n, name, "request", "unit", "wait")
	s := Speed{Name: name}
	request, unit := l.price(f, "request"), l.price(f, "unit")
	switch {
	case request != nil && unit != nil:
		s.Known, s.Request, s.PerUnit = true, *request, *unit
	case request != nil || unit != nil:
		l.fail(f.at, "%s: request and unit go together; without both, its price is not known", name)
	}
	from, to, ok := strings.Cut(l.text(f, "wait", true), "-")
	if !ok {
		to = from
	}
	var err1, err2 error
	s.Least, err1 = time.ParseDuration(from)
	s.Max, err2 = time.ParseDuration(to)
	if err1 != nil || err2 != nil || s.Least < 0 || s.Max < s.Least {
		l.fail(f.line("wait"), "%s: wait: durations such as 3h-5h", name)
	}
	return s
}

// price reads an amount, or an amount for so many, such as 0.01/10000; nil if the key is not there.
func (l *loader) price(f fields, key string) *decimal.Decimal {
	n := f.nodes[key]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		l.fail(n.Line, "%s: an amount, or an amount for so many, such as 0.01/10000", key)
		return &decimal.Decimal{}
	}
	amount, many, ok := strings.Cut(n.Value, "/")
	d, valid := parseAmount(amount)
	if !valid {
		l.fail(n.Line, "%s: %q is not an amount: digits with a point, not negative", key, n.Value)
		return &decimal.Decimal{}
	}
	if ok {
		count, err := strconv.ParseInt(strings.TrimSpace(many), 10, 64)
		if err != nil || count < 1 {
			l.fail(n.Line, "%s: %q: for how many, a whole number", key, n.Value)
			return &decimal.Decimal{}
		}
		d = d.DivRound(decimal.NewFromInt(count), Digits)
	}
	return &d
}

func (l *loader) amount(n *yaml.Node, key string) decimal.Decimal {
	d, ok := parseAmount(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		l.fail(n.Line, "%s: %q is not an amount: digits with a point, not negative", key, n.Value)
	}
	return d
}

// parseAmount reads plain digits with a point: no sign, no exponent, no separators.
func parseAmount(s string) (decimal.Decimal, bool) {
	s = strings.TrimSpace(s)
	if !regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,12})?$`).MatchString(s) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	return d, err == nil
}

func (l *loader) whole(f fields, key string, most int64) int64 {
	s := l.text(f, key, false)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 || v > most {
		l.fail(f.line(key), "%s: %q is not a whole number from 0 to %d", key, s, most)
	}
	return v
}

// size reads bytes, also with KiB or MiB.
func (l *loader) size(f fields, key string) int64 {
	s := strings.ReplaceAll(l.text(f, key, false), " ", "")
	if s == "" {
		return 0
	}
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if t, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = t, n
		}
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 || v > 1<<20 {
		l.fail(f.line(key), "%s: a size such as 128KiB", key)
	}
	return v * unit
}
