package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// childWork is what a child process of these tests does until ctx ends, which SIGTERM does.
type childWork interface {
	work(ctx context.Context) error
}

// TestMain runs the tests or, as a child of one of them, that child's work.
func TestMain(m *testing.M) {
	beChild[victim]()
	beChild[hog]()
	beChild[site]()
	beChild[poisoned]()
	beChild[idler]()
	beChild[reaper]()
	os.Exit(m.Run())
}

// childVariable is the environment variable that describes the work of a child as JSON.
func childVariable(w childWork) string {
	return strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("RADTIER_TEST_%T", w), "worker.", ""))
}

// beChild does the work that an environment variable describes, if it is set, and ends the process.
func beChild[W childWork]() {
	var w W
	config := os.Getenv(childVariable(w))
	if config == "" {
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	_ = os.NewFile(3, "ready").Close()
	err := json.Unmarshal([]byte(config), &w)
	if err == nil {
		err = w.work(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cancel()
	os.Exit(0)
}

// spawn starts a child process that does w's work, and returns when it listens to SIGTERM.
func spawn(t *testing.T, w childWork, stdout io.Writer) *exec.Cmd {
	t.Helper()
	config, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable(w)+"="+string(config))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout, os.Stderr, []*os.File{theirs}
	dieWithParent(cmd)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = ready.Read(make([]byte, 1)) // until the child closes its end
	return cmd
}
