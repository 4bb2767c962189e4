package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/radtier/radtier/internal/pack"
)

// tasks is a group of core tasks that are waited for together.
type tasks struct {
	ctx   context.Context
	cores *cores
	rank  uint64 // of the study
	wg    sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

func newTasks(ctx context.Context, c *cores, rank uint64) *tasks {
	return &tasks{ctx: ctx, cores: c, rank: rank}
}

// run queues a task and waits for a free core. After an error of an earlier
// task it does nothing and reports false. Tasks start in the order of the calls.
func (t *tasks) run(task func(*core) error) (started bool) {
	if t.failed() {
		return false
	}
	t.wg.Add(1)
	err := t.cores.run(t.ctx, t.rank, func(b *core) {
		defer t.wg.Done()
		defer func() {
			if p := recover(); p != nil {
				t.note(fmt.Errorf("%w: %v\n%s", errCodecPanic, p, debug.Stack()))
				b.forget() // nobody knows what state its codecs are in
			}
		}()
		t.note(task(b))
	})
	if err != nil {
		t.wg.Done()
		t.note(err)
	}
	return err == nil
}

// errCodecPanic is a fault of this program that one frame brought to light; the process and the other studies go on.
var errCodecPanic = errors.New("codec panicked")

func (t *tasks) note(err error) {
	if err != nil {
		t.mu.Lock()
		t.errs = append(t.errs, err)
		t.mu.Unlock()
	}
}

func (t *tasks) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.errs) > 0
}

func (t *tasks) wait() error {
	t.wg.Wait()
	return errors.Join(t.errs...)
}

// frameDigests hashes the samples of an instance frame by frame, in order,
// while the frames themselves are worked on by several cores: each waits for its turn, which is short.
type frameDigests struct {
	mu     sync.Mutex
	turn   sync.Cond
	next   int
	hasher *pack.Hasher
	broken bool
}

func newFrameDigests(rec recipe) *frameDigests {
	d := &frameDigests{}
	d.turn.L = &d.mu
	if rec.decoded {
		d.hasher = pack.NewHasher(rec.image)
	}
	return d
}

// add hashes frame i when its turn has come and returns the digest of its samples. A frame that failed passes its turn on.
func (d *frameDigests) add(i int, native []byte, ok bool) (sum pack.Digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.next != i {
		d.turn.Wait()
	}
	if d.hasher != nil && ok && !d.broken {
		sum = d.hasher.Add(native)
	}
	d.broken = d.broken || !ok
	d.next++
	d.turn.Broadcast()
	return sum
}

// sums returns the digests of the whole instance: native words, samples. They are zero if samples were not decoded.
func (d *frameDigests) sums() (native, samples pack.Digest) {
	if d.hasher == nil || d.broken {
		return pack.Digest{}, pack.Digest{}
	}
	return d.hasher.Sums()
}
