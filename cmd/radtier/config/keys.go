package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Key documents one setting.
type Key struct {
	Name    string // "worker.memory"
	Default string // as it would be written in the file; "" is empty
	Unit    string // "" if it has none
	Doc     string // sentences; one line each
	Secret  bool

	set func(c *Config, text string) error
	get func(c *Config) string
}

// Env is the environment variable that overrides the key.
func (k Key) Env() string {
	return "RADTIER_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Value is the effective value as text, secrets hidden.
func (k Key) Value(c *Config) string { return k.get(c) }

// Keys lists all settings in the order of the example file, the list of tiers excepted, which is no single value.
func Keys() []Key {
	return []Key{
		text("data", "radtier-data", "Directory of this installation: catalog, worker lock and, by default, the objects.\nRelative to the folder of this file; without a file, to the current directory.",
			func(c *Config) *string { return &c.Data }, notEmpty("a directory")),
		text("tenant", "default", "Tenant of commands that name none: the hospital or network whose studies these are.\n1 to 64 letters, digits and ._-",
			func(c *Config) *string { return &c.Tenant }, catalog.CheckTenant),

		text("catalog.driver", "sqlite", "Database of the catalog: sqlite.", func(c *Config) *string { return &c.Catalog.Driver }, oneOf("sqlite")),
		text("catalog.path", "catalog.db", "File of the SQLite catalog, relative to `data`. It must not lie on a network file system.",
			func(c *Config) *string { return &c.Catalog.Path }, notEmpty("a file")),

		text("queue.kind", "embedded", "embedded: the queue lives in the worker process, no server is needed and one worker process runs at a time.\nredis: any number of worker processes share the work.",
			func(c *Config) *string { return &c.Queue.Kind }, oneOf("embedded", "redis")),
		text("queue.address", "127.0.0.1:6379", "Where Redis is (kind redis): host:port, or the absolute path of a unix socket.",
			func(c *Config) *string { return &c.Queue.Address }, address),
		text("queue.username", "", "User of Redis; empty is none.", func(c *Config) *string { return &c.Queue.Username }, nil),
		{Name: "queue.password", Secret: true, Doc: "Password of Redis. Better set by its environment variable than written here.",
			set: func(c *Config, s string) error { c.Queue.Password = Secret(s); return nil },
			get: func(c *Config) string { return c.Queue.Password.String() }},
		number("queue.db", "0", "", "Number of the Redis database.", 0, 1<<16, func(c *Config) *int { return &c.Queue.DB }),
		boolean("queue.tls", "false", "Speak TLS with Redis and check its certificate.", func(c *Config) *bool { return &c.Queue.TLS }),
		text("queue.server", "", "redis-server that an embedded queue starts as a child: a path or name; empty uses one if it is installed;\nnone keeps the queue inside the process.",
			func(c *Config) *string { return &c.Queue.Server }, nil),
		number("queue.window", "1000", "tasks", "How many jobs wait in the queue at most; the others wait in the catalog.", 1, 1<<20, func(c *Config) *int { return &c.Queue.Window }),

		number("worker.studies", "2", "studies", "Studies worked on at once. They share cores and memory; two keep the cores busy while one is being written.", 1, 1024,
			func(c *Config) *int { return &c.Worker.Studies }),
		number("worker.cores", "0", "cores", "Cores that encode and verify; 0 is all of them.", 0, 4096, func(c *Config) *int { return &c.Worker.Cores }),
		number("worker.readers", "0", "files", "Source files read at once; 0 is 4 per core.", 0, 4096, func(c *Config) *int { return &c.Worker.Readers }),
		size("worker.memory", "1GiB", "Byte budget of what is in flight: source files, frames, codestreams not yet written.\nThe process takes up to about 150 MiB more. At least 64MiB.",
			64<<20, 1<<50, func(c *Config) *int64 { return &c.Worker.Memory }),
		duration("worker.lease", "1m", "How long a job stays with a worker that gives no sign of life before another one takes it.", 5*time.Second, 24*time.Hour,
			func(c *Config) *time.Duration { return &c.Worker.Lease }),
		duration("worker.quiet", "0s", "How long no new instance must have come before a study is worked on.\n0s: `ingest` says that the studies it queues are complete.", 0, 30*24*time.Hour,
			func(c *Config) *time.Duration { return &c.Worker.Quiet }),
		duration("worker.grace", "30s", "After the first SIGTERM or Ctrl-C: how long studies under way may take to finish before they are given back.", 0, 24*time.Hour,
			func(c *Config) *time.Duration { return &c.Worker.Grace }),
		text("worker.temp", "", "Directory of temporary files, relative to `data`; empty is the system's.", func(c *Config) *string { return &c.Worker.Temp }, nil),

		text("log.level", "info", "Least important messages that are logged: debug, info, warn or error.\nWhile it is not set, only `worker` logs at info; all other commands log at warn.",
			func(c *Config) *string { return &c.Log.Level }, oneOf("debug", "info", "warn", "error")),
		text("log.format", "text", "text, or json for machines; always to stderr.", func(c *Config) *string { return &c.Log.Format }, oneOf("text", "json")),
	}
}

// TierKeys documents the keys of one entry of `tiers`.
func TierKeys() []Key {
	return []Key{
		{Name: "tiers[].name", Default: "hot", Doc: "Name of the tier in manifests: never rename one that is in use. 1 to 64 letters, digits and ._-"},
		{Name: "tiers[].kind", Default: "file", Doc: "file: objects are files in a directory."},
		{Name: "tiers[].path", Default: "objects", Doc: "Directory of kind file, relative to `data`."},
		{Name: "tiers[].classes[].name", Default: "STANDARD", Doc: "Storage classes of the tier, hot to cold; new objects get the first. Each is a directory below `path`."},
		{Name: "tiers[].classes[].min_days", Default: "0", Unit: "days", Doc: "Minimum storage duration that a provider would bill."},
		{Name: "tiers[].classes[].archive", Default: "false", Doc: "Objects of the class must be restored before they can be read."},
		{Name: "tiers[].classes[].restore_delay", Default: "0s", Unit: "duration", Doc: "How long a restore takes (archive classes)."},
	}
}

func text(name, def, doc string, at func(*Config) *string, check func(string) error) Key {
	return Key{Name: name, Default: def, Doc: doc, get: func(c *Config) string { return *at(c) }, set: func(c *Config, s string) error {
		if check != nil {
			if err := check(s); err != nil {
				return err
			}
		}
		*at(c) = s
		return nil
	}}
}

func number(name, def, unit, doc string, low, high int, at func(*Config) *int) Key {
	return Key{Name: name, Default: def, Unit: unit, Doc: doc, get: func(c *Config) string { return strconv.Itoa(*at(c)) }, set: func(c *Config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a whole number from %d to %d", s, low, high)
		}
		*at(c) = n
		return nil
	}}
}

