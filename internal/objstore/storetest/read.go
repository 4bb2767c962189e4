package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/radtier/radtier/internal/objstore"
)

func (s *suite) ranges() {
	const size = 300_000
	data := PatternBytes(3, size)
	s.put("r", data)
	for _, tt := range []struct{ off, n int64 }{
		{0, size}, {0, -1}, {0, 1}, {0, 0}, {1, -1}, {1, 1}, {123_456, 65_537}, {123_456, 0},
		{size - 1, 1}, {size - 1, -1}, {size, 0}, {size, -1},
	} {
		body, info, err := s.store.Get(s.Context(), s.key("r"), tt.off, tt.n)
		if err != nil {
			s.Errorf("Get(%d, %d) of %d bytes: %v", tt.off, tt.n, size, err)
			continue
		}
		got, err := io.ReadAll(body)
		if closeErr := body.Close(); err != nil || closeErr != nil {
			s.Errorf("Get(%d, %d): read %v, close %v", tt.off, tt.n, err, closeErr)
		}
		end := tt.off + tt.n
		if tt.n == -1 {
			end = size
		}
		if !bytes.Equal(got, data[tt.off:end]) {
			s.Errorf("Get(%d, %d): got %d bytes with SHA-256 %s, want %d with %s", tt.off, tt.n, len(got), short(got), end-tt.off, short(data[tt.off:end]))
		}
		if info.Size != size {
			s.Errorf("Get(%d, %d): Info has size %d, want that of the whole object, %d", tt.off, tt.n, info.Size, size)
		}
	}
	for _, tt := range []struct{ off, n int64 }{
		{0, size + 1}, {size - 1, 2}, {size, 1}, {size + 1, 0}, {size + 1, -1}, {size + 1, 1}, {-1, 1}, {-1, -1}, {0, -2}, {1, 1<<63 - 1},
	} {
		body, _, err := s.store.Get(s.Context(), s.key("r"), tt.off, tt.n)
		var rangeErr *objstore.RangeError
		if !errors.As(err, &rangeErr) {
			s.Errorf("Get(%d, %d) of %d bytes: got %v, want a *RangeError", tt.off, tt.n, size, err)
		}
		if err == nil {
			body.Close()
		}
	}
}

func (s *suite) notFound() {
	ctx := s.Context()
	s.put("dir/there", []byte("x"))
	for _, name := range []string{"nothing", "dir", "dir/ther", "dir/there2", "no/such/folder"} {
		_, _, err := s.store.Get(ctx, s.key(name), 0, -1)
		s.wantErr("Get "+name, err, objstore.ErrNotFound)
		_, err = s.store.Head(ctx, s.key(name))
		s.wantErr("Head "+name, err, objstore.ErrNotFound)
		if s.caps.Copy {
			_, err = s.store.Copy(ctx, s.key(name), s.key("to"), "")
			s.wantErr("Copy "+name, err, objstore.ErrNotFound)
		}
		if s.caps.Restore {
			s.wantErr("Restore "+name, s.store.Restore(ctx, s.key(name), 1, ""), objstore.ErrNotFound)
		}
	}
}

func (s *suite) delete() {
	ctx := s.Context()
	s.put("d/a", []byte("a"))
	s.put("d/b", []byte("b"))
	for _, name := range []string{"d/a", "d/a", "d", "d/none", "none/at/all"} {
		if err := s.store.Delete(ctx, s.key(name)); err != nil {
			s.Errorf("Delete(%s): %v", name, err)
		}
	}
	s.wantNothing("d/a")
	s.wantData("d/b", []byte("b"))
	s.put("d/a", []byte("new life"))
	s.wantData("d/a", []byte("new life"))
	if len(s.caps.Classes) > 1 {
		for _, class := range s.caps.Classes {
			s.putIn("d/c", []byte("c"), class)
			if err := s.store.Delete(ctx, s.key("d/c")); err != nil {
				s.Errorf("Delete in class %q: %v", class, err)
			}
			s.wantNothing("d/c")
		}
	}
	// Who already reads goes on reading the whole object, or learns that it cannot.
	big := PatternBytes(9, 3<<20)
	s.put("d/big", big)
	body, _, err := s.store.Get(ctx, s.key("d/big"), 0, -1)
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	defer body.Close()
	if err := s.store.Delete(ctx, s.key("d/big")); err != nil {
		s.Errorf("Delete while reading: %v", err)
	}
	if got, err := io.ReadAll(body); err == nil && !bytes.Equal(got, big) {
		s.Errorf("reading while deleted: got %d other bytes and no error", len(got))
	}
}

