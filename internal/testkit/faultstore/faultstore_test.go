package faultstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

func newMem(t *testing.T) *mem.Store {
	t.Helper()
	s, err := mem.New(mem.Options{Classes: tiers.Classes{{Name: "HOT"}, {Name: "COOL"}, {Name: "DEEP", Archive: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Without faults the wrappers must be invisible.
func TestConformance(t *testing.T) {
	opts := storetest.Options{ArchiveClass: "DEEP", BigBytes: 4 << 20, MaxHeapBytes: -1}
	t.Run("Store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) objstore.Store { return New(newMem(t), nil) }, opts)
	})
	t.Run("Meter", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) objstore.Store { return NewMeter(newMem(t)) }, opts)
	})
}

var data = storetest.PatternBytes(1, 1000)

func put(s objstore.Store, key string) (objstore.Info, error) {
	return s.Put(context.Background(), key, bytes.NewReader(data), objstore.PutOptions{Size: int64(len(data)), SHA256: sha256.Sum256(data)})
}

// holds says what a key really holds: "nothing", "all", "part" or "other".
func holds(t *testing.T, s objstore.Store, key string) string {
	t.Helper()
	got, err := objstore.ReadAll(t.Context(), s, key, 1<<20)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return "nothing"
	case err != nil:
		t.Fatalf("read %s: %v", key, err)
	case bytes.Equal(got, data):
		return "all"
	case len(got) < len(data) && bytes.HasPrefix(data, got):
		return "part"
	}
	return "other"
}

func TestPutFaults(t *testing.T) {
	for _, tt := range []struct {
		fault     Fault
		succeeds  bool
		transient bool
		left      string
	}{
		{None, true, false, "all"},
		{Unavailable, false, true, "nothing"},
		{LostReply, false, true, "all"},
		{TornPut, false, true, "nothing"},
		{TruncatedPut, false, true, "part"},
		{Phantom, true, false, "nothing"},
		{LatePut, false, true, "nothing"},
	} {
		for _, size := range []int64{int64(len(data)), -1} {
			inner := newMem(t)
			s := New(inner, Rules(Rule{Op: Put, Last: 1, Fault: tt.fault}))
			info, err := s.Put(t.Context(), "k", bytes.NewReader(data), objstore.PutOptions{Size: size})
			if (err == nil) != tt.succeeds || objstore.IsTransient(err) != tt.transient || (err != nil) != errors.Is(err, ErrInjected) {
				t.Errorf("%v: got %v, want success %v, transient %v", tt.fault, err, tt.succeeds, tt.transient)
			}
			if tt.succeeds && (info.Size != 1000 || info.Key != "k" || info.Class != "HOT" || info.SHA256 != sha256.Sum256(data) || info.Version == "") {
				t.Errorf("%v: got %+v, want the Info of a stored object", tt.fault, info)
			}
			if got := holds(t, inner, "k"); got != tt.left {
				t.Errorf("%v: the key holds %s, want %s", tt.fault, got, tt.left)
			}
			if got, want := len(s.Injected()), min(1, int(tt.fault)); got != want {
				t.Errorf("%v: %d faults recorded, want %d", tt.fault, got, want)
			}
			if tt.left == "nothing" && tt.fault != LatePut { // the rule is used up
				if _, err := put(s, "k"); err != nil || holds(t, inner, "k") != "all" {
					t.Errorf("%v: second put: %v", tt.fault, err)
				}
			}
		}
	}
}

func TestTornPutTakesHalfTheBody(t *testing.T) {
	body := bytes.NewReader(data)
	s := New(newMem(t), Rules(Rule{Fault: TornPut}))
	if _, err := s.Put(t.Context(), "k", body, objstore.PutOptions{Size: 1000}); err == nil {
		t.Fatal("got nil, want an error")
	}
	if body.Len() != 500 {
		t.Errorf("%d bytes were not taken, want 500", body.Len())
	}
}

