// Package mem is an object store in memory, for tests and for schedulers that
// are simulated. It keeps the whole contract of objstore.Store, classes,
// archive states and restores included, by a clock that the caller moves. As in
// a directory store, no key may lie below another one (a and a/b).
package mem

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

// Options configures a store. The zero value has one class, STANDARD, and the system's clock.
type Options struct {
	Classes tiers.Classes
	Clock   func() time.Time
}

// Store is an object store in memory, safe for concurrent use. Use [New].
type Store struct {
	classes tiers.Classes
	clock   func() time.Time

	mu      sync.Mutex
	objects map[string]*object
	folders map[string]int // number of keys below a folder, without its slash
	sorted  []string       // keys in byte order; nil when out of date; never changed in place
}

type object struct {
	data     []byte // never changed
	sum      [sha256.Size]byte
	modified time.Time
	class    int
	restore  tiers.Restore
}

var _ objstore.Store = (*Store)(nil)

// New returns an empty store.
func New(opts Options) (*Store, error) {
	if opts.Classes == nil {
		opts.Classes = tiers.Classes{{Name: "STANDARD"}}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if err := opts.Classes.Check(); err != nil {
		return nil, fmt.Errorf("memory store: %w", err)
	}
	return &Store{
		classes: slices.Clone(opts.Classes), clock: opts.Clock,
		objects: make(map[string]*object), folders: make(map[string]int),
	}, nil
}

// Capabilities reports everything as present, Restore if a class is an archive.
func (s *Store) Capabilities() objstore.Capabilities {
	return objstore.Capabilities{CreateOnly: true, Checksum: true, Copy: true, Restore: s.classes.HasArchive(), Classes: s.classes.Names()}
}

// MinimumUntil returns the time before which deleting this object would still be billed by the class it emulates.
func (s *Store) MinimumUntil(info objstore.Info) time.Time {
	i, err := s.classes.Index(info.Class)
	if err != nil {
		return info.Modified
	}
	return s.classes[i].MinimumUntil(info.Modified)
}

// Put keeps the whole body in memory.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, opts objstore.PutOptions) (objstore.Info, error) {
	if err := objstore.CheckKey(key); err != nil {
		return objstore.Info{}, err
	}
	class, err := s.classes.Index(opts.Class)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	data, err := readBody(ctx, key, body, opts.Size)
	if err != nil {
		return objstore.Info{}, err
	}
	sum := sha256.Sum256(data)
	if opts.SHA256 != [sha256.Size]byte{} && opts.SHA256 != sum {
		return objstore.Info{}, &objstore.ChecksumError{Key: key, Want: opts.SHA256, Got: sum}
	}
	return s.insert("put", key, &object{data: data, sum: sum, class: class})
}

func readBody(ctx context.Context, key string, body io.Reader, size int64) ([]byte, error) {
	if size < -1 {
		return nil, fmt.Errorf("put %s: size %d: give the body's bytes, or -1 if they are not known", key, size)
	}
	var data bytes.Buffer
	src := io.Reader(ctxReader{ctx, body})
	if size >= 0 {
		src = io.LimitReader(src, size+1)
	}
	n, err := data.ReadFrom(src)
	if err != nil {
		return nil, fmt.Errorf("put %s: read the body after %d bytes: %w", key, n, err)
	}
	if size >= 0 && n != size {
		return nil, &objstore.SizeError{Key: key, Want: size, Got: n}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("put %s: %w", key, err)
	}
	return slices.Clip(data.Bytes()), nil
}

func (s *Store) insert(op, key string, o *object) (objstore.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok {
		return objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, objstore.ErrExists)
	}
	if s.folders[key] > 0 {
		return objstore.Info{}, fmt.Errorf("%s %s: other keys lie below this key: %w", op, key, objstore.ErrUnsupported)
	}
	for folder := range parents(key) {
		if _, ok := s.objects[folder]; ok {
			return objstore.Info{}, fmt.Errorf("%s %s: the key lies below the object %s: %w", op, key, folder, objstore.ErrUnsupported)
		}
	}
	o.modified = s.clock()
	s.objects[key] = o
	for folder := range parents(key) {
		s.folders[folder]++
	}
	s.sorted = nil
	return s.info(key, o), nil
}

