package interleave

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
)

// setting is who runs in a schedule. The images are queued before it begins.
type setting struct {
	name      string
	actors    []string
	overwrite bool
}

// run runs one schedule to its end and returns what was chosen, the trace, and what broke.
func (f *fixture) run(set setting, choose chooser) (plan, []string, error) {
	w, err := f.newWorld(choose)
	if err != nil {
		return nil, nil, err
	}
	w.overwrite = set.overwrite
	err = w.whole(set)
	if err != nil && w.amnesia && strings.Contains(err.Error(), catalog.ErrFork.Error()) {
		err = w.forkLosesNothing()
	}
	if closeErr := w.close(); err == nil {
		err = closeErr
	}
	return w.taken, w.trace, err
}

func (w *world) whole(set setting) error {
	db, err := catalog.Open(context.Background(), catalog.Config{DSN: w.dsn, Now: w.now})
	if err != nil {
		return err
	}
	p := &process{w: w, db: db, store: w.store}
	if err := errors.Join(p.enqueue(context.Background(), "images", catalog.AfterDelete), db.Close()); err != nil {
		return err
	}
	for _, name := range set.actors {
		if err := roles[name](w); err != nil {
			return err
		}
	}
	w.drive()
	if w.failed != nil {
		return w.failed
	}
	return w.settle()
}

// explain fails the test with the shortest schedule that breaks.
func (f *fixture) explain(t *testing.T, set setting, p plan, err error) {
	t.Helper()
	f.broken.Store(true)
	if len(p) > 0 {
		p, err = minimise(p, func(p plan) error {
			_, _, err := f.run(set, p.choose)
			return err
		})
	}
	_, trace, again := f.run(set, p.choose)
	if again != nil {
		err = again
	}
	t.Fatalf("%s (overwriting store: %v): %v\nchoices that matter: %v\ntrace:\n%s", set.name, set.overwrite, err, p, strings.Join(trace, "\n"))
}

// settings of the pairs: every two kinds of process, and the worker with each.
var pairs = []setting{
	{name: "worker, late SR", actors: []string{"worker", "late-sr"}},
	{name: "worker, second worker", actors: []string{"worker", "worker"}},
	{name: "worker, sweep", actors: []string{"worker", "sweep"}},
	{name: "worker, rebuild", actors: []string{"worker", "rebuild"}},
	{name: "worker, sender again", actors: []string{"worker", "sender"}},
	{name: "worker, holder", actors: []string{"worker", "holder"}},
	{name: "worker, mover", actors: []string{"worker", "mover", "worker"}},
	{name: "holder, sweep", actors: []string{"holder", "sweep"}},
	{name: "worker, catalog restored", actors: []string{"worker", "restore"}},
	{name: "late SR, sweep", actors: []string{"late-sr", "sweep"}},
	{name: "late SR, rebuild", actors: []string{"late-sr", "rebuild"}},
	{name: "sweep, rebuild", actors: []string{"sweep", "rebuild"}},
	{name: "sweep, second sweep", actors: []string{"sweep", "sweep"}},
	{name: "rebuild, second rebuild", actors: []string{"rebuild", "rebuild"}},
}

