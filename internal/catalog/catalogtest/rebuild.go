package catalogtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// rows is all that the catalog says of studies, holdings, intervals and quarantine.
func (f *Fixture) rows() []string {
	f.T.Helper()
	var list []string
	for s, err := range f.DB.Studies(f.Ctx, catalog.Filter{}) {
		f.OK(err)
		s.Accessed = time.Time{} // is not in the bucket
		list = append(list, fmt.Sprintf("%+v", s))
		holdings, err := f.DB.Holdings(f.Ctx, s.StudyKey)
		f.OK(err)
		intervals, err := f.DB.Intervals(f.Ctx, s.StudyKey)
		f.OK(err)
		list = append(list, fmt.Sprintf("%+v %+v %+v", holdings, intervals, f.citations(s.StudyKey)))
	}
	f.OK(f.DB.QuarantineList(f.Ctx, "", func(q catalog.QuarantineEntry) error {
		q.ID, q.Path = "", "" // made anew; where it came from is not in the bucket
		list = append(list, fmt.Sprintf("%+v", q))
		return nil
	}))
	return list
}

// fill makes studies of several generations, packs, classes and tenants, with quarantine and orphans.
func (f *Fixture) fill() {
	f.T.Helper()
	for n := range 7 {
		k := catalog.StudyKey{Tenant: []string{"north", "south"}[n%2], UID: fmt.Sprintf("1.2.%d", n)}
		for g := range 1 + n%3 {
			f.Done(k, fmt.Sprint("file", g))
			f.Clock.Move(time.Hour)
		}
	}
	q := f.quarantined("north", "broken bytes", "no preamble")
	a := f.Work(f.Arrive(Study(50), "partial").ID)
	own := a.Input.Change
	a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
		m, err := own(m)
		m.Quarantined, m.Status = []catalog.Quarantined{q}, catalog.StatusPartial
		m.Packs = append(m.Packs, m.Packs[0])
		extra := a.put(catalog.PackKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt, 2), 33)
		p := &m.Packs[1]
		p.Key, p.Size, p.SHA256, p.Class, p.Tier, p.Since = extra.key, extra.size, extra.sum, catalog.ClassPreview, "cold", p.Since.Add(-time.Hour)
		m.Hot.Parts = append(m.Hot.Parts, catalog.BundlePart{})
		sum(m)
		return m, err
	}
	_, err := a.Commit()
	f.OK(err)
	cited := catalog.StudyKey{Tenant: "north", UID: "1.2.2"}
	measured := func(plan string) {
		f.Plan(catalog.StudyKey{Tenant: "north", UID: "1.2.4"}, plan, "extracted-open", plan, catalog.Cite{StudyUID: cited.UID, SOPUIDs: []string{"9.1"}}, catalog.Cite{StudyUID: "1.2.999"})
	}
	measured(plan(1))
	f.Clock.Move(time.Minute)
	measured(plan(2))
	f.Clock.Move(time.Minute)
	f.look(cited)
	_, err = catalog.Answer(f.Ctx, f.DB, f.Store, catalog.AnswerInput{Key: catalog.StudyKey{Tenant: "north", UID: "1.2.4"}, Kind: catalog.ReviewNegative, By: "reader", Reason: "seen", Plan: plan(2)})
	f.OK(err)
	orphan := f.Work(f.Arrive(Study(0), "orphan").ID) // no commit: only packs
	orphan.Input.Hooks = CrashAt(catalog.StepManifestPut)
	_, err = orphan.Commit()
	f.wantErr(err, ErrCrash)
	f.OK(f.DB.Release(f.Ctx, orphan.Job.ID, orphan.Job.Attempt, catalog.Requeue("stop")))
	b := f.Work(orphan.Job.ID)
	_, err = b.Commit()
	f.OK(err)
}

// quarantined puts a file into quarantine as ingest does.
func (f *Fixture) quarantined(tenant, data, reason string) catalog.Quarantined {
	f.T.Helper()
	sum := fmt.Sprintf("%064x", len(data))
	q := catalog.Quarantined{SHA256: sum, Size: int64(len(data)), Key: catalog.QuarantineKey(tenant, sum), Reason: reason}
	note, err := json.Marshal(q)
	f.OK(err)
	for key, body := range map[string][]byte{q.Key: []byte(data), q.Key + ".json": note} {
		_, err := f.Store.Store.Put(f.Ctx, key, bytes.NewReader(body), objstore.PutOptions{Size: int64(len(body))})
		f.OK(err)
	}
	f.OK(f.DB.QuarantineAdd(f.Ctx, catalog.QuarantineEntry{Tenant: tenant, Quarantined: q, Path: "/in/broken"}))
	return q
}

