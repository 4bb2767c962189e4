package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
)

func newConfig(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check or write the configuration",
		Long: `The configuration is one YAML file: --config FILE, $RADTIER_CONFIG, ./radtier.yaml, or
~/.config/radtier/radtier.yaml; the first one found is the only one read. Without any, the defaults
are in effect and data lies in ./radtier-data.

  radtier config example > radtier.yaml    # every key with its meaning and default
  radtier config check                     # what is wrong, with the line
  radtier config show --origin             # what is in effect, and where it comes from

Every key can be overridden by an environment variable: worker.memory is RADTIER_WORKER_MEMORY.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow(p), newConfigCheck(p), newConfigExample(p))
	return cmd
}

func newConfigExample(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a configuration file with every key, its meaning and its default",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(p.stdout, config.Example())
			return err
		},
	}
}

func newConfigCheck(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration without touching anything",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			where := cfg.File
			if where == "" {
				where = "built-in defaults (no file found)"
			}
			if _, err = fmt.Fprintf(p.stdout, "%s: correct\n", where); err == nil && len(cfg.Ignored) > 0 {
				_, err = fmt.Fprintf(p.stdout, "these environment variables are no keys and are ignored: %s\n", strings.Join(cfg.Ignored, ", "))
			}
			return err
		},
	}
}

// configLine is one setting as `config show` prints it.
type configLine struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

func newConfigShow(p *program) *cobra.Command {
	var origin, asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the configuration in effect, secrets hidden",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			lines := configLines(cfg)
			if asJSON {
				return printJSON(p.stdout, lines)
			}
			t := table{head: []string{"key", "value"}}
			if origin {
				t.head = append(t.head, "origin")
			}
			for _, l := range lines {
				row := []string{l.Key, fmt.Sprint(l.Value)}
				if origin {
					row = append(row, l.Origin)
				}
				t.add(row...)
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func configLines(cfg *config.Config) []configLine {
	var lines []configLine
	for _, k := range config.Keys() {
		if k.Name == "catalog.driver" {
			lines = append(lines, tierLines(cfg)...)
		}
		if k.Name == "log.level" {
			lines = append(lines, codecLines(cfg)...)
		}
		lines = append(lines, configLine{k.Name, k.Value(cfg), cfg.Origin(k.Name)})
	}
	return lines
}

func codecLines(cfg *config.Config) []configLine {
	const key = "worker.codec"
	if len(cfg.Worker.Codec) == 0 {
		return []configLine{{key, string(cfg.Worker.Codec.For("", "")), cfg.Origin(key)}}
	}
	var lines []configLine
	for i := range cfg.Worker.Codec {
		for _, v := range cfg.Worker.CodecValues(i) {
			lines = append(lines, configLine{fmt.Sprintf("%s[%d].%s", key, i, v.Name), v.Value, cfg.Origin(key)})
		}
	}
	return lines
}

func tierLines(cfg *config.Config) []configLine {
	var lines []configLine
	add := func(list string, i int, values []config.ItemValue) {
		for _, v := range values {
			lines = append(lines, configLine{fmt.Sprintf("%s[%d].%s", list, i, v.Name), v.Value, cfg.Origin(list)})
		}
	}
	for i, t := range cfg.Tiers {
		add("tiers", i, t.Values())
		if len(t.Classes) > 0 {
			lines = append(lines, configLine{fmt.Sprintf("tiers[%d].classes", i), t.Classes.Names(), cfg.Origin("tiers")})
		}
	}
	for i, s := range cfg.Sources {
		add("sources", i, s.Values())
	}
	return lines
}
