// Package config is the configuration of the command: one YAML file, with
// every key overridable from the environment.
//
// Where a value comes from, the later one winning: the built-in default, the
// file, the environment (RADTIER_SECTION_KEY), a command-line flag. The
// table in keys.go is the only list of keys: the loader, `config show`, the example file and
// docs/configuration.md are all made from it.
//
// Loading does no I/O besides reading the file. What it returns is valid; an
// [Error] names the key and the place where its value was written.
package config

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/radtier/radtier/internal/objstore/tiers"
)

// Config is the effective configuration: valid, with absolute paths.
type Config struct {
	Data    string // directory of everything that belongs to this machine
	Tenant  string // of commands that name none
	Tiers   []Tier // hot to cold; the first one is where new studies go
	Catalog Catalog
	Queue   Queue
	Worker  Worker
	Log     Log

	// File is the configuration file, "" if there is none.
	File    string
	origins map[string]string
}

// Tier is a named object store.
type Tier struct {
	Name    string
	Kind    string // "file"
	Path    string // of kind file: a directory
	Classes tiers.Classes
}

// Catalog is the SQL database.
type Catalog struct {
	Driver string // "sqlite"
	Path   string
}

// Queue is how jobs reach workers.
type Queue struct {
	Kind     string // "embedded" or "redis"
	Address  string // of kind redis: host:port, or the path of a unix socket
	Username string
	Password Secret
	DB       int
	TLS      bool
	Server   string // of kind embedded: path of redis-server, "" looks for one, "none" keeps the queue in the process
	Window   int    // tasks
}

// Worker is how much this machine does at once.
type Worker struct {
	Studies int
	Cores   int   // 0: all
	Readers int   // 0: 4 per core
	Memory  int64 // bytes
	Lease   time.Duration
	Quiet   time.Duration
	Grace   time.Duration
	Temp    string // "" is the system's
}

// Log is what is written to stderr while working.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// Origin says where the value of a key comes from: "default", "FILE:LINE", "$VARIABLE" or "--flag".
func (c *Config) Origin(key string) string {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return "default"
}

// Error is a mistake in the configuration.
type Error struct {
	Where string // "FILE:LINE", "$VARIABLE", "--flag", or the file
	Key   string // "" if the file as a whole is wrong
	Why   string // what is wrong, and what to write instead
}

func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("configuration: %s: %s", e.Where, e.Why)
	}
	return fmt.Sprintf("configuration: %s: %s: %s", e.Where, e.Key, e.Why)
}

// Secret is a value that prints as asterisks. Reveal gives it out.
type Secret string

const redacted = "********"

// String hides the secret from logs and errors.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for whoever must present it.
func (s Secret) Reveal() string { return string(s) }

// under makes a path absolute: relative ones lie below base.
func under(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
