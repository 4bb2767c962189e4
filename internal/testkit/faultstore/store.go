package faultstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// ErrInjected is in the chain of every error that this package makes.
var ErrInjected = errors.New("injected fault")

// Store injects faults into another store. Use [New].
type Store struct {
	inner  objstore.Store
	script Script

	mu       sync.Mutex
	perKey   map[Call]int // by Op and Key alone
	perOp    map[Op]int
	injected []Injected
	late     []latePut
	putOrder []string // keys in the order their puts ended; deleted ones are dropped
}

// Injected is a fault that was met.
type Injected struct {
	Call  Call
	Fault Fault
}

type latePut struct {
	key  string
	data []byte
	opts objstore.PutOptions
}

var _ objstore.Store = (*Store)(nil)

// New returns a store that fails as the script says. A nil script never fails.
func New(inner objstore.Store, script Script) *Store {
	if script == nil {
		script = Rules()
	}
	return &Store{inner: inner, script: script, perKey: make(map[Call]int), perOp: make(map[Op]int)}
}

// SetScript replaces the script from the next call on; counts go on.
func (s *Store) SetScript(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Injected returns the faults met so far, so that a test can prove that it met them.
func (s *Store) Injected() []Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Injected(nil), s.injected...)
}

// Release lets all late puts land, in their order, and returns their errors joined.
func (s *Store) Release(ctx context.Context) error {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	var errs []error
	for _, p := range late {
		if _, err := s.inner.Put(ctx, p.key, bytes.NewReader(p.data), p.opts); err != nil {
			errs = append(errs, err)
			continue
		}
		s.noticePut(p.key)
	}
	return errors.Join(errs...)
}

// meet counts a call and returns what it is to meet.
func (s *Store) meet(op Op, key string) (Call, Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perKey[Call{Op: op, Key: key}]++
	s.perOp[op]++
	call := Call{Op: op, Key: key, Nth: s.perKey[Call{Op: op, Key: key}], Total: s.perOp[op]}
	fault := s.script(call)
	if !fault.AppliesTo(op) {
		panic(fmt.Sprintf("faultstore: the script asks for %v on %s, to which it does not apply", fault, op))
	}
	if fault != None {
		s.injected = append(s.injected, Injected{call, fault})
	}
	return call, fault
}

func (c Call) fail(f Fault) error {
	return &objstore.TransientError{Op: string(c.Op), Key: c.Key, Err: fmt.Errorf("%w: %v", ErrInjected, f)}
}

// wait blocks until the context is done. A test that forgets to bound it hangs, as the program would.
func (c Call) wait(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%s %s: %w: %w", c.Op, c.Key, ErrInjected, ctx.Err())
}

// act does a call without body or result; do is the real operation.
func (s *Store) act(ctx context.Context, op Op, key string, do func() error) error {
	call, fault := s.meet(op, key)
	switch fault {
	case Unavailable:
		return call.fail(fault)
	case Timeout:
		return call.wait(ctx)
	case Phantom:
		return nil
	case LostReply:
		if err := do(); err != nil {
			return err
		}
		return call.fail(fault)
	}
	return do()
}

// Capabilities are those of the inner store.
func (s *Store) Capabilities() objstore.Capabilities { return s.inner.Capabilities() }

// Put implements objstore.Store.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	call, fault := s.meet(Put, key)
	switch fault {
	case Unavailable:
		return objstore.Info{}, call.fail(fault)
	case Timeout:
		return objstore.Info{}, call.wait(ctx)
	case TornPut, TruncatedPut, Phantom, LatePut:
		return s.badPut(ctx, call, fault, body, opts)
	}
	info, err := s.inner.Put(ctx, key, body, opts)
	if err != nil {
		return info, err
	}
	s.noticePut(key)
	if fault == LostReply {
		return objstore.Info{}, call.fail(fault)
	}
	return info, nil
}

