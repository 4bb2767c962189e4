package faultstore

import (
	"context"
	"io"
	"iter"
	"sync/atomic"

	"github.com/radtier/radtier/internal/objstore"
)

// Counts is what a [Meter] has seen.
type Counts struct {
	Puts, Gets, Heads, Deletes, Lists, Copies, Restores int64 // calls, failed ones included
	Failed                                              int64 // calls that returned an error, of List those that yielded one
	Listed                                              int64 // objects that lists have yielded
	BytesIn                                             int64 // bytes that puts have read from their bodies
	BytesOut                                            int64 // bytes that readers of Get have given
}

// Sub returns what was counted since before.
func (c Counts) Sub(before Counts) Counts {
	return Counts{
		Puts: c.Puts - before.Puts, Gets: c.Gets - before.Gets, Heads: c.Heads - before.Heads, Deletes: c.Deletes - before.Deletes,
		Lists: c.Lists - before.Lists, Copies: c.Copies - before.Copies, Restores: c.Restores - before.Restores,
		Failed: c.Failed - before.Failed, Listed: c.Listed - before.Listed, BytesIn: c.BytesIn - before.BytesIn, BytesOut: c.BytesOut - before.BytesOut,
	}
}

// Meter counts what passes through it. Put it outside a [Store] to count what
// the program does, inside to count what reaches the server. Use [NewMeter].
type Meter struct {
	inner objstore.Store

	puts, gets, heads, deletes, lists, copies, restores, failed, listed, in, out atomic.Int64
}

var _ objstore.Store = (*Meter)(nil)

// NewMeter returns a store that counts and passes everything on.
func NewMeter(inner objstore.Store) *Meter { return &Meter{inner: inner} }

// Counts returns the counts so far.
func (m *Meter) Counts() Counts {
	return Counts{
		Puts: m.puts.Load(), Gets: m.gets.Load(), Heads: m.heads.Load(), Deletes: m.deletes.Load(), Lists: m.lists.Load(),
		Copies: m.copies.Load(), Restores: m.restores.Load(), Failed: m.failed.Load(), Listed: m.listed.Load(),
		BytesIn: m.in.Load(), BytesOut: m.out.Load(),
	}
}

func (m *Meter) count(calls *atomic.Int64, err error) {
	calls.Add(1)
	if err != nil {
		m.failed.Add(1)
	}
}

// Capabilities are those of the inner store.
func (m *Meter) Capabilities() objstore.Capabilities { return m.inner.Capabilities() }

// Put implements objstore.Store.
func (m *Meter) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	var through io.Reader = counted{body, &m.in}
	if seeker, ok := body.(io.Seeker); ok { // network stores treat bodies that can seek otherwise
		through = struct {
			io.Reader
			io.Seeker
		}{through, seeker}
	}
	info, err := m.inner.Put(ctx, key, through, opts)
	m.count(&m.puts, err)
	return info, err
}

// Get implements objstore.Store.
func (m *Meter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	body, info, err := m.inner.Get(ctx, key, offset, length)
	m.count(&m.gets, err)
	if err != nil {
		return nil, info, err
	}
	return struct {
		io.Reader
		io.Closer
	}{counted{body, &m.out}, body}, info, nil
}

// Head implements objstore.Store.
func (m *Meter) Head(ctx context.Context, key string) (objstore.Info, error) {
	info, err := m.inner.Head(ctx, key)
	m.count(&m.heads, err)
	return info, err
}

// Delete implements objstore.Store.
func (m *Meter) Delete(ctx context.Context, key string) error {
	err := m.inner.Delete(ctx, key)
	m.count(&m.deletes, err)
	return err
}

// List implements objstore.Store.
func (m *Meter) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		m.lists.Add(1)
		for info, err := range m.inner.List(ctx, prefix, after) {
			if err != nil {
				m.failed.Add(1)
			} else {
				m.listed.Add(1)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Copy implements objstore.Store.
func (m *Meter) Copy(ctx context.Context, from, to string, class objstore.Class) (objstore.Info, error) {
	info, err := m.inner.Copy(ctx, from, to, class)
	m.count(&m.copies, err)
	return info, err
}

// Restore implements objstore.Store.
func (m *Meter) Restore(ctx context.Context, key string, days int, speed objstore.Speed) error {
	err := m.inner.Restore(ctx, key, days, speed)
	m.count(&m.restores, err)
	return err
}

type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
