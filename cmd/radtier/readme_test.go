package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit/synth"
)

// TestReadme types every `bin/radtier` command of the README, in order, as a
// newcomer would: in an empty folder, after the demo made its source files.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "radtier"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, s := range synth.Demo(synth.Options{Seed: 1, Scale: 0.1}) {
		if _, _, err := s.WriteTo(filepath.Join(dir, "demo-output", "source", s.Instances[0].StudyUID)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(command string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	study, commands := "", 0
	for line := range strings.Lines(string(readme)) {
		if !strings.HasPrefix(line, "bin/radtier ") {
			continue
		}
		command, _, _ := strings.Cut(strings.TrimSpace(line), " #")
		if strings.Contains(command, "STUDY") && study == "" {
			first, _, _ := strings.Cut(run("bin/radtier studies --json"), "\n")
			var row struct{ Study string }
			if err := json.Unmarshal([]byte(first), &row); err != nil || row.Study == "" {
				t.Fatalf("studies --json printed %q: %v", first, err)
			}
			study = row.Study[:8]
		}
		run(strings.ReplaceAll(command, "STUDY", study))
		commands++
	}
	if commands < 6 {
		t.Errorf("%d commands found in the README", commands)
	}
	for _, path := range []string{"out", "plain", "study.jpg"} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Errorf("the README's session leaves no %s: %v", path, err)
		}
	}
}
