package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

func (s *suite) putGetHead() {
	before := time.Now()
	for _, size := range []int64{1, 511, 512, 4096, 65536, 300_000, 3<<20 + 17} {
		name := fmt.Sprintf("d/%d.bin", size)
		data := PatternBytes(uint64(size), size)
		put := s.put(name, data)
		s.wantData(name, data)
		head, err := s.store.Head(s.Context(), s.key(name))
		if err != nil {
			s.Fatalf("Head(%s): %v", name, err)
		}
		body, got, err := s.store.Get(s.Context(), s.key(name), 0, 1)
		if err != nil {
			s.Fatalf("Get(%s): %v", name, err)
		}
		body.Close()
		for what, info := range map[string]objstore.Info{"Put": put, "Head": head, "Get of one byte": got} {
			if info.Key != s.key(name) || info.Size != size || info.Class != s.caps.Classes[0] || info.Version == "" {
				s.Errorf("%s of %d bytes: got %+v, want this key and size, class %q and a version", what, size, info, s.caps.Classes[0])
			}
			if s.caps.Checksum && info.SHA256 != sha256.Sum256(data) {
				s.Errorf("%s of %d bytes: got SHA-256 %x, want %x", what, size, info.SHA256, sha256.Sum256(data))
			}
			if !info.Restore.Readable(time.Now()) {
				s.Errorf("%s of %d bytes: got restore state %+v, want readable", what, size, info.Restore)
			}
			// A day is for servers whose clock differs; a store with a moved clock is not compared.
			if s.opts.Advance == nil && (info.Modified.Before(before.Add(-24*time.Hour)) || info.Modified.After(time.Now().Add(24*time.Hour))) {
				s.Errorf("%s of %d bytes: modified %v, want about now", what, size, info.Modified)
			}
		}
		if put.Version != head.Version || put.Version != got.Version || !head.Modified.Equal(got.Modified) {
			s.Errorf("versions of one object differ: Put %+v, Head %+v, Get %+v", put, head, got)
		}
	}
	a, b := s.put("same-size-a", []byte("aaaa")), s.put("same-size-b", []byte("bbbb"))
	if a.Version == b.Version {
		s.Errorf("two objects of one size but other bytes have one version %q", a.Version)
	}
}

func (s *suite) emptyObject() {
	s.put("empty", nil)
	s.wantData("empty", nil)
	head, err := s.store.Head(s.Context(), s.key("empty"))
	if err != nil || head.Size != 0 {
		s.Errorf("Head of an empty object: got %+v, %v, want size 0", head, err)
	}
	if _, err := objstore.ReadRange(s.Context(), s.store, s.key("empty"), 0, 1); err == nil {
		s.Error("reading a byte of an empty object: got nil, want an error")
	}
}

func (s *suite) keyChecks() {
	ctx := s.Context()
	bad := []string{"", "/", "/abs", "trailing/", "a//b", ".", "..", "../escape", "a/../../escape", "a/./b", "sp ace", "nul\x00", "tilde~",
		"back\\slash", "umläut", strings.Repeat("x", objstore.MaxPartBytes+1), strings.Repeat("abcdefg/", objstore.MaxKeyBytes/8) + "123456789"}
	good := s.key("good")
	s.put("good", []byte("x"))
	for _, key := range bad {
		_, putErr := s.store.Put(ctx, key, strings.NewReader("x"), objstore.PutOptions{Size: 1})
		_, _, getErr := s.store.Get(ctx, key, 0, -1)
		_, headErr := s.store.Head(ctx, key)
		delErr := s.store.Delete(ctx, key)
		errs := map[string]error{"Put": putErr, "Get": getErr, "Head": headErr, "Delete": delErr}
		if s.caps.Copy {
			_, errs["Copy to"] = s.store.Copy(ctx, good, key, "")
			_, errs["Copy from"] = s.store.Copy(ctx, key, s.key("copied"), "")
		}
		if s.caps.Restore {
			errs["Restore"] = s.store.Restore(ctx, key, 1, "")
		}
		for op, err := range errs {
			var keyErr *objstore.KeyError
			if !errors.As(err, &keyErr) {
				s.Errorf("%s(%q): got %v, want a *KeyError", op, key, err)
			}
		}
	}
	// The longest key and the oddest parts that are valid.
	part := strings.Repeat("p", objstore.MaxPartBytes)
	for _, name := range []string{part, "..a/b..", "...", "-", "=+_.-", "a.b/c.d"} {
		s.put(name, []byte(name))
		s.wantData(name, []byte(name))
	}
	long := s.prefix
	for len(long) < objstore.MaxKeyBytes {
		long += "0123456/"
	}
	long = long[:objstore.MaxKeyBytes-1] + "x"
	s.put(long[len(s.prefix):], []byte("long"))
	s.wantData(long[len(s.prefix):], []byte("long"))
}