func boolean(name, def, doc string, at func(*Config) *bool) Key {
	return Key{Name: name, Default: def, Doc: doc, get: func(c *Config) string { return strconv.FormatBool(*at(c)) }, set: func(c *Config, s string) error {
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*at(c) = s == "true"
		return nil
	}}
}

func size(name, def, doc string, low, high int64, at func(*Config) *int64) Key {
	return Key{Name: name, Default: def, Unit: "bytes", Doc: doc, get: func(c *Config) string { return FormatBytes(*at(c)) }, set: func(c *Config, s string) error {
		n, err := ParseBytes(s)
		if err != nil {
			return err
		}
		if n < low || n > high {
			return fmt.Errorf("%s is not from %s to %s", s, FormatBytes(low), FormatBytes(high))
		}
		*at(c) = n
		return nil
	}}
}

func duration(name, def, doc string, low, high time.Duration, at func(*Config) *time.Duration) Key {
	return Key{Name: name, Default: def, Unit: "duration", Doc: doc, get: func(c *Config) string { return FormatDuration(*at(c)) }, set: func(c *Config, s string) error {
		d, err := ParseDuration(s)
		if err != nil {
			return err
		}
		if d < low || d > high {
			return fmt.Errorf("%s is not from %s to %s", s, FormatDuration(low), FormatDuration(high))
		}
		*at(c) = d
		return nil
	}}
}

func notEmpty(what string) func(string) error {
	return func(s string) error {
		if s == "" {
			return fmt.Errorf("it is empty: name %s", what)
		}
		return nil
	}
}

func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return fmt.Errorf("%q is not known: use %s", s, strings.Join(values, ", "))
		}
		return nil
	}
}

func address(s string) error {
	if strings.HasPrefix(s, "/") {
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if n, numErr := strconv.Atoi(port); err != nil || host == "" || numErr != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is neither host:port nor the absolute path of a socket", s)
	}
	return nil
}
