package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/rle"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// TestObjectChangesWhileRead: an object that is replaced between two range reads is not stored, neither half nor whole, before it is queued again.
func TestObjectChangesWhileRead(t *testing.T) {
	everyBucket(t, func(t *testing.T, p *bucketPlace) {
		var versions [2][]byte
		for i := range versions {
			s := synth.HugeMultiframe(synth.Options{Seed: 8}, 12<<20)
			b, err := s.Instances[0].Bytes()
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)-1000] ^= byte(i) // same size and header
			versions[i] = b
		}
		for _, deaf := range []bool{false, true} {
			p.put(t, "x", versions[0])
			r := rigFor(t, p, func(o *PipelineOptions) { o.WholeFile = 1 << 20 })
			p.bucket.deaf = deaf
			jobs, _ := r.queueFrom(p)
			var swapped bool
			p.bucket.before = func(_ string, _ int, offset int64) {
				p.bucket.mu.Lock()
				now := offset >= 8<<20 && !swapped
				swapped = swapped || now
				p.bucket.mu.Unlock()
				if now {
					p.put(t, "x", versions[1])
				}
			}
			r.wantChanged(jobs[0], "1 of 1 files are others now")
			if !swapped {
				t.Fatal("the object was not replaced")
			}
			r.mustRun(jobs[0])
			r.wantStored(jobs[0].StudyKey, versions[1])
		}
	})
}

// TestFileChangesWhileRead: a file of a directory that is written to while it is open is not taken for the one that was queued.
func TestFileChangesWhileRead(t *testing.T) {
	for _, tc := range []struct {
		name  string
		write func(path string) error
	}{
		{"grows", func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		}},
		{"shrinks", func(path string) error { return os.Truncate(path, 1000) }},
		{"is written in place", func(path string) error {
			return errors.Join(os.WriteFile(path, someFiles(t, 2)[1], 0o644), os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
		}},
	} {
		for _, whole := range []bool{true, false} {
			path := filepath.Join(write(t, someFiles(t, 1)...), "f000")
			var s *Sources
			pin, err := s.pin(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			h, err := s.openFile(t.Context(), pin, 3)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if err := tc.write(path); err != nil {
				t.Fatal(err)
			}
			if whole {
				err = h.readAll(make([]byte, pin.Size))
			} else {
				if _, err = io.Copy(io.Discard, h); err == nil {
					err = h.check()
				}
			}
			if !errors.Is(err, ErrSourceChanged) || strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "source file 3") {
				t.Errorf("a file that %s, read whole %v: got %v, want ErrSourceChanged of source file 3", tc.name, whole, err)
			}
		}
	}
}

// TestKeysAreNotShown: whatever a client says, the key of an object is not in the text of an error.
func TestKeysAreNotShown(t *testing.T) {
	key := "inbox/DOE^JANE 1970/a+b.dcm"
	for _, text := range []string{key, "a+b.dcm", "/bucket/inbox/DOE%5EJANE%201970/a+b.dcm: EOF", "inbox%2FDOE%5EJANE%201970%2Fa+b.dcm", "inbox%2FDOE%5EJANE+1970%2Fa%2Bb.dcm"} {
		cause := &objstore.TransientError{Op: "get", Key: key, Err: errors.New(text)}
		err := ofObject(cause, key)
		if strings.Contains(err.Error(), "DOE") || strings.Contains(err.Error(), "b.dcm") || !objstore.IsTransient(err) {
			t.Errorf("error %q is shown as %q, transient %v; want no key, and transient", cause, err, objstore.IsTransient(err))
		}
	}
	if err := ofObject(fmt.Errorf("get %s: %w", key, objstore.ErrNotFound), key); !errors.Is(err, errGone) {
		t.Errorf("not found: got %v, want errGone", err)
	}
}