// TestReproducible: the same seed gives the same trace.
func TestReproducible(t *testing.T) {
	f := newFixture(t)
	for seed := range uint64(5) {
		set := drawn(seed)
		_, a, errA := f.run(set, random(seed))
		taken, b, errB := f.run(set, random(seed))
		_, c, errC := f.run(set, taken.choose)
		if !slices.Equal(a, b) || !slices.Equal(a, c) || fmt.Sprint(errA, errB) != fmt.Sprint(errB, errC) {
			t.Fatalf("seed %d: three runs differ (%v, %v, %v):\n%s\n---\n%s", seed, errA, errB, errC, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		if len(a) < 50 {
			t.Errorf("seed %d: only %d steps", seed, len(a))
		}
	}
}

// TestPairs: each pair of processes, with one event (a switch to the other
// process, a fault, a jump of the clock) at every operation of the first. In the long run also with every
// second event after every switch, up to half of the number of schedules.
func TestPairs(t *testing.T) {
	f := newFixture(t)
	long, _ := strconv.Atoi(os.Getenv("RADTIER_SCHEDULES"))
	for _, set := range pairs {
		for _, overwrite := range []bool{false, true} {
			set := set
			set.overwrite = overwrite
			if testing.Short() && overwrite {
				continue
			}
			t.Run(fmt.Sprintf("%s/overwrite=%v", set.name, overwrite), func(t *testing.T) {
				t.Parallel()
				stride := 1
				if overwrite && long == 0 { // a store that overwrites matters to few operations: the long run tries all
					stride = 4
				}
				n := f.everyEvent(t, set, plan{}, 0, stride, long/4/len(pairs))
				t.Logf("%d schedules; with a catalog put back, %d forks so far", n, f.forks.Load())
			})
		}
	}
}

// everyEvent tries every event at every step from one on, added to those of
// a plan, or at every stride-th. After a switch it tries every second event as well, for as many schedules as are left.
func (f *fixture) everyEvent(t *testing.T, set setting, base plan, from, stride, left int) (runs int) {
	t.Helper()
	for at := from; ; at += stride {
		var options []choice // at this step: learned from a run that does nothing more
		_, _, err := f.run(set, func(step int, from []choice) choice {
			if step == at {
				options = slices.Clone(from[1:])
			}
			return base.choose(step, from)
		})
		if err != nil {
			f.explain(t, set, base, err)
		}
		if options == nil {
			return runs
		}
		for _, c := range options {
			if f.broken.Load() {
				return runs
			}
			p := maps.Clone(base)
			p[at] = c
			runs++
			if _, _, err := f.run(set, p.choose); err != nil {
				f.explain(t, set, p, err)
			}
			isSwitch := c.actor != "" && c.verdict == proceed
			if len(base) == 0 && isSwitch && runs < left {
				runs += f.everyEvent(t, set, p, at+1, 1, 0)
			}
		}
	}
}

// drawn chooses who runs in a random schedule.
func drawn(seed uint64) setting {
	more := [][]string{{"late-sr"}, {"sweep", "late-sr"}, {"rebuild", "late-sr", "sweep"}, {"late-sr", "sweep", "rebuild", "sender"}, {"restore", "sweep", "late-sr"}, {"holder", "late-sr", "sweep"}, {"holder", "rebuild", "restore", "late-sr"}, {"mover", "worker", "sweep", "late-sr"}, {"mover", "restore", "rebuild", "worker"}}
	return setting{name: fmt.Sprintf("seed %d", seed), actors: append([]string{"worker", "worker"}, more[seed%uint64(len(more))]...), overwrite: seed/5%2 == 1}
}

// TestRandom runs random schedules of all processes. RADTIER_SCHEDULES says how many, RADTIER_SEED which one, or where they begin.
func TestRandom(t *testing.T) {
	f := newFixture(t)
	count, first := 400, uint64(0)
	if testing.Short() {
		count = 60
	}
	if s := os.Getenv("RADTIER_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		count = 1
	}
	if s := os.Getenv("RADTIER_SCHEDULES"); s != "" {
		count, _ = strconv.Atoi(s)
	}
	var next atomic.Uint64
	for shard := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for !f.broken.Load() {
				n := next.Add(1) - 1
				if n >= uint64(count) {
					return
				}
				seed := first + n
				set := drawn(seed)
				if taken, _, err := f.run(set, random(seed)); err != nil {
					t.Errorf("RADTIER_SEED=%d repeats this", seed)
					f.explain(t, set, taken, err)
				}
				if n%1000 == 999 {
					t.Logf("%d schedules, %d of them forked by a catalog that was put back", n+1, f.forks.Load())
				}
			}
		})
	}
}
