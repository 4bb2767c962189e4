package mem

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

func TestConformance(t *testing.T) {
	t.Run("OneClass", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) objstore.Store { return open(t, Options{}) }, storetest.Options{MaxHeapBytes: -1, BigBytes: 8 << 20})
	})
	t.Run("Tiers", func(t *testing.T) {
		var moved atomic.Int64
		clock := func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(moved.Load())) }
		classes := tiers.Classes{{Name: "HOT"}, {Name: "COOL", MinDays: 30}, {Name: "DEEP", MinDays: 180, Archive: true, RestoreDelay: 12 * time.Hour}}
		storetest.Run(t, func(t *testing.T) objstore.Store { return open(t, Options{Classes: classes, Clock: clock}) }, storetest.Options{
			ArchiveClass: "DEEP", RestoreDelay: 12 * time.Hour, Advance: func(d time.Duration) { moved.Add(int64(d)) }, MaxHeapBytes: -1, BigBytes: 8 << 20,
		})
	})
}

func TestNoKeyBelowAnother(t *testing.T) {
	s := open(t, Options{})
	put := func(key string) error {
		_, err := s.Put(t.Context(), key, strings.NewReader("x"), objstore.PutOptions{Size: 1})
		return err
	}
	if err := put("a/b/c"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a/b", "a/b/c/d"} {
		if err := put(key); !errors.Is(err, objstore.ErrUnsupported) {
			t.Errorf("put %s beside a/b/c: got %v, want ErrUnsupported", key, err)
		}
	}
	if err := s.Delete(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if err := put("a/b"); err != nil {
		t.Errorf("put a/b after a/b/c is gone: %v", err)
	}
}

func TestMinimumUntil(t *testing.T) {
	s := open(t, Options{Classes: tiers.Classes{{Name: "HOT"}, {Name: "COOL", MinDays: 30}}})
	put := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, want := s.MinimumUntil(objstore.Info{Class: "COOL", Modified: put}), put.AddDate(0, 0, 30); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func open(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
