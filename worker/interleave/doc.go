// Package interleave proves that no order of events loses a study. It has
// tests only: simulated processes derive, ingest, rebuild and sweep one study
// over a store in memory and a SQLite file, and a scheduler lets one of them run at a time, operation by operation.
//
// Before every operation on the store and around every transaction of the
// catalog the scheduler chooses: which process goes on, and whether its
// operation is refused, done without a reply, done much later, or the process's last. A
// process that is not chosen for a while is one that hangs; the clock may jump past its lease meanwhile. All choices
// come from a seed, so a schedule can be repeated, and one that fails is cut down to the choices that matter.
//
// After each schedule the faults end, the work is completed, and the invariants of design and ARCHITECTURE are checked, see invariants_test.go.
//
//	go test ./worker/interleave                                  all pairs, and some random schedules
//	RADTIER_SCHEDULES=100000 go test -timeout 4h ./worker/interleave   the long run (make schedules)
//	RADTIER_SEED=17 go test -run TestRandom ./worker/interleave  one schedule again
package interleave
