package worker

import (
	"context"
	"sync"
)

// slots bounds how much of one kind is under way in a process. The oldest study that waits goes first.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting byAge[struct{}]
}

func newSlots(n int) *slots { return &slots{free: n} }

// acquire waits for a slot for a study of that rank.
func (s *slots) acquire(ctx context.Context, rank uint64) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	w := s.waiting.add(rank, struct{}{})
	s.mu.Unlock()
	select {
	case <-w.served:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.leave() {
		s.pass()
	}
	return context.Cause(ctx)
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to who waits for it.
func (s *slots) pass() {
	if s.waiting.next() == nil {
		s.free++
	}
}
