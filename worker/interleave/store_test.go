package interleave

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/radtier/radtier/internal/objstore"
)

// gatedStore is one process's way to the store.
type gatedStore struct {
	inner     objstore.Store
	a         *actor
	overwrite bool // a put on an existing key replaces it, as on stores without create-only puts
}

var _ objstore.Store = (*gatedStore)(nil)

func (s *gatedStore) Capabilities() objstore.Capabilities {
	c := s.inner.Capabilities()
	c.CreateOnly = !s.overwrite
	return c
}

// pass asks the scheduler. If do is true the operation is done; then result turns its outcome into what the process sees.
func (s *gatedStore) pass(ctx context.Context, k kind, key string) (v verdict, err error) {
	if err := context.Cause(ctx); err != nil {
		return refuse, err
	}
	v = s.a.gate(k, key)
	switch v {
	case refuse:
		return v, &objstore.TransientError{Op: string(k), Key: key, Err: errRefused}
	case dieBefore:
		return v, errDead
	}
	return v, nil
}

// reply is what the process hears of an operation that was done.
func (s *gatedStore) reply(v verdict, k kind, key string, err error) error {
	switch v {
	case loseReply:
		return &objstore.TransientError{Op: string(k), Key: key, Err: errNoReply}
	case dieAfter:
		s.a.die()
		return errDead
	}
	return err
}

func (s *gatedStore) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return objstore.Info{}, err
	}
	v, err := s.pass(ctx, opPut, key)
	if err != nil {
		return objstore.Info{}, err
	}
	put := func(ctx context.Context) (objstore.Info, error) {
		if s.overwrite {
			if err := s.inner.Delete(ctx, key); err != nil {
				return objstore.Info{}, err
			}
		}
		return s.inner.Put(ctx, key, bytes.NewReader(data), opts)
	}
	if v == late {
		s.a.sched.nlates++
		s.a.sched.lates = append(s.a.sched.lates, latePut{s.a.sched.nlates, func() {
			if _, err := put(context.Background()); err != nil && !errors.Is(err, objstore.ErrExists) {
				panic(err)
			}
		}})
		return objstore.Info{}, &objstore.TransientError{Op: "put", Key: key, Err: fmt.Errorf("%w (late put %d)", errNoReply, s.a.sched.nlates)}
	}
	info, err := put(ctx)
	return info, s.reply(v, opPut, key, err)
}

func (s *gatedStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	if _, err := s.pass(ctx, opGet, key); err != nil {
		return nil, objstore.Info{}, err
	}
	return s.inner.Get(ctx, key, offset, length)
}

func (s *gatedStore) Head(ctx context.Context, key string) (objstore.Info, error) {
	if _, err := s.pass(ctx, opHead, key); err != nil {
		return objstore.Info{}, err
	}
	return s.inner.Head(ctx, key)
}

func (s *gatedStore) Delete(ctx context.Context, key string) error {
	v, err := s.pass(ctx, opDelete, key)
	if err != nil {
		return err
	}
	return s.reply(v, opDelete, key, s.inner.Delete(ctx, key))
}

func (s *gatedStore) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		if _, err := s.pass(ctx, opList, prefix); err != nil {
			yield(objstore.Info{}, err)
			return
		}
		var page []objstore.Info // as a server answers: at one moment
		for info, err := range s.inner.List(ctx, prefix, after) {
			if err != nil {
				yield(info, err)
				return
			}
			page = append(page, info)
		}
		for _, info := range page {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *gatedStore) Copy(ctx context.Context, from, to string, class objstore.Class) (objstore.Info, error) {
	v, err := s.pass(ctx, opPut, to)
	if err != nil {
		return objstore.Info{}, err
	}
	info, err := s.inner.Copy(ctx, from, to, class)
	return info, s.reply(v, opPut, to, err)
}

func (s *gatedStore) Restore(ctx context.Context, key string, days int, speed objstore.Speed) error {
	v, err := s.pass(ctx, opPut, key)
	if err != nil {
		return err
	}
	return s.reply(v, opPut, key, s.inner.Restore(ctx, key, days, speed))
}