// badPut is for the faults that part the body from the object. It holds the body in memory.
func (s *Store) badPut(ctx context.Context, call Call, fault Fault, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	data, err := takeBody(body, fault, opts.Size)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("put %s: %w", call.Key, err)
	}
	switch fault {
	case Phantom:
		return s.phantomInfo(call.Key, data, opts.Class), nil
	case LatePut:
		s.mu.Lock()
		s.late = append(s.late, latePut{call.Key, data, opts})
		s.mu.Unlock()
	case TruncatedPut:
		_, err := s.inner.Put(ctx, call.Key, bytes.NewReader(data), objstore.PutOptions{Class: opts.Class, Size: int64(len(data))})
		if err != nil {
			return objstore.Info{}, err
		}
		s.noticePut(call.Key)
	}
	return objstore.Info{}, call.fail(fault)
}

// takeBody reads the body, or half of it if the fault tears it. Of a body of
// unknown size all must be read to know where its half is.
func takeBody(body io.Reader, fault Fault, size int64) ([]byte, error) {
	torn := fault == TornPut || fault == TruncatedPut
	if torn && size >= 0 {
		body = io.LimitReader(body, size/2)
	}
	data, err := io.ReadAll(body)
	if torn && size < 0 {
		data = data[:len(data)/2]
	}
	return data, err
}

// phantomInfo is what a lying server answers: as if it had stored the object.
func (s *Store) phantomInfo(key string, data []byte, class objstore.Class) objstore.Info {
	if class == "" {
		class = s.inner.Capabilities().Classes[0]
	}
	sum := sha256.Sum256(data)
	info := objstore.Info{Key: key, Size: int64(len(data)), Modified: time.Now(), Class: class, Version: fmt.Sprintf("%x", sum[:16])}
	if s.inner.Capabilities().Checksum {
		info.SHA256 = sum
	}
	return info
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (info objstore.Info, err error) {
	err = s.act(ctx, Head, key, func() (err error) {
		info, err = s.inner.Head(ctx, key)
		return err
	})
	if err != nil {
		return objstore.Info{}, err
	}
	return info, nil
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.act(ctx, Delete, key, func() error {
		err := s.inner.Delete(ctx, key)
		if err == nil {
			s.noticeDelete(key)
		}
		return err
	})
}

// Copy implements objstore.Store. The faults are chosen by the new key.
func (s *Store) Copy(ctx context.Context, from, to string, class objstore.Class) (info objstore.Info, err error) {
	done := false
	err = s.act(ctx, Copy, to, func() (err error) {
		if info, err = s.inner.Copy(ctx, from, to, class); err == nil {
			done = true
			s.noticePut(to)
		}
		return err
	})
	if err != nil {
		return objstore.Info{}, err
	}
	if done {
		return info, nil
	}
	// A phantom: the lie is built from the source.
	if info, err = s.inner.Head(ctx, from); err != nil {
		return objstore.Info{}, err
	}
	if class == "" {
		class = s.inner.Capabilities().Classes[0]
	}
	info.Key, info.Class = to, class
	return info, nil
}

// Restore implements objstore.Store.
func (s *Store) Restore(ctx context.Context, key string, days int, speed objstore.Speed) error {
	return s.act(ctx, Restore, key, func() error { return s.inner.Restore(ctx, key, days, speed) })
}

// List implements objstore.Store. The faults are chosen by the prefix.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		call, fault := s.meet(List, prefix)
		missing := ""
		switch fault {
		case Unavailable:
			yield(objstore.Info{}, call.fail(fault))
			return
		case Timeout:
			yield(objstore.Info{}, call.wait(ctx))
			return
		case StaleList:
			missing = s.newest(prefix, after)
		}
		for info, err := range s.inner.List(ctx, prefix, after) {
			if err == nil && missing != "" && info.Key == missing {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

func (s *Store) noticePut(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putOrder = append(s.putOrder, key)
}

func (s *Store) noticeDelete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.putOrder[:0]
	for _, k := range s.putOrder {
		if k != key {
			kept = append(kept, k)
		}
	}
	s.putOrder = kept
}

// newest returns the last key put through this wrapper that such a list would show.
func (s *Store) newest(prefix, after string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.putOrder) - 1; i >= 0; i-- {
		if key := s.putOrder[i]; strings.HasPrefix(key, prefix) && key > after {
			return key
		}
	}
	return ""
}
