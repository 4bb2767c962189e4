package synth

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/testkit"
)

// TestValid has dciodvfy look at instances of every demo study, and dcentvfy at each study as a whole.
func TestValid(t *testing.T) {
	iod, ent := testkit.Tool(t, "dciodvfy"), testkit.Tool(t, "dcentvfy")
	for _, s := range Demo(Options{Seed: 7, Marker: "MARKER42", Scale: 0.1}) {
		t.Run(s.Name, func(t *testing.T) {
			dir := t.TempDir()
			if out := os.Getenv("RADTIER_SYNTH_OUT"); out != "" {
				dir = filepath.Join(out, s.Modality)
			}
			if _, _, err := s.WriteTo(dir); err != nil {
				t.Fatal(err)
			}
			var files []string
			for i := range s.Instances {
				files = append(files, filepath.Join(dir, s.Instances[i].FileName()))
			}
			for _, f := range []string{files[0], files[len(files)/2], files[len(files)-1]} {
				validate(t, iod, f)
			}
			if out, err := exec.Command(ent, files...).CombinedOutput(); err != nil || len(strings.TrimSpace(string(out))) > 0 {
				t.Errorf("dcentvfy: %v\n%s", err, out)
			}
		})
	}
}

// validate fails the test if dciodvfy finds an error or a warning.
func validate(t *testing.T, tool, file string) {
	t.Helper()
	out, err := exec.Command(tool, file).CombinedOutput()
	if err != nil {
		t.Errorf("dciodvfy: %v\n%s", err, out)
		return
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "Error") || strings.HasPrefix(line, "Warning") {
			t.Errorf("dciodvfy %s: %s", filepath.Base(file), line)
		}
	}
}

func TestDemoSpeed(t *testing.T) {
	for _, s := range Demo(Options{}) {
		start := time.Now()
		dir := t.TempDir()
		if out := os.Getenv("RADTIER_SYNTH_OUT"); out != "" {
			dir = filepath.Join(out, "full-"+s.Modality)
		}
		n, size, err := s.WriteTo(dir)
		fmt.Println(s.Name, n, size, err, time.Since(start))
	}
}