func (s *suite) unknownSize() {
	for _, size := range []int64{0, 1, 300_000, 9<<20 + 1} {
		name := fmt.Sprint("u", size)
		data := PatternBytes(7, size)
		info, err := s.store.Put(s.Context(), s.key(name), hidden{bytes.NewReader(data)}, objstore.PutOptions{Size: -1})
		if err != nil {
			s.Fatalf("Put of %d bytes with unknown size: %v", size, err)
		}
		if info.Size != size {
			s.Errorf("Put of %d bytes with unknown size: got size %d", size, info.Size)
		}
		s.wantData(name, data)
	}
}

func (s *suite) wrongSize() {
	for _, tt := range []struct {
		name       string
		body, size int64
	}{{"short", 1000, 1001}, {"long", 1001, 1000}, {"empty", 0, 1}, {"not-empty", 1, 0}, {"long-big", 6 << 20, 6<<20 - 1}} {
		_, err := s.store.Put(s.Context(), s.key(tt.name), hidden{Pattern(1, tt.body)}, objstore.PutOptions{Size: tt.size})
		if err == nil {
			s.Errorf("Put of %d bytes announced as %d: got nil, want an error", tt.body, tt.size)
		}
		s.wantNothing(tt.name)
	}
}

func (s *suite) wrongChecksum() {
	for _, size := range []int64{0, 1000, 6 << 20} {
		name := fmt.Sprint("c", size)
		opts := objstore.PutOptions{Size: size, SHA256: sha256.Sum256([]byte("other bytes"))}
		_, err := s.store.Put(s.Context(), s.key(name), Pattern(1, size), opts)
		var sumErr *objstore.ChecksumError
		if !errors.As(err, &sumErr) {
			s.Errorf("Put of %d bytes with a wrong SHA-256: got %v, want a *ChecksumError", size, err)
		}
		s.wantNothing(name)
		s.put(name, PatternBytes(1, size)) // nothing is in the way of the right bytes
	}
}

func (s *suite) failingBody() {
	broken := errors.New("source broke")
	for _, tt := range []struct {
		name    string
		at, all int64
	}{{"at-once", 0, 1000}, {"midway", 500, 1000}, {"late", 5 << 20, 6 << 20}, {"unknown-size", 1000, -1}} {
		body := &breaking{r: Pattern(1, tt.at), err: broken}
		_, err := s.store.Put(s.Context(), s.key(tt.name), body, objstore.PutOptions{Size: tt.all})
		s.wantErr("Put of a body that fails "+tt.name, err, broken)
		s.wantNothing(tt.name)
	}
}

