package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/jpegls"
	"github.com/radtier/radtier/internal/pack"
)

// core is what one core works with: codec values and scratch memory that are reused from frame to frame.
type core struct {
	set      *codecs.Set
	encoder  codecs.Encoder            // of the stored form
	rebuild  *pack.Decoders            // of stored codestreams
	decoders map[string]codecs.Decoder // of source syntaxes
	scratch  []byte
	Times    *Times
}

func (b *core) decoder(syntax string) codecs.Decoder {
	d, ok := b.decoders[syntax]
	if !ok {
		if s, known := b.set.Lookup(syntax); known && s.NewDecoder != nil {
			d = s.NewDecoder()
		}
		b.decoders[syntax] = d
	}
	return d
}

// buffer returns scratch memory of n bytes, valid until the next call.
func (b *core) buffer(n int64) []byte {
	if int64(cap(b.scratch)) < n {
		b.scratch = make([]byte, n)
	}
	return b.scratch[:n]
}

// largestKeptScratch is what a core keeps between frames; one huge frame must not be paid for ever.
const largestKeptScratch = 32 << 20

// cores runs frame tasks, one at a time on each core.
type cores struct {
	tasks chan func(*core)
	wg    sync.WaitGroup
	times Times
}

// Times is where the work of a pool went, summed over cores and readers.
type Times struct {
	Read, Hash, Scan, Encode, Rebuild atomic.Int64 // nanoseconds
}

func (t *Times) add(to *atomic.Int64, since time.Time) { to.Add(int64(time.Since(since))) }

func startCores(n int, set *codecs.Set) *cores {
	c := &cores{tasks: make(chan func(*core))}
	for range n {
		c.wg.Add(1)
		go func() {
			defer c.wg.Done()
			b := &core{set: set, encoder: jpegls.NewEncoder(jpegls.Options{}), rebuild: pack.NewDecoders(set), decoders: map[string]codecs.Decoder{}, Times: &c.times}
			for task := range c.tasks {
				survive(task, b)
				if cap(b.scratch) > largestKeptScratch {
					b.scratch = nil
				}
			}
		}()
	}
	return c
}

// survive runs a task; one that panics has not said that it ended well, which its owner notices.
func survive(task func(*core), b *core) {
	defer func() { _ = recover() }()
	task(b)
}

// run queues a task and returns; the task calls its own completion.
func (c *cores) run(ctx context.Context, task func(*core)) error {
	select {
	case c.tasks <- task:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop waits for the tasks under way and ends the goroutines.
func (c *cores) stop() {
	close(c.tasks)
	c.wg.Wait()
}
