package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/pack"
)

// core is what one core works with: codec values and scratch memory that are reused from frame to frame.
type core struct {
	set      *codecs.Set
	encoders map[string]codecs.Encoder // by the syntax that they write
	rebuild  *pack.Decoders            // of stored codestreams
	plain    *pack.Decoders            // of stored codestreams, without the processor's kernels
	decoders map[string]codecs.Decoder // of source syntaxes
	scratch  []byte
	large    bool // a frame of more than largestKeptScratch was worked on
	Times    *Times
}

func newCore(set *codecs.Set, times *Times) *core {
	b := &core{set: set, Times: times}
	b.forget()
	return b
}

// forget lets go of the memory that codecs and scratch keep between frames.
func (b *core) forget() {
	b.encoders, b.decoders = map[string]codecs.Encoder{}, map[string]codecs.Decoder{}
	b.rebuild, b.plain = pack.NewDecoders(b.set), pack.NewPlainDecoders(b.set)
	b.scratch, b.large = nil, false
}

// encoder returns the encoder of a transfer syntax, nil if there is none.
func (b *core) encoder(syntax string) codecs.Encoder {
	e, ok := b.encoders[syntax]
	if !ok {
		if s, known := b.set.Lookup(syntax); known && s.NewEncoder != nil {
			e = s.NewEncoder()
		}
		b.encoders[syntax] = e
	}
	return e
}

// decoder returns the decoder of a transfer syntax, nil if there is none.
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
	b.note(n)
	if int64(cap(b.scratch)) < n {
		b.scratch = make([]byte, n)
	}
	return b.scratch[:n]
}

// largestKeptScratch is the largest frame whose memory a core keeps for the next: its own and that of codecs, which grows with the frame. One huge frame must not be paid for ever.
const largestKeptScratch = 32 << 20

// note says how large the native frame is that is worked on.
func (b *core) note(n int64) { b.large = b.large || n > largestKeptScratch }

// cores runs frame tasks, one at a time on each core. When several wait, the
// oldest study's goes first: with many studies under way each ends about as early as if it were alone with those before it.
type cores struct {
	mu      sync.Mutex
	some    sync.Cond // a task waits, or this is over
	waiting byAge[func(*core)]
	ended   bool
	wg      sync.WaitGroup
	times   Times
}

// Times is where the time of a pipeline went, in nanoseconds, summed over all that worked or waited at once.
type Times struct {
	// Work. Busy is how long the cores worked on frames; Encode and Rebuild (decode and compare) are parts of it, the others are beside it.
	Read, Hash, Scan, Encode, Rebuild, Busy atomic.Int64
	// Waiting. Budget: files that wait until bytes are free. Stored: studies whose last byte is
	// written, until the store has it and it was read back. Preview: preview packs. Bundle: hot bundles and thumbnails, made and stored. Commit: steps (c) to (f).
	Budget, Stored, Preview, Bundle, Commit atomic.Int64
	// Regions: reading evidence, planning, and writing what is kept of lesions.
	Regions atomic.Int64
}

func (t *Times) add(to *atomic.Int64, since time.Time) { to.Add(int64(time.Since(since))) }

func startCores(n int, set *codecs.Set) *cores {
	c := &cores{}
	c.some.L = &c.mu
	for range n {
		c.wg.Add(1)
		go func() {
			defer c.wg.Done()
			b := newCore(set, &c.times)
			for task := c.next(); task != nil; task = c.next() {
				start := time.Now()
				survive(task, b)
				c.times.add(&c.times.Busy, start)
				if b.large {
					b.forget()
				}
			}
		}()
	}
	return c
}

// next waits for a task; nil says that there will be none.
func (c *cores) next() func(*core) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if w := c.waiting.next(); w != nil {
			return w.what
		}
		if c.ended {
			return nil
		}
		c.some.Wait()
	}
}

// survive runs a task; one that panics has not said that it ended well, which its owner notices. Its codecs are not used again.
func survive(task func(*core), b *core) {
	defer func() {
		if recover() != nil {
			b.forget()
		}
	}()
	task(b)
}

// run waits until a core takes the task of a study with that rank; the task calls its own completion.
func (c *cores) run(ctx context.Context, rank uint64, task func(*core)) error {
	c.mu.Lock()
	w := c.waiting.add(rank, task)
	c.mu.Unlock()
	c.some.Signal()
	select {
	case <-w.served:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.leave() { // at the last moment
		return nil
	}
	return context.Cause(ctx)
}

// stop waits for the tasks under way and ends the goroutines.
func (c *cores) stop() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.some.Broadcast()
	c.wg.Wait()
}
