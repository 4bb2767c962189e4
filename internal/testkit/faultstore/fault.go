// Package faultstore wraps an objstore.Store for tests: [Store] makes chosen
// operations fail in the ways that real stores fail, and [Meter] counts operations and bytes.
//
// Which operation meets which [Fault] is decided by a [Script], a function of
// the operation, its key and how many times that pair has been seen. It does not depend on
// time or on the order in which goroutines run, so a failing test fails again.
package faultstore

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// Op names a method of objstore.Store.
type Op string

// The operations.
const (
	Put     Op = "put"
	Get     Op = "get"
	Head    Op = "head"
	Delete  Op = "delete"
	List    Op = "list"
	Copy    Op = "copy"
	Restore Op = "restore"
)

// Fault is one way to fail. It applies to the operations named with it; a
// script that asks for it on another operation is a mistake of the test and panics.
type Fault int

// The faults.
const (
	// None lets the operation through.
	None Fault = iota
	// Unavailable: a transient error (a 503) and nothing was done. All operations.
	Unavailable
	// LostReply: it was done, and the reply is a transient error. All operations but Get and List.
	LostReply
	// Timeout: nothing is done, nothing is answered until the context is done. All operations.
	Timeout
	// TornPut: half the body is taken, then a transient error; nothing is stored. Put.
	TornPut
	// TruncatedPut: half the body is taken, stored under the key, then a transient error: a broken server. Put.
	TruncatedPut
	// Phantom: success is reported and nothing was done. Put, Copy, Delete, Restore.
	Phantom
	// LatePut: a transient error now; the object appears when [Store.Release] is called. Put.
	LatePut
	// BitFlip: one bit of what is read is wrong, without an error. Get.
	BitFlip
	// ShortRead: half of what is asked for is read, then a clean end. Get.
	ShortRead
	// BrokenRead: half of what is asked for is read, then a transient error. Get.
	BrokenRead
	// StaleList: the object that was put last is left out. List.
	StaleList
)

var faultNames = [...]string{"none", "unavailable", "lost reply", "timeout", "torn put", "truncated put", "phantom", "late put", "bit flip", "short read", "broken read", "stale list"}

func (f Fault) String() string {
	if f < 0 || int(f) >= len(faultNames) {
		return fmt.Sprintf("fault %d", int(f))
	}
	return faultNames[f]
}

// AppliesTo reports whether the operation can fail in this way.
func (f Fault) AppliesTo(op Op) bool {
	switch f {
	case None, Unavailable, Timeout:
		return true
	case LostReply:
		return op != Get && op != List
	case TornPut, TruncatedPut, LatePut:
		return op == Put
	case Phantom:
		return op == Put || op == Copy || op == Delete || op == Restore
	case BitFlip, ShortRead, BrokenRead:
		return op == Get
	case StaleList:
		return op == List
	}
	return false
}

// Call is one call of an operation. Of List the key is the prefix, of Copy the new key.
type Call struct {
	Op  Op
	Key string
	// Nth counts the calls of this operation with this key, from 1.
	Nth int
	// Total counts the calls of this operation with any key, from 1. It depends on the order of goroutines.
	Total int
}

// Script chooses the fault of a call. It is called under a lock, once per call.
type Script func(Call) Fault

// Rule is one line of a script that [Rules] makes. Zero fields match everything.
type Rule struct {
	Op       Op     // empty: any that the fault applies to
	Contains string // part of the key
	Suffix   string // end of the key
	// First and Last bound Call.Nth, inclusive; 0 is open. {First: 1, Last: 2} fails twice, then never.
	First, Last int
	// Call, if not 0, is the one Call.Total that is meant.
	Call  int
	Fault Fault
}

func (r Rule) matches(c Call) bool {
	return r.Fault.AppliesTo(c.Op) && (r.Op == "" || r.Op == c.Op) &&
		strings.Contains(c.Key, r.Contains) && strings.HasSuffix(c.Key, r.Suffix) &&
		c.Nth >= r.First && (r.Last == 0 || c.Nth <= r.Last) && (r.Call == 0 || r.Call == c.Total)
}

// Rules returns the script in which the first matching rule decides. It panics on a rule that can never match.
func Rules(rules ...Rule) Script {
	for _, r := range rules {
		if r.Op != "" && !r.Fault.AppliesTo(r.Op) {
			panic(fmt.Sprintf("faultstore: %v does not apply to %s", r.Fault, r.Op))
		}
	}
	return func(c Call) Fault {
		for _, r := range rules {
			if r.matches(c) {
				return r.Fault
			}
		}
		return None
	}
}

// Seeded returns the script in which a call fails with the given probability,
// in one of the faults that apply to it, all decided by the seed and the call's operation, key and Nth.
func Seeded(seed uint64, probability float64, faults ...Fault) Script {
	return func(c Call) Fault {
		var apply []Fault
		for _, f := range faults {
			if f.AppliesTo(c.Op) {
				apply = append(apply, f)
			}
		}
		random := c.random(seed)
		if len(apply) == 0 || random.Float64() >= probability {
			return None
		}
		return apply[random.IntN(len(apply))]
	}
}

// random returns a generator that depends on nothing but the seed and the call.
func (c Call) random(seed uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", c.Op, c.Key, c.Nth)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
