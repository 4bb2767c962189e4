package config

import (
	"fmt"
	"strings"
)

// tiersExample stands for the default of the one key that is a list.
const tiersExample = `# Object stores, hot to cold. New studies, manifests and hot bundles go to the first.
#   name     Name of the tier in manifests: never rename one that is in use.
#   kind     file: objects are files in a directory.
#   path     Directory of kind file, relative to ` + "`data`" + `.
#   classes  Storage classes, hot to cold, each a directory below path; new objects get the first. Per class:
#            name, min_days (billed at least), archive (must be restored to be read), restore_delay.
tiers:
  - name: hot
    kind: file
    path: objects
    classes:
      - name: STANDARD
`

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
					b.WriteString("\n" + tiersExample)
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
		fmt.Fprintf(&b, "%s# %s$%s\n%s%s: %s\n", indent, unit, k.Env(), indent, name, quote(k.Default))
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
			for _, t := range TierKeys() {
				row(t, "")
			}
		}
		row(k, "`"+k.Env()+"`")
	}
	b.WriteString("\n`queue.password` is never printed: `config show`, logs and errors have asterisks in its place.\n")
	return b.String()
}
