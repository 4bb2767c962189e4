package catalogtest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

func files(at time.Time, names ...string) []catalog.SourceFile {
	var list []catalog.SourceFile
	for _, n := range names {
		list = append(list, catalog.SourceFile{Path: "/in/" + n, Size: int64(len(n)), ModTime: at, SeriesUID: "1.2", SOPUID: "1.2." + n, Number: 3, Group: 1})
	}
	return list
}

func testEnqueue(t *testing.T, f *Fixture) {
	k, at := Study(1), f.Clock.Now()
	add := func(a catalog.Arrival, quiet time.Duration) catalog.Job {
		t.Helper()
		a.StudyKey, a.Source = k, "/in"
		job, err := f.DB.Enqueue(f.Ctx, a, quiet)
		f.OK(err)
		return job
	}
	first := add(catalog.Arrival{Files: files(at, "a", "b")}, time.Hour)
	for _, c := range []struct {
		name string
		a    catalog.Arrival
		want int64 // arrivals after it
	}{
		{"the same batch", catalog.Arrival{Files: files(at, "a", "b")}, 1},
		{"in another order", catalog.Arrival{Files: files(at, "b", "a")}, 1},
		{"another time", catalog.Arrival{Files: files(at.Add(1), "a", "b")}, 2},
		{"one file more", catalog.Arrival{Files: files(at, "a", "b", "c")}, 3},
		{"another end", catalog.Arrival{Files: files(at, "a", "b"), After: catalog.AfterDelete}, 4},
		{"that again", catalog.Arrival{Files: files(at, "a", "b"), After: catalog.AfterDelete}, 4},
	} {
		job := add(c.a, time.Hour)
		if job.ID != first.ID || job.Want != c.want || job.State != catalog.JobQueued {
			t.Fatalf("%s: got job %s %s, want %d arrivals; must be job %s with %d", c.name, job.ID, job.State, job.Want, first.ID, c.want)
		}
	}
	list, want, err := f.DB.Arrivals(f.Ctx, first.ID)
	f.OK(err)
	if want != 4 || len(list) != 4 || !reflect.DeepEqual(list[0].Files, files(at, "a", "b")) || list[3].After != catalog.AfterDelete || list[2].Seq != 3 || list[0].StudyKey != k {
		t.Fatalf("got %d arrivals up to %d: %+v", len(list), want, list)
	}
	for _, bad := range []catalog.Arrival{
		{StudyKey: k},
		{StudyKey: k, Files: files(at, "a"), After: "burn"},
		{StudyKey: k, Files: files(at, "a"), After: catalog.AfterMove},
		{StudyKey: k, Files: files(at, "a"), MoveTo: "/x"},
		{StudyKey: catalog.StudyKey{Tenant: "../x", UID: "1"}, Files: files(at, "a")},
		{StudyKey: catalog.StudyKey{Tenant: "x"}, Files: files(at, "a")},
	} {
		if _, err := f.DB.Enqueue(f.Ctx, bad, 0); err == nil {
			t.Errorf("enqueued %+v", bad)
		}
	}
	_, err = f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: Study(9), Complete: true}, 0)
	f.wantErr(err, catalog.ErrNothingToDo)
	_, _, err = f.DB.Arrivals(f.Ctx, "NONE")
	f.wantErr(err, catalog.ErrNoJob)
}

