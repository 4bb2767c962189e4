package interleave

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// kind is what a process is about to do.
type kind string

const (
	opStart  kind = "start"
	opPut    kind = "put"
	opGet    kind = "get"
	opHead   kind = "head"
	opList   kind = "list"
	opDelete kind = "delete"
	opRead   kind = "select"
	opBegin  kind = "begin"
	opCommit kind = "commit" // the process holds the database's lock: no other one runs until this is over
)

// verdict is what becomes of an operation.
type verdict string

const (
	proceed   verdict = ""
	refuse    verdict = "refuse"     // it is not done, and the process is told so
	loseReply verdict = "lose-reply" // it is done, and the process is told that it failed
	late      verdict = "late"       // the process is told that it failed; it is done at some later time
	dieBefore verdict = "die-before" // the process ends here
	dieAfter  verdict = "die-after"  // it is done, and the process never hears of it
)

// verdicts that an operation can meet besides proceed.
var verdicts = map[kind][]verdict{
	opPut:    {refuse, loseReply, late, dieBefore, dieAfter},
	opDelete: {refuse, loseReply, dieBefore, dieAfter},
	opGet:    {refuse, dieBefore},
	opHead:   {refuse, dieBefore},
	opList:   {refuse, dieBefore},
	opRead:   {refuse, dieBefore},
	opBegin:  {refuse, dieBefore},
	opCommit: {refuse, loseReply, dieBefore, dieAfter},
}

// choice is one thing that the scheduler may do next. The zero value is what it does without a reason to do anything else.
type choice struct {
	actor   string  // who goes on
	verdict verdict // with what result
	land    int     // number of a late put, from 1, that lands now
	jump    bool    // the clock jumps past every lease, before anything else
}

func (c choice) String() string {
	switch {
	case c.jump && c.actor != "":
		return "the others hang until every lease is over; " + c.actor + " goes on"
	case c.jump:
		return "the clock jumps past every lease"
	case c.land > 0:
		return fmt.Sprintf("late put %d lands", c.land)
	case c.verdict != proceed:
		return c.actor + ": " + string(c.verdict)
	}
	return c.actor + " goes on"
}

// chooser picks one of the alternatives; the first one is the default.
type chooser func(step int, from []choice) choice

// plan replays choices by step; a choice that is not possible there is left out.
type plan map[int]choice

func (p plan) choose(step int, from []choice) choice {
	if c, ok := p[step]; ok && slices.Contains(from, c) {
		return c
	}
	return from[0]
}

// random draws a schedule: mostly the default, sometimes another process, now and then a fault.
func random(seed uint64) chooser {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	calm := 4 + r.IntN(40) // some schedules are wild, some have two or three events at odd places
	faults := r.IntN(6)
	jumps := r.IntN(3)
	return func(_ int, from []choice) choice {
		if r.IntN(calm) > 1 || len(from) == 1 {
			return from[0]
		}
		var switches, others []choice
		for _, c := range from[1:] {
			switch {
			case c.jump && jumps == 0, c.verdict != proceed && faults == 0:
			case c.jump || c.verdict != proceed || c.land > 0:
				others = append(others, c)
			default:
				switches = append(switches, c)
			}
		}
		pick := switches
		if len(switches) == 0 || len(others) > 0 && r.IntN(2) == 0 {
			pick = others
		}
		if len(pick) == 0 {
			return from[0]
		}
		c := pick[r.IntN(len(pick))]
		if c.jump {
			jumps--
		} else if c.verdict != proceed {
			faults--
		}
		return c
	}
}

var (
	errDead    = errors.New("this process is dead")
	errRefused = errors.New("refused by the schedule")
	errNoReply = errors.New("the reply was lost")
)

// actor is one simulated process.
type actor struct {
	name  string
	sched *scheduler
	wake  chan verdict
	dead  atomic.Bool
	ctx   context.Context
	end   context.CancelCauseFunc

	mu    sync.Mutex
	at    kind   // where it waits
	what  string // key or statement
	ended bool
	err   error
}

// scheduler lets one actor run at a time.
type scheduler struct {
	choose chooser
	check  func() error // after every step; an error ends the schedule
	clock  atomic.Int64 // nanoseconds since 1970

	actors []*actor
	cur    *actor
	news   chan *actor // the actor that ran waits again, or has ended
	lates  []latePut
	nlates int
	names  map[string]string // of random ids, in the order in which they are seen
	step   int
	taken  plan // what was chosen and is not the default
	trace  []string
	failed error
}

type latePut struct {
	number int
	land   func()
}

func newScheduler(choose chooser) *scheduler {
	s := &scheduler{choose: choose, news: make(chan *actor), taken: plan{}, names: map[string]string{}, check: func() error { return nil }}
	s.clock.Store(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).UnixNano())
	return s
}

func (s *scheduler) now() time.Time { return time.Unix(0, s.clock.Load()).UTC() }

// jump is longer than any lease or waiting time of the product but shorter than how long events are kept.
const jump = 3 * time.Hour

// spawn makes an actor that waits to be started.
func (s *scheduler) spawn(name string, run func(context.Context, *actor) error) *actor {
	a := &actor{name: name, sched: s, wake: make(chan verdict)}
	a.ctx, a.end = context.WithCancelCause(context.Background())
	s.actors = append(s.actors, a)
	go func() {
		v := a.gate(opStart, name)
		if v == proceed {
			a.err = run(a.ctx, a)
		}
		a.mu.Lock()
		a.ended = true
		a.mu.Unlock()
		s.news <- a
	}()
	if got := <-s.news; got != a {
		panic("interleave: another actor ran while one was made")
	}
	return a
}

