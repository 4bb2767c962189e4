package worker

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
)

// sweepNow sweeps without a grace period.
func (r *rig) sweepNow() lifecycle.SweepReport {
	r.t.Helper()
	report, err := lifecycle.Sweep(context.Background(), r.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: r.store}},
		lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(report.Skipped) > 0 {
		r.t.Errorf("the sweep skipped %v", report.Skipped)
	}
	return report
}

// ask returns the rows of a query.
func (s site) ask(t *testing.T, query string) []string {
	t.Helper()
	out, err := exec.Command("psql", "-X", "-q", "-A", "-t", "-F", " ", "-v", "ON_ERROR_STOP=1", "-c", query, s.DSN).CombinedOutput()
	if err != nil {
		t.Fatalf("psql %s: %v\n%s", query, err, out)
	}
	return strings.Fields(strings.ReplaceAll(strings.TrimSpace(string(out)), " ", ":"))
}

// together waits until so many worker processes take tasks.
func (s site) together(t *testing.T, n int) {
	t.Helper()
	until(t, "the workers are there", func() bool {
		r, err := CheckRedis(context.Background(), asynq.RedisClientOpt{Addr: s.Redis})
		return err == nil && r.Workers == n
	})
}

// end ends worker processes softly.
func end(t *testing.T, workers []*exec.Cmd) {
	t.Helper()
	for _, w := range workers {
		if err := w.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("worker after SIGTERM: %v", err)
		}
	}
}

// untilOver waits until no job is open and so many are done. A job that was set aside ends the test.
func (r *rig) untilOver(done int) {
	r.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := r.db.Counts(context.Background())
		if err == nil && c.Jobs[catalog.JobDone] >= done && c.Jobs[catalog.JobQueued]+c.Jobs[catalog.JobRunning] == 0 && c.Jobs[catalog.JobFailed] == 0 {
			return
		}
		if c.Jobs[catalog.JobFailed] > 0 || time.Now().After(deadline) {
			_ = r.db.Jobs(context.Background(), func(j catalog.Job) error {
				r.t.Logf("job %s of study %s: %s, attempt %d, %d crashes, %d failures, lease until %v, ready at %v, last error %q", j.ID, j.UID, j.State, j.Attempt, j.Crashes, j.Failures, j.LeaseUntil, j.ReadyAt, j.LastError)
				return nil
			}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed)
			r.t.Fatalf("studies failed, or are open after five minutes: %v, want %d done", c.Jobs, done)
		}
	}
}

// TestShare: two worker processes share 50 studies of one queue over Ceph RGW, PostgreSQL and redis-server.
// Each study is derived once, and both processes do their part.
func TestShare(t *testing.T) {
	const studies = 50
	where, r := newSite(t)
	where.Redis, where.Lease = startKillableRedis(t).addr, time.Minute
	workers := []*exec.Cmd{where.start(t), where.start(t)}
	where.together(t, len(workers))
	files := map[catalog.StudyKey][][]byte{}
	for n := range studies {
		uid := fmt.Sprintf("1.2.3.%d", n)
		var list [][]byte
		for i := range 5 {
			list = append(list, small{study: uid, series: uid + ".1", sop: fmt.Sprintf("%s.1.%d", uid, i), number: i, seed: n*100 + i, rows: 128, cols: 128}.bytes(t))
		}
		r.queueAgain(t, "a", write(t, list...))
		files[catalog.StudyKey{Tenant: "a", UID: uid}] = list
	}
	queued := time.Now()
	r.untilOver(studies)
	t.Logf("%d studies took %.1f s after the last was queued", studies, time.Since(queued).Seconds())
	end(t, workers)
	shares := map[string]int{}
	for _, row := range where.ask(t, "SELECT actor, count(*) FROM audit WHERE action = 'derive' GROUP BY actor") {
		actor, n, _ := strings.Cut(row, ":")
		shares[actor], _ = strconv.Atoi(n)
	}
	t.Logf("shares by process: %v", shares)
	total := 0
	for actor, n := range shares {
		total += n
		if n < studies/5 {
			t.Errorf("process %s did %d studies of %d, want at least %d", actor, n, studies, studies/5)
		}
	}
	if total != studies || len(shares) != len(workers) {
		t.Errorf("%d processes derived %d times, want %d and %d", len(shares), total, len(workers), studies)
	}
	if got := where.ask(t, "SELECT count(*), max(attempt >> 32), max(crashes), max(failures) FROM job"); got[0] != "50:1:0:0" {
		t.Errorf("jobs, attempts, crashes, failures are %v, want 50:1:0:0", got)
	}
	r.checkStudies(files, true)
	if report := r.sweepNow(); len(report.Objects) > 0 {
		t.Errorf("the sweep found %d orphans, want none: %+v", len(report.Objects), report.Objects)
	}
	r.nothingButNamed(files)
}
