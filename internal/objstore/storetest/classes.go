package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

func (s *suite) classes() {
	if len(s.caps.Classes) == 0 {
		s.Fatal("Capabilities name no class, want at least the default")
	}
	for _, class := range s.caps.Classes {
		name := "in-" + string(class)
		if info := s.putIn(name, []byte("x"), class); info.Class != class {
			s.Errorf("Put in class %q: got class %q", class, info.Class)
		}
		if head, err := s.store.Head(s.Context(), s.key(name)); err != nil || head.Class != class {
			s.Errorf("Head of an object put in class %q: got %+v, %v", class, head, err)
		}
	}
	_, err := s.store.Put(s.Context(), s.key("odd"), strings.NewReader("x"), objstore.PutOptions{Class: "NO_SUCH_CLASS", Size: 1})
	if err == nil {
		s.Error("Put in a class that does not exist: got nil, want an error")
	}
	s.wantNothing("odd")
}

func (s *suite) copies() {
	if !s.caps.Copy {
		_, err := s.store.Copy(s.Context(), s.key("a"), s.key("b"), "")
		s.wantErr("Copy", err, objstore.ErrUnsupported)
		s.Skip("this store cannot copy")
	}
	ctx := s.Context()
	for _, size := range []int64{0, 1000, 5<<20 + 3} {
		from := fmt.Sprint("from", size)
		data := PatternBytes(21, size)
		source := s.put(from, data)
		for i, class := range s.caps.Classes {
			to := fmt.Sprintf("to/%d/%d", size, i)
			info, err := s.store.Copy(ctx, s.key(from), s.key(to), class)
			if err != nil {
				s.Errorf("Copy of %d bytes to class %q: %v", size, class, err)
				continue
			}
			head, err := s.store.Head(ctx, s.key(to))
			if err != nil || head.Class != class || head.Size != size || head.SHA256 != source.SHA256 || info.Key != s.key(to) || info.Class != class || info.Size != size {
				s.Errorf("Copy of %d bytes to class %q: got %+v, then Head %+v, %v", size, class, info, head, err)
			}
			if class != s.opts.ArchiveClass {
				s.wantData(to, data)
			}
		}
		s.wantData(from, data) // the source stays
		if head, err := s.store.Head(ctx, s.key(from)); err != nil || head.Class != source.Class {
			s.Errorf("Head of the source: got %+v, %v", head, err)
		}
		if err := s.store.Delete(ctx, s.key(from)); err != nil {
			s.Errorf("Delete of the source: %v", err)
		}
		s.wantData(fmt.Sprintf("to/%d/0", size), data) // a copy does not lean on its source
	}
	s.put("a", []byte("aaa"))
	if _, err := s.store.Copy(ctx, s.key("a"), s.key("odd"), "NO_SUCH_CLASS"); err == nil {
		s.Error("Copy to a class that does not exist: got nil, want an error")
	}
	s.wantNothing("odd")
	_, err := s.store.Copy(cancelled(ctx), s.key("a"), s.key("cancelled"), "")
	s.wantErr("Copy, cancelled", err, context.Canceled)
	s.wantNothing("cancelled")
	if s.caps.CreateOnly {
		s.put("b", []byte("bbb"))
		for _, class := range s.caps.Classes {
			_, err := s.store.Copy(ctx, s.key("a"), s.key("b"), class)
			s.wantErr(fmt.Sprintf("Copy onto an object, class %q", class), err, objstore.ErrExists)
			_, err = s.store.Copy(ctx, s.key("a"), s.key("a"), class)
			s.wantErr(fmt.Sprintf("Copy onto itself, class %q", class), err, objstore.ErrExists)
		}
		s.wantData("b", []byte("bbb"))
		s.wantData("a", []byte("aaa"))
	}
}

