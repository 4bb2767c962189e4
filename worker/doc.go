// Package worker is the pool: it takes queued studies and derives what is
// kept of them.
//
// A study enters as an arrival (a list of pinned source files) in the
// catalog, with one open job. Asynq carries the job's id and nothing else; the
// catalog remembers. A worker owns the job under a lease, and [Pipeline.Derive]
// does the work:
//
//	read ─ hash ─ scan ─┬─ encode ─ rebuild ─ compare ─ hash (one task per frame, all cores)
//	                    └─ headers, long values
//	                          │ in the order of the arrival
//	                     volumes → store, read back → thumbnails → hot bundle → commit
//
// What is bounded, and by what: source and encoded bytes in flight by
// [Budget], in bytes, over all studies of the process; frames worked on by
// the number of cores; files open by Config.Readers. Reading never waits for
// computing before the budget is spent, and computing never waits for a slow store before the budget is empty.
//
// Every step can be repeated or stopped: nothing is referred to before it
// was verified, volumes of a crashed attempt are adopted if they read back
// intact, and the commit protocol of package catalog decides who wins.
//
// What an error means for a job is decided in one place, [OutcomeOf].
// No log line, task or error of this package has patient data: they name jobs, UIDs and digests.
package worker