// Arrivals during the work queue the job again at its commit, and only then.
func testWantDone(t *testing.T, f *Fixture) {
	k := Study(1)
	a := f.Work(f.Arrive(k, "a").ID)
	for _, name := range []string{"b", "c"} {
		if late := f.Arrive(k, name); late.ID != a.Job.ID || late.State != catalog.JobRunning || late.Attempt != a.Job.Attempt {
			t.Fatalf("a late arrival got job %+v, want the running one", late)
		}
	}
	if due, err := f.DB.Due(f.Ctx, 5); err != nil || len(due) != 0 {
		t.Fatalf("due while the study is worked on: %v, %v", due, err)
	}
	_, err := f.DB.Own(f.Ctx, a.Job.ID, "second", lease)
	f.wantErr(err, catalog.ErrLeased)
	_, err = a.Commit()
	f.OK(err)
	job := f.Job(a.Job.ID)
	if job.State != catalog.JobQueued || job.Want != 3 || job.Done != 1 || job.Owner != "" {
		t.Fatalf("after the commit the job is %+v, want queued, want 3, done 1", job)
	}
	b := f.Work(job.ID)
	list, want, err := f.DB.Arrivals(f.Ctx, job.ID)
	f.OK(err)
	if len(list) != 2 || want != 3 || list[0].Seq != 2 {
		t.Fatalf("the second attempt gets %d arrivals up to %d, want 2 up to 3", len(list), want)
	}
	_, err = b.Commit()
	f.OK(err)
	f.Whole(k, 2, 2)
	if again := f.Arrive(k, "d"); again.ID == job.ID || again.State != catalog.JobQueued || again.Want != 4 {
		t.Fatalf("after the job was done a new arrival got %+v, want a new job", again)
	}
}

func testQuiet(t *testing.T, f *Fixture) {
	k := Study(1)
	const quiet = 10 * time.Minute
	add := func(complete bool, names ...string) catalog.Job {
		t.Helper()
		job, err := f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: k, Source: "/in", Files: files(f.Clock.Now(), names...), Complete: complete}, quiet)
		f.OK(err)
		return job
	}
	due := func(want int) {
		t.Helper()
		if list, err := f.DB.Due(f.Ctx, 5); err != nil || len(list) != want {
			t.Fatalf("due at %v: %v, %v; want %d", f.Clock.Now(), list, err, want)
		}
	}
	job := add(false, "a")
	f.Clock.Move(quiet - time.Second)
	due(0)
	_, err := f.DB.Own(f.Ctx, job.ID, "eager", lease)
	f.wantErr(err, catalog.ErrLeased)
	add(false, "b") // pushes it on
	f.Clock.Move(quiet - time.Second)
	due(0)
	f.Clock.Move(time.Second)
	due(1)
	add(false, "c")
	due(0)
	add(true) // no more is coming
	due(1)
	a := f.Work(job.ID)
	add(false, "d")
	_, err = a.Commit()
	f.OK(err)
	due(0) // the late one waits for its own quiet time
	f.Clock.Move(quiet)
	due(1)
}

// testExpired: an attempt whose lease is over cannot commit, even if the catalog knows of nobody who took the job over.
func testExpired(t *testing.T, f *Fixture) {
	a := f.Work(f.Arrive(Study(1), "a").ID)
	f.Clock.Move(2 * lease)
	_, err := a.Commit()
	f.wantErr(err, catalog.ErrStale)
	f.wantErr(f.DB.Renew(f.Ctx, a.Job.ID, a.Job.Attempt, lease), catalog.ErrStale)
	if _, err := f.DB.Head(f.Ctx, Study(1)); err == nil {
		t.Fatal("a generation was decided under a lease that was over")
	}
	_, err = f.Work(a.Job.ID).Commit()
	f.OK(err)
}

// testAbsolve: crashes that were none are taken back; a job that was set aside for them goes on.
func testAbsolve(t *testing.T, f *Fixture) {
	id := f.Arrive(Study(1), "a").ID
	f.Own(id)
	for range catalog.MaxCrashes {
		f.Clock.Move(2 * lease)
		_, err := f.DB.Own(f.Ctx, id, "other", lease)
		if job, e := f.DB.Job(f.Ctx, id); e != nil || job.Crashes == catalog.MaxCrashes != errors.Is(err, catalog.ErrPoison) {
			t.Fatalf("after %d crashes: %v, %v", job.Crashes, err, e)
		}
	}
	f.OK(f.DB.Absolve(f.Ctx, id))
	job, err := f.DB.Job(f.Ctx, id)
	f.OK(err)
	if job.State != catalog.JobQueued || job.Crashes != catalog.MaxCrashes-1 {
		t.Fatalf("the job is %s with %d crashes, want queued with %d", job.State, job.Crashes, catalog.MaxCrashes-1)
	}
	_, err = f.Work(id).Commit()
	f.OK(err)
	f.OK(f.DB.Absolve(f.Ctx, id))
	f.OK(f.DB.Absolve(f.Ctx, "NONE"))
}

