package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/testkit"
	"github.com/radtier/radtier/internal/testkit/synth"
)

const (
	patientMarker = "ZQXJPATIENT" // in every element that tells who the patient is
	fileMarker    = "ZQXJFILE"    // in the name of every source file
)

// TestNoPatientData sends studies with marked patient elements and file names through everything,
// errors included, at the most talkative log level, and looks for the marks where they must not be.
func TestNoPatientData(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { noPatientData(t, nil) })
	t.Run("redis", func(t *testing.T) { noPatientData(t, startRedis(t)) })
}

func noPatientData(t *testing.T, redis *redisServer) {
	dir := t.TempDir()
	data, src := filepath.Join(dir, "data"), filepath.Join(dir, "src")
	sources := markedSources(t, src)
	var out lockedBuffer
	env := map[string]string{"RADTIER_LOG_LEVEL": "debug", "RADTIER_QUEUE_SERVER": "none", "RADTIER_WORKER_MEMORY": "64MiB", "RADTIER_DATA": data}
	if redis != nil {
		env["RADTIER_QUEUE_KIND"], env["RADTIER_QUEUE_ADDRESSES"] = "redis", redis.socket
	}
	radtier := func(want int, args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		code := run(t.Context(), process{args: append([]string{"radtier"}, args...), env: func(k string) string { return env[k] },
			stdin: strings.NewReader(""), stdout: io.MultiWriter(&stdout, &out), stderr: &out, hard: make(chan struct{})})
		if code != want {
			t.Fatalf("radtier %v: exit code %d, want %d\n%s", args, code, want, out.String())
		}
		return stdout.String()
	}

	radtier(exitPartial, "ingest", src)
	radtier(exitDone, "worker", "--once")
	radtier(exitPartial, "ingest", "--json", src)
	radtier(exitDone, "worker", "--once")
	radtier(exitDone, "status")
	radtier(exitDone, "quarantine", "list", "--json")
	radtier(exitPartial, "quarantine", "retry", "--all")
	radtier(exitDone, "worker", "--once")
	var study struct{ Study string }
	for _, line := range strings.Split(strings.TrimSpace(radtier(exitDone, "studies", "--json")), "\n") {
		if err := json.Unmarshal([]byte(line), &study); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		radtier(exitDone, "show", study.Study, "--instances")
		radtier(exitDone, "show", study.Study, "--instances", "--json")
		radtier(exitDone, "get", study.Study, "-o", filepath.Join(dir, "out"))
		radtier(exitDone, "get", study.Study, "--as", "explicit-le", "-o", filepath.Join(dir, "plain"))
	}
	radtier(exitDone, "verify", "--all")
	radtier(exitDone, "rebuild", "--force")
	radtier(exitDone, "sweep")
	// A source that goes away between queueing and work: the job is tried again and its error is kept.
	if err := os.Chtimes(sources[0], time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	radtier(exitPartial, "ingest", src)
	if err := os.Rename(sources[0], filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	radtier(exitDone, "worker", "--once")
	radtier(exitDone, "status")
	radtier(exitError, "ingest", filepath.Join(dir, "nothere"))

	if !strings.Contains(out.String(), "source file changed") {
		t.Errorf("no error of a changed source in the output: the test looks at too little\n%s", out.String())
	}
	for _, mark := range []string{patientMarker, fileMarker} {
		for _, line := range strings.Split(out.String(), "\n") {
			if strings.Contains(strings.ToUpper(line), mark) {
				t.Errorf("output has %s: %s", mark, line)
			}
		}
	}
	marked := 0
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.Contains(strings.ToUpper(path), patientMarker) || strings.Contains(strings.ToUpper(path), fileMarker) {
			t.Errorf("a path of the data directory has a mark: %s", path)
		}
		if e.IsDir() || strings.Contains(path, "/q/") { // quarantined bytes are as received
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(patientMarker)) {
			t.Errorf("%s has %s", path, patientMarker)
		}
		marked++
		return err
	})
	if err != nil || marked < 10 {
		t.Errorf("looked at %d files of the data directory: %v", marked, err)
	}
	if redis != nil {
		redis.check(t)
	}
	// The mark is in what was received, or all of this proves nothing.
	got, err := os.ReadFile(sources[1])
	if err != nil || !bytes.Contains(got, []byte(patientMarker)) {
		t.Errorf("the source has no %s: %v", patientMarker, err)
	}
}

// markedSources writes a small study of each kind, and a broken file, under marked names.
func markedSources(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	write := func(name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	for _, s := range synth.Demo(synth.Options{Seed: 7, Marker: patientMarker, Scale: 0.05}) {
		for i := range s.Instances {
			data, err := s.Instances[i].Bytes()
			if err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(s.UID, fileMarker+strings.ReplaceAll(s.Instances[i].FileName(), "/", "-")), data)
			if i == 0 && s.Modality == "CT" {
				write(fileMarker+"-broken", data[:len(data)/2])
			}
		}
	}
	return paths
}

// lockedBuffer is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// redisServer is a redis-server of this test, and every command that it gets.
type redisServer struct {
	socket string
	seen   *lockedBuffer
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	path := testkit.Tool(t, "redis-server")
	dir, err := os.MkdirTemp("", "radtier-") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &redisServer{socket: filepath.Join(dir, "s"), seen: &lockedBuffer{}}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--port", "0", "--unixsocket", r.socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	var conn net.Conn
	for deadline := time.Now().Add(10 * time.Second); ; {
		if conn, err = net.Dial("unix", r.socket); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		t.Fatal(err)
	}
	go io.Copy(r.seen, conn)
	return r
}

// check looks at what Redis was told.
func (r *redisServer) check(t *testing.T) {
	t.Helper()
	seen := r.seen.String()
	if !strings.Contains(seen, "radtier:derive") {
		t.Errorf("Redis saw no task: the test looks at too little (%d bytes)", len(seen))
	}
	for _, mark := range []string{patientMarker, fileMarker} {
		if strings.Contains(strings.ToUpper(seen), mark) {
			t.Errorf("Redis was told %s", mark)
		}
	}
}
