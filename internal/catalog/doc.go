// Package catalog keeps the truth about studies: manifests in the bucket, and
// an SQL catalog that finds what is due, decides races and feeds lists.
//
// # Words
//
// A study is keyed by (tenant, Study Instance UID) and by nothing else. An
// arrival is a list of pinned source files of one study, queued together. A
// job is the one open piece of work on a study; each attempt at it has a
// number that is never used again. A manifest is one immutable generation of a
// study; the head is the newest one that was decided. A holding is what a
// study has in one class and tier.
//
// # The commit protocol
//
// No key in a store is ever overwritten, and no store's conditional writes are
// relied on. SQL decides which of two racing states wins; the bucket holds
// every acknowledged state; neither alone suffices to destroy anything.
//
//	(a) own      DB.Own: attempt + 1 and a lease
//	(b) write    the caller puts packs under keys of its attempt and reads them back
//	(c) prepare  Commit puts the manifest, its parent's generation + 1, and reads it back
//	(d) decide   one transaction: head is still the parent, the attempt is still
//	             mine, the job still runs; head, holdings, intervals, audit, event
//	             and clean-up rows, and the end of the job, become true together
//	(e) publish  Commit puts <manifest>.ok and marks the head published
//	(f)          only now: acknowledgement, events, clean-up
//
// Who loses (d) because the head moved rebases: a [Change] is called again
// with the new head, and no bytes are copied. Who loses it because the attempt
// is no longer his gets [ErrStale] and leaves everything as it is.
//
// # Guarantees
//
//   - Every step may be repeated or stop anywhere; [Reconcile] resumes what a crash left.
//   - A catalog that is older than the bucket (a restored backup) is healed,
//     study by study, before anything is decided; [Rebuild] makes it anew from the bucket alone.
//   - Two published manifests of one generation are a fork: that study stops ([ErrFork]) and nothing of it is deleted.
//   - Rows exist per study, holding, job and arrival, never per instance.
//   - Several processes may share a SQLite file on one machine.
//
// Times are kept in whole milliseconds, UTC. No keys, events, audit rows or
// errors hold patient data; paths of source files are in the arrival, clean-up and
// quarantine rows, which need them, and nowhere else.
package catalog