func testLease(t *testing.T, f *Fixture) {
	id := f.Arrive(Study(1), "a").ID
	job := f.Own(id)
	if job.Attempt != 1 || job.Owner != "worker" || job.State != catalog.JobRunning || !job.LeaseUntil.Equal(f.Clock.Now().Add(lease)) {
		t.Fatalf("owned job is %+v", job)
	}
	f.Clock.Move(lease - time.Second)
	f.OK(f.DB.Renew(f.Ctx, id, 1, lease))
	f.Clock.Move(lease - time.Second)
	_, err := f.DB.Own(f.Ctx, id, "other", lease)
	f.wantErr(err, catalog.ErrLeased)
	f.wantErr(f.DB.Renew(f.Ctx, id, 2, lease), catalog.ErrStale)
	f.wantErr(f.DB.Renew(f.Ctx, "NONE", 1, lease), catalog.ErrStale)
	f.Clock.Move(2 * time.Second)
	f.wantErr(f.DB.Renew(f.Ctx, id, 1, lease), catalog.ErrStale) // expired, and nobody took it, as far as this catalog knows
	if due, err := f.DB.Due(f.Ctx, 5); err != nil || len(due) != 1 {
		t.Fatalf("due with an expired lease: %v, %v", due, err)
	}
	job, err = f.DB.Own(f.Ctx, id, "other", lease)
	f.OK(err)
	if job.Attempt != 2 || job.Crashes != 1 || job.Owner != "other" {
		t.Fatalf("taken over: %+v, want attempt 2 after 1 crash", job)
	}
	f.wantErr(f.DB.Renew(f.Ctx, id, 1, lease), catalog.ErrStale)
	_, err = f.DB.Own(f.Ctx, "NONE", "other", lease)
	f.wantErr(err, catalog.ErrNoJob)
}