// The catalog is lost: rebuilt from the bucket alone it says the same.
func testRebuild(t *testing.T, f *Fixture) {
	f.fill()
	want, objects := f.rows(), f.Keys("")
	f.Drop()
	if got := f.rows(); len(got) != 0 {
		t.Fatalf("the new catalog has %v", got)
	}
	calls := 0
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Progress: func(p catalog.RebuildProgress) { calls++ }})
	f.OK(err)
	if rep.Studies != 9 || rep.Quarantined != 1 || len(rep.Forks)+len(rep.Damaged)+len(rep.Missing)+rep.Unpublished != 0 || calls < 9 {
		t.Fatalf("report is %+v after %d calls, want 9 studies and 1 quarantined file", rep, calls)
	}
	got := f.rows()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("rebuilt rows differ:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if now := f.Keys(""); !reflect.DeepEqual(now, objects) {
		t.Fatalf("the bucket changed: %v, was %v", now, objects)
	}
	f.Done(catalog.StudyKey{Tenant: "north", UID: "1.2.0"}, "after the rebuild")

	// One tenant only.
	f.Drop()
	rep, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Tenant: "south"})
	f.OK(err)
	if rep.Studies != 3 {
		t.Fatalf("rebuild of one tenant: %+v, want 3 studies", rep)
	}
	// Damage is listed and stops nothing else.
	damaged := f.Keys("t/north/s/")
	for _, key := range damaged {
		if strings.HasSuffix(key, ".json") {
			f.OK(f.Store.Delete(f.Ctx, key))
			_, err := f.Store.Put(f.Ctx, key, strings.NewReader("{}"), objstore.PutOptions{Size: 2})
			f.OK(err)
			break
		}
	}
	f.Drop()
	rep, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if rep.Studies != 8 || len(rep.Damaged) != 1 {
		t.Fatalf("rebuild with a damaged manifest: %+v, want 8 studies and 1 damaged", rep)
	}
}

// Rebuilding a catalog in use changes nothing that is right, and publishes what was decided.
func testRebuildInUse(t *testing.T, f *Fixture) {
	f.fill()
	k := Study(77)
	a := f.Work(f.Arrive(k, "a").ID)
	a.Input.Hooks = CrashAt(catalog.StepDecided)
	_, err := a.Commit()
	f.wantErr(err, ErrCrash)
	queued := f.Arrive(Study(78), "b")
	want := f.rows()
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if rep.Studies != 10 || rep.Unpublished != 0 || len(rep.Missing) != 0 {
		t.Fatalf("report is %+v, want 10 studies", rep)
	}
	if h := f.Head(k); !h.Published || h.Key != a.manifestKey(1) {
		t.Fatalf("decided head is now %+v", h)
	}
	if _, err := f.Store.Head(f.Ctx, catalog.PublishedKey(a.manifestKey(1))); err != nil {
		t.Fatalf("the catalog says published: %v", err)
	}
	got := f.rows()
	for i := range got {
		if got[i] != want[i] && !strings.Contains(want[i], a.manifestKey(1)) {
			t.Errorf("row %d is %s, was %s", i, got[i], want[i])
		}
	}
	_, err = f.Work(queued.ID).Commit()
	f.OK(err)
}

// onGet does something once, when a manifest is read.
type onGet struct {
	objstore.Store
	do func()
}

func (s *onGet) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	r, info, err := s.Store.Get(ctx, key, offset, length)
	if do := s.do; do != nil && strings.Contains(key, "/m/") {
		s.do = nil
		do()
	}
	return r, info, err
}

