package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// machinePath is an absolute path that exists on one machine only: a
// checkout or a home folder. A path inside a URL or behind a module's root is none.
var machinePath = regexp.MustCompile(`(?:^|[^\w./$})-])/(?:work|root|Users|home/\w[\w-]*)/[\w.][\w./-]*`)

func TestNoMachinePaths(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skipf("%s: git is not installed (Debian package git)", t.Name())
	}
	if _, err := os.Stat(filepath.Join(root(t), ".git")); err != nil {
		t.Skipf("%s: not a git checkout", t.Name())
	}
	files := strings.Split(strings.TrimRight(string(command(t, nil, "git", "ls-files", "-z")), "\x00"), "\x00")
	if len(files) < 10 {
		t.Fatalf("git lists %d files", len(files))
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			continue // removed from the work tree, a link, or binary
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := machinePath.FindString(line); m != "" {
				t.Errorf("%s:%d: a path of one machine: %s", name, i+1, strings.TrimSpace(m))
			}
		}
	}
}

func TestMachinePathPattern(t *testing.T) {
	slash := "/"
	for text, want := range map[string]bool{
		"see " + slash + "work/main/go.mod":          true,
		"\"" + slash + "work/shared\"":               true,
		slash + "root/.cache/x":                      true,
		"dir=" + slash + "home/alice/src":            true,
		"(" + slash + "Users/alice/src)":             true,
		"https://example.org" + slash + "work/x":     false,
		"$HOME" + slash + "work/x":                   false,
		"../shared" + slash + "work/x":               false,
		slash + "var/lib/radtier":                    false,
		"the folder " + slash + "work" + slash + " ": false,
	} {
		if got := machinePath.MatchString(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
