package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle"
)

// OutcomeKind is what an error means for a job.
type OutcomeKind uint8

const (
	OutcomeDone       OutcomeKind = iota // the work is done, by this attempt or another
	OutcomeStale                         // another worker has the job: leave everything as it is
	OutcomeRetry                         // may pass by itself: try again after a while
	OutcomeSnooze                        // waits for something known (a restore, a sender): no fault of the study
	OutcomeRequeue                       // this worker gave it back: ready at once, not counted
	OutcomeQuarantine                    // will never work: a person must look
	OutcomeDrop                          // need not be done any more: a later plan decides again
)

func (k OutcomeKind) String() string {
	return [...]string{"done", "stale", "retry", "snooze", "requeue", "quarantine", "drop"}[k]
}

// Outcome is what happens to a job next.
type Outcome struct {
	Kind   OutcomeKind
	After  time.Duration // OutcomeRetry, OutcomeSnooze
	Reason string
}

func (o Outcome) level() slog.Level {
	switch o.Kind {
	case OutcomeDone, OutcomeStale, OutcomeSnooze, OutcomeRequeue, OutcomeDrop:
		return slog.LevelInfo
	case OutcomeRetry:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// maxFailures is after how many failures a job is set aside for a person.
const maxFailures = 10

// OutcomeOf maps every error of a job to what happens next; failures counts
// the job's failures, this one included. It is the only place that decides this.
func OutcomeOf(err error, failures int) Outcome {
	var malformed *dcm.MalformedError
	var thaw *lifecycle.ThawError
	switch {
	case err == nil, errors.Is(err, catalog.ErrClosed), errors.Is(err, catalog.ErrNoJob):
		return Outcome{Kind: OutcomeDone}
	case errors.Is(err, catalog.ErrStale), errors.Is(err, catalog.ErrLeased):
		return Outcome{Kind: OutcomeStale}
	case errors.Is(err, lifecycle.ErrNoCopy):
		return Outcome{Kind: OutcomeQuarantine, Reason: err.Error()}
	case errors.Is(err, catalog.ErrPoison), errors.Is(err, catalog.ErrFork), errors.Is(err, errPanic):
		return Outcome{Kind: OutcomeQuarantine, Reason: err.Error()}
	case errors.Is(err, lifecycle.ErrClocksDiffer), errors.Is(err, lifecycle.ErrClockBack), errors.Is(err, lifecycle.ErrClockForward):
		return Outcome{Kind: OutcomeSnooze, After: 5 * time.Minute, Reason: err.Error()}
	case errors.Is(err, lifecycle.ErrWaits):
		return Outcome{Kind: OutcomeSnooze, After: 5 * time.Minute, Reason: err.Error()}
	case errors.Is(err, lifecycle.ErrNotDue), errors.Is(err, catalog.ErrBusy):
		return Outcome{Kind: OutcomeDrop, Reason: err.Error()}
	case errors.Is(err, errHeadMoved):
		return Outcome{Kind: OutcomeRequeue, Reason: err.Error()}
	case errors.As(err, &thaw):
		return Outcome{Kind: OutcomeSnooze, After: thaw.After, Reason: err.Error()}
	case errors.Is(err, objstore.ErrArchived):
		return Outcome{Kind: OutcomeSnooze, After: 5 * time.Minute, Reason: "an object of the study is archived and must be restored"}
	case errors.As(err, &malformed):
		return Outcome{Kind: OutcomeQuarantine, Reason: err.Error()}
	case failures >= maxFailures:
		return Outcome{Kind: OutcomeQuarantine, Reason: "failed too often: " + err.Error()}
	case errors.Is(err, ErrSourceChanged):
		return Outcome{Kind: OutcomeRetry, After: backoff(failures, time.Minute), Reason: err.Error()}
	case errors.Is(err, context.Canceled):
		return Outcome{Kind: OutcomeRequeue, Reason: "cancelled"}
	}
	return Outcome{Kind: OutcomeRetry, After: backoff(failures, 2*time.Second), Reason: err.Error()}
}

// backoff doubles from base with each failure, up to an hour.
func backoff(failures int, base time.Duration) time.Duration {
	return min(base<<min(max(failures-1, 0), 20), time.Hour)
}

// tell records the outcome of an attempt in the catalog.
func (p *Pipeline) tell(ctx context.Context, job catalog.Job, o Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch o.Kind {
	case OutcomeStale: // unless another attempt has it, the worker is well and only its lease ran out, say while the database was away: that is no crash
		if err := p.db.Release(ctx, job.ID, job.Attempt, catalog.Requeue("the lease ran out")); !errors.Is(err, catalog.ErrStale) {
			return err
		}
		return p.db.Absolve(ctx, job.ID)
	case OutcomeRetry:
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Retry(o.After, o.Reason))
	case OutcomeSnooze:
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Snooze(o.After, o.Reason))
	case OutcomeRequeue:
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Requeue(o.Reason))
	case OutcomeQuarantine:
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Fail(o.Reason))
	case OutcomeDrop:
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Drop(o.Reason))
	}
	return nil
}