func (s *suite) cancelledPut() {
	for _, tt := range []struct {
		name    string
		at, all int64
	}{{"midway", 1 << 20, 6 << 20}, {"unknown-size", 1 << 20, -1}} {
		ctx, cancel := context.WithCancel(s.Context())
		// The source goes on after the cancellation: it is the store that must stop.
		body := io.MultiReader(&breaking{r: Pattern(1, tt.at), err: io.EOF, at: cancel}, Pattern(2, 5<<20))
		_, err := s.store.Put(ctx, s.key(tt.name), body, objstore.PutOptions{Size: tt.all})
		s.wantErr("Put cancelled "+tt.name, err, context.Canceled)
		s.wantNothing(tt.name)
		cancel()
	}
}

func (s *suite) cancelledCalls() {
	s.put("there", []byte("x"))
	ctx := cancelled(s.Context())
	_, err := s.store.Put(ctx, s.key("new"), strings.NewReader("x"), objstore.PutOptions{Size: 1})
	s.wantErr("Put", err, context.Canceled)
	s.wantNothing("new")
	_, err = s.store.Head(ctx, s.key("there"))
	s.wantErr("Head", err, context.Canceled)
	_, err = objstore.ReadAll(ctx, s.store, s.key("there"), 10)
	s.wantErr("Get", err, context.Canceled)
	s.wantErr("Delete", s.store.Delete(ctx, s.key("there")), context.Canceled)
	var listErr error
	for _, listErr = range s.store.List(ctx, s.prefix, "") {
	}
	s.wantErr("List", listErr, context.Canceled)
	s.wantData("there", []byte("x"))
}

func (s *suite) noOverwrite() {
	if !s.caps.CreateOnly {
		s.Skip("this store's Put is not create-only")
	}
	first := []byte("first")
	info := s.put("k", first)
	for _, class := range s.caps.Classes {
		_, err := s.store.Put(s.Context(), s.key("k"), strings.NewReader("second"), objstore.PutOptions{Class: class, Size: 6})
		s.wantErr(fmt.Sprintf("second Put, class %q", class), err, objstore.ErrExists)
	}
	_, err := s.store.Put(s.Context(), s.key("k"), bytes.NewReader(first), objstore.PutOptions{Size: 5, SHA256: sha256.Sum256(first)})
	s.wantErr("Put of the same bytes", err, objstore.ErrExists)
	s.wantData("k", first)
	if head, err := s.store.Head(s.Context(), s.key("k")); err != nil || head.Version != info.Version || head.Class != info.Class {
		s.Errorf("Head after refused puts: got %+v, %v, want %+v", head, err, info)
	}
}

func (s *suite) createOnlyRace() { s.race(s.caps.Classes[:1]) }

func (s *suite) createOnlyRaceOverClasses() {
	if len(s.caps.Classes) < 2 {
		s.Skip("this store has one class")
	}
	s.race(s.caps.Classes)
}

// race lets 16 writers put other bytes under one key at once, in the given classes by turns.
func (s *suite) race(classes []objstore.Class) {
	if !s.caps.CreateOnly {
		s.Skip("this store's Put is not create-only")
	}
	const racers, rounds = 16, 8
	for round := range rounds {
		name := fmt.Sprintf("race/%d/k", round)
		errs := make([]error, racers)
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				body := Pattern(uint64(i), 5000)
				<-start
				_, errs[i] = s.store.Put(s.Context(), s.key(name), body, objstore.PutOptions{Class: classes[i%len(classes)], Size: 5000})
			})
		}
		close(start)
		all.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				s.Fatalf("round %d: writers %d and %d both won", round, winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, objstore.ErrExists):
				s.Errorf("round %d: writer %d: got %v, want nil or ErrExists", round, i, err)
			}
		}
		if winner < 0 {
			s.Fatalf("round %d: nobody won", round)
		}
		head, err := s.store.Head(s.Context(), s.key(name))
		if want := classes[winner%len(classes)]; err != nil || head.Class != want {
			s.Errorf("round %d: got %+v, %v, want the winner's class %q", round, head, err, want)
		}
		if head.Restore.Readable(time.Now()) {
			s.wantData(name, PatternBytes(uint64(winner), 5000))
		}
	}
}