// gate waits until the scheduler lets the actor go on, and tells how.
func (a *actor) gate(k kind, what string) verdict {
	if a.dead.Load() {
		return dieBefore
	}
	a.mu.Lock()
	if a.at != "" {
		panic(fmt.Sprintf("interleave: %s does %s %s and %s %s at once: schedules could not be repeated", a.name, a.at, a.what, k, what))
	}
	a.at, a.what = k, what
	a.mu.Unlock()
	a.sched.news <- a
	v := <-a.wake
	if v == dieBefore {
		a.die()
	}
	return v
}

func (a *actor) die() {
	a.dead.Store(true)
	a.end(errDead)
}

// drive runs until every actor has ended, or the check fails.
func (s *scheduler) drive() {
	for s.failed == nil {
		from := s.alternatives()
		if len(from) == 0 {
			return
		}
		c := s.choose(s.step, from)
		if c != from[0] {
			s.taken[s.step] = c
		}
		s.apply(c)
		s.step++
		if s.step > maxSteps {
			s.failed = fmt.Errorf("no end after %d steps", s.step)
			return
		}
		if err := s.check(); err != nil {
			s.failed = err
		}
	}
}

const maxSteps = 20000

func (s *scheduler) waiting() (list []*actor) {
	for _, a := range s.actors {
		if !a.ended {
			list = append(list, a)
		}
	}
	return list
}

// alternatives lists what may happen next, the default first.
func (s *scheduler) alternatives() []choice {
	list := s.waiting()
	if len(list) == 0 {
		return nil
	}
	if s.cur == nil || s.cur.ended {
		s.cur = list[0]
	}
	out := []choice{{actor: s.cur.name}}
	for _, v := range verdicts[s.cur.at] {
		out = append(out, choice{actor: s.cur.name, verdict: v})
	}
	if s.cur.at == opCommit {
		return out
	}
	for _, a := range list {
		if a != s.cur {
			out = append(out, choice{actor: a.name}, choice{actor: a.name, jump: true})
		}
	}
	for _, l := range s.lates {
		out = append(out, choice{land: l.number})
	}
	return append(out, choice{jump: true})
}

func (s *scheduler) apply(c choice) {
	s.clock.Add(int64(time.Millisecond))
	if c.jump {
		s.note("the clock jumps past every lease")
		s.clock.Add(int64(jump))
	}
	switch {
	case c.actor == "" && c.jump:
		return
	case c.land > 0:
		s.note("%v", c)
		i := slices.IndexFunc(s.lates, func(l latePut) bool { return l.number == c.land })
		l := s.lates[i]
		s.lates = slices.Delete(s.lates, i, i+1)
		l.land()
		return
	}
	i := slices.IndexFunc(s.actors, func(a *actor) bool { return a.name == c.actor && !a.ended })
	a := s.actors[i]
	s.note("%s %s %s %s", a.name, a.at, a.what, c.verdict)
	s.cur = a
	a.mu.Lock()
	a.at, a.what = "", ""
	a.mu.Unlock()
	a.wake <- c.verdict
	for {
		got := <-s.news
		if got != a {
			panic(fmt.Sprintf("interleave: %s ran out of turn", got.name))
		}
		if a.ended || !a.dead.Load() {
			return
		}
		// It died while another of its goroutines had come to a gate: that one must not act either.
		a.mu.Lock()
		a.at = ""
		a.mu.Unlock()
		a.wake <- dieBefore
	}
}

// landAll lets every late put land.
func (s *scheduler) landAll() {
	for _, l := range s.lates {
		l.land()
	}
	s.lates = nil
}

func (s *scheduler) note(format string, args ...any) {
	line := strings.TrimRight(fmt.Sprintf("%4d  "+format, append([]any{s.step}, args...)...), " ")
	s.trace = append(s.trace, ids.ReplaceAllStringFunc(line, func(id string) string {
		if s.names[id] == "" {
			s.names[id] = fmt.Sprintf("job%d", len(s.names)+1)
		}
		return s.names[id]
	}))
}

// ids are what differs from run to run.
var ids = regexp.MustCompile(`\b[0-9A-Z]{26}\b|\b[1-9][0-9]{9,18}\b`)

// abandon ends all actors of a schedule that failed.
func (s *scheduler) abandon() {
	for _, a := range s.waiting() {
		a.die()
		a.wake <- dieBefore
		for !a.ended {
			if got := <-s.news; !got.ended {
				got.wake <- dieBefore
			}
		}
	}
}

// minimise leaves out choices as long as the schedule still fails, one by one, until none can be left out.
func minimise(p plan, fails func(plan) error) (plan, error) {
	err := fails(p)
	for again := true; again; {
		again = false
		steps := make([]int, 0, len(p))
		for step := range p {
			steps = append(steps, step)
		}
		slices.Sort(steps)
		slices.Reverse(steps) // late choices shift nothing before them
		for _, step := range steps {
			without := plan{}
			for k, v := range p {
				if k != step {
					without[k] = v
				}
			}
			if e := fails(without); e != nil {
				p, err, again = without, e, true
			}
		}
	}
	return p, err
}
