package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/worker"
)

// A file that an older build could not read is stored by a retry from the bytes that were kept, and leaves the quarantine.
func TestRetryStores(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var out lockedBuffer
	radtier := func(args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		if code := run(t.Context(), testProcess(data, &stdout, &out, args...)); code != exitDone {
			t.Fatalf("radtier %v: exit code %d\n%s%s", args, code, stdout.String(), out.String())
		}
		return stdout.String()
	}
	radtier("rebuild") // makes the installation
	s := synth.Generic(synth.GenericOptions{Instances: 1})
	file, err := s.Instances[0].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	quarantine(t, data, file)
	if list := radtier("quarantine", "list"); !strings.Contains(list, "not known to the older build") {
		t.Fatalf("the file is not listed:\n%s", list)
	}
	if got := radtier("quarantine", "retry", "--all", "--wait"); !strings.Contains(got, "0 files left in quarantine") {
		t.Errorf("retry says %q, want 0 files left", got)
	}
	if list := radtier("quarantine", "list"); list != "nothing is quarantined\n" {
		t.Errorf("still listed after it was stored:\n%s", list)
	}
	radtier("verify", "--all")
	radtier("get", s.UID, "-o", filepath.Join(data, "out"), "--instance", s.Instances[0].SOPUID)
	if got, err := os.ReadFile(filepath.Join(data, "out")); err != nil || !bytes.Equal(got, file) {
		t.Errorf("the file that came back differs: %d bytes, %v; want %d", len(got), err, len(file))
	}
}

func quarantine(t *testing.T, data string, file []byte) {
	t.Helper()
	p := &program{process: testProcess(data, &bytes.Buffer{}, &bytes.Buffer{})}
	a, err := p.open(t.Context(), openExisting)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	q, err := worker.PutQuarantine(t.Context(), a.stores.Hot(), "default", bytes.NewReader(file), int64(len(file)), "not known to the older build")
	if err == nil {
		err = a.db.QuarantineAdd(t.Context(), catalog.QuarantineEntry{Tenant: "default", Quarantined: q})
	}
	if err != nil {
		t.Fatal(err)
	}
}
