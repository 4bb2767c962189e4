package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/radtier/radtier/roi"
)

// Sources says where to look for values.
type Sources struct {
	File string // --config: must exist
	Data string // --data
	Env  func(string) string
	// Environ is the whole environment as NAME=value, so that a misspelled name is found; nil is not looked at.
	Environ []string
	Dir     string // current directory, absolute

	NoFile bool // read no file at all
}

// FileName is what a configuration file is called.
const FileName = "radtier.yaml"

// Find returns the configuration file: --config, $RADTIER_CONFIG, ./radtier.yaml,
// ~/.config/radtier/radtier.yaml (or below $XDG_CONFIG_HOME); "" if there is none.
// A file that is named must exist; the other two may be absent.
func (s Sources) Find() (path string, err error) {
	for _, named := range []struct{ path, where string }{{s.File, "--config"}, {s.Env("RADTIER_CONFIG"), "$RADTIER_CONFIG"}} {
		if named.path == "" {
			continue
		}
		path = under(s.Dir, named.path)
		if st, err := os.Stat(path); err != nil {
			return "", &Error{Where: named.where, Why: fmt.Sprintf("%s cannot be read: %v", named.path, reason(err))}
		} else if st.IsDir() {
			return "", &Error{Where: named.where, Why: named.path + " is a directory: name the file in it"}
		}
		return path, nil
	}
	home := s.Env("XDG_CONFIG_HOME")
	if home == "" && s.Env("HOME") != "" {
		home = filepath.Join(s.Env("HOME"), ".config")
	}
	candidates := []string{filepath.Join(s.Dir, FileName)}
	if filepath.IsAbs(home) {
		candidates = append(candidates, filepath.Join(home, "radtier", FileName))
	}
	for _, path := range candidates {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", nil
}

// Load returns the effective configuration. Errors are *Error; the only I/O is reading the file.
func Load(s Sources) (*Config, error) {
	if s.NoFile {
		return load(s, "", nil)
	}
	path, err := s.Find()
	if err != nil {
		return nil, err
	}
	var raw []byte
	if path != "" {
		if raw, err = os.ReadFile(path); err != nil {
			return nil, &Error{Where: path, Why: "cannot be read: " + reason(err).Error()}
		}
	}
	return load(s, path, raw)
}

func load(s Sources, path string, raw []byte) (*Config, error) {
	c := &Config{File: path, Regions: roi.DefaultPolicy(), origins: map[string]string{}}
	keys := Keys()
	for _, k := range keys {
		if err := k.set(c, k.Default); err != nil {
			return nil, &Error{Where: "default", Key: k.Name, Why: err.Error()}
		}
	}
	shown := path
	if rel, err := filepath.Rel(s.Dir, path); err == nil && path != "" && !strings.HasPrefix(rel, "..") {
		shown = rel
	}
	if err := c.readFile(shown, raw, keys); err != nil {
		return nil, err
	}
	for _, k := range keys {
		if v := s.Env(k.Env()); v != "" {
			if err := c.apply(k, v, "$"+k.Env()); err != nil {
				return nil, err
			}
		}
	}
	if err := c.checkEnviron(s.Environ, keys); err != nil {
		return nil, err
	}
	if s.Data != "" {
		c.Data, c.origins["data"] = s.Data, "--data"
	}
	return c, c.resolve(s.Dir)
}

// apply sets a key. A secret's value is not part of the error.
func (c *Config) apply(k Key, value, where string) error {
	if err := k.set(c, value); err != nil {
		return &Error{Where: where, Key: k.Name, Why: err.Error()}
	}
	c.origins[k.Name] = where
	return nil
}

// resolve makes paths absolute and checks what concerns several keys.
func (c *Config) resolve(dir string) error {
	base := dir
	if c.File != "" && strings.Contains(c.origins["data"], ":") { // FILE:LINE
		base = filepath.Dir(c.File)
	}
	c.Data = filepath.Clean(under(base, c.Data))
	for _, path := range []*string{&c.Catalog.Path, &c.Worker.Temp, &c.Queue.CAFile, &c.Queue.CertFile, &c.Queue.KeyFile} {
		*path = under(c.Data, *path)
	}
	if c.Tiers == nil {
		c.Tiers = defaultTiers()
	}
	for i := range c.Tiers {
		t := &c.Tiers[i]
		t.Path, t.S3.CAFile = under(c.Data, t.Path), under(c.Data, t.S3.CAFile)
	}
	for i := range c.Sources {
		c.Sources[i].CAFile = under(c.Data, c.Sources[i].CAFile)
	}
	return c.checkTogether()
}

// checkTogether checks what concerns several keys.
func (c *Config) checkTogether() error {
	q := &c.Queue
	for _, x := range []struct {
		wrong    bool
		key, why string
	}{
		{c.Catalog.Driver == "postgres" && c.Catalog.DSN == "", "catalog.driver", "postgres needs catalog.dsn (or $RADTIER_CATALOG_DSN)"},
		{c.Catalog.Driver == "sqlite" && c.Catalog.DSN != "", "catalog.dsn", "it is for driver postgres: set catalog.driver: postgres"},
		{q.Kind == "embedded" && strings.Join(q.Addresses, ",") != defaultAddress, "queue.addresses", "the embedded queue has no address: set queue.kind to redis, sentinel or cluster"},
		{q.Kind != "cluster" && q.Kind != "sentinel" && len(q.Addresses) > 1, "queue.addresses", "one server is wanted here: several are for queue.kind sentinel or cluster"},
		{q.Kind == "sentinel" && q.MasterName == "", "queue.kind", "sentinel needs queue.master_name"},
		{q.Kind != "sentinel" && q.MasterName != "", "queue.master_name", "it is for queue.kind sentinel"},
		{q.Kind != "sentinel" && q.SentinelPassword != "", "queue.sentinel_password", "it is for queue.kind sentinel"},
		{q.Kind == "cluster" && q.DB != 0, "queue.db", "a cluster has database 0 only"},
		{q.Kind != "redis" && q.Kind != "embedded" && strings.Contains(","+strings.Join(q.Addresses, ","), ",/"), "queue.addresses", "a unix socket is for queue.kind redis"},
		{q.Username != "" && q.Password == "", "queue.username", "it needs queue.password (or $RADTIER_QUEUE_PASSWORD)"},
		{q.SentinelUsername != "" && q.SentinelPassword == "", "queue.sentinel_username", "it needs queue.sentinel_password (or $RADTIER_QUEUE_SENTINEL_PASSWORD)"},
		{(q.CertFile == "") != (q.KeyFile == ""), or(q.CertFile, "queue.cert_file", "queue.key_file"), "queue.cert_file and queue.key_file go together"},
		{!q.TLS && q.CAFile != "", "queue.ca_file", "it needs queue.tls: true"},
		{!q.TLS && q.CertFile != "", "queue.cert_file", "it needs queue.tls: true"},
		{!q.TLS && q.ServerName != "", "queue.server_name", "it needs queue.tls: true"},
	} {
		if x.wrong {
			return &Error{Where: c.Origin(x.key), Key: x.key, Why: x.why}
		}
	}
	return nil
}

func or(value, ifSet, ifNot string) string {
	if value != "" {
		return ifSet
	}
	return ifNot
}

// checkEnviron finds environment variables that were meant for a key and are none.
func (c *Config) checkEnviron(environ []string, keys []Key) error {
	known := map[string]bool{"RADTIER_CONFIG": true}
	sections := map[string]bool{"TIERS": true, "SOURCES": true}
	for _, k := range keys {
		known[k.Env()] = true
		if section, _, ok := strings.Cut(k.Name, "."); ok {
			sections[strings.ToUpper(section)] = true
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, "RADTIER_")
		if !ours || known[name] {
			continue
		}
		best, least := "", 3
		for _, k := range keys {
			if d := distance(k.Env(), name); d < least {
				best, least = k.Env(), d
			}
		}
		section, _, _ := strings.Cut(rest, "_")
		switch {
		case serviceLink.MatchString(name):
		case rest == "WORKER_CODEC":
			return &Error{Where: "$" + name, Why: "lists cannot be set by variables: write them into the configuration file"}
		case best != "":
			return &Error{Where: "$" + name, Why: "no key has this variable: do you mean $" + best + "?"}
		case section == "TIERS" || section == "SOURCES":
			return &Error{Where: "$" + name, Why: "lists cannot be set by variables: write them into the configuration file"}
		case sections[section]:
			return &Error{Where: "$" + name, Why: "no key has this variable; `radtier config example` lists all"}
		default:
			c.Ignored = append(c.Ignored, name)
		}
	}
	return nil
}

// serviceLink matches what Kubernetes sets for a service that is called radtier-something.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$`)

// readFile reads the YAML text. shown is the file's name in messages.
func (c *Config) readFile(shown string, raw []byte, keys []Key) error {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file
	} else if err != nil {
		return &Error{Where: shown, Why: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return &Error{Where: fmt.Sprintf("%s:%d", shown, more.Line), Why: "a second document begins here: use one"}
	} else if !errors.Is(err, io.EOF) {
		return &Error{Where: shown, Why: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil
	}
	r := &reader{c: c, shown: shown, keys: map[string]Key{}, sections: map[string]bool{}}
	for _, k := range keys {
		r.keys[k.Name] = k
		if section, _, ok := strings.Cut(k.Name, "."); ok {
			r.sections[section] = true
		}
	}
	return r.mapping(doc.Content[0], "")
}

// reader walks the nodes of a file.
type reader struct {
	c        *Config
	shown    string
	keys     map[string]Key
	sections map[string]bool
}

func (r *reader) fail(n *yaml.Node, key, format string, args ...any) error {
	return &Error{Where: r.at(n), Key: key, Why: fmt.Sprintf(format, args...)}
}

func (r *reader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", r.shown, n.Line) }

// each visits the pairs of a mapping and refuses one that is there twice.
func (r *reader) each(n *yaml.Node, prefix string, visit func(name string, key, value *yaml.Node) error) error {
	n = follow(n)
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return r.fail(n, strings.TrimSuffix(prefix, "."), "keys and values are wanted here, like `name: value`")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			return r.fail(key, prefix+key.Value, "it is there twice")
		}
		seen[key.Value] = true
		if err := visit(prefix+key.Value, key, follow(n.Content[i+1])); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) mapping(n *yaml.Node, prefix string) error {
	return r.each(n, prefix, func(name string, key, value *yaml.Node) error {
		k, known := r.keys[name]
		switch {
		case name == "tiers":
			r.c.origins["tiers"] = r.at(key)
			return r.tiers(value)
		case name == "sources":
			r.c.origins["sources"] = r.at(key)
			return r.sources(value)
		case name == "worker.codec":
			r.c.origins[name] = r.at(key)
			return r.codecRules(value)
		case known && k.List:
			text, err := r.values(value, name)
			if err != nil {
				return err
			}
			return r.c.apply(k, text, r.at(value))
		case known:
			text, err := r.scalar(value, name)
			if err != nil {
				return err
			}
			return r.c.apply(k, text, r.at(value))
		case r.sections[name]:
			return r.mapping(value, name+".")
		}
		return r.fail(key, name, "there is no such key%s; `radtier config example` lists all", r.nearest(name))
	})
}

func (r *reader) scalar(n *yaml.Node, name string) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", r.fail(n, name, "a single value is wanted here")
	}
	if isNull(n) {
		return "", nil
	}
	return n.Value, nil
}

// values reads a list, or a single value with commas.
func (r *reader) values(n *yaml.Node, name string) (string, error) {
	if n.Kind != yaml.SequenceNode {
		return r.scalar(n, name)
	}
	var list []string
	for _, v := range n.Content {
		text, err := r.scalar(follow(v), name)
		if err != nil {
			return "", err
		}
		list = append(list, text)
	}
	return strings.Join(list, ","), nil
}

// nearest suggests what was meant.
func (r *reader) nearest(name string) string {
	best, least := "", 3
	for k := range r.keys {
		if d := distance(k, name); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
		if _, last, ok := strings.Cut(k, "."); ok && last == name {
			return fmt.Sprintf(" at this place: it belongs into section %s", strings.TrimSuffix(k, "."+last))
		}
	}
	if best == "" {
		return ""
	}
	return ": do you mean " + best + "?"
}

// distance is the number of letters to change, add or drop (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d++
			}
			last = row[j+1]
			row[j+1] = min(d, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// reason is an error of package os without the path, which the message names already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
