package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestServerScripts types commands as an operator of real servers does. Each
// script gets its own bucket names, and makes databases and Redis servers by commands.
// RADTIER_TEST_RGW, RADTIER_TEST_VERSITYGW and RADTIER_TEST_POSTGRES say where the servers are; ./scripts/test starts them.
func TestServerScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/servers",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RADTIER_WORKER_MEMORY", "64MiB")
			e.Setenv("RADTIER_QUEUE_SERVER", "none")
			e.Setenv("AWS_ACCESS_KEY_ID", "test")
			e.Setenv("AWS_SECRET_ACCESS_KEY", "testtest")
			e.Setenv("AWS_REGION", "us-east-1")
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			readme, err := filepath.Abs("../../README.md")
			if err != nil {
				return err
			}
			e.Setenv("README", readme)
			e.Setenv("RGW", os.Getenv("RADTIER_TEST_RGW"))
			e.Setenv("VERSITYGW", os.Getenv("RADTIER_TEST_VERSITYGW"))
			e.Setenv("BUCKET", fmt.Sprintf("script-%d", time.Now().UnixNano()))
			e.Values[redisKey{}] = map[string]*exec.Cmd{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "rgw":
				return os.Getenv("RADTIER_TEST_RGW") != "", nil
			case "versitygw":
				return os.Getenv("RADTIER_TEST_VERSITYGW") != "", nil
			case "postgres":
				return os.Getenv("RADTIER_TEST_POSTGRES") != "", nil
			}
			return false, fmt.Errorf("condition %q is not known", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"readme": readmeCommand, "exits": exits, "field": field, "samefiles": sameFiles,
			"expand": expand, "postgres": freshDatabase, "redis": redisCommand, "upload": upload,
		},
	})
}

// expand FILE...: replaces $VARIABLE in files.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

// postgres VARIABLE: makes an empty database and sets a variable to its address.
func freshDatabase(ts *testscript.TestScript, neg bool, args []string) {
	admin := os.Getenv("RADTIER_TEST_POSTGRES")
	db, err := sql.Open("pgx", admin)
	ts.Check(err)
	name := fmt.Sprintf("script%d", time.Now().UnixNano())
	_, err = db.Exec("CREATE DATABASE " + name)
	ts.Check(err)
	ts.Defer(func() {
		_, _ = db.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		db.Close()
	})
	u, err := url.Parse(admin)
	ts.Check(err)
	u.Path = "/" + name
	ts.Setenv(args[0], u.String())
}

type redisKey struct{}

// redis start VARIABLE [OPTION...]: starts a server and sets a variable to its address; redis stop VARIABLE ends it.
func redisCommand(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.Value(redisKey{}).(map[string]*exec.Cmd)
	stop := func(name string) {
		if cmd := running[name]; cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			delete(running, name)
		}
	}
	if args[0] == "stop" {
		stop(args[1])
		return
	}
	path, err := exec.LookPath("redis-server")
	ts.Check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := l.Addr().String()
	ts.Check(l.Close())
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction", "--dir", ts.MkAbs(".")}, args[2:]...)...)
	ts.Check(cmd.Start())
	running[args[1]] = cmd
	ts.Defer(func() { stop(args[1]) })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("redis-server does not answer")
		}
	}
	ts.Setenv(args[1], address)
}

// upload DIR BUCKET PREFIX: puts the files below DIR into a new bucket of $RGW.
func upload(ts *testscript.TestScript, neg bool, args []string) {
	endpoint := ts.Getenv("RGW")
	client := s3.New(s3.Options{BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "testtest", "")})
	ctx := context.Background()
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &args[1]})
	ts.Check(err)
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		key := fmt.Sprintf("%s%03d", args[2], n)
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: &args[1], Key: &key, Body: bytes.NewReader(data)})
		return err
	}))
}

// A rebuild that was killed goes on with the same command, although the catalog has studies by then.
func TestRebuildGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("stores studies")
	}
	data := filepath.Join(t.TempDir(), "data")
	var out lockedBuffer
	radtier := func(want int, args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		if code := run(t.Context(), testProcess(data, &stdout, &out, args...)); code != want {
			t.Fatalf("radtier %v: exit code %d, want %d\n%s%s", args, code, want, stdout.String(), out.String())
		}
		return stdout.String()
	}
	for n := range 3 {
		radtier(exitDone, "ingest", "--wait", "--tenant", fmt.Sprint("t", n), smallSource(t))
	}
	before := radtier(exitDone, "studies")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(data, "catalog.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	ctx, kill := context.WithCancel(t.Context())
	stdout := &bytes.Buffer{}
	p := &program{process: testProcess(data, stdout, &out)}
	p.rebuilt = func(n int) {
		if n == 1 {
			kill()
		}
	}
	if err := p.rebuild(ctx, rebuildFlags{workers: 2}); err == nil {
		t.Fatal("the rebuild was not stopped")
	}
	if !strings.Contains(out.String(), "done; the same command again goes on from here") {
		t.Errorf("it says\n%s\nwant what was done", out.String())
	}
	if got := radtier(exitDone, "rebuild"); !strings.Contains(got, "3 studies, 9 instances, 0 files quarantined; ") || !strings.Contains(got, " of them were done before it was stopped") {
		t.Errorf("the second run says %q, want 3 studies of which some were done before", got)
	}
	if after := radtier(exitDone, "studies"); after != before {
		t.Errorf("studies are\n%s\nwant\n%s", after, before)
	}
	radtier(exitUsage, "rebuild") // it ended: now the catalog just has studies
	if got := radtier(exitDone, "rebuild", "--force", "--json", "--workers", "1"); !strings.Contains(got, `{"event":"done","studies":3,`) {
		t.Errorf("with --json it prints %q", got)
	}
	if got := radtier(exitDone, "doctor"); !strings.Contains(got, "healthy") {
		t.Errorf("doctor says\n%s", got)
	}
}

// readme BUCKET: types every command of the README's part on real servers, with the incoming bucket under another name.
func readmeCommand(ts *testscript.TestScript, neg bool, args []string) {
	readme, err := os.ReadFile(ts.Getenv("README"))
	ts.Check(err)
	_, section, ok := strings.Cut(string(readme), serversHeading)
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	for line := range strings.Lines(section) {
		command, is := strings.CutPrefix(line, "bin/radtier ")
		if !is {
			continue
		}
		command, _, _ = strings.Cut(strings.TrimSpace(command), " #")
		ts.Check(ts.Exec("radtier", strings.Fields(strings.ReplaceAll(command, "s3://incoming/", "s3://"+args[0]+"/"))...))
		n++
	}
	if !ok || n < 5 {
		ts.Fatalf("%d commands found in the README", n)
	}
}
