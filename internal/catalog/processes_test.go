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
	"github.com/radtier/radtier/internal/catalog/catalogtest"
)

// Several processes share one catalog: two that queue and two that own, commit
// nothing and release, while this one reads. Each process is this test binary again.
func TestProcesses(t *testing.T) {
	const studies, rounds = 25, 2
	asProcess(t, func(db *catalog.DB, role string) error { return process(t.Context(), db, role, studies, rounds) })
	for name, maker := range onBoth {
		t.Run(name, func(t *testing.T) {
			c := maker.Catalog(t)
			cmds, outs := spawn(t, c, "queue-a", "queue-b", "work-a", "work-b") // they make the schema together, too
			db := open(t, c)
			for i, cmd := range cmds {
				if _, err := db.Counts(t.Context()); err != nil {
					t.Error(err)
				}
				if err := cmd.Wait(); err != nil {
					t.Errorf("process %d: %v\n%s", i, err, outs[i])
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
		})
	}
}

// Two processes fill a queue from one catalog: each job goes to one of them, and all of them go.
func TestProcessesClaim(t *testing.T) {
	const jobs = 300
	asProcess(t, func(db *catalog.DB, role string) error {
		for done := 0; ; {
			list, err := db.Claim(t.Context(), 7, time.Hour)
			if err != nil {
				return err
			}
			for _, j := range list {
				fmt.Println("claimed", j.ID)
			}
			if len(list) > 0 {
				continue
			}
			c, err := db.Counts(t.Context())
			if err != nil {
				return err
			}
			if done++; c.Jobs[catalog.JobQueued] == jobs && done > 50 { // nothing was left 50 times
				return nil
			}
		}
	})
	for name, maker := range onBoth {
		t.Run(name, func(t *testing.T) {
			c := maker.Catalog(t)
			db := open(t, c)
			for n := range jobs {
				k := catalog.StudyKey{Tenant: fmt.Sprint("t", n%3), UID: fmt.Sprint(n)}
				if _, err := db.Enqueue(t.Context(), catalog.Arrival{StudyKey: k, Files: []catalog.SourceFile{{Path: "x", Size: 1}}, Complete: true}, 0); err != nil {
					t.Fatal(err)
				}
			}
			cmds, outs := spawn(t, c, "claim-a", "claim-b")
			claimed := map[string]int{}
			for i, cmd := range cmds {
				if err := cmd.Wait(); err != nil {
					t.Errorf("process %d: %v\n%s", i, err, outs[i])
				}
				for line := range strings.Lines(outs[i].String()) {
					if id, ok := strings.CutPrefix(strings.TrimSpace(line), "claimed "); ok {
						claimed[id]++
					}
				}
			}
			for id, n := range claimed {
				if n != 1 {
					t.Errorf("job %s was claimed %d times", id, n)
				}
			}
			if len(claimed) != jobs {
				t.Errorf("%d jobs were claimed, want %d", len(claimed), jobs)
			}
		})
	}
}

// onBoth are the databases that several processes share.
var onBoth = map[string]catalogtest.Maker{"SQLite": onSQLite, "PostgreSQL": onPostgres}

// asProcess runs f and ends the test, if this is one of the processes that a test started.
func asProcess(t *testing.T, f func(db *catalog.DB, role string) error) {
	t.Helper()
	dsn, role := os.Getenv("RADTIER_TEST_CATALOG"), os.Getenv("RADTIER_TEST_ROLE")
	if role == "" {
		return
	}
	db, err := catalog.Open(t.Context(), catalog.Config{Driver: os.Getenv("RADTIER_TEST_DRIVER"), DSN: dsn, MaxConns: 6})
	if err == nil {
		err = errors.Join(f(db, role), db.Close())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// spawn starts this test again in processes of its own, one for each role.
func spawn(t *testing.T, c catalog.Config, roles ...string) ([]*exec.Cmd, []*strings.Builder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	var cmds []*exec.Cmd
	var outs []*strings.Builder
	for _, role := range roles {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+test+"$")
		cmd.Env = append(os.Environ(), "RADTIER_TEST_DRIVER="+c.Driver, "RADTIER_TEST_CATALOG="+c.DSN, "RADTIER_TEST_ROLE="+role)
		out := &strings.Builder{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	return cmds, outs
}

// process is what one of the processes does.
func process(ctx context.Context, db *catalog.DB, role string, studies, rounds int) error {
	owned := 0
	kind, name, _ := strings.Cut(role, "-")
	for kind == "work" { // which may be there long before anything is queued
		jobs, err := db.Due(ctx, 1)
		if err != nil {
			return err
		}
		if len(jobs) > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
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
	return nil
}

func open(t *testing.T, c catalog.Config) *catalog.DB {
	t.Helper()
	db, err := catalog.Open(t.Context(), c)
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
	db := open(t, catalog.Config{DSN: filepath.Join(dir, "catalog.db")})
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
