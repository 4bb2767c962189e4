// Package testkit has what tests of several packages share: where the corpus
// and outside tools are, synthetic studies, faulty stores, a fake clock.
// Product code does not import it, except for `radtier demo`, which shows synthetic studies.
package testkit

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus returns the folder of the DICOM test corpus: $RADTIER_CORPUS, else
// ../shared/corpus beside the module. Without one the test is skipped by name.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("RADTIER_CORPUS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err != nil {
		t.Skipf("%s: no DICOM corpus: set RADTIER_CORPUS to a folder with MANIFEST.tsv", t.Name())
	}
	return dir
}

// CorpusFile is one row of the corpus's MANIFEST.tsv, by column name.
type CorpusFile map[string]string

// CorpusFiles reads the manifest of the corpus in dir.
func CorpusFiles(t testing.TB, dir string) []CorpusFile {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	var rows []CorpusFile
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cols := strings.Split(sc.Text(), "\t")
		if names == nil {
			names = cols
			continue
		}
		row := CorpusFile{}
		for i, c := range cols {
			if i < len(names) {
				row[names[i]] = c
			}
		}
		rows = append(rows, row)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// Tool returns the path of an outside program, or skips the test by name and says which Debian package has it.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s: %s is not installed; ./scripts/test installs it (Debian package %s)", t.Name(), name, debianPackage[name])
	}
	return path
}

var debianPackage = map[string]string{
	"dcmdump": "dcmtk", "dcmdjpls": "dcmtk", "dcmcjpls": "dcmtk", "dcmconv": "dcmtk", "dcmj2pnm": "dcmtk", "dcmdrle": "dcmtk", "dcmcrle": "dcmtk",
	"gdcmconv": "libgdcm-tools", "gdcmraw": "libgdcm-tools",
	"dciodvfy": "dicom3tools", "dcentvfy": "dicom3tools", "redis-server": "redis-server", "unzip": "unzip", "python3": "python3",
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("go.mod not found above the test's folder")
		}
		dir = up
	}
}
