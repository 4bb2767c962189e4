package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
)

func TestOutcomeOf(t *testing.T) {
	for _, tc := range []struct {
		name    string
		err     error
		attempt int
		want    OutcomeKind
		after   time.Duration
	}{
		{"no error", nil, 1, OutcomeDone, 0},
		{"somebody else finished the job", catalog.ErrClosed, 1, OutcomeDone, 0},
		{"another worker holds the lease", catalog.ErrLeased, 1, OutcomeStale, 0},
		{"our attempt was taken over", fmt.Errorf("commit: %w", catalog.ErrStale), 1, OutcomeStale, 0},
		{"the job killed its workers", catalog.ErrPoison, 4, OutcomeQuarantine, 0},
		{"two published manifests", catalog.ErrFork, 1, OutcomeQuarantine, 0},
		{"another job committed meanwhile", errHeadMoved, 1, OutcomeRequeue, 0},
		{"an object is archived", fmt.Errorf("get: %w", objstore.ErrArchived), 1, OutcomeSnooze, 5 * time.Minute},
		{"source changed, first time", ErrSourceChanged, 1, OutcomeRetry, time.Minute},
		{"source changed, third time", ErrSourceChanged, 3, OutcomeRetry, 4 * time.Minute},
		{"store fails, first time", errors.New("503"), 1, OutcomeRetry, 2 * time.Second},
		{"store fails, ninth time", errors.New("503"), 9, OutcomeRetry, 512 * time.Second},
		{"store fails for ever", errors.New("503"), maxFailures, OutcomeQuarantine, 0},
		{"stored header cannot be read", &dcm.MalformedError{What: "x"}, 1, OutcomeQuarantine, 0},
		{"shutdown", context.Canceled, 1, OutcomeRequeue, 0},
		{"read back other bytes", errReadBack, 2, OutcomeRetry, 4 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := OutcomeOf(tc.err, tc.attempt)
			if got.Kind != tc.want || got.After != tc.after {
				t.Errorf("OutcomeOf(%v, attempt %d) = %v after %v, want %v after %v", tc.err, tc.attempt, got.Kind, got.After, tc.want, tc.after)
			}
			if got.Kind == OutcomeQuarantine && got.Reason == "" {
				t.Error("a job set aside must say why")
			}
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	for attempt := -1; attempt < 200; attempt++ {
		if d := backoff(attempt, 2*time.Second); d < 2*time.Second || d > time.Hour {
			t.Fatalf("backoff(%d) = %v", attempt, d)
		}
	}
}
