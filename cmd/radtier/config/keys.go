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
	List    bool // of values

	set func(c *Config, text string) error
	get func(c *Config) string
}

// Env is the environment variable that overrides the key.
func (k Key) Env() string {
	return "RADTIER_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Value is the effective value as text, secrets hidden.
func (k Key) Value(c *Config) string { return k.get(c) }

// Keys lists all settings in the order of the example file, the lists of tiers and sources excepted, whose keys are in items.go.
func Keys() []Key {
	return []Key{
		text("data", "radtier-data", "Directory of this installation: catalog, worker lock and, by default, the objects.\nRelative to the folder of this file; without a file, to the current directory.",
			func(c *Config) *string { return &c.Data }, notEmpty("a directory")),
		text("tenant", "default", "Tenant of commands that name none: the hospital or network whose studies these are.\n1 to 64 letters, digits and ._-",
			func(c *Config) *string { return &c.Tenant }, catalog.CheckTenant),

		text("catalog.driver", "sqlite", "Database of the catalog: sqlite, a file on this machine; or postgres, which workers on several machines can share.",
			func(c *Config) *string { return &c.Catalog.Driver }, oneOf("sqlite", "postgres")),
		text("catalog.path", "catalog.db", "File of the SQLite catalog, relative to `data`. It must not lie on a network file system.",
			func(c *Config) *string { return &c.Catalog.Path }, notEmpty("a file")),
		{Name: "catalog.dsn", Secret: true, Doc: "Address of the PostgreSQL database (driver postgres): postgres://user:password@host:port/database?sslmode=verify-full\nBetter set by its environment variable than written here. It is printed without the password.",
			set: func(c *Config, s string) error { c.Catalog.DSN = Secret(s); return nil },
			get: func(c *Config) string { return starred(string(c.Catalog.DSN)) }},

		text("queue.kind", "embedded", "embedded: the queue lives in the worker process, no server is needed and one worker process runs at a time.\nredis, sentinel, cluster: any number of worker processes share the work through Redis.",
			func(c *Config) *string { return &c.Queue.Kind }, oneOf("embedded", "redis", "sentinel", "cluster")),
		list("queue.addresses", defaultAddress, "Where Redis is, as host:port: one server (kind redis; also the absolute path of a unix socket), the sentinels,\nor some nodes of the cluster. A list, or separated by commas.",
			func(c *Config) *[]string { return &c.Queue.Addresses }, address),
		text("queue.master_name", "", "Name that the sentinels watch the server by (kind sentinel).", func(c *Config) *string { return &c.Queue.MasterName }, nil),
		text("queue.username", "", "User of Redis; empty is none.", func(c *Config) *string { return &c.Queue.Username }, nil),
		secret("queue.password", "Password of Redis. Better set by its environment variable than written here.", func(c *Config) *Secret { return &c.Queue.Password }),
		text("queue.sentinel_username", "", "User of the sentinels; empty is none.", func(c *Config) *string { return &c.Queue.SentinelUsername }, nil),
		secret("queue.sentinel_password", "Password of the sentinels, if they have one.", func(c *Config) *Secret { return &c.Queue.SentinelPassword }),
		number("queue.db", "0", "", "Number of the Redis database.", 0, 1<<16, func(c *Config) *int { return &c.Queue.DB }),
		boolean("queue.tls", "false", "Speak TLS with Redis (and the sentinels) and check the certificate.", func(c *Config) *bool { return &c.Queue.TLS }),
		text("queue.ca_file", "", "PEM file of the authorities that sign Redis's certificate, relative to `data`; empty trusts those of the system.", func(c *Config) *string { return &c.Queue.CAFile }, nil),
		text("queue.cert_file", "", "PEM file of the certificate that this process shows to Redis, relative to `data`; empty is none.", func(c *Config) *string { return &c.Queue.CertFile }, nil),
		text("queue.key_file", "", "PEM file of its private key, relative to `data`.", func(c *Config) *string { return &c.Queue.KeyFile }, nil),
		text("queue.server_name", "", "Name that the certificate must have; empty is the host of the address.", func(c *Config) *string { return &c.Queue.ServerName }, nil),
		text("queue.server", "", "redis-server that an embedded queue starts as a child: a path or name; empty uses one if it is installed;\nnone keeps the queue inside the process.",
			func(c *Config) *string { return &c.Queue.Server }, nil),
		number("queue.window", "0", "tasks", "How many jobs wait in the queue at most; the others wait in the catalog, where tenants take turns. 0 is 4 for each study at once.", 0, 1<<20, func(c *Config) *int { return &c.Queue.Window }),

		number("worker.studies", "16", "studies", "Studies worked on at once. They share cores and memory, the oldest first; while some wait for a store, others have the cores.", 1, 1024,
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
		number("worker.preview_samples", "128", "samples", "Largest size of the small pictures in preview packs: samples of the longer side, halved until a series keeps to the share below.\n0: no preview packs.", 0, 4096,
			func(c *Config) *int { return &c.Worker.PreviewSamples }),
		percent("worker.preview_share", "12", "What the small pictures of a series may cost of its stored bytes. Small images, which have few resolution levels, may cost more.",
			func(c *Config) *float64 { return &c.Worker.PreviewShare }),
		text("worker.temp", "", "Directory of temporary files, relative to `data`; empty is the system's.", func(c *Config) *string { return &c.Worker.Temp }, nil),

		length("regions.in_plane", "10", "Margin around a lesion in the plane of cross-sections, on the series it was marked on. A quarter of the lesion's longest side comes on top.", func(c *Config) *float64 { return &c.Regions.InPlane }),
		length("regions.along", "5", "Margin along the normal there; at least one slice.", func(c *Config) *float64 { return &c.Regions.Along }),
		length("regions.other_series", "20", "Both margins on the other series of the same frame of reference: organs move between phases.", func(c *Config) *float64 { return &c.Regions.Other }),
		length("regions.key_slab", "10", "What is kept on each side of a slice that is named without geometry, also of the thinnest parallel series; at least one slice.", func(c *Config) *float64 { return &c.Regions.KeySlab }),
		length("regions.sphere", "10", "Least depth that is assumed on each side of a mark on a single slice.", func(c *Config) *float64 { return &c.Regions.Sphere }),
		number("regions.min_side", "64", "pixels", "Least side of a crop.", 1, 65535, func(c *Config) *int { return &c.Regions.MinSide }),
		number("regions.small_frame", "256", "pixels", "Frames of at most this side are not cropped: whole slices are kept of them.", 0, 65535, func(c *Config) *int { return &c.Regions.SmallFrame }),
		boolean("regions.annotated_series_only", "false", "Keep nothing on series without marks of their own.", func(c *Config) *bool { return &c.Regions.AnnotatedSeriesOnly }),
		boolean("regions.whole_slices", "false", "Make no crops: keep whole slices.", func(c *Config) *bool { return &c.Regions.WholeSlices }),

		text("log.level", "info", "Least important messages that are logged: debug, info, warn or error.\nWhile it is not set, only `worker` logs at info; all other commands log at warn.",
			func(c *Config) *string { return &c.Log.Level }, oneOf("debug", "info", "warn", "error")),
		text("log.format", "text", "text, or json for machines; always to stderr.", func(c *Config) *string { return &c.Log.Format }, oneOf("text", "json")),
	}
}

func secret(name, doc string, at func(*Config) *Secret) Key {
	return Key{Name: name, Secret: true, Doc: doc, get: func(c *Config) string { return at(c).String() },
		set: func(c *Config, s string) error { *at(c) = Secret(s); return nil }}
}

// list is a key of several values. In the environment they are separated by commas.
func list(name, def, doc string, at func(*Config) *[]string, check func(string) error) Key {
	return Key{Name: name, Default: def, Doc: doc, List: true, get: func(c *Config) string { return strings.Join(*at(c), ",") }, set: func(c *Config, s string) error {
		var values []string
		for v := range strings.SplitSeq(s, ",") {
			if v = strings.TrimSpace(v); v == "" {
				continue
			}
			if err := check(v); err != nil {
				return err
			}
			values = append(values, v)
		}
		if len(values) == 0 {
			return fmt.Errorf("it is empty: name at least one")
		}
		*at(c) = values
		return nil
	}}
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

// percent is a share of something, of more than nothing. A percent sign may follow.
func percent(name, def, doc string, at func(*Config) *float64) Key {
	return Key{Name: name, Default: def, Unit: "percent", Doc: doc, get: func(c *Config) string { return strconv.FormatFloat(*at(c), 'f', -1, 64) }, set: func(c *Config, s string) error {
		n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(s, "%")), 64)
		if err != nil || !(n >= 0.1 && n <= 100) {
			return fmt.Errorf("%q is no share in percent: write a number from 0.1 to 100", s)
		}
		*at(c) = n
		return nil
	}}
}

// length is a distance in the patient, mm.
func length(name, def, doc string, at func(*Config) *float64) Key {
	return Key{Name: name, Default: def, Unit: "mm", Doc: doc, get: func(c *Config) string { return strconv.FormatFloat(*at(c), 'f', -1, 64) }, set: func(c *Config, s string) error {
		n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(s, "mm")), 64)
		if err != nil || !(n >= 0 && n <= 1000) {
			return fmt.Errorf("%q is no length: write millimetres from 0 to 1000", s)
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

// defaultAddress is where Redis listens by itself.
const defaultAddress = "127.0.0.1:6379"

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
