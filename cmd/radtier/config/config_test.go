package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

func sources(env map[string]string) Sources {
	return Sources{Dir: "/here", Env: func(k string) string { return env[k] }}
}

func TestExampleIsTheDefault(t *testing.T) {
	want, err := load(sources(nil), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := load(sources(nil), "/here/radtier.yaml", []byte(Example()))
	if err != nil {
		t.Fatalf("the example does not load: %v\n%s", err, Example())
	}
	for _, k := range Keys() {
		if k.Value(got) != k.Value(want) {
			t.Errorf("%s: example has %q, default is %q", k.Name, k.Value(got), k.Value(want))
		}
		if !strings.Contains(Example(), k.Env()) || k.Doc == "" {
			t.Errorf("%s: the example does not say everything of it", k.Name)
		}
	}
	if fmt.Sprint(got.Tiers) != fmt.Sprint(want.Tiers) {
		t.Errorf("tiers: example has %v, default is %v", got.Tiers, want.Tiers)
	}
}

func TestDocumentation(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Errorf("docs/configuration.md is not what the table of keys says: run go test ./cmd/radtier/config -update")
	}
}

func TestPrecedenceAndOrigin(t *testing.T) {
	file := "data: mydata\nworker:\n  memory: 2GiB\n  grace: 10s\nlog: {level: debug}\n"
	s := sources(map[string]string{"RADTIER_WORKER_GRACE": "1m", "RADTIER_LOG_LEVEL": "error"})
	c, err := load(s, "/etc/radtier/radtier.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ key, value, origin string }{
		{"data", "/etc/radtier/mydata", "/etc/radtier/radtier.yaml:1"},
		{"catalog.path", "/etc/radtier/mydata/catalog.db", "default"},
		{"worker.memory", "2GiB", "/etc/radtier/radtier.yaml:3"},
		{"worker.grace", "1m", "$RADTIER_WORKER_GRACE"},
		{"log.level", "error", "$RADTIER_LOG_LEVEL"},
		{"worker.lease", "1m", "default"},
	} {
		for _, k := range Keys() {
			if k.Name == x.key && (k.Value(c) != x.value || c.Origin(k.Name) != x.origin) {
				t.Errorf("%s = %q from %q, want %q from %q", x.key, k.Value(c), c.Origin(k.Name), x.value, x.origin)
			}
		}
	}
	s.Data = "flagged"
	if c, err = load(s, "/etc/radtier/radtier.yaml", []byte(file)); err != nil || c.Data != "/here/flagged" || c.Origin("data") != "--data" {
		t.Errorf("with --data: %q from %q, %v; want /here/flagged from --data", c.Data, c.Origin("data"), err)
	}
}

func TestMistakes(t *testing.T) {
	for _, x := range []struct{ file, want string }{
		{"wroker:\n  memory: 1GiB\n", "radtier.yaml:1: wroker: there is no such key"},
		{"worker:\n  memry: 1GiB\n", "radtier.yaml:2: worker.memry: there is no such key: do you mean worker.memory?"},
		{"\nmemory: 1GiB\n", "radtier.yaml:2: memory: there is no such key at this place: it belongs into section worker"},
		{"worker:\n  memory: lots\n", `radtier.yaml:2: worker.memory: "lots" is not a number of bytes`},
		{"worker:\n  memory: 1MiB\n", "radtier.yaml:2: worker.memory: 1MiB is not from 64MiB"},
		{"worker:\n  studies: 0\n", "radtier.yaml:2: worker.studies:"},
		{"worker:\n  lease: 1s\n", "radtier.yaml:2: worker.lease:"},
		{"worker: 7\n", "radtier.yaml:1: worker: keys and values are wanted here"},
		{"worker:\n  cores: [1]\n", "radtier.yaml:2: worker.cores: a single value is wanted here"},
		{"tenant: a/b\n", "radtier.yaml:1: tenant:"},
		{"data: x\ndata: y\n", "radtier.yaml:2: data: it is there twice"},
		{"queue:\n  kind: redis\n  address: nowhere\n", `radtier.yaml:3: queue.address: "nowhere" is neither`},
		{"queue:\n  username: bob\n", "radtier.yaml:2: queue.username: it needs queue.password"},
		{"tiers: []\n", "radtier.yaml:1: tiers: a list of at least one tier"},
		{"tiers:\n- name: a\n  path: p\n- name: a\n  path: q\n", `radtier.yaml:4: tiers[].name: two tiers are called "a"`},
		{"tiers:\n- name: a\n  path: p\n  kind: s3\n", `radtier.yaml:4: tiers[].kind: "s3" is not known`},
		{"tiers:\n- name: a\n", "radtier.yaml:2: tiers[].path: tier a needs a directory"},
		{"tiers:\n- {name: a, path: p, classes: [{name: COLD, archive: true}]}\n", "radtier.yaml:2: tiers[].classes:"},
		{"log: {level: loud}\n", `radtier.yaml:1: log.level: "loud" is not known: use debug, info, warn, error`},
		{"data: [\n", "configuration: radtier.yaml: "},
		{"data: a\n---\ndata: b\n", "a second document begins here"},
	} {
		_, err := load(sources(nil), "/here/radtier.yaml", []byte(x.file))
		var conf *Error
		if !errors.As(err, &conf) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error is %v\nwant one with %q\nfile:\n%s", err, x.want, x.file)
		}
	}
	_, err := load(sources(map[string]string{"RADTIER_WORKER_CORES": "many"}), "", nil)
	if want := `$RADTIER_WORKER_CORES: worker.cores: "many"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

func TestSecretIsHidden(t *testing.T) {
	c, err := load(sources(map[string]string{"RADTIER_QUEUE_PASSWORD": "tiger"}), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Queue.Password.Reveal() != "tiger" {
		t.Errorf("password is %q, want tiger", c.Queue.Password.Reveal())
	}
	for _, text := range []string{fmt.Sprint(c.Queue), fmt.Sprintf("%+v %#v %q", c.Queue, c.Queue, c.Queue.Password)} {
		if strings.Contains(text, "tiger") {
			t.Errorf("the password is shown: %s", text)
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "17 B": 17, "1KiB": 1024, "1 kB": 1000, "1.5GB": 15e8, "2TiB": 2 << 40, "1073741824": 1 << 30} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "1.5", "1XB", "1GiBB", "9e99GB", "99999999999TiB", "NaNGB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
	for _, n := range []int64{0, 1, 1000, 1024, 1536, 1 << 30, 3 << 40} {
		if got, err := ParseBytes(FormatBytes(n)); err != nil || got != n {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", FormatBytes(n), got, err, n)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"3d": 72 * time.Hour, "90s": 90 * time.Second, "2h30m": 150 * time.Minute, "0s": 0} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
		if back, err := ParseDuration(FormatDuration(got)); err != nil || back != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", FormatDuration(got), back, err, want)
		}
	}
	for _, text := range []string{"", "5", "-1s", "1y"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}
