package worker

import (
	"context"
	"runtime/debug"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes that studies in flight hold in memory: source
// files, frames, codestreams not yet written. It is shared by all studies of
// a process. Requests are served in the order they came, so a large one is not starved by small ones.
//
// It cannot deadlock as long as each study acquires in the order in which it
// writes: the oldest bytes of every study are always held already and need no more to be released.
type Budget struct {
	sem  *semaphore.Weighted
	most int64
}

// NewBudget returns a budget of that many bytes.
func NewBudget(bytes int64) *Budget {
	return &Budget{sem: semaphore.NewWeighted(bytes), most: bytes}
}

// Most is the whole budget in bytes: more than that cannot be held at once.
func (b *Budget) Most() int64 { return b.most }

// Acquire waits until n bytes are free and takes them. What is asked for
// beyond the whole budget is cut to it: one item larger than the budget is worked on alone.
func (b *Budget) Acquire(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, b.most)
	if err := b.sem.Acquire(ctx, n); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { b.sem.Release(n) }, nil
}

// memoryBeside is what a worker process needs beside its budget: code, indexes and headers of the studies in work, the collector's slack.
const memoryBeside = 90 << 20

// LimitMemory tells the garbage collector to keep the process near its budget
// instead of letting freed buffers pile up. It is of the whole process.
func LimitMemory(budget int64) { debug.SetMemoryLimit(budget + memoryBeside) }
