package catalog

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNoStudy: the catalog has no such study, or none of its generations was committed yet.
	ErrNoStudy = errors.New("no such study")
	// ErrNoJob: the catalog has no such job.
	ErrNoJob = errors.New("no such job")
	// ErrLeased: another attempt works on the job, or the job is not ready yet. It will be due again.
	ErrLeased = errors.New("job is leased by another worker or not ready yet")
	// ErrClosed: the job is done, failed or held; there is nothing to do.
	ErrClosed = errors.New("job is closed")
	// ErrStale: the attempt is no longer the current one. Leave everything as it is.
	ErrStale = errors.New("attempt is stale: another worker has the job")
	// ErrPoison: workers died on this job too often; it is failed and waits for a person.
	ErrPoison = errors.New("job failed: workers died while they worked on this study")
	// ErrFork: two published manifests claim the same generation. The study is stopped; a person must choose.
	ErrFork = errors.New("study is forked: two published manifests of one generation")
	// ErrNothingToDo is what a Change returns when the head already is what it should be.
	ErrNothingToDo = errors.New("nothing to do")
	// ErrBucketBehind: the catalog's head is not in the bucket. Either this is
	// another bucket, or objects were lost; nothing is changed.
	ErrBucketBehind = errors.New("the bucket lacks the manifest that the catalog names: check that this is the right bucket, or rebuild the catalog from it")
	// ErrHeld: the change would drop what a hold protects.
	ErrHeld = errors.New("a hold forbids to drop instances of this study")
	// ErrHoldExists: the study has another hold of that id.
	ErrHoldExists = errors.New("the study has another hold of this id")
	// ErrNoHold: the study has no such hold, or it was lifted.
	ErrNoHold = errors.New("the study has no such hold, or it was lifted")
	// ErrRemoved: a manifest names an object that a sweep removes. Write it again under a new key.
	ErrRemoved = errors.New("the new generation names an object that is being removed")
	// ErrNotPlanned: there is no region record that an answer could be for.
	ErrNotPlanned = errors.New("nothing is known about lesions of this study, so there is no plan to answer: its full images stay")
	// ErrPlanChanged: the answer is for another plan than the study has now. Look at the study again.
	ErrPlanChanged = errors.New("the study has another plan of regions than the answer is for: look at it again")
	// ErrBusy: something of the study waits or is being worked on, which may change what an answer or a deletion is about.
	ErrBusy = errors.New("work on this study waits or is under way: try again when it is done")
	// ErrAmbiguous: several studies match.
	ErrAmbiguous = errors.New("several studies match: give the tenant, or more of the hash")
	// ErrNewerSchema: the catalog was written by a newer version of the program.
	ErrNewerSchema = errors.New("the catalog has a newer schema than this program knows: use the newer program")

	errMoved = errors.New("head moved") // decide lost against another commit: rebase
)

// ForkError names the manifests of a fork. It is an ErrFork.
type ForkError struct {
	Study      string // prefix of the study's keys
	Generation int64
	Keys       []string
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("study %s, generation %d: %v (%s): compare them, remove the .ok of the wrong one, then rebuild", e.Study, e.Generation, ErrFork, strings.Join(e.Keys, ", "))
}

func (e *ForkError) Unwrap() error { return ErrFork }

// DamagedError says that a manifest's bytes are not those that were written, or break its rules.
type DamagedError struct {
	Key  string
	What string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("manifest %s is damaged: %s", e.Key, e.What)
}
