package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
)

// onPostgres runs the suite on databases of a real server and a store in memory.
var onPostgres = catalogtest.Maker{
	Catalog: func(t testing.TB) catalog.Config {
		return catalog.Config{Driver: "postgres", DSN: catalog.EmptyPostgres(t), MaxConns: 6}
	},
	Copy: func(t testing.TB, from catalog.Config) catalog.Config {
		to := from
		to.DSN = catalog.EmptyPostgres(t)
		name := catalog.DatabaseName(t, to.DSN)
		catalog.AdminExec(t, from.DSN, "DROP DATABASE "+name, "CREATE DATABASE "+name+" TEMPLATE "+catalog.DatabaseName(t, from.DSN))
		return to
	},
	Store: onSQLite.Store,
}

func TestPostgres(t *testing.T) { catalogtest.Run(t, onPostgres) }

// Many processes start on an empty database: one makes the schema, the others find it.
func TestPostgresMigratesOnce(t *testing.T) {
	dsn := catalog.EmptyPostgres(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db, err := catalog.Open(t.Context(), catalog.Config{Driver: "postgres", DSN: dsn, MaxConns: 4})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := db.Counts(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPostgresRefuses(t *testing.T) {
	dsn := catalog.EmptyPostgres(t)
	name := catalog.DatabaseName(t, dsn)
	ascii := name + "_ascii"
	catalog.AdminExec(t, dsn, "CREATE DATABASE "+ascii+" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { catalog.AdminExec(t, dsn, "DROP DATABASE "+ascii) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	const secret = "s3cr3t"
	for _, c := range []struct {
		name, dsn, want string
		transient       bool
	}{
		{"encoding", strings.Replace(dsn, name, ascii, 1), "UTF8 is needed", false},
		{"no such database", strings.Replace(dsn, name, name+"x", 1), "check user, password, database", false},
		{"nobody listens", "postgres://u:" + secret + "@" + nobody + "/radtier?sslmode=disable", nobody, true},
		{"nobody listens, pairs", "host=127.0.0.1 port=" + strings.Split(nobody, ":")[1] + " user=u password=" + secret + " sslmode=disable", nobody, true},
		{"odd port", "postgres://u:" + secret + "@127.0.0.1:port" + secret + "/radtier", "is not understood", false},
		{"odd escape", "postgres://u:%zz" + secret + "@127.0.0.1/radtier", "is not understood", false},
		{"no address", "", "is not understood", false},
	} {
		db, err := catalog.Open(t.Context(), catalog.Config{Driver: "postgres", DSN: c.dsn})
		if err == nil {
			db.Close()
			t.Errorf("%s: opened", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) || objstore.IsTransient(err) != c.transient {
			t.Errorf("%s: got error %q, transient %v; want %q in it, no password, transient %v", c.name, err, objstore.IsTransient(err), c.want, c.transient)
		}
		var u *catalog.UnavailableError
		if errors.As(err, &u) != c.transient {
			t.Errorf("%s: got a %T", c.name, err)
		}
	}
}

// link is a TCP proxy in front of a server, which tests cut in the middle of a COMMIT.
type link struct {
	t     *testing.T
	to    string
	ln    net.Listener
	mu    sync.Mutex
	arm   string // "", "lose reply", "cut before"
	down  bool
	conns []net.Conn
	cuts  int
}

func newLink(t *testing.T, to string) *link {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{t: t, to: to, ln: ln}
	t.Cleanup(func() { ln.Close(); l.cut() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go l.serve(c)
		}
	}()
	return l
}

func (l *link) set(arm string, down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arm, l.down = arm, down
}

// cut ends all connections.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

func (l *link) serve(client net.Conn) {
	defer client.Close()
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return
	}
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	l.conns = append(l.conns, client, server)
	l.mu.Unlock()
	lose := make(chan struct{})
	var once sync.Once
	go func() { // replies
		buf := make([]byte, 1<<16)
		for {
			n, err := server.Read(buf)
			select {
			case <-lose:
				client.Close() // the server did what it was told, and nobody hears of it
				return
			default:
			}
			if n > 0 {
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				client.Close()
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit")) {
			l.mu.Lock()
			arm := l.arm
			if arm != "" {
				l.arm = ""
				l.cuts++
			}
			l.mu.Unlock()
			switch arm {
			case "cut before":
				return
			case "lose reply":
				once.Do(func() { close(lose) })
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A real connection to a real server is cut around COMMIT: every study completes once.
func TestPostgresCutAtCommit(t *testing.T) {
	f := catalogtest.New(t, onPostgres)
	cfg := f.Config()
	u := catalog.HostOf(t, cfg.DSN)
	l := newLink(t, u)
	cfg.DSN = strings.Replace(cfg.DSN, u, l.ln.Addr().String(), 1)
	db, err := catalog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f.DB = db
	for n, arm := range []string{"lose reply", "cut before", "lose reply", "cut before"} {
		k := catalogtest.Study(n)
		l.set(arm, false)
		job := f.Arrive(k, "a")
		l.set(arm, false)
		a := f.Work(job.ID)
		if a.Job.Attempt != 1 || a.Job.Crashes != 0 {
			t.Fatalf("%s: owned %+v", arm, a.Job)
		}
		l.set(arm, false)
		m, err := a.Commit()
		if err != nil || m.Attempt != 1 || a.Calls != 1 {
			t.Fatalf("%s: commit got attempt %+v after %d changes, %v", arm, m, a.Calls, err)
		}
		f.Whole(k, 1, 1)
	}
	if l.cuts != 12 {
		t.Fatalf("%d commits were broken, want 12", l.cuts)
	}

	// The server is away for longer than patience: an error that may pass, then all goes on.
	impatient := cfg
	impatient.Patience = 50 * time.Millisecond
	short, err := catalog.Open(t.Context(), impatient)
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	l.set("", true)
	l.cut()
	k := catalogtest.Study(9)
	arrival := catalog.Arrival{StudyKey: k, Source: "/in", Files: []catalog.SourceFile{{Path: "/in/x", Size: 1}}, Complete: true}
	_, err = short.Enqueue(t.Context(), arrival, 0)
	var unavailable *catalog.UnavailableError
	if !errors.As(err, &unavailable) || !objstore.IsTransient(err) || !strings.Contains(err.Error(), l.ln.Addr().String()) {
		t.Fatalf("with the server away: got %v", err)
	}
	if _, err := short.Head(t.Context(), k); !objstore.IsTransient(err) {
		t.Fatalf("reading with the server away: got %v", err)
	}
	if _, err := short.Counts(t.Context()); !objstore.IsTransient(err) {
		t.Fatalf("counting with the server away: got %v", err)
	}
	back := make(chan error, 1)
	go func() { _, err := db.Enqueue(t.Context(), arrival, 0); back <- err }() // this one waits
	l.set("", false)
	if err := <-back; err != nil {
		t.Fatalf("with the server back: %v", err)
	}
	job, err := short.Enqueue(t.Context(), arrival, 0)
	if err != nil || job.Want != 1 {
		t.Fatalf("repeated: job %+v, %v; want one arrival", job, err)
	}
}

// A client that hangs in a transaction does not hold a study for ever, and sessions say who they are.
func TestPostgresSessions(t *testing.T) {
	dsn := catalog.EmptyPostgres(t)
	settings := catalog.SessionSettings(t, catalog.Config{Driver: "postgres", DSN: dsn})
	for name, want := range map[string]string{
		"application_name": "radtier", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "20s", "statement_timeout": "1min",
		"default_transaction_isolation": "read committed", "tcp_keepalives_idle": "20", "synchronous_commit": "on", "default_transaction_read_only": "off",
	} {
		if got := settings[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	own := catalog.SessionSettings(t, catalog.Config{Driver: "postgres", DSN: dsn + "&lock_timeout=3s&application_name=other"})
	if fmt.Sprint(own["lock_timeout"], own["application_name"]) != "3sother" {
		t.Errorf("settings of the DSN: got %v", own)
	}
}

// A transaction of another client holds the study and hangs: the server ends it, and work goes on.
func TestPostgresHungClient(t *testing.T) {
	dsn := catalog.EmptyPostgres(t)
	open := func(extra string) *catalog.DB {
		db, err := catalog.Open(t.Context(), catalog.Config{Driver: "postgres", DSN: dsn + extra})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	hung, db := open("&idle_in_transaction_session_timeout=500ms"), open("&lock_timeout=100ms")
	k := catalog.StudyKey{Tenant: "north", UID: "1"}
	arrive := func(name string) (catalog.Job, error) {
		return db.Enqueue(t.Context(), catalog.Arrival{StudyKey: k, Source: "/in", Files: []catalog.SourceFile{{Path: name, Size: 1}}, Complete: true}, 0)
	}
	if _, err := arrive("a"); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	locked := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- catalog.HoldStudy(t.Context(), hung, k, locked, release) }()
	<-locked
	job, err := arrive("b")
	if err != nil || job.Want != 2 {
		t.Errorf("while a client hangs: job %+v, %v", job, err)
	}
	close(release)
	if err := <-ended; err == nil {
		t.Error("the hung transaction was committed")
	}
}

// Sessions are ended by the server (a restart, an administrator) while studies
// go all their way, and the server takes no changes for a while (a failover): every study completes once.
func TestPostgresSessionsEnded(t *testing.T) {
	f := catalogtest.New(t, onPostgres)
	dsn := f.Config().DSN
	name := catalog.DatabaseName(t, dsn)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				catalog.AdminExec(t, dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"' AND random() < 0.5")
			}
		}
	})
	const studies = 30
	for n := range studies {
		k := catalogtest.Study(n)
		job, err := f.DB.Enqueue(t.Context(), catalog.Arrival{StudyKey: k, Source: "/in", Files: []catalog.SourceFile{{Path: "/in/a", Size: 1}}, Complete: true}, 0)
		if err != nil {
			t.Fatal(err)
		}
		a := f.Work(job.ID)
		if a.Job.Attempt != 1 || a.Job.Crashes != 0 {
			t.Fatalf("owned %+v", a.Job)
		}
		if m, err := a.Commit(); err != nil || m.Attempt != 1 {
			t.Fatalf("study %d: %v", n, err)
		}
	}
	close(stop)
	wg.Wait()
	if e := f.Events(); len(e) != studies {
		t.Errorf("%d events, want %d", len(e), studies)
	}
	for n := range studies {
		f.Whole(catalogtest.Study(n), 1, 1)
	}

	catalog.AdminExec(t, dsn, "ALTER DATABASE "+name+" SET default_transaction_read_only = on",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	cfg := f.Config()
	cfg.Patience = 30 * time.Millisecond
	if db, err := catalog.Open(t.Context(), cfg); err == nil || !objstore.IsTransient(err) {
		t.Errorf("opened a database that takes no changes: %v", err)
		if err == nil {
			db.Close()
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := f.DB.Enqueue(t.Context(), catalog.Arrival{StudyKey: catalogtest.Study(99), Complete: true, Files: []catalog.SourceFile{{Path: "x", Size: 1}}}, 0)
		done <- err
	}()
	catalog.AdminExec(t, dsn, "ALTER DATABASE "+name+" RESET default_transaction_read_only")
	if err := <-done; err != nil {
		t.Errorf("after the failover: %v", err)
	}
}
