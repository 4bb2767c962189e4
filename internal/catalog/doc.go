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
// study has in one class and tier. A citation says that documents of one study
// refer to images of another one of the tenant. A review is a person's answer to one plan of regions. An aside is a change of what is known of a
// study beside its images (holds, custody): its side job stands beside the one that works on arrivals, and who commits second rebases.
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
//   - Several processes may share a SQLite file on one machine, or a PostgreSQL database on many.
//   - Every call may be repeated after any error. A connection that is lost around COMMIT leaves open whether the change was made:
//     transactions are repeated within Config.Patience and recognise what they did before (by the audit row, a token, a digest or a
//     key); when patience is over the caller gets an [*UnavailableError], and calling again leads to the same end.
//     An attempt that was begun in a reply nobody got ends with its lease, as a crash does; an event or clean-up claimed so is taken up when its claim passes.
//
// # Locks
//
// SQLite has one writer at a time. On PostgreSQL transactions are READ COMMITTED,
// and each locks the rows that its decision relies on, in this order:
//
//	tenant (only a new one is inserted) < study < job < quarantine < everything else
//
// The study's row is the lock of all that is decided about a study: Enqueue,
// Commit, Heal, Reopen and MarkDeleting hold it from their first statement, so a job becomes open, arrivals are closed,
// objects are granted to a sweep and heads move one after the other. Of a study without a row, its (tenant, hash) is
// locked instead. A commit that says something new of other studies (citations) locks them and its own in the order of their
// hashes, opens again those that are here, and of the others locks that they are not: whoever brings one finds the citation. Own, Renew, Release and the return of leases lock one job and no study: they close a job or
// move it between open states, and whoever relies on a job being closed knows that only Reopen and Enqueue, under the
// study's lock, open one. Claim, Events and clean-up take rows that nobody has locked (SKIP LOCKED) and wait for
// none. Whoever is chosen to end a deadlock all the same, begins again.
//
// Times are kept in whole milliseconds, UTC. No keys, events, audit rows or
// errors hold patient data; paths of source files are in the arrival, clean-up and
// quarantine rows, which need them, and nowhere else.
package catalog
