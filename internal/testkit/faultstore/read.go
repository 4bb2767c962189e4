package faultstore

import (
	"context"
	"io"

	"github.com/radtier/radtier/internal/objstore"
)

// Get implements objstore.Store.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	call, fault := s.meet(Get, key)
	switch fault {
	case Unavailable:
		return nil, objstore.Info{}, call.fail(fault)
	case Timeout:
		return nil, objstore.Info{}, call.wait(ctx)
	}
	body, info, err := s.inner.Get(ctx, key, offset, length)
	if err != nil || fault == None {
		return body, info, err
	}
	n := length
	if n < 0 {
		n = info.Size - offset
	}
	switch fault {
	case BitFlip:
		if n > 0 {
			random := call.random(0)
			body = &flipped{ReadCloser: body, at: random.Int64N(n), bit: byte(1) << random.IntN(8)}
		}
	case ShortRead:
		body = &cut{ReadCloser: body, left: n / 2, err: io.EOF}
	case BrokenRead:
		body = &cut{ReadCloser: body, left: n / 2, err: call.fail(fault)}
	}
	return body, info, nil
}

// flipped changes one bit of the byte at an offset.
type flipped struct {
	io.ReadCloser
	at  int64 // bytes until the byte; negative when it is past
	bit byte
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= f.bit
	}
	f.at -= int64(n)
	return n, err
}

// cut ends with err after some bytes.
type cut struct {
	io.ReadCloser
	left int64
	err  error
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.err
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