// A study on which workers die is set aside after MaxCrashes, whoever notices.
func testPoison(t *testing.T, f *Fixture) {
	for name, notice := range map[string]func(id string) error{
		"by the next owner":    func(id string) error { _, err := f.DB.Own(f.Ctx, id, "w", lease); return err },
		"by the reconciler":    func(id string) error { f.Reconcile(); _, err := f.DB.Own(f.Ctx, id, "w", lease); return err },
		"by another catalogue": func(id string) error { _, err := f.Again().Own(f.Ctx, id, "w", lease); return err },
	} {
		k := catalog.StudyKey{Tenant: "north", UID: name}
		id := f.Arrive(k, "a").ID
		f.Own(id)
		for n := 1; n < catalog.MaxCrashes; n++ {
			f.Clock.Move(2 * lease)
			f.OK(notice(id))
		}
		f.Clock.Move(2 * lease)
		err := notice(id)
		if !errors.Is(err, catalog.ErrPoison) && !errors.Is(err, catalog.ErrClosed) {
			t.Fatalf("%s: after %d crashes got %v", name, catalog.MaxCrashes, err)
		}
		job := f.Job(id)
		if job.State != catalog.JobFailed || job.Crashes != catalog.MaxCrashes || job.Attempt != catalog.MaxCrashes || job.LastError == "" {
			t.Fatalf("%s: job is %+v, want failed after %d crashes", name, job, catalog.MaxCrashes)
		}
		_, err = f.DB.Own(f.Ctx, id, "w", lease)
		f.wantErr(err, catalog.ErrClosed)
	}
	if due, err := f.DB.Due(f.Ctx, 9); err != nil || len(due) != 0 {
		t.Fatalf("poisoned studies are due: %v, %v", due, err)
	}
	// a person looked: it is worked on again, and its arrivals are still there
	k := catalog.StudyKey{Tenant: "north", UID: "by the reconciler"}
	var id string
	f.OK(f.DB.Jobs(f.Ctx, func(j catalog.Job) error {
		if j.StudyKey == k {
			id = j.ID
		}
		return nil
	}, catalog.JobFailed))
	job, err := f.DB.Reopen(f.Ctx, id)
	f.OK(err)
	if job.State != catalog.JobQueued || job.Crashes != 0 || job.Attempt != catalog.MaxCrashes {
		t.Fatalf("reopened job is %+v", job)
	}
	_, err = f.Work(id).Commit()
	f.OK(err)
	_, err = f.DB.Reopen(f.Ctx, id)
	f.wantErr(err, catalog.ErrClosed)
	// or new files come: a new job takes up the old ones too
	k.UID = "by the next owner"
	second := f.Arrive(k, "b")
	if list, want, err := f.DB.Arrivals(f.Ctx, second.ID); err != nil || len(list) != 2 || want != 2 {
		t.Fatalf("the new job has %d arrivals up to %d, %v; want 2", len(list), want, err)
	}
	_, err = f.Work(second.ID).Commit()
	f.OK(err)
	if err := f.DB.Jobs(f.Ctx, func(j catalog.Job) error {
		if j.StudyKey == k {
			return fmt.Errorf("job %s still counts as failed", j.ID)
		}
		return nil
	}, catalog.JobFailed); err != nil {
		t.Fatal(err)
	}
}

func testRelease(t *testing.T, f *Fixture) {
	for _, c := range []struct {
		name     string
		r        catalog.Release
		state    catalog.JobState
		after    time.Duration
		failures int
	}{
		{"retry", catalog.Retry(time.Minute, "503"), catalog.JobQueued, time.Minute, 1},
		{"snooze", catalog.Snooze(time.Hour, "thawing"), catalog.JobQueued, time.Hour, 0},
		{"requeue", catalog.Requeue("shutdown"), catalog.JobQueued, 0, 0},
		{"fail", catalog.Fail("malformed"), catalog.JobFailed, 0, 1},
		{"long reason", catalog.Fail(strings.Repeat("ü", 5000)), catalog.JobFailed, 0, 1},
	} {
		k := catalog.StudyKey{Tenant: "t-" + strings.ReplaceAll(c.name, " ", ""), UID: "1"}
		job := f.Own(f.Arrive(k, "a").ID)
		f.OK(f.DB.Release(f.Ctx, job.ID, job.Attempt, c.r))
		f.wantErr(f.DB.Release(f.Ctx, job.ID, job.Attempt, c.r), catalog.ErrStale)
		got := f.Job(job.ID)
		if got.State != c.state || !got.ReadyAt.Equal(f.Clock.Now().Add(c.after)) || got.Failures != c.failures || got.Crashes != 0 || got.Attempt != 1 || got.LastError == "" || len(got.LastError) > 4000 {
			t.Errorf("%s: job is %+v", c.name, got)
		}
		if c.state == catalog.JobQueued {
			f.Clock.Move(c.after)
			if got = f.Own(job.ID); got.Attempt != 2 || got.Crashes != 0 {
				t.Errorf("%s: owned again: %+v", c.name, got)
			}
		}
	}
}

