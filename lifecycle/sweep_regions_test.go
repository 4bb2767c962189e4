package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
)

// Region packs and records of an earlier plan, and those of an attempt that never committed, go; those of the head and all annotations stay, also
// when an answer makes a generation on top.
func TestSweepRegions(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	a := s.Work(s.Arrive(k, "a").ID).Planned("extracted-open", "plan-1")
	if _, err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Clock.Move(time.Hour) // ids of jobs sort by time
	lost := s.Work(s.Arrive(k, "b").ID).Planned("extracted-open", "plan-2")
	lost.Input.Hooks = catalogtest.CrashAt(catalog.StepManifestPut)
	if _, err := lost.Commit(); !errors.Is(err, catalogtest.ErrCrash) {
		t.Fatal(err)
	}
	s.OK(s.DB.Release(s.Ctx, lost.Job.ID, lost.Job.Attempt, catalog.Requeue("again")))
	b := s.Work(lost.Job.ID).Planned("extracted-open", "plan-3")
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Answer(s.Ctx, s.DB, s.Store, catalog.AnswerInput{Key: k, Kind: catalog.ReviewKeepWhole, By: "reader", Reason: "unclear", Plan: "plan-3"})
	s.OK(err)
	if m.Generation != 3 || len(m.Intervals) != 0 {
		t.Fatalf("the answer made generation %d and ended %v, want 3 and nothing", m.Generation, m.Intervals)
	}
	s.Clock.Move(2 * grace)
	region := func(a *catalogtest.Attempt) string { return catalog.PackKey(k, a.Job.ID, a.Job.Attempt, 7) }
	record := func(a *catalogtest.Attempt) string { return catalog.RecordKey(k, a.Job.ID, a.Job.Attempt) }
	s.removes(manifest(lost, 2), region(a), pack(lost), region(lost), hot(a), hot(lost), record(a), record(lost), catalog.AnnotationKey(k, lost.Job.ID, lost.Job.Attempt, 1))
	s.Whole(k, 3, 3)
}