func TestLatePutLandsWhenReleased(t *testing.T) {
	inner := newMem(t)
	s := New(inner, Rules(Rule{Contains: "late", Fault: LatePut}))
	for _, key := range []string{"late1", "late2"} {
		if _, err := put(s, key); !objstore.IsTransient(err) {
			t.Fatalf("put: got %v, want a transient error", err)
		}
	}
	if _, err := s.Head(t.Context(), "late1"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("before release: got %v, want ErrNotFound", err)
	}
	if _, err := put(inner, "late2"); err != nil { // somebody was faster
		t.Fatal(err)
	}
	if err := s.Release(t.Context()); !errors.Is(err, objstore.ErrExists) {
		t.Errorf("release: got %v, want the ErrExists of the second", err)
	}
	if got := holds(t, inner, "late1"); got != "all" {
		t.Errorf("after release: holds %s, want all", got)
	}
	if err := s.Release(t.Context()); err != nil {
		t.Errorf("second release: got %v, want nil", err)
	}
}

func TestFaultsOfOtherOperations(t *testing.T) {
	calls := map[Op]func(context.Context, *Store) error{
		Get:  func(ctx context.Context, s *Store) error { _, err := objstore.ReadAll(ctx, s, "k", 1000); return err },
		Head: func(ctx context.Context, s *Store) error { _, err := s.Head(ctx, "k"); return err },
		Copy: func(ctx context.Context, s *Store) error {
			info, err := s.Copy(ctx, "k", "to", "COOL")
			if err == nil && (info.Key != "to" || info.Class != "COOL" || info.Size != 1000) {
				return fmt.Errorf("copy answers %+v", info)
			}
			return err
		},
		Delete:  func(ctx context.Context, s *Store) error { return s.Delete(ctx, "k") },
		Restore: func(ctx context.Context, s *Store) error { return s.Restore(ctx, "frozen", 1, "") },
		List: func(ctx context.Context, s *Store) error {
			for _, err := range s.List(ctx, "k", "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	// effect says whether the operation was really done.
	effect := map[Op]func(*mem.Store) bool{
		Copy:   func(m *mem.Store) bool { _, err := m.Head(context.Background(), "to"); return err == nil },
		Delete: func(m *mem.Store) bool { _, err := m.Head(context.Background(), "k"); return err != nil },
		Restore: func(m *mem.Store) bool {
			info, _ := m.Head(context.Background(), "frozen")
			return !info.Restore.Until.IsZero()
		},
	}
	for op, call := range calls {
		for _, tt := range []struct {
			fault     Fault
			transient bool
			done      bool
		}{{None, false, true}, {Unavailable, true, false}, {LostReply, true, true}, {Phantom, false, false}} {
			if !tt.fault.AppliesTo(op) {
				continue
			}
			inner := newMem(t)
			if _, err := put(inner, "k"); err != nil {
				t.Fatal(err)
			}
			if _, err := inner.Put(t.Context(), "frozen", strings.NewReader("x"), objstore.PutOptions{Class: "DEEP", Size: 1}); err != nil {
				t.Fatal(err)
			}
			err := call(t.Context(), New(inner, Rules(Rule{Op: op, Fault: tt.fault})))
			if objstore.IsTransient(err) != tt.transient || (err == nil) == tt.transient {
				t.Errorf("%s, %v: got %v, want transient %v", op, tt.fault, err, tt.transient)
			}
			if done := effect[op]; done != nil && done(inner) != tt.done {
				t.Errorf("%s, %v: done %v, want %v", op, tt.fault, !tt.done, tt.done)
			}
		}
	}
}

func TestTimeoutBlocksUntilTheContextEnds(t *testing.T) {
	for _, op := range []Op{Put, Get, Head, Delete, List, Copy, Restore} {
		synctest.Test(t, func(t *testing.T) { // its clock moves only when all wait
			s := New(newMem(t), Rules(Rule{Op: op, Fault: Timeout}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			var err error
			switch op {
			case Put:
				_, err = s.Put(ctx, "k", strings.NewReader("x"), objstore.PutOptions{Size: 1})
			case Get:
				_, _, err = s.Get(ctx, "k", 0, -1)
			case Head:
				_, err = s.Head(ctx, "k")
			case Delete:
				err = s.Delete(ctx, "k")
			case List:
				for _, err = range s.List(ctx, "", "") {
				}
			case Copy:
				_, err = s.Copy(ctx, "k", "to", "")
			case Restore:
				err = s.Restore(ctx, "k", 1, "")
			}
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrInjected) || !objstore.IsTransient(err) {
				t.Errorf("%s: got %v, want an injected, transient timeout", op, err)
			}
			if waited := time.Since(start); waited != time.Hour {
				t.Errorf("%s: waited %v, want until the context's deadline", op, waited)
			}
		})
	}
}

func TestReadFaults(t *testing.T) {
	inner := newMem(t)
	if _, err := put(inner, "k"); err != nil {
		t.Fatal(err)
	}
	read := func(fault Fault, off, n int64) ([]byte, error) {
		body, _, err := New(inner, Rules(Rule{Fault: fault})).Get(t.Context(), "k", off, n)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		return io.ReadAll(body)
	}
	for _, r := range []struct{ off, n int64 }{{0, -1}, {100, 301}, {999, 1}} {
		want := data[r.off:]
		if r.n >= 0 {
			want = want[:r.n]
		}
		got, err := read(BitFlip, r.off, r.n)
		if err != nil || len(got) != len(want) || differingBits(got, want) != 1 {
			t.Errorf("bit flip in (%d, %d): got %d bytes, %d bits differ, %v, want %d bytes and 1 bit", r.off, r.n, len(got), differingBits(got, want), err, len(want))
		}
		if again, _ := read(BitFlip, r.off, r.n); !bytes.Equal(got, again) {
			t.Errorf("bit flip in (%d, %d): another bit in another run", r.off, r.n)
		}
		if got, err := read(ShortRead, r.off, r.n); err != nil || !bytes.Equal(got, want[:len(want)/2]) {
			t.Errorf("short read of (%d, %d): got %d bytes, %v, want %d and no error", r.off, r.n, len(got), err, len(want)/2)
		}
		if got, err := read(BrokenRead, r.off, r.n); !objstore.IsTransient(err) || !bytes.Equal(got, want[:len(want)/2]) {
			t.Errorf("broken read of (%d, %d): got %d bytes, %v, want %d and a transient error", r.off, r.n, len(got), err, len(want)/2)
		}
	}
	// The project's own helpers see each of them.
	for _, fault := range []Fault{BitFlip, ShortRead, BrokenRead} {
		if _, err := objstore.ReadAll(t.Context(), New(inner, Rules(Rule{Fault: fault})), "k", 1000); err == nil {
			t.Errorf("ReadAll does not notice a %v", fault)
		}
	}
}

func differingBits(a, b []byte) (n int) {
	for i := range min(len(a), len(b)) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

func TestStaleListMissesTheNewest(t *testing.T) {
	s := New(newMem(t), nil)
	for _, key := range []string{"m/3", "m/1", "m/2", "z"} {
		if _, err := put(s, key); err != nil {
			t.Fatal(err)
		}
	}
	list := func(prefix string) (got []string) {
		for info, err := range s.List(t.Context(), prefix, "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		return got
	}
	s.SetScript(Rules(Rule{Op: List, Contains: "m/", Last: 2, Fault: StaleList}))
	if got, want := list("m/"), []string{"m/1", "m/3"}; !slices.Equal(got, want) {
		t.Errorf("stale: got %q, want %q", got, want)
	}
	if err := s.Delete(t.Context(), "m/2"); err != nil {
		t.Fatal(err)
	}
	if got, want := list("m/"), []string{"m/3"}; !slices.Equal(got, want) {
		t.Errorf("stale after the newest was deleted: got %q, want %q", got, want)
	}
	if got, want := list("m/"), []string{"m/1", "m/3"}; !slices.Equal(got, want) {
		t.Errorf("rule used up: got %q, want %q", got, want)
	}
}

func TestRules(t *testing.T) {
	script := Rules(
		Rule{Op: Put, Suffix: ".ok", First: 2, Last: 3, Fault: Unavailable},
		Rule{Op: Head, Call: 5, Fault: Timeout},
		Rule{Contains: "/p/", Fault: LostReply},
	)
	for _, tt := range []struct {
		call Call
		want Fault
	}{
		{Call{Put, "a.ok", 1, 1}, None},
		{Call{Put, "a.ok", 2, 9}, Unavailable},
		{Call{Put, "a.ok", 3, 9}, Unavailable},
		{Call{Put, "a.ok", 4, 9}, None},
		{Call{Put, "a.json", 2, 9}, None},
		{Call{Get, "a.ok", 2, 9}, None},
		{Call{Head, "x", 1, 4}, None},
		{Call{Head, "x", 1, 5}, Timeout},
		{Call{Put, "s/p/1", 1, 1}, LostReply},
		{Call{Delete, "s/p/1", 7, 7}, LostReply},
		{Call{Get, "s/p/1", 1, 1}, None}, // does not apply
	} {
		if got := script(tt.call); got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.call, got, tt.want)
		}
	}
	for name, mistake := range map[string]func(){
		"a rule": func() { Rules(Rule{Op: Get, Fault: TornPut}) },
		"a script": func() {
			_, _ = New(newMem(t), func(Call) Fault { return TornPut }).Head(t.Context(), "k")
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s that cannot be: want a panic", name)
				}
			}()
			mistake()
		}()
	}
}

// The same faults must meet the same calls, in whatever order goroutines make them.
func TestSeededDoesNotDependOnOrder(t *testing.T) {
	run := func(seed uint64) map[Call]Fault {
		s := New(newMem(t), Seeded(seed, 0.3, Unavailable, LostReply, Phantom, StaleList))
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range 50 {
					_, _ = put(s, fmt.Sprintf("k%d-%d", w, i))
					_, _ = s.Head(context.Background(), fmt.Sprintf("k%d-%d", w, i))
				}
			})
		}
		all.Wait()
		got := make(map[Call]Fault)
		for _, in := range s.Injected() {
			in.Call.Total = 0
			got[in.Call] = in.Fault
		}
		return got
	}
	a, b, other := run(1), run(1), run(2)
	if len(a) < 160 || len(a) > 320 {
		t.Errorf("%d of 800 calls failed, want about 240", len(a))
	}
	same := func(x, y map[Call]Fault) bool {
		if len(x) != len(y) {
			return false
		}
		for call, fault := range x {
			if y[call] != fault {
				return false
			}
		}
		return true
	}
	if !same(a, b) {
		t.Error("two runs with one seed met other faults")
	}
	if same(a, other) {
		t.Error("two seeds met the same faults")
	}
	kinds := make(map[Fault]int)
	for _, f := range a {
		kinds[f]++
	}
	if kinds[Unavailable] == 0 || kinds[LostReply] == 0 || kinds[Phantom] == 0 {
		t.Errorf("faults met: %v, want some of each", kinds)
	}
}

func TestMeter(t *testing.T) {
	m := NewMeter(newMem(t))
	ctx := t.Context()
	if _, err := put(m, "a"); err != nil {
		t.Fatal(err)
	}
	before := m.Counts()
	if want := (Counts{Puts: 1, BytesIn: 1000}); before != want {
		t.Errorf("after a put: got %+v, want %+v", before, want)
	}
	_, _ = put(m, "a")                             // ErrExists after the body was read
	_, _ = objstore.ReadRange(ctx, m, "a", 10, 90) // 90 bytes
	_, _ = m.Head(ctx, "none")                     // fails
	_, _ = m.Copy(ctx, "a", "b", "COOL")           //
	_ = m.Restore(ctx, "a", 1, "")                 //
	for range m.List(ctx, "", "") {                // 2 objects
	}
	_ = m.Delete(ctx, "a")
	want := Counts{Puts: 1, Gets: 1, Heads: 1, Deletes: 1, Lists: 1, Copies: 1, Restores: 1, Failed: 2, Listed: 2, BytesIn: 1000, BytesOut: 90}
	if got := m.Counts().Sub(before); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