// Tenants take turns; within one the oldest comes first.
func testDue(t *testing.T, f *Fixture) {
	name := map[string]string{}
	add := func(tenant string, n int) {
		for i := range n {
			job := f.Arrive(catalog.StudyKey{Tenant: tenant, UID: fmt.Sprint(i)}, "a")
			name[job.ID] = fmt.Sprint(tenant, i)
			f.Clock.Move(time.Second)
		}
	}
	add("big", 5)
	add("mid", 2)
	add("new", 1)
	due := func(limit int) string {
		t.Helper()
		list, err := f.DB.Due(f.Ctx, limit)
		f.OK(err)
		var names []string
		for _, j := range list {
			names = append(names, name[j.ID])
		}
		return strings.Join(names, " ")
	}
	for _, c := range []struct {
		limit int
		want  string
	}{
		{0, ""},
		{100, "big0 mid0 new0 big1 mid1 big2 big3 big4"},
		{4, "mid0 new0 big0 mid1"}, // another tenant begins each time
		{5, "new0 big0 mid0 big1 mid1"},
		{7, "big0 mid0 new0 big1 mid1 big2 big3"},
		{1, "mid0"},
		{1, "new0"},
		{1, "big0"},
		{1, "mid0"},
	} {
		if got := due(c.limit); got != c.want {
			t.Errorf("limit %d: got %q, want %q", c.limit, got, c.want)
		}
	}
	// a job with an expired lease keeps its place
	f.DB = f.Again()
	var first string
	for id, n := range name {
		if n == "big0" {
			first = id
		}
	}
	f.Own(first)
	if got := due(1); got != "big1" {
		t.Errorf("with big0 running: got %q, want big1", got)
	}
	f.Clock.Move(2 * lease)
	f.DB = f.Again()
	if got := due(3); got != "big0 mid0 new0" {
		t.Errorf("with big0's lease expired: got %q, want big0 first", got)
	}
}

// UIDs and paths may be any bytes.
func testOddNames(t *testing.T, f *Fixture) {
	for _, uid := range []string{"1.2.840 trailing", "", "日本", "\xc4\xe3\xba\xc3", "a\x00b", `a\x00b`, "\\", "../../etc", strings.Repeat("9", 1000), "'; DROP TABLE study; --", "%_"} {
		k := catalog.StudyKey{Tenant: "north", UID: uid}
		file := catalog.SourceFile{Path: "/in/\xc4\xe3 " + uid, Size: 1, ModTime: f.Clock.Now(), SeriesUID: uid, SOPUID: uid}
		job, err := f.DB.Enqueue(f.Ctx, catalog.Arrival{StudyKey: k, Source: "/in\xff", Files: []catalog.SourceFile{file}, Complete: true}, 0)
		if uid == "" {
			if err == nil {
				t.Error("an empty UID was queued")
			}
			continue
		}
		f.OK(err)
		list, _, err := f.DB.Arrivals(f.Ctx, job.ID)
		f.OK(err)
		if job.UID != uid || list[0].UID != uid || list[0].Source != "/in\xff" || !reflect.DeepEqual(list[0].Files[0], file) {
			t.Fatalf("UID %q came back as %q, %+v", uid, job.UID, list[0])
		}
		a := f.Work(job.ID)
		own := a.Input.Change
		a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
			m, err := own(m)
			m.Withdrawn = []catalog.Withdrawn{{SeriesUID: uid, SOPUID: uid, Code: "113037,DCM", At: f.Clock.Now()}}
			m.Hot.Thumbs = map[string]catalog.Range{uid: {0, 1}}
			return m, err
		}
		_, err = a.Commit()
		f.OK(err)
		m, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, k)
		f.OK(err)
		if m.StudyUID != uid || m.Withdrawn[0].SOPUID != uid || m.Hot.Thumbs[uid] != (catalog.Range{0, 1}) {
			t.Fatalf("manifest of UID %q has %q", uid, m.StudyUID)
		}
		if s, err := f.DB.FindStudy(f.Ctx, "", uid); err != nil || s.StudyKey != k {
			t.Fatalf("found %+v, %v for UID %q", s, err, uid)
		}
		f.Whole(k, 1, 1)
	}
	if s, err := f.DB.FindStudy(f.Ctx, "", "%"); err == nil {
		t.Fatalf("%% found %+v", s)
	}
}
