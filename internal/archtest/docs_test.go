package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameTests: every test that a document names exists.
func TestDocsNameTests(t *testing.T) {
	dir := root(t)
	declared := map[string]bool{}
	var documents []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != dir:
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			raw, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(raw, -1) {
				declared[string(m[1])] = true
			}
			return err
		case strings.HasSuffix(path, ".md"):
			documents = append(documents, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, path := range documents {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`(Test[A-Z]\\w+)").FindAllSubmatch(raw, -1) {
			if named++; !declared[string(m[1])] {
				t.Errorf("%s names %s, which is no test", filepath.Base(path), m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("documents name %d tests, want at least 20", named)
	}
}
