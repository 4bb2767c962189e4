package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// A study of which a source file is gone is set aside; given up, the rest of it is stored.
func TestGiveUp(t *testing.T) {
	dir := t.TempDir()
	data, src := filepath.Join(dir, "data"), filepath.Join(dir, "src")
	var errs lockedBuffer
	radtier := func(want int, args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		if code := run(t.Context(), testProcess(data, &stdout, &errs, args...)); code != want {
			t.Fatalf("radtier %v: exit code %d, want %d\n%s%s", args, code, want, stdout.String(), errs.String())
		}
		return stdout.String()
	}
	s := synth.Generic(synth.GenericOptions{Instances: 3})
	if _, _, err := s.WriteTo(src); err != nil {
		t.Fatal(err)
	}
	radtier(exitDone, "ingest", src)
	var files []string
	if err := filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	db, err := catalog.Open(t.Context(), catalog.Config{DSN: filepath.Join(data, "catalog.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var job catalog.Job
	if err := db.Jobs(t.Context(), func(j catalog.Job) error { job = j; return nil }); err != nil {
		t.Fatal(err)
	}
	setAside(t, db, job.ID) // as after ten failures, which take hours
	if got := radtier(exitDone, "quarantine", "list"); !strings.Contains(got, job.ID) {
		t.Fatalf("the study that was set aside is not listed:\n%s", got)
	}
	if got := radtier(exitDone, "quarantine", "give-up", job.ID); !strings.Contains(got, "1 file given up") {
		t.Errorf("give-up says %q", got)
	}
	radtier(exitDone, "worker", "--once")
	head, err := db.Head(t.Context(), job.StudyKey)
	if err != nil || head.Generation != 1 {
		t.Fatalf("the study has generation %v, %v; want 1", head, err)
	}
	if stored, err := db.FindStudy(t.Context(), job.Tenant, job.UID); err != nil || stored.Instances != 2 {
		t.Errorf("%d instances are stored, %v; want the 2 that were there", stored.Instances, err)
	}
	radtier(exitDone, "verify", "--all")
}

func setAside(t *testing.T, db *catalog.DB, id string) {
	t.Helper()
	ctx := context.Background()
	job, err := db.Own(ctx, id, "test", 1e9)
	if err == nil {
		err = db.Release(ctx, id, job.Attempt, catalog.Fail("1 of 3 files is gone"))
	}
	if err != nil {
		t.Fatal(err)
	}
}
