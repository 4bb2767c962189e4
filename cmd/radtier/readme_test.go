package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit/synth"
)

// serversHeading begins the part of the README that needs servers.
const serversHeading = "\n## On real servers\n"

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
	study, commands := "", 0
	for _, s := range synth.Demo(synth.Options{Seed: 1, Scale: 0.1}) {
		if _, _, err := s.WriteTo(filepath.Join(dir, "demo-output", "source", s.Instances[0].StudyUID)); err != nil {
			t.Fatal(err)
		}
		if s.Lesion != nil {
			if err := os.WriteFile(filepath.Join(dir, "demo-output", demoLesions), s.Annotation(), 0o644); err != nil {
				t.Fatal(err)
			}
			study = s.UID
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
	local, _, _ := strings.Cut(string(readme), serversHeading)
	for line := range strings.Lines(local) {
		if !strings.HasPrefix(line, "bin/radtier ") {
			continue
		}
		command, _, _ := strings.Cut(strings.TrimSpace(line), " #")
		run(strings.ReplaceAll(command, "STUDY", study))
		commands++
	}
	if commands < 6 {
		t.Errorf("%d commands found in the README", commands)
	}
	for _, path := range []string{"out", "plain", "study.jpg", "regions.png", "lesions"} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Errorf("the README's session leaves no %s: %v", path, err)
		}
	}
}