// A generation is decided, and not published, while a rebuild looks at its study: it is not taken for published.
func testRebuildDecided(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	a := f.Work(f.Arrive(k, "b").ID)
	a.Input.Hooks = CrashAt(catalog.StepDecided)
	store := &onGet{Store: f.Store, do: func() {
		_, err := a.Commit()
		f.wantErr(err, ErrCrash)
	}}
	_, err := catalog.Rebuild(f.Ctx, f.DB, store, catalog.RebuildOptions{})
	f.OK(err)
	if h := f.Head(k); h.Generation == 2 && h.Published {
		if _, err := f.Store.Head(f.Ctx, catalog.PublishedKey(h.Key)); err != nil {
			t.Fatalf("generation 2 counts as published, and its mark is not in the bucket: %v", err)
		}
	}
	f.Reconcile()
	f.Whole(k, 2, 2)
}

func testReads(t *testing.T, f *Fixture) {
	f.fill()
	f.Arrive(Study(99), "waiting")
	list := func(q catalog.Filter) (n int, last catalog.Study) {
		t.Helper()
		for s, err := range f.DB.Studies(f.Ctx, q) {
			f.OK(err)
			n++
			last = s
		}
		return n, last
	}
	_, newest := list(catalog.Filter{Tenant: "south"})
	for _, c := range []struct {
		name string
		q    catalog.Filter
		want int
	}{
		{"all", catalog.Filter{}, 10}, {"tenant", catalog.Filter{Tenant: "south"}, 3}, {"status", catalog.Filter{Status: catalog.StatusPartial}, 1},
		{"new", catalog.Filter{Status: catalog.StatusNew}, 1}, {"limit", catalog.Filter{Limit: 2}, 2}, {"future", catalog.Filter{Since: f.Clock.Now().Add(time.Hour)}, 0},
		{"after a later tenant", catalog.Filter{Tenant: "north", After: newest.StudyKey}, 0}, {"after an earlier tenant", catalog.Filter{Tenant: "south", After: Study(50)}, 3},
		{"tenant, limit", catalog.Filter{Tenant: "south", Limit: 2}, 2}, {"unknown tenant", catalog.Filter{Tenant: "west"}, 0},
		{"after the last", catalog.Filter{After: newest.StudyKey}, 0}, {"limit above", catalog.Filter{Limit: 500}, 10},
	} {
		if got, _ := list(c.q); got != c.want {
			t.Errorf("%s: got %d studies, want %d", c.name, got, c.want)
		}
	}
	var after catalog.StudyKey
	pages := 0
	for n := 0; ; n++ {
		got, last := list(catalog.Filter{Limit: 2, After: after})
		if pages += got; got < 2 {
			break
		}
		after = last.StudyKey
	}
	if pages != 10 {
		t.Errorf("page by page got %d studies, want 10", pages)
	}
	k := catalog.StudyKey{Tenant: "south", UID: "1.2.1"}
	for _, name := range []string{k.UID, k.Hash(), k.Hash()[:12], strings.ToUpper(k.Hash()[:12])} {
		if s, err := f.DB.FindStudy(f.Ctx, "", name); err != nil || s.StudyKey != k || s.Generation != 2 {
			t.Errorf("find %q: %+v, %v", name, s, err)
		}
	}
	f.Arrive(catalog.StudyKey{Tenant: "north", UID: k.UID}, "a")
	_, err := f.DB.FindStudy(f.Ctx, "", k.UID)
	f.wantErr(err, catalog.ErrAmbiguous)
	if s, err := f.DB.FindStudy(f.Ctx, "south", k.UID); err != nil || s.StudyKey != k {
		t.Errorf("with the tenant: %+v, %v", s, err)
	}
	for _, name := range []string{"9.9.9", k.Hash()[:3], "zzzzzz", ""} {
		if _, err := f.DB.FindStudy(f.Ctx, "", name); err == nil {
			t.Errorf("found %q", name)
		}
	}
	_, err = f.DB.Head(f.Ctx, Study(99))
	f.wantErr(err, catalog.ErrNoStudy)
	_, err = f.DB.Head(f.Ctx, Study(1234))
	f.wantErr(err, catalog.ErrNoStudy)

	c, err := f.DB.Counts(f.Ctx)
	f.OK(err)
	if c.Studies[catalog.StatusStored] != 8 || c.Studies[catalog.StatusPartial] != 1 || c.Studies[catalog.StatusNew] != 2 || c.Jobs[catalog.JobQueued] != 2 ||
		c.Arrivals != 2 || c.Instances != 2 || c.Bytes != 2000 || c.Quarantine != 1 || c.Totals.Instances != 19 {
		t.Errorf("counts are %+v", c)
	}
}

