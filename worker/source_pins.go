package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
)

// remoteReaders is how many objects of source buckets are read at once, so
// that a slow bucket does not idle the cores; their bytes are in the budget like all others.
const remoteReaders = 32

// readersOf bounds how many files of that kind are read at once.
func (p *Pipeline) readersOf(f catalog.SourceFile) *slots {
	if IsBucketSource(f.Path) {
		return p.remote
	}
	return p.readers
}

// repin is what follows an ErrSourceChanged: every source file of the job is
// looked at from outside, and those that are not as they were pinned are looked
// into and pinned as they are now, so that the next attempt reads what is there.
//
// A file that is gone, or is of another study now, keeps its pin: the study
// waits for it, attempt by attempt, and is set aside in the end with the number of
// such files as its reason. Nothing of it is stored before somebody puts them back, queues
// the study again from where they are now, or gives them up with [Client.GiveUp]. What such a file is now is
// queued with its own study. The error is an ErrSourceChanged that tells the numbers.
func (p *Pipeline) repin(ctx context.Context, job catalog.Job, arrivals []catalog.Arrival, cause error) error {
	now, err := p.sources.lookAgain(ctx, filesOf(arrivals))
	if err != nil {
		return errors.Join(cause, fmt.Errorf("look at the source files again: %w", withoutPath(err)))
	}
	var changed, gone, moved int
	groups := map[string]int{}
	for _, a := range arrivals {
		files, was := append([]catalog.SourceFile(nil), a.Files...), changed
		most := 0
		for _, f := range files {
			most = max(most, f.Group)
		}
		for i, f := range files {
			l, ok := now[f.Path]
			switch {
			case !ok || samePin(f, l.file):
				continue
			case l.gone:
				gone++
				continue
			case l.study != "" && l.study != job.UID:
				moved++
				other := catalog.Arrival{StudyKey: catalog.StudyKey{Tenant: job.Tenant, UID: l.study}, Source: a.Source,
					Files: []catalog.SourceFile{l.file}, After: a.After, MoveTo: a.MoveTo, Complete: true}
				if _, err := p.db.Enqueue(ctx, other, 0); err != nil {
					return errors.Join(cause, err)
				}
				continue
			}
			if l.study == "" { // broken or no DICOM now: its bytes go to quarantine, in its place
				l.file.SeriesUID, l.file.SOPUID, l.file.Number, l.file.Group = f.SeriesUID, f.SOPUID, f.Number, f.Group
			} else if l.patient != "" {
				// Which patient's group that is among those of the arrival is not known any more: one of its own.
				if groups[l.patient] == 0 {
					groups[l.patient] = len(groups) + 1
				}
				l.file.Group = most + groups[l.patient]
			}
			files[i] = l.file
			changed++
		}
		if changed > was {
			note := fmt.Sprintf("%d of %d source files changed since they were queued and are pinned again", changed-was, len(files))
			if err := p.db.Repin(ctx, job.ID, job.Attempt, a, files, note); err != nil {
				return err
			}
		}
	}
	total := len(filesOf(arrivals))
	var says []string
	if changed > 0 {
		says = append(says, fmt.Sprintf("%d of %d files are others now and are queued again", changed, total))
	}
	if gone > 0 {
		says = append(says, fmt.Sprintf("%d of %d files are gone: put them back, or give them up", gone, total))
	}
	if moved > 0 {
		says = append(says, fmt.Sprintf("%d of %d files hold another study now, which was queued: put them back, or give them up", moved, total))
	}
	if len(says) == 0 {
		return cause
	}
	return fmt.Errorf("%w: %s", ErrSourceChanged, strings.Join(says, "; "))
}

// storedAsQueued leaves out the batches of arrivals of which a file was queued
// again with another pin: what they were queued as is not stored.
func storedAsQueued(batches []string, arrivals []catalog.Arrival, files []catalog.SourceFile) []string {
	last := make(map[string]catalog.SourceFile, len(files))
	for _, f := range files {
		last[f.Path] = f
	}
	return slices.DeleteFunc(batches, func(batch string) bool {
		return slices.ContainsFunc(arrivals, func(a catalog.Arrival) bool {
			return a.Batch == batch && slices.ContainsFunc(a.Files, func(f catalog.SourceFile) bool { return !samePin(f, last[f.Path]) })
		})
	})
}

// lookedAgain is what a queued file is now.
type lookedAgain struct {
	looking
	gone bool
}

// lookAgain looks at files from outside, and into those that are not as pinned. It returns the latter, by path.
func (s *Sources) lookAgain(ctx context.Context, files []catalog.SourceFile) (map[string]lookedAgain, error) {
	var mu sync.Mutex
	out := map[string]lookedAgain{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(bucketLookers, 4*runtime.GOMAXPROCS(0)))
	for _, f := range files {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			pin, err := s.pin(ctx, f.Path)
			if err == nil && samePin(pin, catalog.SourceFile{Path: f.Path, Size: f.Size, ETag: f.ETag, ModTime: f.ModTime}) {
				return nil
			}
			var l looking
			if err == nil {
				l, err = s.lookAt(ctx, pin)
			}
			gone := errors.Is(err, errGone)
			if err != nil && !gone {
				return err
			}
			mu.Lock()
			out[f.Path] = lookedAgain{l, gone}
			mu.Unlock()
			return nil
		})
	}
	return out, g.Wait()
}

// giveUpLease is how long the files of a study may take to be looked at.
const giveUpLease = 10 * time.Minute

// GiveUp lets a job that was set aside because source files are gone go on
// without them. It is a decision that nobody but a person may take: the audit
// log keeps the number. It returns how many files were given up, and the job is queued
// again. It refuses when no file of the study is there: then it is the source that is missing.
func (c *Client) GiveUp(ctx context.Context, jobID string) (files int, err error) {
	if _, err := c.DB.Reopen(ctx, jobID); err != nil && !errors.Is(err, catalog.ErrClosed) {
		return 0, err
	}
	job, err := c.DB.Own(ctx, jobID, "give up", giveUpLease)
	if err != nil {
		return 0, err
	}
	files, err = c.giveUp(ctx, job)
	end := catalog.Requeue("")
	if err != nil {
		end = catalog.Fail(err.Error())
	}
	return files, errors.Join(err, c.DB.Release(context.WithoutCancel(ctx), job.ID, job.Attempt, end))
}

func (c *Client) giveUp(ctx context.Context, job catalog.Job) (int, error) {
	arrivals, _, err := c.DB.Arrivals(ctx, job.ID)
	if err != nil {
		return 0, err
	}
	all := filesOf(arrivals)
	now, err := c.Sources.lookAgain(ctx, all)
	if err != nil {
		return 0, fmt.Errorf("look at the source files again: %w", withoutPath(err))
	}
	lost := func(path string) bool {
		l, ok := now[path]
		return ok && (l.gone || l.study != "" && l.study != job.UID)
	}
	total := 0
	for _, f := range all {
		if lost(f.Path) {
			total++
		}
	}
	if total == len(all) {
		return 0, fmt.Errorf("all %d source files are gone: is their source there?", total)
	}
	for _, a := range arrivals {
		var left []catalog.SourceFile
		for _, f := range a.Files {
			if !lost(f.Path) {
				left = append(left, f)
			}
		}
		if n := len(a.Files) - len(left); n > 0 {
			note := fmt.Sprintf("%d of %d source files are given up: they are gone", n, len(a.Files))
			if err := c.DB.Repin(ctx, job.ID, job.Attempt, a, left, note); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}
