package pack

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
)

func TestVolumeInAStore(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 20, plainKit)
	store, err := mem.New(mem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for key, p := range map[string][]byte{"whole": s.bytes, "cut": s.bytes[:len(s.bytes)/2]} {
		if _, err := store.Put(ctx, key, bytes.NewReader(p), objstore.PutOptions{Size: int64(len(p))}); err != nil {
			t.Fatal(err)
		}
	}
	size := int64(len(s.bytes))
	v, err := OpenVolume(ctx, StoreRanger(store, "whole"), size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(ctx, NewDecoders(testSet), VerifyOptions{Decode: true}); err != nil {
		t.Error(err)
	}
	// An object that is shorter than its manifest says is damage; one that is gone is not.
	if _, err := OpenVolume(ctx, StoreRanger(store, "cut"), size); !damaged(err) {
		t.Errorf("cut object: got %v, want damage", err)
	}
	v = NewVolume(s.index, StoreRanger(store, "cut"), nil)
	if _, err := v.Verify(ctx, nil, VerifyOptions{}); !damaged(err) {
		t.Errorf("cut object: got %v, want damage", err)
	}
	if _, err := OpenVolume(ctx, StoreRanger(store, "gone"), size); !errors.Is(err, objstore.ErrNotFound) || damaged(err) {
		t.Errorf("missing object: got %v, want ErrNotFound", err)
	}
}

// Run with -race: a Volume serves many goroutines.
func TestConcurrentReads(t *testing.T) {
	ctx, s := t.Context(), newSample(t, 200, plainKit)
	v := NewVolume(s.index, Bytes(s.bytes), nil)
	file, size, err := v.Virtual(ctx, len(s.files)-2) // the one with long values
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			dec, one := NewDecoders(testSet), make([]byte, 100)
			for n := range s.files {
				i := (n*37 + g*50) % len(s.files)
				var got bytes.Buffer
				if err := v.Rebuild(ctx, dec, i, &got); err != nil || !bytes.Equal(got.Bytes(), s.files[i].file) {
					t.Errorf("instance %d: %v", i, err)
				}
				if _, err := file.ReadAt(one, (int64(n)*131)%(size-100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
