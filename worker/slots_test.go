package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

// TestSlots: the slots of a process go to the oldest study that waits; who gives up waiting neither keeps nor loses one.
func TestSlots(t *testing.T) {
	ctx := context.Background()
	s := newSlots(2)
	for range 2 {
		if err := s.acquire(ctx, 9); err != nil {
			t.Fatal(err)
		}
	}
	var (
		mu    sync.Mutex
		order []uint64
		wg    sync.WaitGroup
	)
	gone, leave := context.WithCancelCause(ctx)
	why := errors.New("no longer")
	wait := func(ctx context.Context, rank uint64, want error) {
		before := s.waiters()
		wg.Go(func() {
			err := s.acquire(ctx, rank)
			if !errors.Is(err, want) {
				t.Errorf("rank %d: got %v, want %v", rank, err, want)
			}
			if err != nil {
				return
			}
			mu.Lock()
			order = append(order, rank)
			mu.Unlock()
			s.release()
		})
		until(t, "it waits", func() bool { return s.waiters() > before })
	}
	for _, rank := range []uint64{5, 3, 8, 3, 1} {
		wait(ctx, rank, nil)
	}
	wait(gone, 0, why)
	leave(why)
	until(t, "the one that gave up is marked", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.waiting.list, func(w *waiter[struct{}]) bool { return w.left })
	})
	s.release()
	wg.Wait()
	if want := []uint64{1, 3, 3, 5, 8}; !slices.Equal(order, want) {
		t.Errorf("slots went to studies %v, want %v", order, want)
	}
	s.release()
	if s.free != 2 || s.waiters() != 0 {
		t.Errorf("%d slots are free and %d wait, want 2 and 0", s.free, s.waiters())
	}
}

func (s *slots) waiters() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting.list)
}
