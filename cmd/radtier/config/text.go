package config

import (
	"fmt"
	"strings"
)

// listsExample stands for the defaults of the two keys that are lists of entries.
func listsExample() string {
	var b strings.Builder
	b.WriteString("# Object stores, hot to cold. New studies, manifests and hot bundles go to the first.\n")
	describe := func(items []item) {
		for _, it := range items {
			if it.kind == "s3" {
				continue
			}
			fmt.Fprintf(&b, "#   %-14s %s\n", it.name, it.doc)
		}
	}
	describe(tierItems())
	b.WriteString("#   classes        Storage classes, hot to cold; new objects get the first. Of kind file each is a directory below path. Per class:\n" +
		"#                  name, min_days (billed at least), archive (must be restored to be read), restore_delay (kind file).\n" +
		"# Of kind s3 (bucket is all that must be there):\n")
	for _, it := range tierItems() {
		if it.kind == "s3" {
			fmt.Fprintf(&b, "#   %-14s %s\n", it.name, it.doc)
		}
	}
	b.WriteString("tiers:\n  - name: hot\n    kind: file\n    path: objects\n    classes:\n      - name: STANDARD\n\n" +
		"# Buckets that `radtier ingest s3://bucket/prefix` reads; one without an entry is reached with the SDK's own environment.\n" +
		"# An entry has " + names(sourceItems(), "") + ", with the meanings above.\n" +
		"sources: []\n")
	return b.String()
}

// beforeCodec is the key after which the rules of `worker.codec` are listed.
const beforeCodec = "worker.temp"

// Example is a configuration file with every key, its documentation and its default.
func Example() string {
	var b strings.Builder
	b.WriteString("# Configuration of radtier. Everything here is the default: delete what you do not change.\n" +
		"# It is looked for as --config FILE, $RADTIER_CONFIG, ./" + FileName + ", ~/.config/radtier/" + FileName + ".\n" +
		"# Each key can be overridden by the environment variable beside it. Check it with `radtier config check`.\n")
	section := ""
	for _, k := range Keys() {
		name, indent := k.Name, ""
		if s, rest, ok := strings.Cut(k.Name, "."); ok {
			if s != section {
				if section == "" {
					b.WriteString("\n" + listsExample())
				}
				fmt.Fprintf(&b, "\n%s:\n", s)
				section = s
			}
			name, indent = rest, "  "
		} else {
			b.WriteString("\n")
		}
		for _, line := range strings.Split(k.Doc, "\n") {
			fmt.Fprintf(&b, "%s# %s\n", indent, line)
		}
		unit := ""
		if k.Unit != "" {
			unit = "In " + k.Unit + ". "
		}
		value := quote(k.Default)
		if k.List {
			value = "[" + value + "]"
		}
		fmt.Fprintf(&b, "%s# %s$%s\n%s%s: %s\n", indent, unit, k.Env(), indent, name, value)
		if k.Name == beforeCodec {
			b.WriteString(codecExample())
		}
	}
	return b.String()
}

func quote(s string) string {
	if s == "" || s == "none" {
		return `""`
	}
	return s
}

// Markdown is docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"<!-- Made from the table in cmd/radtier/config: go test ./cmd/radtier/config -update -->\n\n" +
		"Radtier runs without any configuration: data goes to `./radtier-data`. To change something, write a YAML file. It is looked for as\n\n" +
		"1. `--config FILE`,\n2. `$RADTIER_CONFIG`,\n3. `./" + FileName + "`,\n4. `~/.config/radtier/" + FileName + "` (or below `$XDG_CONFIG_HOME`),\n\n" +
		"and the first one found is the only one read. `radtier config example > " + FileName + "` writes one with every key and its meaning;\n" +
		"`radtier config check` tells what is wrong with it, with the line; `radtier config show --origin` prints what is in effect and where each value comes from.\n\n" +
		"An environment variable overrides the file, a command-line flag (`--data`, `--tenant`) overrides both. Unknown keys are errors.\n" +
		"Sizes are written `512MiB`, `1GiB` (powers of 1024) or `2GB` (powers of 1000), durations `30s`, `10m`, `2h30m`, `3d`.\n" +
		"`data` in a file is relative to that file's folder, elsewhere to the current directory; all other paths are relative to `data`.\n\n" +
		"| key | default | unit | environment | meaning |\n|---|---|---|---|---|\n")
	row := func(k Key, env string) {
		def := "`" + k.Default + "`"
		if k.Default == "" {
			def = "empty"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, def, k.Unit, env, strings.ReplaceAll(k.Doc, "\n", " "))
	}
	for _, k := range Keys() {
		if strings.HasPrefix(k.Name, "catalog.driver") {
			for _, t := range append(TierKeys(), SourceKeys()...) {
				row(t, "")
			}
		}
		row(k, "`"+k.Env()+"`")
		if k.Name == beforeCodec {
			for _, c := range codecKeys() {
				row(c, "")
			}
		}
	}
	b.WriteString("\nSecrets (passwords, keys of buckets, the password in `catalog.dsn`) are never printed: `config show`, logs and errors have asterisks in their place.\n" +
		"A `RADTIER_` variable that resembles a key, or begins like a section, and is none is an error; others are ignored, and `config check` lists them.\n\n" +
		"A file for production, with Ceph RGW, PostgreSQL and Redis Sentinel, is [production.yaml](production.yaml).\n")
	return b.String()
}
