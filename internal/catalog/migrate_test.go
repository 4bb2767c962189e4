package catalog

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	for range 2 { // the second time there is nothing to do
		db, err := Open(t.Context(), Config{DSN: path})
		if err != nil {
			t.Fatal(err)
		}
		var mode, version string
		var sync int
		for q, to := range map[string]any{`PRAGMA journal_mode`: &mode, `PRAGMA synchronous`: &sync, `SELECT MAX(version) FROM schema_version`: &version} {
			if err := db.w.QueryRow(q).Scan(to); err != nil {
				t.Fatal(err)
			}
		}
		if mode != "wal" || sync != 2 || version != "9" {
			t.Errorf("journal mode %s, synchronous %d, version %s; want wal, 2 (FULL), 9", mode, sync, version)
		}
		if _, err := db.r.Exec(`DELETE FROM study`); err == nil {
			t.Error("a connection for reading can write")
		}
		if _, err := db.w.Exec(`INSERT INTO tenant (name, created) VALUES ('t', 0) ON CONFLICT DO NOTHING`); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(t.Context(), Config{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.w.Exec(`INSERT INTO schema_version (version, name, applied) VALUES (99, 'later', 0)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{DSN: path}); !errors.Is(err, ErrNewerSchema) {
		t.Fatalf("with a newer schema: got %v, want ErrNewerSchema", err)
	}
}

func TestStatements(t *testing.T) {
	got := statements("-- c;\nCREATE a (\n  x -- in; side\n);\n\n-- partition by hash\nCREATE b;\n-- end;\n")
	if len(got) != 2 || !strings.HasPrefix(got[0].sql, "CREATE a") || strings.TrimSpace(got[1].sql) != "CREATE b" || got[0].byHash || !got[1].byHash {
		t.Fatalf("got %v", got)
	}
	list, err := migrations()
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for _, m := range list {
		for _, s := range statements(m.sql) {
			for _, word := range []string{"AUTOINCREMENT", "BLOB", "DATETIME", "WITHOUT ROWID", "PRAGMA", "SERIAL", "JSONB", "PARTITION"} {
				if strings.Contains(strings.ToUpper(s.sql), word) {
					t.Errorf("%s: %s is not portable", m.name, word)
				}
			}
		}
	}
}
