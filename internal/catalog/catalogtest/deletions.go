package catalogtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// testDeletions: of one tenant no more studies are queued to be deleted within a day than may be, whoever asks at once; a job that is open is not counted twice.
func testDeletions(t *testing.T, f *Fixture) {
	const most = 5
	for n := range 12 {
		f.Done(Study(n), "a")
	}
	queue := func(n int, args string, counts bool) (catalog.Job, error) {
		k := Study(n)
		return f.DB.QueueDeletion(f.Ctx, k.Tenant, k.Hash(), "trash", args, most, counts)
	}
	count := func(want int64) {
		t.Helper()
		if n, err := f.DB.Deletions(f.Ctx, Study(0).Tenant); err != nil || n != want {
			t.Fatalf("%d deletions are counted, %v, want %d", n, err, want)
		}
	}
	var wait sync.WaitGroup
	var queued, refused atomic.Int64
	for n := range 10 {
		wait.Go(func() {
			for range 2 { // the second time it is open already
				switch _, err := queue(n, "a", true); {
				case err == nil:
					queued.Add(1)
				case errors.Is(err, catalog.ErrBreaker):
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if queued.Load() != 2*most || refused.Load() != 2*(10-most) {
		t.Fatalf("%d calls queued, %d were refused", queued.Load(), refused.Load())
	}
	count(most)
	_, err := queue(10, "a", true)
	f.wantErr(err, catalog.ErrBreaker)
	if open, err := f.DB.OpenSides(f.Ctx, Study(10).Tenant, Study(10).Hash(), "trash"); err != nil || len(open) != 0 {
		t.Fatalf("refused, and open are %q, %v", open, err)
	}
	_, err = queue(10, "b", false) // another class of a study that was counted
	f.OK(err)
	count(most)
	if open, err := f.DB.OpenSides(f.Ctx, Study(10).Tenant, Study(10).Hash(), "trash"); err != nil || fmt.Sprint(open) != "[b]" {
		t.Fatalf("open are %q, %v", open, err)
	}
	_, err = f.DB.QueueDeletion(f.Ctx, "nobody", Study(1).Hash(), "trash", "a", most, true)
	f.wantErr(err, catalog.ErrNoStudy)
	f.Clock.Move(24*time.Hour + 10*time.Minute)
	count(0)
	_, err = queue(11, "a", true)
	f.OK(err)
	count(1)
	if n, err := f.DB.CountStudies(f.Ctx, Study(0).Tenant); err != nil || n != 12 {
		t.Fatalf("%d studies, %v", n, err)
	}
	_, err = f.DB.Prune(f.Ctx, f.Clock.Now().Add(-time.Hour)) // what counts is not pruned
	f.OK(err)
	count(1)
}

// testQuietCommit: a commit that asks for quiet is refused in the transaction that decides while anything of the study waits.
func testQuietCommit(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	commit := func(hooks catalog.Hooks) error {
		job, err := f.DB.QueueSide(f.Ctx, k.Tenant, k.Hash(), "trash", fmt.Sprint(f.Clock.Now()))
		f.OK(err)
		job = f.Own(job.ID)
		_, err = catalog.Commit(f.Ctx, f.DB, f.Store, catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: k, Owner: "o", Action: "trash", Quiet: true, Hooks: hooks,
			Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
				return m, m.PutInTrash(catalog.Trashed{Class: catalog.ClassFull, Since: f.Clock.Now(), By: "o", Rule: "r"})
			}})
		return err
	}
	waiting := f.Arrive(k, "b")
	f.wantErr(commit(nil), catalog.ErrBusy)
	f.Clock.Move(time.Second)
	a := f.Work(waiting.ID)
	f.wantErr(commit(nil), catalog.ErrBusy)
	if _, err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	if m, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, k); err != nil || len(m.Trash) != 0 {
		t.Fatalf("in the trash is %+v, %v", m.Trash, err)
	}
	f.Clock.Move(time.Second)
	f.OK(commit(nil))
	m, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, k)
	if err != nil || m.InTrash(catalog.ClassFull) == nil || m.InTrash(catalog.ClassResult) != nil {
		t.Fatalf("in the trash is %+v, %v", m.Trash, err)
	}
	c, err := f.DB.Check(f.Ctx, k.Tenant, k.Hash())
	if err != nil || len(c.Brief.Holdings) != 1 || !c.Brief.Holdings[0].InTrash().Equal(f.Clock.Now()) {
		t.Fatalf("the row says %+v, %v", c.Brief, err)
	}
}

// testWatermark: a moment is noted if it is later and within reach; no two callers at once turn it back.
func testWatermark(t *testing.T, f *Fixture) {
	at := f.Clock.Now()
	advance := func(to time.Duration, reach time.Duration, want bool, then time.Duration) {
		t.Helper()
		noted, err := f.DB.Advance(f.Ctx, at.Add(to), reach, "o", "r")
		f.OK(err)
		if got, err := f.DB.Watermark(f.Ctx); noted != want || err != nil || !got.Equal(at.Add(then)) {
			t.Fatalf("noted %v, the watermark is %v, %v; want %v, %v", noted, got, err, want, at.Add(then))
		}
	}
	if w, err := f.DB.Watermark(f.Ctx); err != nil || !w.IsZero() {
		t.Fatalf("at first it is %v, %v", w, err)
	}
	advance(0, time.Hour, true, 0)
	advance(time.Hour, time.Hour, true, time.Hour)
	advance(time.Minute, time.Hour, true, time.Hour)
	advance(2*time.Hour+time.Millisecond, time.Hour, false, time.Hour)
	advance(9*time.Hour, 0, true, 9*time.Hour)
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			if _, err := f.DB.Advance(f.Ctx, at.Add(9*time.Hour+time.Duration(n)*time.Minute), time.Hour, "", ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	advance(0, time.Hour, true, 9*time.Hour+19*time.Minute)
	if now, has, err := f.DB.ServerTime(f.Ctx); err != nil || has && (time.Since(now) > time.Minute || time.Since(now) < -time.Minute) {
		t.Fatalf("the server's clock is %v, %v, %v", now, has, err)
	}
}
