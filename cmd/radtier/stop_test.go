package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit/synth"
)

// hookWriter calls do when text is written.
type hookWriter struct {
	lockedBuffer
	text string
	do   func()
}

func (h *hookWriter) Write(p []byte) (int, error) {
	if h.do != nil && strings.Contains(string(p), h.text) {
		h.do()
	}
	return h.lockedBuffer.Write(p)
}

func testProcess(data string, stdout, stderr io.Writer, args ...string) process {
	env := map[string]string{"RADTIER_QUEUE_SERVER": "none", "RADTIER_WORKER_MEMORY": "64MiB", "RADTIER_DATA": data}
	return process{args: append([]string{"radtier"}, args...), env: func(k string) string { return env[k] }, stdin: strings.NewReader(""),
		stdout: stdout, stderr: stderr, hard: make(chan struct{})}
}

func smallSource(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "src")
	s := synth.Generic(synth.GenericOptions{Instances: 3})
	if _, _, err := s.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func holdLock(t *testing.T, data string) *workerLock {
	t.Helper()
	var out lockedBuffer
	if code := run(t.Context(), testProcess(data, &out, &out, "rebuild")); code != exitDone { // makes the directory
		t.Fatalf("rebuild: exit code %d\n%s", code, out.String())
	}
	lock, err := tryLock(filepath.Join(data, "worker.lock"))
	if err != nil || lock == nil {
		t.Fatalf("lock: %v, %v", lock, err)
	}
	return lock
}

func TestOneEmbeddedWorker(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	lock := holdLock(t, data)
	defer lock.release()
	var out lockedBuffer
	if code := run(t.Context(), testProcess(data, &out, &out, "worker", "--once")); code != exitError || !strings.Contains(out.String(), "another radtier process works on this data directory") {
		t.Errorf("second worker: exit code %d, want %d and a reason\n%s", code, exitError, out.String())
	}
}

// A waiting process takes over when the worker it waits for goes away.
func TestWaitTakesOver(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	lock := holdLock(t, data)
	var stdout bytes.Buffer
	stderr := &hookWriter{text: "waiting: another", do: func() { _ = lock.release() }}
	if code := run(t.Context(), testProcess(data, &stdout, stderr, "ingest", "--wait", smallSource(t))); code != exitDone {
		t.Errorf("exit code %d, want %d\n%s%s", code, exitDone, stdout.String(), stderr.String())
	}
}

func TestInterruptedWait(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	lock := holdLock(t, data)
	defer lock.release()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	stderr := &hookWriter{text: "waiting: another", do: cancel}
	code := run(ctx, testProcess(data, &stdout, stderr, "ingest", "--wait", smallSource(t)))
	if code != exitInterrupted || !strings.Contains(stderr.String(), "the queued studies stay queued") {
		t.Errorf("exit code %d, want %d and a word on what is queued\n%s", code, exitInterrupted, stderr.String())
	}
}

// SIGTERM drains a worker, which is no failure.
func TestWorkerDrains(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := &hookWriter{text: "worker started", do: cancel}
	if code := run(ctx, testProcess(data, io.Discard, stderr, "worker")); code != exitDone || !strings.Contains(stderr.String(), "drained=true") {
		t.Errorf("exit code %d, want %d, drained\n%s", code, exitDone, stderr.String())
	}
}
