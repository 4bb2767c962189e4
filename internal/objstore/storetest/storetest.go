// Package storetest proves the contract of objstore.Store on an
// implementation. What a store says of itself in its Capabilities decides which
// promises are tested; the others are skipped by name. All keys lie under a random prefix per
// test, so that the suite may run on a bucket that holds other objects.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Options says what the suite cannot learn from Capabilities.
type Options struct {
	// Reopen, if set, ends a store as a restart would and returns another over the same data.
	Reopen func(t *testing.T, s objstore.Store) objstore.Store
	// ArchiveClass needs a restore before reading; empty skips the restore tests.
	ArchiveClass objstore.Class
	// RestoreDelay is the time a restore in ArchiveClass takes, and Advance
	// moves the store's clock. Without Advance only the states that need no time are tested.
	RestoreDelay time.Duration
	Advance      func(d time.Duration)
	// BigBytes is the size of the big object; default 64 MiB.
	BigBytes int64
	// MaxHeapBytes is how much the heap may grow while the big object is put
	// and read; default 24 MiB; negative for stores that keep objects in memory.
	MaxHeapBytes int64
}

// Run runs the suite. open returns a store to be used by one test; it may be the same each time.
func Run(t *testing.T, open func(t *testing.T) objstore.Store, opts Options) {
	if opts.BigBytes == 0 {
		opts.BigBytes = 64 << 20
	}
	if opts.MaxHeapBytes == 0 {
		opts.MaxHeapBytes = 24 << 20
	}
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"PutGetHead", (*suite).putGetHead},
		{"Ranges", (*suite).ranges},
		{"EmptyObject", (*suite).emptyObject},
		{"NotFound", (*suite).notFound},
		{"KeyChecks", (*suite).keyChecks},
		{"UnknownSize", (*suite).unknownSize},
		{"WrongSizeStoresNothing", (*suite).wrongSize},
		{"WrongChecksumStoresNothing", (*suite).wrongChecksum},
		{"FailingBodyStoresNothing", (*suite).failingBody},
		{"CancelledPutStoresNothing", (*suite).cancelledPut},
		{"CancelledCalls", (*suite).cancelledCalls},
		{"NoOverwrite", (*suite).noOverwrite},
		{"CreateOnlyRace", (*suite).createOnlyRace},
		{"CreateOnlyRaceOverClasses", (*suite).createOnlyRaceOverClasses},
		{"Delete", (*suite).delete},
		{"ListOrder", (*suite).listOrder},
		{"ListPages", (*suite).listPages},
		{"ListPrefixes", (*suite).listPrefixes},
		{"ListWhileDeleting", (*suite).listWhileDeleting},
		{"Classes", (*suite).classes},
		{"Copy", (*suite).copies},
		{"Restore", (*suite).restore},
		{"Concurrency", (*suite).concurrency},
		{"BigObject", (*suite).bigObject},
		{"Reopen", (*suite).reopen},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := open(t)
			test.run(&suite{T: t, store: store, caps: store.Capabilities(), opts: opts, prefix: "storetest/" + rand.Text() + "/"})
		})
	}
}

type suite struct {
	*testing.T
	store  objstore.Store
	caps   objstore.Capabilities
	opts   Options
	prefix string
}

func (s *suite) key(name string) string { return s.prefix + name }

// put stores data under a key of this test, with its checksum, and fails the test if that fails.
func (s *suite) put(name string, data []byte) objstore.Info {
	s.Helper()
	return s.putIn(name, data, "")
}

func (s *suite) putIn(name string, data []byte, class objstore.Class) objstore.Info {
	s.Helper()
	info, err := s.store.Put(s.Context(), s.key(name), bytes.NewReader(data),
		objstore.PutOptions{Class: class, Size: int64(len(data)), SHA256: sha256.Sum256(data)})
	if err != nil {
		s.Fatalf("Put(%s, %d bytes, class %q): %v", name, len(data), class, err)
	}
	return info
}

// wantData fails the test unless the key holds exactly these bytes.
func (s *suite) wantData(name string, want []byte) {
	s.Helper()
	got, err := objstore.ReadAll(s.Context(), s.store, s.key(name), 1<<30)
	if err != nil {
		s.Fatalf("read %s: %v", name, err)
	}
	if !bytes.Equal(got, want) {
		s.Fatalf("read %s: got %d bytes with SHA-256 %s, want %d bytes with %s", name, len(got), short(got), len(want), short(want))
	}
}

// wantNothing fails the test if anything can be seen of the key.
func (s *suite) wantNothing(name string) {
	s.Helper()
	if info, err := s.store.Head(s.Context(), s.key(name)); !errors.Is(err, objstore.ErrNotFound) {
		s.Errorf("Head(%s) = %+v, %v, want ErrNotFound", name, info, err)
	}
	if body, _, err := s.store.Get(s.Context(), s.key(name), 0, -1); !errors.Is(err, objstore.ErrNotFound) {
		s.Errorf("Get(%s) = %v, want ErrNotFound", name, err)
		if err == nil {
			body.Close()
		}
	}
	for _, key := range s.list("", "") {
		if key == name {
			s.Errorf("List shows %s, which must hold nothing", name)
		}
	}
}

// wantErr fails the test unless err is want.
func (s *suite) wantErr(what string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// list returns the names, without this test's prefix, of what List yields.
func (s *suite) list(prefix, after string) []string {
	s.Helper()
	if after != "" {
		after = s.key(after)
	}
	names := []string{}
	for info, err := range s.store.List(s.Context(), s.prefix+prefix, after) {
		if err != nil {
			s.Fatalf("List(%q, after %q): %v", prefix, after, err)
		}
		if len(info.Key) < len(s.prefix) {
			s.Fatalf("List(%q, after %q) yields the key %q, which does not begin with %q", prefix, after, info.Key, s.prefix)
		}
		names = append(names, info.Key[len(s.prefix):])
	}
	return names
}

func short(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// Pattern returns a reader of n bytes that look random and are the same for the same seed.
func Pattern(seed uint64, n int64) io.Reader { return &pattern{state: seed*2 + 1, left: n} }

type pattern struct {
	state uint64
	left  int64
	spare [4]byte
	have  int // bytes of spare that are still to be read, at its end
}

// Read fills p with the high halves of a 64-bit linear congruential generator.
func (r *pattern) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	i := copy(p, r.spare[len(r.spare)-r.have:])
	r.have -= i
	for ; i+4 <= len(p); i += 4 {
		binary.LittleEndian.PutUint32(p[i:], r.next())
	}
	if i < len(p) {
		binary.LittleEndian.PutUint32(r.spare[:], r.next())
		r.have = len(r.spare) - copy(p[i:], r.spare[:])
	}
	r.left -= int64(len(p))
	return len(p), nil
}

func (r *pattern) next() uint32 {
	r.state = r.state*6364136223846793005 + 1442695040888963407
	return uint32(r.state >> 32)
}

// PatternBytes returns what Pattern reads.
func PatternBytes(seed uint64, n int64) []byte {
	data := make([]byte, n)
	_, _ = io.ReadFull(Pattern(seed, n), data)
	return data
}

// hidden hides everything of a reader but Read, as a network body or a pipe does.
type hidden struct{ r io.Reader }

func (h hidden) Read(p []byte) (int, error) { return h.r.Read(p) }

// breaking reads n bytes of a pattern and then fails with err; at that moment it calls at, if set.
type breaking struct {
	r   io.Reader
	err error
	at  func()
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if b.at != nil {
		b.at()
	}
	return n, b.err
}

// cancelled returns a context that is already done.
func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
