package servers

import (
	"crypto/rand"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Postgres makes an empty database on the shared server and returns its DSN
// ("postgres://user@127.0.0.1:port/name?sslmode=disable"). It is dropped at
// the test's end, with what is still connected to it.
func Postgres(t testing.TB) string {
	t.Helper()
	admin := address(t, "RADTIER_TEST_POSTGRES")
	name := "t_" + strings.ToLower(rand.Text()[:16])
	psql(t, admin, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { psql(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return database(t, admin, name)
}

// CutPostgres ends all connections to the database of a DSN, as the loss of
// their server process would, and returns how many there were. It is answered by the server's own database.
func CutPostgres(t testing.TB, dsn string) int {
	t.Helper()
	out := psql(t, database(t, dsn, "postgres"), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '"+DatabaseName(t, dsn)+"'")
	n, err := strconv.Atoi(out)
	if err != nil {
		t.Fatalf("psql: got %q for a count", out)
	}
	return n
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

// database returns the DSN of another database on the same server.
func database(t testing.TB, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// psql runs one statement and returns what it prints.
func psql(t testing.TB, dsn, statement string) string {
	t.Helper()
	// Not the test's context: it has ended when databases are dropped.
	out, err := exec.Command(psqlProgram(t), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, dsn).CombinedOutput()
	if err != nil {
		t.Fatalf("psql %s: %v\n%s", statement, err, out)
	}
	return strings.TrimSpace(string(out))
}

// psqlProgram finds psql, or skips the test. Debian keeps the versions side by side, out of PATH.
func psqlProgram(t testing.TB) string {
	t.Helper()
	if program, err := exec.LookPath("psql"); err == nil {
		return program
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if len(found) == 0 {
		t.Skip("psql is not installed: scripts/setup test")
	}
	return slices.Max(found)
}
