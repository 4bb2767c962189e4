package interleave

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edit replaces one piece of a source file, relative to the module.
type edit struct{ file, old, new string }

// broken are ways to break the protocol, and what must be said of each.
var broken = []struct {
	name  string
	pair  string // which schedules are enough to see it
	edits []edit
	says  string // part of the report
}{
	{"skip the fence", "worker, second worker", []edit{{"internal/catalog/decide.go",
		"	case head.Key != parent:\n", "	case head.Key != parent && false:\n"},
		{"internal/catalog/decide.go", "(job.State != JobRunning || job.Attempt != d.in.Attempt || job.StudyKey != d.in.Key || d.in.Token != \"\" && job.Token != d.in.Token || !job.LeaseUntil.After(now))",
			"job.StudyKey != d.in.Key"}}, "fork"},
	{"publish before COMMIT", "worker, late SR", []edit{{"internal/catalog/commit.go",
		"	if err := in.Hooks.Step(ctx, StepManifestPut); err != nil {\n",
		"	if _, err := store.Put(ctx, PublishedKey(ref.Key), strings.NewReader(\"\"), objstore.PutOptions{}); err != nil {\n		return nil, err\n	}\n" +
			"	if err := in.Hooks.Step(ctx, StepManifestPut); err != nil {\n"}}, ""},
	{"sweep by age only", "worker, sweep", []edit{
		{"lifecycle/sweep.go", "			if open {\n", "			if false && open {\n"},
		{"lifecycle/sweep.go", "	granted, err := s.db.MarkDeleting(ctx, study.Tenant, study.Hash, headKey, ask)\n", "	granted, err := ask, error(nil)\n"}}, ""},
	{"reuse a key", "worker, late SR", []edit{{"worker/derive.go",
		"	return catalog.PackKey(d.key, d.job.ID, d.job.Attempt, n)\n", "	return catalog.PackKey(d.key, d.job.ID, 1, n)\n"},
		{"worker/bundle.go", "catalog.HotKey(d.key, d.job.ID, d.job.Attempt)", "catalog.HotKey(d.key, d.job.ID, 1)"}}, ""},
	{"acknowledge early", "worker, late SR", []edit{{"internal/catalog/outbox.go",
		" AND (s.published = 1 OR s.generation > outbox.generation)", ""}}, "acknowledged early"},
}

// TestBrokenProtocolIsCaught proves that the schedules can fail: each break is
// built into the product by an overlay of its sources, and the same tests must find it.
func TestBrokenProtocolIsCaught(t *testing.T) {
	if os.Getenv(brokenEnv) != "" {
		t.Skip("this is a broken build")
	}
	if testing.Short() {
		t.Skip("builds five broken programs")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			dir := t.TempDir()
			replace := map[string]string{}
			for i, e := range b.edits {
				path := filepath.Join(root, e.file)
				from := path
				if replace[path] != "" {
					from = replace[path]
				}
				src, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(string(src), e.old); n != 1 {
					t.Fatalf("%s has %d places like this, want 1; adapt the break to the code as it is now:\n%s", e.file, n, e.old)
				}
				replace[path] = filepath.Join(dir, string(rune('a'+i))+".go")
				if err := os.WriteFile(replace[path], []byte(strings.Replace(string(src), e.old, e.new, 1)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			overlay, err := json.Marshal(map[string]any{"Replace": replace})
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(name, overlay, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-overlay", name, "-run", "TestPairs/"+strings.ReplaceAll(b.pair, " ", "_"), "./worker/interleave")
			cmd.Dir = root
			cmd.Env = append(os.Environ(), brokenEnv+"=1")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Error("nobody noticed")
			case !strings.Contains(string(out), "choices that matter"):
				t.Errorf("the broken program failed in another way:\n%s", tail(out))
			case !strings.Contains(string(out), b.says):
				t.Errorf("it was noticed, but not as %q:\n%s", b.says, tail(out))
			default:
				_, line, _ := strings.Cut(string(out), "interleave_test.go:")
				line, _, _ = strings.Cut(line, "trace:")
				t.Log(line)
			}
		})
	}
}

// brokenEnv marks a run of a broken build.
const brokenEnv = "RADTIER_TEST_BROKEN"

func tail(out []byte) string { return string(out[max(0, len(out)-4000):]) }