// TestLookingCosts: a header takes one request, whatever the size of the object; pixel data is not fetched.
func TestLookingCosts(t *testing.T) {
	everyBucket(t, func(t *testing.T, p *bucketPlace) {
		for i, f := range someFiles(t, 30) {
			p.put(t, nameOf(i), f)
		}
		native := synth.HugeMultiframe(synth.Options{Seed: 4}, 5<<20)
		packed := synth.Generic(synth.GenericOptions{Options: synth.Options{Seed: 5}, Name: "packed", Frames: 40, Content: synth.Noise, Syntax: "1.2.840.10008.1.2.5",
			Layout: synth.Layout{Rows: 256, Columns: 256, Stored: 16}, Encode: func(v codecs.View) ([]byte, error) {
				b, _, err := rle.NewEncoder().Encode(nil, v, codecs.EncodeOptions{})
				return b, err
			}})
		for _, s := range []synth.Study{native, packed} {
			b, err := s.Instances[0].Bytes()
			if err != nil {
				t.Fatal(err)
			}
			p.put(t, s.Name, b)
		}
		p.put(t, "folder/", nil)
		p.put(t, "empty", nil)
		looked := 0
		found, err := p.sources().Discover(context.Background(), []string{p.root()}, func() { p.bucket.mu.Lock(); looked++; p.bucket.mu.Unlock() })
		if err != nil {
			t.Fatal(err)
		}
		gets, asked := p.bucket.reset()
		if found.Files != 33 || looked != 33 || len(found.Studies) != 3 || len(found.Broken) != 0 {
			t.Errorf("found %d files, looked at %d, %d studies, %d broken; want 33, 33, 3, 0", found.Files, looked, len(found.Studies), len(found.Broken))
		}
		if gets != 32 || asked > 32*firstRange {
			t.Errorf("%d requests for %d bytes, want 32 of at most %d", gets, asked, firstRange)
		}

		// Reading: one request for each small object; a large one with native pixels is read once.
		r := rigFor(t, p, func(o *PipelineOptions) { o.WholeFile = 1 << 20 })
		c := Client{DB: r.db, Store: r.store, Sources: p.sources()}
		jobs, err := c.Enqueue(context.Background(), found, p.root(), EnqueueOptions{Tenant: "a"})
		if err != nil {
			t.Fatal(err)
		}
		for i, j := range jobs {
			var size int64 = found.Studies[i].Bytes
			r.mustRun(j)
			gets, asked := p.bucket.reset()
			want, most := 30, size
			switch j.UID {
			case native.UID: // its header, then ranges
				want, most = 1+int((size+streamRange-1)/streamRange), size+firstRange
			case packed.UID: // its fragments are walked over, decoded, and streamed
				want, most = 100, 4*size
			}
			if gets > want || asked > most {
				t.Errorf("study of %d bytes in %d files: %d requests for %d bytes, want at most %d for %d", size, len(found.Studies[i].Files), gets, asked, want, most)
			}
		}
	})
}

