package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/worker"
)

// awaited is one study that somebody waits for.
type awaited struct {
	catalog.StudyKey
	job            string
	want           int64 // arrivals that must be covered
	files          int
	bytes          int64
	started, ended time.Time
	failed         string // why its job was set aside, "" if it was not
	retrying       string // last failure that is being tried again
	stored         catalog.Study
}

func (w *awaited) seconds() time.Duration {
	if w.started.IsZero() || w.ended.Before(w.started) {
		return 0
	}
	return w.ended.Sub(w.started)
}

// waiter waits until studies are stored, working on them itself if nobody else does.
type waiter struct {
	*app
	list   []*awaited
	engine *engine // nil: another process works
	bar    *progress
	start  time.Time
}

const (
	pollEvery = 50 * time.Millisecond
	lookEvery = 2 * time.Second // how often a waiting process looks whether the worker is still there
)

func (a *app) newWaiter(found *worker.Found, tenant string, jobs []catalog.Job, bar *progress) *waiter {
	w := &waiter{app: a, bar: bar}
	byUID := map[string]worker.FoundStudy{}
	for _, s := range found.Studies {
		byUID[s.UID] = s
	}
	for _, j := range jobs {
		s := byUID[j.UID]
		w.list = append(w.list, &awaited{StudyKey: catalog.StudyKey{Tenant: tenant, UID: j.UID}, job: j.ID, want: j.Want, files: len(s.Files), bytes: s.Bytes})
	}
	return w
}

// work waits for all studies. When ctx ends it stops softly, and hard when hard is closed; then it returns errStopped.
func (w *waiter) work(ctx context.Context) (err error) {
	w.start = time.Now()
	defer func() {
		w.bar.clear()
		if w.engine != nil {
			_, stopErr := w.engine.stop(w.hard)
			err = errors.Join(err, stopErr)
		}
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var looked, first time.Time
	for {
		if w.engine == nil && w.cfg.Queue.Kind == "embedded" && time.Since(looked) > lookEvery {
			looked = time.Now()
			if first.IsZero() {
				first = looked
			}
			e, err := w.startEngine(ctx)
			switch {
			case errors.Is(err, errWorkerRuns):
				if looked == first {
					w.bar.say("waiting: another radtier process works on this data directory")
				}
			case err != nil:
				return err
			default:
				w.engine = e
			}
		}
		open, err := w.poll(ctx)
		if err == nil && open == 0 {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		w.draw()
		select {
		case <-ctx.Done():
			return w.interrupted()
		case <-tick.C:
		}
	}
}

// interrupted says what happens to the studies that are not done.
func (w *waiter) interrupted() error {
	if w.engine == nil {
		w.bar.say("stopped waiting; the queued studies stay queued")
		return errStopped
	}
	w.bar.say("stopping: studies under way may finish within %s; interrupt again to stop at once. Nothing is lost: `radtier worker --once` goes on", w.cfg.Worker.Grace)
	_, err := w.engine.stop(w.hard)
	w.engine = nil
	return errors.Join(errStopped, err)
}

// poll looks at the jobs and returns how many studies are open.
func (w *waiter) poll(ctx context.Context) (open int, err error) {
	jobs := map[string]catalog.Job{}
	add := func(j catalog.Job) error {
		if !j.Side {
			jobs[j.Prefix()] = j
		}
		return nil
	}
	if err := w.db.Jobs(ctx, add, catalog.JobFailed); err != nil {
		return 0, err
	}
	if err := w.db.Jobs(ctx, add, catalog.JobQueued, catalog.JobRunning, catalog.JobHeld); err != nil { // the open job of a study, if there is one, wins
		return 0, err
	}
	for _, s := range w.list {
		if !s.ended.IsZero() {
			continue
		}
		j, isOpen := jobs[s.Prefix()]
		switch {
		case isOpen && j.Done < s.want && j.State == catalog.JobFailed:
			s.failed, s.ended = j.LastError, j.Updated
			continue
		case isOpen && j.Done < s.want:
			if j.State == catalog.JobRunning && s.started.IsZero() {
				s.started = j.Updated // until the first renewal of the lease: when the attempt began
			}
			if j.LastError != "" && j.LastError != s.retrying && j.ReadyAt.After(time.Now()) {
				w.bar.say("study %s waits until %s: %s", s.Hash()[:8], timeText(j.ReadyAt), j.LastError)
			}
			s.retrying = j.LastError
			open++
			continue
		}
		if err := w.settle(ctx, s); err != nil {
			return 0, err
		}
		if s.ended.IsZero() {
			open++ // between two reads
		}
	}
	return open, nil
}

// settle records the end of a study whose job is not open any more.
func (w *waiter) settle(ctx context.Context, s *awaited) error {
	stored, err := w.db.FindStudy(ctx, s.Tenant, s.UID)
	if err != nil {
		return err
	}
	if stored.Done < s.want {
		return nil
	}
	s.stored = stored
	s.ended = time.Now()
	if j, err := w.db.Job(ctx, s.job); err == nil && j.State == catalog.JobDone {
		s.ended = j.Updated
	}
	if s.started.IsZero() { // begun and ended between two polls
		s.started = w.lastEnd(s)
	}
	if w.engine != nil {
		w.engine.progress.forget(s.Hash())
	}
	return nil
}

// lastEnd is when the study that ended last before this one did so: this one cannot have been alone before.
func (w *waiter) lastEnd(s *awaited) time.Time {
	last := w.start
	for _, o := range w.list {
		if o != s && o.ended.After(last) && !o.ended.After(s.ended) {
			last = o.ended
		}
	}
	return last
}

// draw shows how far the work is.
func (w *waiter) draw() {
	var studies, files, allFiles int
	var raw, all, storedOf, stored int64
	for _, s := range w.list {
		allFiles += s.files
		all += s.bytes
		if !s.ended.IsZero() {
			studies++
			files += s.files
			raw += s.bytes
			if s.stored.RawBytes > 0 {
				storedOf += s.stored.RawBytes
				stored += s.stored.StoredBytes
			}
			continue
		}
		if w.engine != nil {
			p := w.engine.progress.of(s.Hash())
			files += p.Files
			raw += p.RawBytes
			storedOf += p.RawBytes
			stored += p.StoredBytes
		}
	}
	spent := time.Since(w.start)
	text := fmt.Sprintf("%d/%d studies  %d/%d instances  %s MB/s  ratio %s", studies, len(w.list), files, allFiles, rateText(raw, spent), ratioText(storedOf, stored))
	fraction := -1.0
	if all > 0 {
		fraction = float64(raw) / float64(all)
	}
	if raw > 0 && raw < all && spent > time.Second {
		text += "  " + time.Duration(float64(spent)*float64(all-raw)/float64(raw)).Round(time.Second).String() + " left"
	}
	w.bar.show(fraction, text)
}
