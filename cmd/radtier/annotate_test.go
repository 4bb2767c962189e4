package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// JSON annotations are queued as late arrivals of their studies; broken ones, and those of unknown studies, are refused before anything is queued.
func TestAnnotate(t *testing.T) {
	dir := t.TempDir()
	data, src := filepath.Join(dir, "data"), filepath.Join(dir, "src")
	stdin := ""
	radtier := func(want int, args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		var errs lockedBuffer
		p := testProcess(data, &stdout, &errs, args...)
		p.stdin = strings.NewReader(stdin)
		if code := run(t.Context(), p); code != want {
			t.Fatalf("radtier %v: exit code %d, want %d\n%s%s", args, code, want, stdout.String(), errs.String())
		}
		return stdout.String() + errs.String()
	}
	s := synth.Generic(synth.GenericOptions{Instances: 2})
	if _, _, err := s.WriteTo(src); err != nil {
		t.Fatal(err)
	}
	radtier(exitDone, "ingest", "--wait", src)
	db, err := catalog.Open(t.Context(), catalog.Config{DSN: filepath.Join(data, "catalog.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var study catalog.Study
	for x, err := range db.Studies(t.Context(), catalog.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		study = x
	}
	document := func(name, uid string, revision int) string {
		t.Helper()
		path := filepath.Join(dir, name)
		text := fmt.Sprintf(`{"schema":"annotation/1","study_uid":%q,"document_id":"doc-1","revision":%d,"system":"test","author":"person","created":"2026-03-01T08:00:00Z","status":"final","complete":false,"no_lesion":false,"lesions":[]}`, uid, revision)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, later, foreign, broken := document("good.json", study.UID, 1), document("later.json", study.UID, 2), document("foreign.json", "9.9.9", 1), filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"schema":"annotation/1","patient":"WANG^XIAO"`), 0o644); err != nil {
		t.Fatal(err)
	}
	waiting := func() []catalog.Arrival {
		t.Helper()
		var list []catalog.Arrival
		if err := db.Jobs(t.Context(), func(j catalog.Job) (err error) {
			list, _, err = db.Arrivals(t.Context(), j.ID)
			return err
		}, catalog.JobQueued); err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"file 2 of 2: its study is not here", []string{good, foreign}}, {"file 2 of 2: annotation:", []string{good, broken}}, {"no such file", []string{filepath.Join(dir, "none.json")}},
		{"its study is not here", []string{"--tenant", "other", good}},
	} {
		got := radtier(exitError, append([]string{"annotate"}, c.args...)...)
		if !strings.Contains(got, c.want) || strings.Contains(got, "WANG") || strings.Contains(got, "none.json") {
			t.Errorf("annotate %v says %q, want %q in it and no values or names of files", c.args, got, c.want)
		}
	}
	if list := waiting(); len(list) != 0 {
		t.Fatalf("refused annotations were queued: %+v", list)
	}
	if got := radtier(exitDone, "annotate", good); !strings.Contains(got, "annotation doc-1, revision 1, 0 findings: study "+study.Hash()[:8]) {
		t.Errorf("annotate says %q", got)
	}
	radtier(exitDone, "annotate", good) // again: no new work
	raw, err := os.ReadFile(later)
	if err != nil {
		t.Fatal(err)
	}
	stdin = string(raw)
	if got := radtier(exitDone, "annotate", "-", "--json"); !strings.Contains(got, `"revision":2`) || !strings.Contains(got, `"findings":0`) {
		t.Errorf("annotate - --json says %q", got)
	}
	stdin = "{"
	radtier(exitError, "annotate", "-")
	kept, err := filepath.Glob(filepath.Join(data, "annotations", "*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept of stdin are %v, %v; want the one that is queued", kept, err)
	}
	list := waiting()
	if len(list) != 2 {
		t.Fatalf("%d arrivals wait, want 2: %+v", len(list), list)
	}
	for i, after := range []string{catalog.AfterKeep, catalog.AfterDelete} {
		f := list[i].Files
		if len(f) != 1 || f[0].Kind != catalog.KindOfAnnotation || f[0].ModTime.IsZero() || f[0].Size == 0 || list[i].After != after {
			t.Errorf("arrival %d is %+v, want one pinned annotation, and %s", i, list[i], after)
		}
	}
}