func (s *suite) restore() {
	ctx := s.Context()
	if !s.caps.Restore {
		s.put("hot", []byte("x"))
		s.wantErr("Restore", s.store.Restore(ctx, s.key("hot"), 1, ""), objstore.ErrUnsupported)
		s.Skip("this store has no archive classes")
	}
	if s.opts.ArchiveClass == "" {
		s.Skip("no archive class was named to the suite")
	}
	data := []byte("frozen bytes")
	s.putIn("cold", data, s.opts.ArchiveClass)
	s.putIn("other", data, s.opts.ArchiveClass)
	s.wantFrozen("cold", false)
	for _, days := range []int{0, -1} {
		if err := s.store.Restore(ctx, s.key("cold"), days, ""); err == nil {
			s.Errorf("Restore for %d days: got nil, want an error", days)
		}
	}
	s.put("hot", data)
	if err := s.store.Restore(ctx, s.key("hot"), 1, ""); err != nil {
		s.Errorf("Restore of what is not archived: got %v, want nil", err)
	}
	s.wantData("hot", data)
	for range 2 { // asking again changes nothing
		if err := s.store.Restore(ctx, s.key("cold"), 2, ""); err != nil {
			s.Fatalf("Restore: %v", err)
		}
		if s.opts.Advance != nil {
			s.wantFrozen("cold", true)
			s.opts.Advance(s.opts.RestoreDelay/2 + 1)
		}
	}
	if s.opts.Advance == nil {
		s.Skip("the store's clock cannot be moved; the states after the delay are not tested")
	}
	if s.opts.Reopen != nil {
		s.store = s.opts.Reopen(s.T, s.store) // restores survive a restart
	}
	s.wantData("cold", data)
	head, err := s.store.Head(ctx, s.key("cold"))
	if err != nil || !head.Restore.Archived || head.Restore.Ongoing || head.Restore.Until.IsZero() {
		s.Errorf("Head of a restored object: got %+v, %v", head.Restore, err)
	}
	if s.caps.Copy {
		if _, err := s.store.Copy(ctx, s.key("cold"), s.key("thawed"), s.caps.Classes[0]); err != nil {
			s.Errorf("Copy of a restored object: %v", err)
		} else {
			s.wantData("thawed", data)
		}
	}
	s.wantFrozen("other", false) // restores are per object
	s.opts.Advance(3 * 24 * time.Hour)
	s.wantFrozen("cold", false) // the copy was temporary
	if err := s.store.Restore(ctx, s.key("cold"), 1, ""); err != nil {
		s.Fatalf("second Restore: %v", err)
	}
	s.wantFrozen("cold", true)
	// A new object under a deleted one's key inherits nothing.
	s.opts.Advance(s.opts.RestoreDelay)
	s.wantData("cold", data)
	if err := s.store.Delete(ctx, s.key("cold")); err != nil {
		s.Errorf("Delete: %v", err)
	}
	s.putIn("cold", data, s.opts.ArchiveClass)
	s.wantFrozen("cold", false)
}

func (s *suite) wantFrozen(name string, ongoing bool) {
	s.Helper()
	ctx := s.Context()
	head, err := s.store.Head(ctx, s.key(name))
	if want := (objstore.RestoreState{Archived: true, Ongoing: ongoing}); err != nil || head.Restore != want {
		s.Errorf("Head(%s): got restore state %+v, %v, want %+v", name, head.Restore, err, want)
	}
	for info, err := range s.store.List(ctx, s.key(name), "") {
		if err != nil || info.Size == 0 {
			s.Errorf("List of an archived object: got %+v, %v", info, err)
		}
	}
	for _, r := range []struct{ off, n int64 }{{0, -1}, {0, 1}} {
		body, _, err := s.store.Get(ctx, s.key(name), r.off, r.n)
		s.wantErr(fmt.Sprintf("Get(%s, %d, %d) of a frozen object", name, r.off, r.n), err, objstore.ErrArchived)
		if err == nil {
			body.Close()
		}
	}
	if s.caps.Copy {
		_, err := s.store.Copy(ctx, s.key(name), s.key(name+"-copy"), "")
		s.wantErr("Copy of a frozen object", err, objstore.ErrArchived)
	}
	if s.caps.CreateOnly {
		_, err = s.store.Put(ctx, s.key(name), bytes.NewReader(nil), objstore.PutOptions{})
		if !errors.Is(err, objstore.ErrExists) {
			s.Errorf("Put onto a frozen object: got %v, want ErrExists", err)
		}
	}
}