// TestManyObjects: a listing of several pages is worked on whole, and whoever lists one prefix sees nothing of its neighbours.
func TestManyObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 objects")
	}
	everyBucket(t, func(t *testing.T, p *bucketPlace) {
		const n = 5000
		files := someFiles(t, 1)
		var g errgroup.Group
		g.SetLimit(16)
		for i := range n {
			g.Go(func() error {
				_, err := p.api.PutObject(context.Background(), &awss3.PutObjectInput{Bucket: &p.name, Key: aws.String(fmt.Sprintf("inbox/many/%05d", i)), Body: bytes.NewReader(files[0])})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		p.put(t, "many2/x", files[0])
		found, err := p.sources().Discover(context.Background(), []string{p.root() + "/many/"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if found.Files != n || len(found.Studies) != 1 || len(found.Studies[0].Files) != n {
			t.Fatalf("found %d files in %d studies, want %d in 1", found.Files, len(found.Studies), n)
		}
		for i, f := range found.Studies[0].Files {
			if want := fmt.Sprintf("%s/many/%05d", p.root(), i); f.Path != want {
				t.Fatalf("file %d is %s, want %s", i, f.Path, want)
			}
		}
		if gets, _ := p.bucket.reset(); gets != n {
			t.Errorf("%d requests, want one for each of %d objects", gets, n)
		}
		one, err := p.sources().Discover(context.Background(), []string{p.root() + "/many/00017"}, nil)
		if err != nil || one.Files != 1 {
			t.Errorf("the key of one object finds %v, %v", one, err)
		}
		if _, err := p.sources().Discover(context.Background(), []string{p.root() + "/nothing"}, nil); err == nil {
			t.Error("a prefix without objects: got no error")
		}
	})
}

// cutBody breaks after some bytes.
type cutBody struct {
	io.ReadCloser
	left int
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// TestBrokenBodies: a body that breaks is taken up where it broke; a source that breaks again and again is an error that may pass, and no verdict on the file.
func TestBrokenBodies(t *testing.T) {
	everyBucket(t, func(t *testing.T, p *bucketPlace) {
		files := someFiles(t, 2)
		for i, f := range files {
			p.put(t, nameOf(i), f)
		}
		r := rigFor(t, p, nil)
		jobs, _ := r.queueFrom(p)
		p.bucket.body = func(_ int, b io.ReadCloser) io.ReadCloser { return &cutBody{b, 0} }
		err := r.p.Run(context.Background(), jobs[0].ID)
		if !objstore.IsTransient(err) || errors.Is(err, ErrSourceChanged) {
			t.Fatalf("got %v, want an error that may pass", err)
		}
		if _, err := p.sources().Discover(context.Background(), []string{p.root()}, nil); !objstore.IsTransient(err) || strings.Contains(err.Error(), "DOE") {
			t.Errorf("Discover: got %v, want an error that may pass, without the key", err)
		}
		r.makeDue()
		p.bucket.body = func(_ int, b io.ReadCloser) io.ReadCloser { return &cutBody{b, 1000} }
		r.mustRun(jobs[0])
		r.wantStored(jobs[0].StudyKey, files...)
		var entries int
		if err := r.db.QuarantineList(context.Background(), "", func(catalog.QuarantineEntry) error { entries++; return nil }); err != nil || entries != 0 {
			t.Errorf("%d files are quarantined (%v), want none", entries, err)
		}
	})
}

// TestRangesAreAhead: while one range of a large object comes, the next is on
// its way; and many small objects are read at once, whatever the number of cores.
func TestRangesAreAhead(t *testing.T) {
	everyBucket(t, func(t *testing.T, p *bucketPlace) {
		large := synth.HugeMultiframe(synth.Options{Seed: 4}, 3*streamRange)
		raw, err := large.Instances[0].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		p.put(t, "large", raw)
		files := someFiles(t, 24)
		for i, f := range files {
			p.put(t, nameOf(i), f)
		}
		r := rigFor(t, p, func(o *PipelineOptions) { o.WholeFile = 1 << 20; o.Readers = 1 })
		jobs, _ := r.queueFrom(p)
		for _, j := range jobs {
			want, of := len(files), func(key string) bool { return key != "inbox/large" }
			if j.UID == large.UID {
				want, of = 3, func(key string) bool { return key == "inbox/large" }
			}
			var mu sync.Mutex
			waiting, all := 0, make(chan struct{})
			header := j.UID == large.UID // is read first, alone
			p.bucket.before = func(key string, _ int, offset int64) {
				mu.Lock()
				if header || !of(key) || waiting == want {
					header = false
					mu.Unlock()
					return
				}
				if waiting++; waiting == want {
					close(all)
				}
				mu.Unlock()
				select {
				case <-all:
				case <-time.After(30 * time.Second):
					t.Errorf("study %s: fewer than %d requests were on their way at once", j.UID, want)
				}
			}
			r.mustRun(j)
		}
	})
}

// endless is a bucket of n objects that differ in key and SOP Instance UID.
type endless struct {
	n    int
	file []byte
}

func (e endless) at(i int) Object {
	return Object{Key: fmt.Sprintf("archive/2026/11/23/modality-%02d/accession-%08d/%010d.dcm", i%7, i/500, i), Size: int64(len(e.file)), ETag: fmt.Sprintf("%032x", i)}
}

func (e endless) List(context.Context, string, string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for i := range e.n {
			if !yield(e.at(i), nil) {
				return
			}
		}
	}
}

func (e endless) Head(context.Context, string) (Object, error) { return Object{}, objstore.ErrNotFound }

func (e endless) Get(_ context.Context, key, etag string, _, _ int64) (io.ReadCloser, Object, error) {
	body := bytes.Replace(e.file, []byte("1.2.3.4.5.6666666666"), []byte("1.2.3.4.5."+key[len(key)-14:len(key)-4]), -1)
	return io.NopCloser(bytes.NewReader(body)), Object{Key: key, Size: int64(len(body)), ETag: etag}, nil
}

// TestDiscoveryMemory holds Discover to what it says of its memory.
func TestDiscoveryMemory(t *testing.T) {
	e := endless{30_000, small{sop: "1.2.3.4.5.6666666666", rows: 8, cols: 8}.bytes(t)}
	s := NewSources(func(context.Context, string) (Bucket, error) { return e, nil })
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	found, err := s.Discover(context.Background(), []string{"s3://b", "s3://b/archive"}, nil) // all twice: they count once
	if err != nil {
		t.Fatal(err)
	}
	each := (inUse() - before) / int64(e.n)
	if found.Files != e.n || len(found.Studies) != 1 || found.Studies[0].Files[7].SOPUID == found.Studies[0].Files[8].SOPUID {
		t.Fatalf("found %d files in %d studies, want %d in 1", found.Files, len(found.Studies), e.n)
	}
	t.Logf("%d bytes for each file", each)
	if each > 400 {
		t.Errorf("%d bytes are kept for each file, want at most 400", each)
	}
	runtime.KeepAlive(found)
}
