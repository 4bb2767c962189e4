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

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/worker"
)

// Config is the effective configuration: valid, with absolute paths.
type Config struct {
	Data    string // directory of everything that belongs to this machine
	Tenant  string // of commands that name none
	Tiers   []Tier // hot to cold; the first one is where new studies go
	Sources []Source
	Catalog Catalog
	Queue   Queue
	Worker  Worker
	Regions roi.Policy // how much is kept around lesions
	Log     Log

	// File is the configuration file, "" if there is none.
	File    string
	Ignored []string // environment variables that begin with RADTIER_ and are none of the keys'
	origins map[string]string
}

// Tier is a named object store.
type Tier struct {
	Name    string
	Kind    string         // "file" or "s3"
	Path    string         // of kind file: a directory
	Class   objstore.Class // of new objects; "": the first of Classes
	Prices  string         // price book (shipped, or a file) and class, as book:class; "" not known
	Classes tiers.Classes  // of kind s3, empty: those that the server was seen to have
	S3      S3             // of kind s3
}

// PriceBook is the price book and the class of Prices; ok is false if there is none.
func (t Tier) PriceBook() (book, class string, ok bool) { return cutLast(t.Prices, ":") }

// Where is the tier's place in words.
func (t Tier) Where() string {
	if t.Kind == "file" {
		return t.Path
	}
	return t.S3.Where()
}

// S3 is a bucket and how to reach it. Zero values leave it to the SDK or to the store's own defaults.
type S3 struct {
	Bucket, Prefix, Endpoint, Region, Addressing string
	AccessKey, SecretKey, SessionToken           Secret
	Profile, CAFile, Checksums                   string
	PartSize                                     int64 // bytes
	Concurrency, Attempts                        int
	Create                                       bool
}

// Where is the bucket in words.
func (s S3) Where() string {
	where := "s3://" + s.Bucket
	if s.Prefix != "" {
		where += "/" + s.Prefix
	}
	if s.Endpoint != "" {
		where += " at " + s.Endpoint
	}
	return where
}

// Source is a bucket that studies come from.
type Source struct{ S3 }

// Catalog is the SQL database.
type Catalog struct {
	Driver string // "sqlite" or "postgres"
	Path   string // of driver sqlite
	DSN    Secret // of driver postgres
}

// Where is the catalog in words, without secrets.
func (c Catalog) Where() string {
	if c.Driver == "postgres" {
		return "the catalog " + starred(string(c.DSN))
	}
	return "the catalog " + c.Path
}

// Queue is how jobs reach workers.
type Queue struct {
	Kind             string   // "embedded", "redis", "sentinel" or "cluster"
	Addresses        []string // host:port; of kind redis one, which may be the path of a unix socket
	MasterName       string   // of kind sentinel
	Username         string
	Password         Secret
	SentinelUsername string
	SentinelPassword Secret
	DB               int
	TLS              bool
	CAFile           string
	CertFile         string
	KeyFile          string
	ServerName       string
	Server           string // of kind embedded: path of redis-server, "" looks for one, "none" keeps the queue in the process
	Window           int    // tasks
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
	Codec   worker.CodecRules

	PreviewSamples int     // of the longer side at most; 0: no preview packs
	PreviewShare   float64 // percent of a series' stored bytes
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

// under makes a path absolute: relative ones lie below base.
func under(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