// parents yields the folders a key lies in, outermost first, without their slashes.
func parents(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(key) {
			if key[i] == '/' && !yield(key[:i]) {
				return
			}
		}
	}
}

func (s *Store) info(key string, o *object) objstore.Info {
	class := s.classes[o.class]
	return objstore.Info{
		Key: key, Size: int64(len(o.data)), Modified: o.modified, Class: class.Name,
		Version: hex.EncodeToString(o.sum[:16]), Restore: o.restore.State(s.clock(), class), SHA256: o.sum,
	}
}

func (s *Store) lookup(ctx context.Context, op, key string) (*object, objstore.Info, error) {
	if err := objstore.CheckKey(key); err != nil {
		return nil, objstore.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return nil, objstore.Info{}, fmt.Errorf("%s %s: %w", op, key, objstore.ErrNotFound)
	}
	return o, s.info(key, o), nil
}

// Get implements objstore.Store.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	o, info, err := s.lookup(ctx, "get", key)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	if !info.Restore.Readable(s.clock()) {
		return nil, objstore.Info{}, fmt.Errorf("get %s: %w", key, objstore.ErrArchived)
	}
	n, err := objstore.CheckRange(key, offset, length, info.Size)
	if err != nil {
		return nil, objstore.Info{}, err
	}
	return io.NopCloser(ctxReader{ctx, bytes.NewReader(o.data[offset : offset+n])}), info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	_, info, err := s.lookup(ctx, "head", key)
	return info, err
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := objstore.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; !ok {
		return nil
	}
	delete(s.objects, key)
	for folder := range parents(key) {
		if s.folders[folder]--; s.folders[folder] == 0 {
			delete(s.folders, folder)
		}
	}
	s.sorted = nil
	return nil
}

// List walks the keys that exist when it starts; those deleted meanwhile are left out.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		keys := s.keys()
		from, _ := slices.BinarySearch(keys, max(prefix, after))
		for _, key := range keys[from:] {
			if err := ctx.Err(); err != nil {
				yield(objstore.Info{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			if !strings.HasPrefix(key, prefix) {
				return
			}
			if key == after {
				continue
			}
			info, ok := s.peek(key)
			if ok && !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Store) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sorted == nil {
		s.sorted = make([]string, 0, len(s.objects))
		for key := range s.objects {
			s.sorted = append(s.sorted, key)
		}
		slices.Sort(s.sorted)
	}
	return s.sorted
}

func (s *Store) peek(key string) (objstore.Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return objstore.Info{}, false
	}
	return s.info(key, o), true
}

// Copy shares the bytes, which never change.
func (s *Store) Copy(ctx context.Context, from, to string, class objstore.Class) (objstore.Info, error) {
	if err := objstore.CheckKey(to); err != nil {
		return objstore.Info{}, err
	}
	index, err := s.classes.Index(class)
	if err != nil {
		return objstore.Info{}, fmt.Errorf("copy to %s: %w", to, err)
	}
	o, info, err := s.lookup(ctx, "copy", from)
	if err != nil {
		return objstore.Info{}, err
	}
	if !info.Restore.Readable(s.clock()) {
		return objstore.Info{}, fmt.Errorf("copy %s: %w", from, objstore.ErrArchived)
	}
	return s.insert("copy", to, &object{data: o.data, sum: o.sum, class: index})
}

// Restore of an object that is in no archive class changes nothing and is no error.
func (s *Store) Restore(ctx context.Context, key string, days int, _ objstore.Speed) error {
	if !s.classes.HasArchive() {
		return fmt.Errorf("restore %s: no archive classes: %w", key, objstore.ErrUnsupported)
	}
	if err := tiers.CheckDays(days); err != nil {
		return err
	}
	o, _, err := s.lookup(ctx, "restore", key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if class := s.classes[o.class]; class.Archive {
		o.restore = o.restore.Ask(s.clock(), class, days)
	}
	return nil
}

// ctxReader ends with the context's error once that is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
