package worker

import (
	"context"
	"io"
)

// A large object is streamed in ranges, some of which are always on their way
// while the one before is worked on. They are beside the byte budget: each study in work
// streams one object at a time, so they hold streamRange * streamAhead bytes for each of PoolOptions.Studies.
const (
	streamRange = 4 << 20
	streamAhead = 3
)

// objectStream reads an object from its start to its end.
type objectStream struct {
	h      *objectHandle
	ctx    context.Context
	cancel context.CancelFunc
	asked  int64 // offset of the next range to ask for
	coming []*rangeComing
	cur    []byte // rest of the range being read
	spare  [][]byte
	used   []byte // the whole range being read
}

type rangeComing struct {
	buf  []byte
	done chan struct{} // closed when buf or err is there
	err  error
}

func (h *objectHandle) stream() io.ReadCloser {
	s := &objectStream{h: h}
	s.ctx, s.cancel = context.WithCancel(h.ctx)
	return s
}

func (s *objectStream) ask() {
	for len(s.coming) < streamAhead && s.asked < s.h.size {
		n := min(streamRange, s.h.size-s.asked)
		var buf []byte
		if k := len(s.spare); k > 0 {
			buf, s.spare = s.spare[k-1][:n], s.spare[:k-1]
		} else {
			buf = make([]byte, n, min(streamRange, s.h.size))
		}
		r := &rangeComing{buf: buf, done: make(chan struct{})}
		off := s.asked
		go func() {
			defer close(r.done)
			r.err = s.h.readRange(s.ctx, r.buf, off)
		}()
		s.coming = append(s.coming, r)
		s.asked += n
	}
}

func (s *objectStream) Read(p []byte) (int, error) {
	if len(s.cur) == 0 {
		if s.used != nil {
			s.spare, s.used = append(s.spare, s.used), nil
		}
		s.ask()
		if len(s.coming) == 0 {
			return 0, io.EOF
		}
		r := s.coming[0]
		<-r.done
		if r.err != nil {
			return 0, r.err
		}
		s.coming = s.coming[1:]
		s.cur, s.used = r.buf, r.buf
	}
	n := copy(p, s.cur)
	s.cur = s.cur[n:]
	return n, nil
}

// Close stops what is on its way and waits for it.
func (s *objectStream) Close() error {
	s.cancel()
	for _, r := range s.coming {
		<-r.done
	}
	s.coming = nil
	return nil
}
