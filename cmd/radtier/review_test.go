package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// A study with a plan is listed, answered once, and listed again when late evidence makes another plan.
func TestReview(t *testing.T) {
	dir := t.TempDir()
	data, src := filepath.Join(dir, "data"), filepath.Join(dir, "src")
	radtier := func(want int, args ...string) string {
		t.Helper()
		var stdout bytes.Buffer
		var errs lockedBuffer
		if code := run(t.Context(), testProcess(data, &stdout, &errs, args...)); code != want {
			t.Fatalf("radtier %v: exit code %d, want %d\n%s%s", args, code, want, stdout.String(), errs.String())
		}
		return stdout.String() + errs.String()
	}
	s := synth.Generic(synth.GenericOptions{Instances: 2})
	if _, _, err := s.WriteTo(src); err != nil {
		t.Fatal(err)
	}
	radtier(exitDone, "ingest", "--wait", src)
	if got := radtier(exitDone, "review", "list"); !strings.Contains(got, "no study waits") {
		t.Errorf("without evidence the list says %q", got)
	}
	ctx := t.Context()
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(data, "catalog.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var study catalog.Study
	for x, err := range db.Studies(ctx, catalog.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		study = x
	}
	answer := []string{"review", "ack", study.UID, "--negative", "--by", "reader 7", "--reason", "healed"}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitError, "no plan to answer", answer},
		{exitUsage, "--negative or --keep-whole", []string{"review", "ack", study.UID, "--by", "x", "--reason", "y"}},
		{exitUsage, "--negative or --keep-whole", append(answer, "--keep-whole")},
		{exitUsage, "--by NAME", []string{"review", "ack", study.UID, "--negative", "--reason", "y"}},
		{exitUsage, "--by NAME", []string{"review", "ack", study.UID, "--negative", "--by", "x"}},
		{exitUsage, "not known", []string{"review", "list", "--state", "bad"}},
		{exitUsage, "tenant", []string{"review", "list", "--tenant", "a/b"}},
		{exitError, "no such study", []string{"review", "ack", "9.9.9.9", "--negative", "--by", "x", "--reason", "y"}},
	} {
		if got := radtier(c.code, c.args...); !strings.Contains(got, c.want) {
			t.Errorf("radtier %v says %q, want %q in it", c.args, got, c.want)
		}
	}
	store, err := file.Open(filepath.Join(data, "objects"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := func(state, plan string) {
		t.Helper()
		job, err := db.Enqueue(ctx, catalog.Arrival{StudyKey: study.StudyKey, Source: "/sr", Files: []catalog.SourceFile{{Path: "/sr/" + plan, Size: 1}}, Complete: true}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if state == "waiting" {
			return
		}
		if job, err = db.Own(ctx, job.ID, "test", 1e12); err != nil {
			t.Fatal(err)
		}
		key, raw := catalog.RecordKey(study.StudyKey, job.ID, job.Attempt), []byte("{}")
		if _, err := store.Put(ctx, key, bytes.NewReader(raw), objstore.PutOptions{Size: 2}); err != nil {
			t.Fatal(err)
		}
		if _, err := catalog.Commit(ctx, db, store, catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Key: study.StudyKey, Owner: "test", Action: "derive", Done: job.Want,
			Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
				m.Regions = &catalog.RegionRecord{Key: key, SHA256: fmt.Sprintf("%x", sha256.Sum256(raw)), Size: 2, State: state, Plan: plan, Since: m.Created}
				m.Totals.StoredBytes = m.StoredBytes()
				return m, nil
			}}); err != nil {
			t.Fatal(err)
		}
	}
	listed := func(args ...string) (lines []reviewLine) {
		t.Helper()
		for _, line := range strings.Split(strings.TrimSpace(radtier(exitDone, append([]string{"review", "list", "--json"}, args...)...)), "\n") {
			var l reviewLine
			if line == "" {
				continue
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			lines = append(lines, l)
		}
		return lines
	}
	plan("partial", "plan-0")
	if got := radtier(exitError, answer...); !strings.Contains(got, "in quarantine") {
		t.Errorf("a study with unreadable files: %q", got)
	}
	plan("unresolved", "plan-1")
	got := listed()
	if len(got) != 1 || got[0].StudyUID != study.UID || got[0].State != "unresolved" || got[0].Plan != "plan-1" || len(listed("--state", "partial")) != 0 || len(listed("--limit", "1")) != 1 {
		t.Fatalf("listed is %+v", got)
	}
	if got := radtier(exitDone, "review", "list"); !strings.Contains(got, study.UID) || !strings.Contains(got, "unresolved") {
		t.Errorf("the table is %q", got)
	}
	if got := radtier(exitError, append(answer, "--plan", "plan-0")...); !strings.Contains(got, "another plan") {
		t.Errorf("an answer to an earlier plan: %q", got)
	}
	var a answerLine
	if err := json.Unmarshal([]byte(radtier(exitDone, append(answer, "--json")...)), &a); err != nil || a.Kind != catalog.ReviewNegative || a.By != "reader 7" || a.Plan != "plan-1" || a.Generation != 4 || a.At.IsZero() {
		t.Fatalf("answered %+v, %v", a, err)
	}
	if got := listed(); len(got) != 0 {
		t.Fatalf("after the answer %+v are listed", got)
	}
	if got := radtier(exitDone, answer...); !strings.Contains(got, "negative, said by reader 7") {
		t.Errorf("the same answer again says %q", got)
	}
	plan("extracted-open", "plan-2")
	if got := listed(); len(got) != 1 || got[0].Plan != "plan-2" {
		t.Fatalf("after late evidence %+v are listed", got)
	}
	plan("waiting", "plan-3")
	if got := radtier(exitError, answer...); !strings.Contains(got, "waits or is under way") {
		t.Errorf("with an arrival that waits: %q", got)
	}
}
