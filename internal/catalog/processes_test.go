package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Several processes share one SQLite file: two that queue and two that own,
// commit nothing and release, while this one reads. Each process is this test binary again.
func TestProcesses(t *testing.T) {
	const studies, rounds = 25, 2
	if path := os.Getenv("RADTIER_TEST_CATALOG"); path != "" {
		if err := process(t.Context(), path, os.Getenv("RADTIER_TEST_ROLE"), studies, rounds); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "catalog.db")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var cmds []*exec.Cmd
	outs := make([]strings.Builder, 4)
	for i, role := range []string{"queue-a", "queue-b", "work-a", "work-b"} { // they make the file and its schema together, too
		cmd := exec.Command(self, "-test.run=^TestProcesses$", "-test.v")
		cmd.Env = append(os.Environ(), "RADTIER_TEST_CATALOG="+path, "RADTIER_TEST_ROLE="+role)
		cmd.Stdout, cmd.Stderr = &outs[i], &outs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	db := open(t, path)
	for i, cmd := range cmds {
		if _, err := db.Counts(t.Context()); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, outs[i].String())
		}
	}
	// Every study was queued by both, and every attempt was had by one process only.
	attempts, want := 0, int64(0)
	if err := db.Jobs(t.Context(), func(j catalog.Job) error {
		attempts += j.Attempt
		want += j.Want
		if j.Failures != j.Attempt || j.Crashes != 0 {
			return fmt.Errorf("job %s has %d attempts, %d of them released, %d crashed", j.ID, j.Attempt, j.Failures, j.Crashes)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if want != 2*studies*rounds {
		t.Errorf("%d batches were queued, want %d", want, 2*studies*rounds)
	}
	owned := 0
	for i := range outs {
		var n int
		for line := range strings.Lines(outs[i].String()) {
			if _, err := fmt.Sscanf(line, "owned %d", &n); err == nil {
				owned += n
			}
		}
	}
	if owned != attempts || owned == 0 {
		t.Errorf("processes had %d attempts, the catalog counts %d", owned, attempts)
	}
}

// process is what one of the processes does.
func process(ctx context.Context, path, role string, studies, rounds int) error {
	db, err := catalog.Open(ctx, catalog.Config{DSN: path})
	if err != nil {
		return err
	}
	owned := 0
	kind, name, _ := strings.Cut(role, "-")
	for round := range rounds {
		for n := range studies {
			k := catalog.StudyKey{Tenant: "north", UID: fmt.Sprint(n)}
			if kind == "queue" {
				file := catalog.SourceFile{Path: fmt.Sprint(role, n, round), Size: 1}
				if _, err := db.Enqueue(ctx, catalog.Arrival{StudyKey: k, Source: name, Files: []catalog.SourceFile{file}, Complete: true}, 0); err != nil {
					return err
				}
				continue
			}
			jobs, err := db.Due(ctx, 5)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				j, err := db.Own(ctx, j.ID, role, time.Hour)
				if errors.Is(err, catalog.ErrLeased) {
					continue
				}
				if err != nil {
					return err
				}
				owned++
				if err := db.Renew(ctx, j.ID, j.Attempt, time.Hour); err != nil {
					return err
				}
				if err := db.Release(ctx, j.ID, j.Attempt, catalog.Retry(0, "again")); err != nil {
					return err
				}
			}
		}
	}
	fmt.Printf("owned %d\n", owned)
	return db.Close()
}

func open(t *testing.T, path string) *catalog.DB {
	t.Helper()
	db, err := catalog.Open(t.Context(), catalog.Config{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "no.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []catalog.Config{{DSN: file}, {DSN: dir}, {}, {DSN: ":memory:"}, {Driver: "oracle", DSN: file}, {DSN: filepath.Join(file, "below")}} {
		if db, err := catalog.Open(t.Context(), c); err == nil {
			t.Errorf("opened %+v", c)
			db.Close()
		}
	}
}

// Paths of source files are in the catalog: nobody else on the machine may read it.
func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	db := open(t, filepath.Join(dir, "catalog.db"))
	if _, err := db.Enqueue(t.Context(), catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: "a", UID: "1"}, Files: []catalog.SourceFile{{Path: "x"}}}, 0); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name())
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if !slices.Contains(names, "catalog.db-wal") {
		t.Errorf("files are %v: no write-ahead log", names)
	}
}
