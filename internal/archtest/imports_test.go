package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root returns the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command runs a program in the module's folder and returns its standard output.
func command(t *testing.T, env []string, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out.Bytes()
}

// packages lists the project for one operating system, since files differ by build constraints.
func packages(t *testing.T, goos string) []Package {
	t.Helper()
	out := command(t, []string{"GOOS=" + goos, "CGO_ENABLED=0"}, "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	var list []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, Package{p.ImportPath, p.Imports})
	}
}

func TestImports(t *testing.T) {
	var list []Package
	for _, goos := range []string{"linux", "windows"} {
		list = append(list, packages(t, goos)...)
	}
	if !slices.ContainsFunc(list, func(p Package) bool {
		return p.Path == module+"/codecs/all" && slices.Contains(p.Imports, module+"/codecs/rle")
	}) {
		t.Fatalf("go list does not say that codecs/all imports codecs/rle; it lists %d packages", len(list))
	}
	for _, v := range slices.Compact(Violations(list)) {
		t.Error(v)
	}
}

// TestRulesCatch gives each kind of rule something to find.
func TestRulesCatch(t *testing.T) {
	for _, row := range []struct {
		importer, imported string
		want               string // part of the message, "" if the import is fine
	}{
		{"cmd/radtier", "worker", ""},
		{"cmd/radtier", "internal/testkit", ""},
		{"bench", "worker", ""},
		{"bench", "cmd/radtier", "bench may import"},
		{"worker", "internal/pack", ""},
		{"worker", "codecs/jpegls", ""},
		{"worker", "bench", "worker may import"},
		{"worker", "internal/testkit", "is for tests"},
		{"lifecycle", "internal/catalog", ""},
		{"lifecycle/cost", "lifecycle", "nothing of the project"},
		{"lifecycle", "worker", "lifecycle may import"},
		{"lifecycle", "internal/dcm", "lifecycle may import"},
		{"roi", "codecs", ""},
		{"roi", "codecs/jpegls", "roi may import internal/dcm, internal/render, codecs:"},
		{"internal/dcm", "codecs", ""},
		{"internal/dcm", "codecs/rle", "internal/dcm may import codecs:"},
		{"internal/dcm", "internal/pack", "internal/dcm may import"},
		{"internal/objstore/file", "internal/objstore", ""},
		{"internal/objstore/file", "codecs", "nothing of the project"},
		{"internal/catalog", "internal/catalog/catalogtest", "is for tests"},
		{"internal/novelty", "codecs", "internal/novelty has no rule"},
		{"codecs/all", "codecs/rle", ""},
		{"codecs/rle", "codecs", ""},
		{"codecs/rle", "codecs/jpegls", "codecs may import"},
		{"codecs/htj2k", "codecs/internal/jp2k/ht", ""},
		{"codecs/rle", "internal/dcm", "codecs may import"},
		{"codecs", "codecs/rle", "codecs may import"},
		{"codecs/rle", "golang.org/x/sys/cpu", ""},
		{"codecs/rle", "math/bits", ""},
		{"codecs/rle", "golang.org/x/sync/errgroup", "standard library and golang.org/x/sys/cpu only"},
		{"worker", "github.com/hibiken/asynq", ""},
		{"cmd/radtier", "github.com/hibiken/asynq", "its only door is worker"},
		{"internal/catalog", "github.com/redis/go-redis/v9", "its only door is worker"},
		{"internal/objstore/s3", "github.com/aws/aws-sdk-go-v2/service/s3", ""},
		{"internal/objstore/mem", "github.com/aws/aws-sdk-go-v2/service/s3", "internal/objstore/s3"},
		{"worker", "github.com/suyashkumar/dicom/pkg/tag", "its only door is internal/dcm"},
		{"worker", "database/sql", "its only door is internal/catalog"},
		{"internal/render", "github.com/klauspost/compress/zstd", "internal/pack and internal/catalog"},
	} {
		imported := row.imported
		if first, _, _ := strings.Cut(imported, "/"); slices.Contains([]string{"cmd", "bench", "worker", "lifecycle", "roi", "internal", "codecs"}, first) {
			imported = module + "/" + imported
		}
		got := strings.Join(Violations([]Package{{module + "/" + row.importer, []string{imported}}}), "\n")
		if (row.want == "") != (got == "") || !strings.Contains(got, row.want) {
			t.Errorf("%s importing %s: got %q, want %q", row.importer, row.imported, got, row.want)
		}
	}
}

// TestEveryRuleHasItsReason keeps the tables readable, and rules for packages that are gone out of them.
func TestEveryRuleHasItsReason(t *testing.T) {
	for i, l := range layers {
		if l.why == "" {
			t.Errorf("the layer %s has no reason", l.folder)
		}
		for _, earlier := range layers[:i] {
			if under(l.folder, earlier.folder) {
				t.Errorf("the layer %s is hidden by %s before it", l.folder, earlier.folder)
			}
		}
	}
	for _, d := range doors {
		if d.why == "" || len(d.folders) == 0 {
			t.Errorf("the door of %s has no reason or no folder", d.library)
		}
	}
}

// TestBuildsForARM64 compiles everything, since many of the machines that run radtier are not amd64.
func TestBuildsForARM64(t *testing.T) {
	if testing.Short() {
		t.Skipf("%s: compiles the project and its dependencies once more; run without -short", t.Name())
	}
	command(t, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"}, "go", "build", "./...")
}
