package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// onePlace is a directory as the only tier.
type onePlace struct{ objstore.Store }

func (s onePlace) Hot() objstore.Store                       { return s.Store }
func (s onePlace) Tier(string) (objstore.Store, error)       { return s.Store, nil }
func (s onePlace) Shared(_, _ string) (bool, objstore.Class) { return false, "" }

// A study without lesions is purged four months from now: its certificate is shown, a hold is told that it comes too late, and a lost catalog changes nothing.
func TestCertificate(t *testing.T) {
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
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	says := func(want, got string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	s := synth.Generic(synth.GenericOptions{Instances: 2})
	_, _, err := s.WriteTo(src)
	check(err)
	radtier(exitDone, "ingest", "--wait", src)
	ctx := t.Context()
	later := time.Duration(0)
	now := func() time.Time { return time.Now().Add(later) }
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(data, "catalog.db"), Now: now})
	check(err)
	store, err := file.Open(filepath.Join(data, "objects"), file.Options{})
	check(err)
	var study catalog.Study
	for x, err := range db.Studies(ctx, catalog.Filter{}) {
		check(err)
		study = x
	}
	says("nothing of study", radtier(exitError, "certificate", study.UID))
	none := filepath.Join(dir, "none.json")
	check(os.WriteFile(none, fmt.Appendf(nil, `{"schema":"annotation/1","study_uid":%q,"document_id":"doc-1","revision":1,"system":"test","author":"person","created":"2026-03-01T08:00:00Z","status":"final","complete":true,"no_lesion":true,"lesions":[]}`, study.UID), 0o644))
	radtier(exitDone, "annotate", none)
	radtier(exitDone, "worker", "--once")
	says("negative", radtier(exitDone, "regions", "show", study.UID))

	rules, err := policy.Load("policy.yaml", []byte(`schema: radtier.policy/1
name: test
tiers: [hot]
roles: {"*": secondary}
proof: {level: attested, age: P30D}
rules:
  - {name: three-months, match: {class: full}, keep: P90D, from: arrival, tiers: [{tier: hot, after: P0D}]}
  - {name: rest, match: {class: [region, result, preview]}, keep: P5Y, from: arrival}
`))
	check(err)
	plan, _, err := lifecycle.MakePlan(ctx, db, store, lifecycle.PlanOptions{Policy: rules, Hot: "hot", Now: now()})
	check(err)
	x := lifecycle.Purger{Trasher: lifecycle.Trasher{DB: db, Store: store, Hot: "hot", Owner: "test", Now: now}, Tiers: onePlace{store}}
	for _, step := range []struct {
		kind  string
		after time.Duration
	}{{lifecycle.ActionTrash, 91 * 24 * time.Hour}, {lifecycle.ActionPurge, 40 * 24 * time.Hour}} {
		later += step.after
		_, err := catalog.CommitAside(ctx, db, store, catalog.Aside{Key: study.StudyKey, Action: "proof", By: "hospital", Note: "list", Change: func(m *catalog.Manifest) error {
			m.Custody = &catalog.Custody{Proof: &catalog.Proof{Level: "attested", At: now().UTC(), Same: true, Keeper: "hospital"}}
			return nil
		}})
		check(err)
		args := lifecycle.TrashArgs{Class: catalog.ClassFull, Policy: rules.Digest, Rules: "plans/l/" + plan.ID + "/policy.yaml", Plan: "0123456789abcdef", Line: 1, By: "ops"}
		job, err := db.QueueSide(ctx, study.Tenant, study.Hash(), step.kind, args.String())
		check(err)
		job, err = catalog.Begin(ctx, db, store, job.ID, "test", time.Hour)
		check(err)
		if step.kind == lifecycle.ActionTrash {
			_, err = x.Trash(ctx, job)
		} else {
			_, err = x.Purge(ctx, job)
		}
		check(err)
	}
	check(db.Close())

	got := radtier(exitDone, "certificate", study.UID)
	says("full purged", got)
	says("rule three-months", got)
	says("the primary copy was proved (attested)", got)
	says("1 object of", got)
	says("2 instances: 1 are still there", got)
	says(`"sop_uid"`, radtier(exitDone, "certificate", study.UID, "--json"))
	says("no instance matches", radtier(exitError, "get", study.UID, "-o", filepath.Join(dir, "out")))
	says("intact", radtier(exitDone, "verify", "--all"))
	got = radtier(exitDone, "hold", "add", study.UID, "--kind", "legal", "--owner", "office", "--reason", "dispute")
	says("too late for full: t/default/", got)
	says("2 instances, was purged", got)
	says("still in the store", got)
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		_ = os.Remove(filepath.Join(data, name))
	}
	radtier(exitDone, "rebuild")
	says("2 instances", radtier(exitDone, "certificate", study.UID))
	radtier(exitDone, "ingest", "--wait", src)
	radtier(exitDone, "get", study.UID, "-o", filepath.Join(dir, "again"))
	says("reopened", radtier(exitDone, "review", "list"))
	says("intact", radtier(exitDone, "verify", "--all"))
}