func (s *suite) bigObject() {
	size := s.opts.BigBytes
	heap := newHeapGauge()
	for _, announced := range []int64{size, -1} {
		name := fmt.Sprint("big", announced)
		if _, err := s.store.Put(s.Context(), s.key(name), heap.reader(Pattern(5, size)), objstore.PutOptions{Size: announced}); err != nil {
			s.Fatalf("Put of %d bytes announced as %d: %v", size, announced, err)
		}
		body, info, err := s.store.Get(s.Context(), s.key(name), 0, -1)
		if err != nil {
			s.Fatalf("Get: %v", err)
		}
		defer body.Close()
		if info.Size != size {
			s.Errorf("size is %d, want %d", info.Size, size)
		}
		if at, err := firstDifference(heap.reader(body), Pattern(5, size)); err != nil || at >= 0 {
			s.Errorf("the object of %d bytes differs from its source at byte %d (%v)", size, at, err)
		}
	}
	if s.opts.MaxHeapBytes > 0 && heap.peak > uint64(s.opts.MaxHeapBytes) {
		s.Errorf("the heap grew by %d bytes, want at most %d", heap.peak, s.opts.MaxHeapBytes)
	}
}

// firstDifference returns the offset at which two streams differ, or -1.
func firstDifference(a, b io.Reader) (int64, error) {
	var at int64
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		nA, errA := io.ReadFull(a, bufA)
		nB, errB := io.ReadFull(b, bufB)
		for i := range min(nA, nB) {
			if bufA[i] != bufB[i] {
				return at + int64(i), nil
			}
		}
		at += int64(min(nA, nB))
		switch {
		case nA != nB:
			return at, nil
		case errA == nil && errB == nil:
		case errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF):
			return -1, nil
		default:
			return at, errA
		}
	}
}

// heapGauge measures how much the heap grows while its readers are read.
type heapGauge struct {
	base, peak uint64
}

func newHeapGauge() *heapGauge {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &heapGauge{base: m.HeapAlloc}
}

func (g *heapGauge) reader(r io.Reader) io.Reader { return &gaugedReader{gauge: g, r: r} }

type gaugedReader struct {
	gauge *heapGauge
	r     io.Reader
	since int
}

func (r *gaugedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.since += n; r.since >= 2<<20 {
		r.since = 0
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > r.gauge.base {
			r.gauge.peak = max(r.gauge.peak, m.HeapAlloc-r.gauge.base)
		}
	}
	return n, err
}

func (s *suite) concurrency() {
	const workers, each = 8, 12
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				name := fmt.Sprintf("c/%d/%d", i%3, w*each+i)
				seed := uint64(w*each + i)
				if _, err := s.store.Put(s.Context(), s.key(name), Pattern(seed, 20_000), objstore.PutOptions{Size: 20_000}); err != nil {
					s.Errorf("Put(%s): %v", name, err)
					return
				}
				got, err := objstore.ReadRange(s.Context(), s.store, s.key(name), 10_000, 10_000)
				if err != nil || !bytes.Equal(got, PatternBytes(seed, 20_000)[10_000:]) {
					s.Errorf("ReadRange(%s): got SHA-256 %s, %v", name, short(got), err)
				}
				if i%2 == 1 {
					if err := s.store.Delete(s.Context(), s.key(name)); err != nil {
						s.Errorf("Delete(%s): %v", name, err)
					}
				}
				for _, err := range s.store.List(s.Context(), s.key("c/"), "") {
					if err != nil {
						s.Errorf("List: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	if got, want := len(s.list("c/", "")), workers*each/2; got != want {
		s.Errorf("List after all: got %d objects, want %d", got, want)
	}
}

func (s *suite) reopen() {
	if s.opts.Reopen == nil {
		s.Skip("this store cannot be reopened")
	}
	data := PatternBytes(11, 70_000)
	infos := make(map[string]objstore.Info)
	for i, class := range s.caps.Classes {
		name := fmt.Sprintf("re/%d", i)
		infos[name] = s.putIn(name, data, class)
	}
	s.put("re/gone", data)
	if err := s.store.Delete(s.Context(), s.key("re/gone")); err != nil {
		s.Fatalf("Delete: %v", err)
	}
	s.store = s.opts.Reopen(s.T, s.store)
	s.wantNothing("re/gone")
	for name, want := range infos {
		got, err := s.store.Head(s.Context(), s.key(name))
		if err != nil || got.Version != want.Version || got.Class != want.Class || got.Size != want.Size || got.SHA256 != want.SHA256 || !got.Modified.Equal(want.Modified) {
			s.Errorf("Head(%s) after reopening: got %+v, %v, want %+v", name, got, err, want)
		}
		if s.caps.CreateOnly {
			_, err = s.store.Put(s.Context(), s.key(name), bytes.NewReader(data), objstore.PutOptions{Size: int64(len(data))})
			s.wantErr("Put after reopening", err, objstore.ErrExists)
		}
	}
	s.wantData("re/0", data)
	if got := len(s.list("re/", "")); got != len(infos) {
		s.Errorf("List after reopening: got %d objects, want %d", got, len(infos))
	}
}
