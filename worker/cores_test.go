package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
)

// TestOlderStudiesFirst: of the tasks that wait for a core, those of the oldest study go first, in the order in which they came.
func TestOlderStudiesFirst(t *testing.T) {
	c := startCores(1, all.Set())
	defer c.stop()
	ctx := context.Background()
	begun, goOn := make(chan struct{}), make(chan struct{})
	go c.run(ctx, 0, func(*core) { close(begun); <-goOn })
	<-begun

	var mu sync.Mutex
	var got []uint64
	var done sync.WaitGroup
	gone, leave := context.WithCancelCause(ctx)
	why := errors.New("its study failed")
	left := make(chan error)
	wait := func(n int) { // until so many tasks wait
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			c.mu.Lock()
			have := len(c.waiting.list)
			c.mu.Unlock()
			if have == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d tasks wait, want %d", have, n)
			}
		}
	}
	for i, rank := range []uint64{7, 3, 5, 3, 7, 1} {
		done.Add(1)
		go c.run(ctx, rank, func(*core) {
			defer done.Done()
			mu.Lock()
			got = append(got, rank)
			mu.Unlock()
		})
		wait(i + 1)
	}
	go func() { left <- c.run(gone, 2, func(*core) { t.Error("a task ran whose study had failed") }) }()
	wait(7)
	leave(why)
	if err := <-left; !errors.Is(err, why) {
		t.Errorf("run of a cancelled study returned %v", err)
	}
	close(goOn)
	done.Wait()
	if want := []uint64{1, 3, 3, 5, 7, 7}; !slices.Equal(got, want) {
		t.Errorf("tasks ran in the order %v, want %v", got, want)
	}
}
