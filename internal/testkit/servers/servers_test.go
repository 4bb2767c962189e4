package servers

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/testkit/netfault"
)

func TestS3Answers(t *testing.T) {
	for name, server := range map[string]func(testing.TB) S3{"RGW": RGW, "Versitygw": Versitygw} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			reply, err := (&http.Client{Timeout: 10 * time.Second}).Get(s.Endpoint + "/no-such-bucket/key")
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			if reply.StatusCode != 403 && reply.StatusCode != 404 || s.AccessKey == "" || s.SecretKey == "" || s.Region == "" {
				t.Errorf("%+v: got status %d for an object that is not there, want 403 or 404", s, reply.StatusCode)
			}
		})
	}
}

func TestPostgres(t *testing.T) {
	var dsn string
	t.Run("database", func(t *testing.T) {
		dsn = Postgres(t)
		if other := Postgres(t); other == dsn {
			t.Errorf("two databases have the DSN %s", dsn)
		}
		if got := psql(t, dsn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); got != "0" {
			t.Errorf("a new database has %s tables, want none", got)
		}
		if got := psql(t, dsn, "SHOW fsync"); got != "on" {
			t.Errorf("fsync is %s, want on", got)
		}
	})
	if dsn == "" {
		t.Skip("no server")
	}
	admin := database(t, dsn, "postgres")
	if got := psql(t, admin, "SELECT count(*) FROM pg_database WHERE datname = '"+DatabaseName(t, dsn)+"'"); got != "0" {
		t.Error("the database is still there after its test")
	}
}

func TestCutPostgres(t *testing.T) {
	dsn := Postgres(t)
	session := exec.Command(psqlProgram(t), "-X", "-q", "-c", "SELECT pg_sleep(600)", dsn)
	var said strings.Builder
	session.Stderr = &said
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Process.Kill() }()
	cut := 0
	if err := await("a session is cut", func() error {
		if cut = CutPostgres(t, dsn); cut == 0 {
			return os.ErrNotExist
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(); err == nil || cut != 1 || !strings.Contains(said.String(), "terminating connection") {
		t.Errorf("%d sessions were cut, and ours ended with %v, %q; want 1 that was terminated", cut, err, said.String())
	}
	if got := psql(t, dsn, "SELECT 1"); got != "1" {
		t.Errorf("a new session after the cut: got %q, want 1", got)
	}
}

// A proxy can lose the reply to a COMMIT, and the COMMIT itself: the client sees the same, the database does not.
func TestLostCommit(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(*netfault.P, func([]byte) bool)
		want string
	}{{"reply", (*netfault.P).LoseReply, "1"}, {"request", (*netfault.P).LoseRequest, "0"}} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := Postgres(t)
			psql(t, dsn, "CREATE TABLE t (i integer)")
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			p := netfault.Proxy(t, u.Host)
			tt.lose(p, netfault.Once(netfault.Contains("commit")))
			u.Host = p.Addr()
			session := exec.Command(psqlProgram(t), "-X", "-q", "-v", "ON_ERROR_STOP=1", u.String())
			session.Stdin = strings.NewReader("BEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT;\n")
			out, err := session.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "closed the connection") || p.Lost() != 1 {
				t.Errorf("psql: got %v, %q, and %d lost; want a connection that was closed", err, out, p.Lost())
			}
			if got := psql(t, dsn, "SELECT count(*) FROM t"); got != tt.want {
				t.Errorf("the table has %s rows, want %s", got, tt.want)
			}
		})
	}
}

func TestWithoutAServerATestIsSkippedByName(t *testing.T) {
	for _, variable := range []string{"RADTIER_TEST_RGW", "RADTIER_TEST_VERSITYGW", "RADTIER_TEST_POSTGRES"} {
		t.Setenv(variable, "")
	}
	for name, need := range map[string]func(testing.TB){
		"RADTIER_TEST_RGW":       func(t testing.TB) { RGW(t) },
		"RADTIER_TEST_VERSITYGW": func(t testing.TB) { Versitygw(t) },
		"RADTIER_TEST_POSTGRES":  func(t testing.TB) { Postgres(t) },
	} {
		r := &recorder{TB: t}
		func() {
			defer func() { _ = recover() }()
			need(r)
		}()
		if !strings.Contains(r.skipped, name) || !strings.Contains(r.skipped, "scripts/dev/up") {
			t.Errorf("without %s: skipped with %q, want the variable's name and the command", name, r.skipped)
		}
	}
}

// recorder is a test that keeps why it was skipped.
type recorder struct {
	testing.TB
	skipped string
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	panic("skipped")
}
