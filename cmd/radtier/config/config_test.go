package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/worker"
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
	file := "data: mydata\nworker:\n  memory: 2GiB\n  grace: 10s\n  preview_share: 7.5%\nlog: {level: debug}\n"
	s := sources(map[string]string{"RADTIER_WORKER_GRACE": "1m", "RADTIER_WORKER_PREVIEW_SAMPLES": "256", "RADTIER_LOG_LEVEL": "error"})
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
		{"worker.preview_share", "7.5", "/etc/radtier/radtier.yaml:5"},
		{"worker.preview_samples", "256", "$RADTIER_WORKER_PREVIEW_SAMPLES"},
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
		{"worker:\n  preview_samples: -1\n", `radtier.yaml:2: worker.preview_samples: "-1" is not a whole number from 0 to 4096`},
		{"worker:\n  preview_share: 0\n", `radtier.yaml:2: worker.preview_share: "0" is no share in percent: write a number from 0.1 to 100`},
		{"worker:\n  preview_share: NaN\n", `radtier.yaml:2: worker.preview_share: "NaN" is no share in percent`},
		{"worker:\n  lease: 1s\n", "radtier.yaml:2: worker.lease:"},
		{"worker: 7\n", "radtier.yaml:1: worker: keys and values are wanted here"},
		{"worker:\n  cores: [1]\n", "radtier.yaml:2: worker.cores: a single value is wanted here"},
		{"tenant: a/b\n", "radtier.yaml:1: tenant:"},
		{"data: x\ndata: y\n", "radtier.yaml:2: data: it is there twice"},
		{"queue:\n  kind: redis\n  addresses: nowhere\n", `radtier.yaml:3: queue.addresses: "nowhere" is neither`},
		{"queue:\n  kind: redis\n  address: a:1\n", "radtier.yaml:3: queue.address: there is no such key: do you mean queue.addresses?"},
		{"queue:\n  addresses: [a:1]\n", "radtier.yaml:2: queue.addresses: the embedded queue has no address"},
		{"queue:\n  kind: redis\n  addresses: [a:1, b:2]\n", "radtier.yaml:3: queue.addresses: one server is wanted"},
		{"queue:\n  kind: sentinel\n  addresses: [a:1, b:2]\n", "radtier.yaml:2: queue.kind: sentinel needs queue.master_name"},
		{"queue:\n  kind: cluster\n  addresses: [a:1, b:2]\n  db: 3\n", "radtier.yaml:4: queue.db: a cluster has database 0"},
		{"queue:\n  kind: redis\n  addresses: [[a]]\n", "radtier.yaml:3: queue.addresses: a single value"},
		{"queue: {kind: redis, ca_file: x}\n", "radtier.yaml:1: queue.ca_file: it needs queue.tls"},
		{"queue: {kind: redis, tls: true, key_file: x}\n", "radtier.yaml:1: queue.key_file: queue.cert_file and queue.key_file go together"},
		{"catalog: {driver: postgres}\n", "radtier.yaml:1: catalog.driver: postgres needs catalog.dsn"},
		{"catalog:\n  dsn: postgres://a/b\n", "radtier.yaml:2: catalog.dsn: it is for driver postgres"},
		{"tiers:\n- name: a\n  kind: s3\n", "radtier.yaml:2: tiers[].bucket: it is missing"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  path: x\n", "radtier.yaml:5: tiers[].path: it is for kind file only"},
		{"tiers:\n- name: a\n  path: p\n  bucket: bbb\n", "radtier.yaml:4: tiers[].bucket: it is for kind s3 only"},
		{"tiers:\n- {name: a, kind: s3, bucket: bbb, acces_key: k}\n", "radtier.yaml:2: tiers[].acces_key: there is no such key: do you mean access_key?"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  access_key: k\n", "radtier.yaml:2: tiers[].secret_key: access_key and secret_key go together"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  endpoint: ftp://x\n", "radtier.yaml:5: tiers[].endpoint: it must be a URL"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  part_size: 1MiB\n", "radtier.yaml:5: tiers[].part_size: 1MiB is not from 5MiB"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  prefix: x\n", "radtier.yaml:5: tiers[].prefix:"},
		{"tiers:\n- name: a\n  kind: s3\n  bucket: bbb\n  classes: [{name: C, archive: true, restore_delay: 1h}]\n", "radtier.yaml:5: tiers[].classes"},
		{"sources:\n- bucket: bbb\n- bucket: bbb\n", `radtier.yaml:3: sources[].bucket: two sources are bucket "bbb"`},
		{"sources:\n- bucket: bbb\n  prefix: x/\n", "radtier.yaml:3: sources[].prefix: there is no such key"},
		{"sources: 7\n", "radtier.yaml:1: sources: a list of buckets"},
		{"queue:\n  username: bob\n", "radtier.yaml:2: queue.username: it needs queue.password"},
		{"worker:\n  codec: jpegls\n", "radtier.yaml:2: worker.codec: a list of rules is wanted here"},
		{"worker:\n  codec:\n  - modality: MG\n", "radtier.yaml:3: worker.codec[].use: it is missing: name the codec, htj2k, jpegls"},
		{"worker:\n  codec:\n  - modality: MG\n    use: jpeg\n", `radtier.yaml:4: worker.codec[].use: "jpeg" is not known: use htj2k, jpegls`},
		{"worker:\n  codec:\n  - modality: mg\n    use: jpegls\n", `radtier.yaml:3: worker.codec[].modality: "mg" is no modality`},
		{"worker:\n  codec:\n  - {modality: [MG, CR, MG], use: jpegls}\n", `radtier.yaml:3: worker.codec[].modality: MG is there twice`},
		{"worker:\n  codec:\n  - {class: CT Image Storage, use: jpegls}\n", `radtier.yaml:3: worker.codec[].class: "CT Image Storage" is no SOP Class UID`},
		{"worker:\n  codec:\n  - {class: '', use: jpegls}\n", `radtier.yaml:3: worker.codec[].class: it is empty`},
		{"worker:\n  codec:\n  - {modalities: CT, use: jpegls}\n", "radtier.yaml:3: worker.codec[].modalities: there is no such key; a rule has modality, class and use"},
		{"worker:\n  codec:\n  - use: htj2k\n  - {modality: MG, use: jpegls}\n", "radtier.yaml:4: worker.codec[1]: no instance reaches it: all that it is about is decided by rule 1"},
		{"worker:\n  codec:\n  - {modality: MG, use: htj2k}\n  - {modality: CR, use: htj2k}\n  - {modality: 'CR,MG', use: jpegls}\n", "radtier.yaml:5: worker.codec[2]: no instance reaches it: all that it is about is decided by rules 1 and 2"},
		{"tiers: []\n", "radtier.yaml:1: tiers: a list of at least one tier"},
		{"tiers:\n- name: a\n  path: p\n- name: a\n  path: q\n", `radtier.yaml:4: tiers[].name: two tiers are called "a"`},
		{"tiers:\n- name: a\n  path: p\n  kind: s4\n", `radtier.yaml:4: tiers[].kind: "s4" is not known`},
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

func TestCodecRules(t *testing.T) {
	file := "worker:\n  cores: 1\n  codec:\n  - modality: [CR, MG]\n    use: jpegls\n  - modality: CT\n    class: 1.2.3, 1.2.4\n    use: htj2k\n  - use: jpegls\n"
	c, err := load(sources(nil), "/here/radtier.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	want := worker.CodecRules{
		{Modalities: []string{"CR", "MG"}, Use: worker.JPEGLS},
		{Modalities: []string{"CT"}, Classes: []string{"1.2.3", "1.2.4"}, Use: worker.HTJ2K},
		{Use: worker.JPEGLS},
	}
	if !reflect.DeepEqual(c.Worker.Codec, want) || c.Origin("worker.codec") != "radtier.yaml:3" {
		t.Errorf("rules %+v from %s, want %+v from radtier.yaml:3", c.Worker.Codec, c.Origin("worker.codec"), want)
	}
	if got := fmt.Sprint(c.Worker.CodecValues(1)); got != "[{modality CT} {class 1.2.3,1.2.4} {use htj2k}]" {
		t.Errorf("values of rule 1: %s", got)
	}
	s := sources(nil)
	s.Environ = []string{"RADTIER_WORKER_CODEC=jpegls"}
	if _, err := load(s, "", nil); err == nil || !strings.Contains(err.Error(), "lists cannot be set by variables") {
		t.Errorf("with $RADTIER_WORKER_CODEC: error %v, want one that says where rules belong", err)
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

// TestProduction loads the example of docs/.
func TestProduction(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "production.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(sources(map[string]string{"RADTIER_CATALOG_DSN": "postgres://radtier:tiger@db/radtier?sslmode=verify-full", "RADTIER_QUEUE_PASSWORD": "tiger"}), "/etc/radtier/radtier.yaml", raw)
	if err != nil {
		t.Fatal(err)
	}
	if c.Catalog.Driver != "postgres" || c.Queue.Kind != "sentinel" || len(c.Queue.Addresses) != 3 || c.Tiers[0].Kind != "s3" || len(c.Tiers[0].Classes) < 2 || len(c.Sources) != 1 {
		t.Errorf("it says %+v", c)
	}
}

func TestUnknownVariables(t *testing.T) {
	for _, x := range []struct{ name, want string }{
		{"RADTIER_WORKER_MEMROY", "$RADTIER_WORKER_MEMROY: no key has this variable: do you mean $RADTIER_WORKER_MEMORY?"},
		{"RADTIER_DATTA", "do you mean $RADTIER_DATA?"},
		{"RADTIER_QUEUE_ADDRESS", "do you mean $RADTIER_QUEUE_ADDRESSES?"},
		{"RADTIER_QUEUE_SHARDS_AND_MORE", "no key has this variable; `radtier config example`"},
		{"RADTIER_TIERS_0_PATH", "lists cannot be set by variables"},
		{"RADTIER_CORPUS", ""}, {"RADTIER_QUEUE_PORT_6379_TCP_ADDR", ""}, {"RADTIER_QUEUE_SERVICE_HOST", ""}, {"RADTIER_WORKER_PORT", ""},
		{"RADTIER_CONFIG", ""}, {"RADTIER_WORKER_CORES", ""}, {"OTHER_WORKER_MEMROY", ""},
	} {
		s := sources(nil)
		s.Environ = []string{"PATH=/bin", x.name + "=tiger"}
		c, err := load(s, "", nil)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "tiger")) {
			t.Errorf("%s: error is %v, want %q", x.name, err, x.want)
		}
		if err == nil && (len(c.Ignored) == 1) != (x.name == "RADTIER_CORPUS") {
			t.Errorf("%s: ignored are %v", x.name, c.Ignored)
		}
	}
}

func TestStarred(t *testing.T) {
	for _, x := range []struct{ dsn, want string }{
		{"", ""},
		{"postgres://bob@db:5432/radtier?sslmode=disable", "postgres://bob@db:5432/radtier?sslmode=disable"},
		{"postgres://bob:tiger@db/radtier", "postgres://bob:********@db/radtier"},
		{"postgresql://bob:ti:ger@db,db2:5433/radtier", "postgresql://bob:********@db,db2:5433/radtier"},
		{"postgres://bob:tig@er@db/radtier", "postgres://bob:********@db/radtier"},
		{"postgres://db/radtier?user=bob&password=tiger&sslmode=disable", "postgres://db/radtier?user=bob&password=********&sslmode=disable"},
		{"postgres://db/radtier?sslpassword=tiger", "postgres://db/radtier?sslpassword=********"},
		{"postgres://bob:ti/ger@db/radtier", "********"},
		{"postgres://bob:ti?ger@db/radtier", "********"},
		{"host=db password=tiger user=bob", "host=db password=******** user=bob"},
		{"host=db password=tiger&lion user=bob", "host=db password=******** user=bob"},
		{"host=db password = 'tiger \\' lion' user=bob", "host=db password = ******** user=bob"},
		{`host=db password=tiger\ lion user=bob`, "host=db password=******** user=bob"},
		{"tiger", "********"},
	} {
		if got := starred(x.dsn); got != x.want {
			t.Errorf("starred(%q) = %q, want %q", x.dsn, got, x.want)
		}
	}
}

func TestListSecretsAreHidden(t *testing.T) {
	file := "tiers:\n- {name: a, kind: s3, bucket: bbb, access_key: tiger, secret_key: tiger, session_token: tiger}\nsources:\n- {bucket: ccc, access_key: tiger, secret_key: tiger}\ncatalog: {driver: postgres, dsn: 'postgres://u:tiger@h/d'}\n"
	c, err := load(sources(nil), "/here/radtier.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if c.Tiers[0].S3.SecretKey.Reveal() != "tiger" || c.Sources[0].AccessKey.Reveal() != "tiger" || c.Catalog.DSN.Reveal() != "postgres://u:tiger@h/d" {
		t.Errorf("keys are not kept: %#v", c)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprint(c.Tiers[0].Values(), c.Sources[0].Values(), c.Catalog.Where(), c.Tiers[0].Where())} {
		if strings.Contains(text, "tiger") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// The defaults of keys are those of the policy.
func TestRegionDefaults(t *testing.T) {
	c, err := Load(Sources{Dir: t.TempDir(), NoFile: true, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if c.Regions != roi.DefaultPolicy() {
		t.Errorf("regions: %+v, want %+v", c.Regions, roi.DefaultPolicy())
	}
}
