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
// Source files lie in directories or in buckets ("s3://bucket/prefix"), see
// [Sources]. Each is pinned when it is queued, by size and time or by ETag, and
// the pin is checked before and after it is read: what changes meanwhile is not
// stored. The worker then looks at all files of the study again and pins those that are others
// now, and the study is tried again. Files that are gone, or hold another study now, keep their pins: the study
// waits for them and is set aside in the end, with their number as the reason, until
// somebody puts them back and retries it, or gives them up ([Client.GiveUp]). Objects of more than
// Config.WholeFile bytes are streamed by ranges, beside the budget: 12 MiB for each study in work.
//
// Every step can be repeated or stopped: nothing is referred to before it
// was verified, volumes of a crashed attempt are adopted if they read back
// intact, and the commit protocol of package catalog decides who wins.
//
// What an error means for a job is decided in one place, [OutcomeOf].
// No log line, task or error of this package has patient data: they name jobs, UIDs and digests.
package worker