func testQuarantine(t *testing.T, f *Fixture) {
	q := f.quarantined("north", "xx", "not DICOM")
	f.quarantined("south", "xxx", "not DICOM")
	f.OK(f.DB.QuarantineAdd(f.Ctx, catalog.QuarantineEntry{Tenant: "north", Quarantined: q, Hash: "ab"})) // again, now with its study
	list := func(tenant string) (out []catalog.QuarantineEntry) {
		t.Helper()
		f.OK(f.DB.QuarantineList(f.Ctx, tenant, func(e catalog.QuarantineEntry) error { out = append(out, e); return nil }))
		return out
	}
	got := list("north")
	if len(got) != 1 || len(list("")) != 2 || got[0].Hash != "ab" || got[0].Path != "/in/broken" || got[0].State != catalog.QuarantineOpen || got[0].Quarantined != q {
		t.Fatalf("quarantine of north is %+v", got)
	}
	f.OK(f.DB.QuarantineRetry(f.Ctx, got[0].ID))
	if got = list("north"); got[0].State != catalog.QuarantineRetry {
		t.Fatalf("after retry: %+v", got)
	}
	f.OK(f.DB.QuarantineRemove(f.Ctx, got[0].ID))
	f.wantErr(f.DB.QuarantineRemove(f.Ctx, got[0].ID), catalog.ErrNoEntry)
	if len(list("")) != 1 {
		t.Fatal("not removed")
	}
}

// Events are delivered at least once, with stable ids, and never before publication.
func testEvents(t *testing.T, f *Fixture) {
	f.Done(Study(1), "a")
	f.Done(Study(2), "a")
	m := f.Done(Study(1), "b")
	boom := fmt.Errorf("receiver is down")
	var first, second []string
	err := f.DB.Events(f.Ctx, func(e catalog.Event) error {
		first = append(first, e.ID)
		if len(first) == 2 {
			return boom
		}
		return nil
	})
	f.wantErr(err, boom)
	other := f.Again()
	f.OK(other.Events(f.Ctx, func(e catalog.Event) error { second = append(second, e.ID); return nil }))
	if len(first) != 2 || len(second) != 1 || second[0] == first[0] || second[0] == first[1] {
		t.Fatalf("delivered %v, then %v; want 2, then the third", first, second)
	}
	f.Clock.Move(2 * time.Minute)
	e := f.Events()
	if len(e) != 1 || e[0].ID != first[1] {
		t.Fatalf("delivered again: %+v, want %s", e, first[1])
	}
	f.Clock.Move(30 * 24 * time.Hour)
	f.Reconcile()
	if e := f.Events(); len(e) != 0 {
		t.Fatalf("delivered again: %+v", e)
	}
	f.Done(Study(1), "c")
	e = f.Events()
	if len(e) != 1 || e[0].Generation != 3 || e[0].StudyUID != m.StudyUID || e[0].Totals.Instances != 3 || !e[0].Changed || e[0].Action != "derive" {
		t.Fatalf("event is %+v", e)
	}
}

