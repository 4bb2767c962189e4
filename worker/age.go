package worker

import "container/heap"

// waiter is one that waits for something that all studies of a process share.
type waiter[T any] struct {
	rank, number uint64 // of its study, and of itself
	what         T
	served       chan struct{} // closed when its turn came
	left         bool          // it does not wait any more
}

// byAge has those that wait, the oldest study's first. Were the studies served in turn,
// all of them would come to their end, and wait for the store, at the same time, with nothing left for the cores.
type byAge[T any] struct {
	list  waiters[T]
	count uint64
}

func (b *byAge[T]) add(rank uint64, what T) *waiter[T] {
	b.count++
	w := &waiter[T]{rank: rank, number: b.count, what: what, served: make(chan struct{})}
	heap.Push(&b.list, w)
	return w
}

// next takes and serves the one whose turn it is, nil if nobody waits.
func (b *byAge[T]) next() *waiter[T] {
	for len(b.list) > 0 {
		if w := heap.Pop(&b.list).(*waiter[T]); !w.left {
			close(w.served)
			return w
		}
	}
	return nil
}

// leave takes one out that gave up, and reports whether it had been served before.
func (w *waiter[T]) leave() (served bool) {
	select {
	case <-w.served:
		return true
	default:
		w.left = true
		return false
	}
}

// waiters is a heap, see container/heap.
type waiters[T any] []*waiter[T]

func (w waiters[T]) Len() int { return len(w) }
func (w waiters[T]) Less(i, j int) bool {
	if w[i].rank != w[j].rank {
		return w[i].rank < w[j].rank
	}
	return w[i].number < w[j].number
}
func (w waiters[T]) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiters[T]) Push(x any)   { *w = append(*w, x.(*waiter[T])) }
func (w *waiters[T]) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return x
}
