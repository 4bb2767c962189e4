package catalog

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"
)

// EmptyPostgres makes an empty database on the test server and returns its DSN.
// Without a server the test is skipped.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	admin := os.Getenv("RADTIER_TEST_POSTGRES")
	if admin == "" {
		t.Skip("no PostgreSQL server: set RADTIER_TEST_POSTGRES to the DSN of one whose user may create databases, or run ./scripts/test")
	}
	name := "radtier_" + strings.ToLower(rand.Text()[:12])
	AdminExec(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { AdminExec(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// AdminExec runs commands in the server's own database.
func AdminExec(t testing.TB, dsn string, commands ...string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range commands {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// DatabaseName is the name of the database in a DSN.
func DatabaseName(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// openPostgresTest opens an empty catalog on the test server.
func openPostgresTest(t testing.TB) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Driver: "postgres", DSN: EmptyPostgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// HostOf is host:port of a DSN.
func HostOf(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// SessionSettings opens a catalog and returns the settings of a session that writes.
func SessionSettings(t testing.TB, c Config) map[string]string {
	t.Helper()
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.w.QueryContext(t.Context(), `SELECT name, current_setting(name) FROM pg_settings`)
	all := map[string]string{}
	if err := each(rows, err, func(r *sql.Rows) error {
		var name, value string
		err := r.Scan(&name, &value)
		all[name] = value
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// HoldStudy locks a study's row in a transaction and hangs until release is closed.
func HoldStudy(ctx context.Context, db *DB, k StudyKey, locked chan<- struct{}, release <-chan struct{}) error {
	_, err := db.try(ctx, false, func(tx conn) error {
		if err := tx.ensureStudy(ctx, k, db.now()); err != nil {
			return err
		}
		close(locked)
		<-release
		return nil
	})
	return err
}