// Source files go when, and only when, their commit is published, and only if they are as pinned.
func testCleanup(t *testing.T, f *Fixture) {
	dir, target := t.TempDir(), t.TempDir()
	write := func(name, data string) catalog.SourceFile {
		path := filepath.Join(dir, name)
		f.OK(os.MkdirAll(filepath.Dir(path), 0o755))
		f.OK(os.WriteFile(path, []byte(data), 0o644))
		info, err := os.Stat(path)
		f.OK(err)
		return catalog.SourceFile{Path: path, Size: info.Size(), ModTime: info.ModTime()}
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	queue := func(n int, after, moveTo string, list ...catalog.SourceFile) catalog.Job {
		t.Helper()
		job, err := f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: Study(n), Source: dir, Files: list, After: after, MoveTo: moveTo, Complete: true}, 0)
		f.OK(err)
		return job
	}
	keep, gone, changed := write("keep", "k"), write("gone", "g"), write("changed", "c")
	for n, after := range []string{catalog.AfterKeep, catalog.AfterDelete} {
		list := [][]catalog.SourceFile{{keep}, {gone, changed, {Path: filepath.Join(dir, "absent"), Size: 1}}}[n]
		a := f.Work(queue(n, after, "", list...).ID)
		f.OK(os.WriteFile(changed.Path, []byte("other"), 0o644)) // somebody writes a new file of that name
		a.Input.Hooks = CrashAt(catalog.StepDecided)
		_, err := a.Commit()
		f.wantErr(err, ErrCrash)
		if !exists(gone.Path) {
			t.Fatal("a source file went before its commit was published")
		}
		f.Reconcile()
	}
	if exists(gone.Path) || !exists(keep.Path) || !exists(changed.Path) {
		t.Fatalf("deleted %v, kept %v, changed kept %v; want all true", !exists(gone.Path), exists(keep.Path), exists(changed.Path))
	}

	sub, clash, same := write("s/sub", "sub"), write("clash", "new"), write("same", "same")
	f.OK(os.WriteFile(filepath.Join(target, "clash"), []byte("old"), 0o644))
	f.OK(os.WriteFile(filepath.Join(target, "same"), []byte("same"), 0o644))
	_, err := f.Work(queue(3, catalog.AfterMove, target, sub, clash, same).ID).Commit()
	f.OK(err)
	for name, want := range map[string]string{"s/sub": "sub", "clash": "old", "clash~1": "new", "same": "same"} {
		if got, err := os.ReadFile(filepath.Join(target, name)); err != nil || string(got) != want {
			t.Errorf("moved %s holds %q, %v; want %q", name, got, err, want)
		}
	}
	if exists(sub.Path) || exists(clash.Path) || exists(same.Path) || exists(filepath.Join(target, "same~1")) {
		t.Error("files were copied, not moved")
	}
	if c, err := f.DB.Counts(f.Ctx); err != nil || c.Cleanups != 0 {
		t.Errorf("clean-ups are left: %+v, %v", c, err)
	}

	// The generation that covers the files was decided and then lost in the bucket: they are the only copy.
	f.Done(Study(9), "a")
	only := write("only", "o")
	a := f.Work(queue(9, catalog.AfterDelete, "", only).ID)
	a.Input.Hooks = CrashAt(catalog.StepDecided)
	_, err = a.Commit()
	f.wantErr(err, ErrCrash)
	f.OK(f.Store.Delete(f.Ctx, a.manifestKey(2)))
	f.wantErr(catalog.Reconcile(f.Ctx, f.DB, f.Store), catalog.ErrBucketBehind)
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if len(rep.Missing) != 1 || rep.Missing[0] != Study(9) {
		t.Fatalf("rebuild reports %+v, want the study as missing its head", rep)
	}
	f.Clock.Move(time.Hour)
	f.Reconcile()
	if h := f.Head(Study(9)); h.Generation != 1 || !exists(only.Path) {
		t.Fatalf("head is %+v, and the only copy is there: %v", h, exists(only.Path))
	}
	f.Clock.Move(time.Second)
	c, err := f.DB.Counts(f.Ctx)
	f.OK(err)
	if c.Cleanups != 1 {
		t.Fatalf("%d clean-ups wait, want that one", c.Cleanups)
	}
	lost := c.Cleanups

	// A clean-up that cannot be done is tried again, later.
	blocked := write("blocked", "b")
	f.OK(os.WriteFile(filepath.Join(target, "file"), nil, 0o644))
	_, err = f.Work(queue(4, catalog.AfterMove, filepath.Join(target, "file", "x"), blocked).ID).Commit()
	f.OK(err)
	c, err = f.DB.Counts(f.Ctx)
	f.OK(err)
	if !exists(blocked.Path) || c.Cleanups != 1+lost {
		t.Fatalf("blocked clean-up: file is there %v, %d rows; want true, %d", exists(blocked.Path), c.Cleanups, 1+lost)
	}
	f.OK(os.Remove(filepath.Join(target, "file")))
	f.Reconcile()
	if !exists(blocked.Path) {
		t.Fatal("tried again without a pause")
	}
	f.Clock.Move(time.Hour)
	f.Reconcile()
	if exists(blocked.Path) {
		t.Fatal("not tried again")
	}
}
