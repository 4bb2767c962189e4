package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// queueFrom discovers and queues what is at a place.
func (r *rig) queueFrom(p place) ([]catalog.Job, *Found) {
	r.t.Helper()
	found, err := p.sources().Discover(context.Background(), []string{p.root()}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := Client{DB: r.db, Store: r.store, Sources: p.sources()}
	jobs, err := c.Enqueue(context.Background(), found, p.root(), EnqueueOptions{Tenant: "a"})
	if err != nil {
		r.t.Fatal(err)
	}
	return jobs, found
}

func rigFor(t *testing.T, p place, change func(*PipelineOptions)) *rig {
	return newRig(t, func(o *PipelineOptions) {
		o.Sources = p.sources()
		if change != nil {
			change(o)
		}
	})
}

func (r *rig) mustRun(job catalog.Job) {
	r.t.Helper()
	if err := r.p.Run(context.Background(), job.ID); err != nil {
		r.t.Fatalf("derive: %v", err)
	}
}

// wantStored checks that exactly these files come back from a study, byte for byte.
func (r *rig) wantStored(key catalog.StudyKey, files ...[]byte) {
	r.t.Helper()
	s := r.open(key)
	verifyAll(r.t, s)
	got := originals(r.t, s)
	if len(got) != len(files) {
		r.t.Errorf("%d files come back, want %d", len(got), len(files))
	}
	for i, f := range files {
		if _, ok := got[sha256.Sum256(f)]; !ok {
			r.t.Errorf("file %d is lost", i)
		}
	}
}

// someFiles are n instances of the default study.
func someFiles(t *testing.T, n int) [][]byte {
	var files [][]byte
	for i := range n {
		files = append(files, small{sop: fmt.Sprintf("1.2.3.4.5.%d", i), number: i, seed: i}.bytes(t))
	}
	return files
}

// secret is in every name of a file; no error or reason may show it.
const secret = "DOE^JANE"

func nameOf(i int) string { return fmt.Sprintf("%s 1970/ä+%%20 #%d.dcm", secret, i) }

// TestEverySource: what lies in a directory or a bucket is found, stored and comes back byte for byte; what cannot be read is quarantined.
func TestEverySource(t *testing.T) {
	everyPlace(t, func(t *testing.T, p place) {
		files := someFiles(t, 20)
		large := synth.HugeMultiframe(synth.Options{Seed: 4}, 3<<20)
		raw, err := large.Instances[0].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			p.put(t, nameOf(i), f)
		}
		p.put(t, "large.dcm", raw)
		p.put(t, "notes.txt", []byte("no DICOM file, but long enough to be looked into"))
		p.put(t, "empty", nil)
		p.put(t, "broken.dcm", files[0][:len(files[0])-100])
		r := rigFor(t, p, func(o *PipelineOptions) { o.WholeFile = 1 << 20 })
		jobs, found := r.queueFrom(p)
		if found.Files != 24 || found.Skipped != 2 || len(found.Broken) != 1 || len(found.Studies) != 2 {
			t.Fatalf("found %d files, %d skipped, %d broken, %d studies; want 24, 2, 1, 2", found.Files, found.Skipped, len(found.Broken), len(found.Studies))
		}
		for _, j := range jobs {
			r.mustRun(j)
			if j.UID == large.UID {
				r.wantStored(j.StudyKey, raw)
			} else {
				r.wantStored(j.StudyKey, files...)
			}
		}
		var kept []catalog.QuarantineEntry
		err = r.db.QuarantineList(context.Background(), "", func(q catalog.QuarantineEntry) error { kept = append(kept, q); return nil })
		if err != nil || len(kept) != 1 {
			t.Fatalf("%d files are quarantined (%v), want 1", len(kept), err)
		}
		b, err := objstore.ReadAll(context.Background(), r.store, kept[0].Key, 1<<20)
		if err != nil || !bytes.Equal(b, files[0][:len(files[0])-100]) {
			t.Errorf("the quarantined bytes are others than the broken file's: %v", err)
		}
		again, _ := r.queueFrom(p)
		for _, j := range again {
			if err := r.p.Run(context.Background(), j.ID); err != nil {
				t.Errorf("the same files again: %v", err)
			}
		}
		r.wantStored(catalog.StudyKey{Tenant: "a", UID: "1.2.3"}, files...)
	})
}

// wantChanged runs a job whose source has changed and checks how it ended.
func (r *rig) wantChanged(job catalog.Job, says string) {
	r.t.Helper()
	err := r.p.Run(context.Background(), job.ID)
	if !errors.Is(err, ErrSourceChanged) || !strings.Contains(err.Error(), says) {
		r.t.Fatalf("got %v, want ErrSourceChanged that says %q", err, says)
	}
	j, err2 := r.db.Job(context.Background(), job.ID)
	if err2 != nil || j.State != catalog.JobQueued {
		r.t.Fatalf("the job is %s (%v), want it queued again", j.State, err2)
	}
	for _, text := range []string{err.Error(), j.LastError} {
		if strings.Contains(text, secret) || strings.Contains(text, "DOE") {
			r.t.Errorf("an error shows the name of a file: %s", text)
		}
	}
	if _, err := r.db.Head(context.Background(), job.StudyKey); !errors.Is(err, catalog.ErrNoStudy) {
		r.t.Errorf("a generation was committed: %v", err)
	}
	r.makeDue()
}

// TestSourceChanges: files that are written anew, vanish or become files of
// another study while they are queued. Nothing that was not queued is stored, and the study is queued again.
func TestSourceChanges(t *testing.T) {
	everyPlace(t, func(t *testing.T, p place) {
		key := catalog.StudyKey{Tenant: "a", UID: "1.2.3"}
		fill := func(t *testing.T) [][]byte {
			files := someFiles(t, 8)
			for i, f := range files {
				p.put(t, nameOf(i), f)
			}
			return files
		}
		t.Run("written anew", func(t *testing.T) {
			files := fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			for _, i := range []int{2, 5} {
				files[i] = small{sop: fmt.Sprintf("1.2.3.4.5.%d", i), number: i, seed: 100 + i, rows: 48, cols: 48}.bytes(t)
				p.put(t, nameOf(i), files[i])
			}
			r.wantChanged(jobs[0], "2 of 8 files are others now")
			r.mustRun(jobs[0])
			r.wantStored(key, files...)
		})
		t.Run("gone and back", func(t *testing.T) {
			files := fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			p.remove(t, nameOf(3))
			r.wantChanged(jobs[0], "1 of 8 files are gone")
			r.wantChanged(jobs[0], "1 of 8 files are gone")
			p.put(t, nameOf(3), files[3])
			if err := r.p.Run(context.Background(), jobs[0].ID); err != nil { // a directory's file has another time now
				r.makeDue()
				r.mustRun(jobs[0])
			}
			r.wantStored(key, files...)
		})
		t.Run("gone and given up", func(t *testing.T) {
			files := fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			p.remove(t, nameOf(0))
			p.remove(t, nameOf(7))
			for range maxFailures - 1 {
				r.wantChanged(jobs[0], "2 of 8 files are gone")
			}
			if err := r.p.Run(context.Background(), jobs[0].ID); !errors.Is(err, ErrSourceChanged) {
				t.Fatal(err)
			}
			j, err := r.db.Job(context.Background(), jobs[0].ID)
			if err != nil || j.State != catalog.JobFailed || !strings.Contains(j.LastError, "2 of 8 files are gone") {
				t.Fatalf("after %d attempts the job is %s, %q, %v; want it failed with the number of files", maxFailures, j.State, j.LastError, err)
			}
			c := Client{DB: r.db, Store: r.store, Sources: p.sources()}
			if n, err := c.GiveUp(context.Background(), j.ID); n != 2 || err != nil {
				t.Fatalf("GiveUp = %d, %v; want 2", n, err)
			}
			r.mustRun(jobs[0])
			r.wantStored(key, files[1:7]...)
		})
		t.Run("all gone", func(t *testing.T) {
			fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			for i := range 8 {
				p.remove(t, nameOf(i))
			}
			r.wantChanged(jobs[0], "8 of 8 files are gone")
			c := Client{DB: r.db, Store: r.store, Sources: p.sources()}
			if n, err := c.GiveUp(context.Background(), jobs[0].ID); n != 0 || err == nil {
				t.Errorf("GiveUp of all files = %d, %v; want an error", n, err)
			}
			if j, err := r.db.Job(context.Background(), jobs[0].ID); err != nil || j.State != catalog.JobFailed {
				t.Errorf("the job is %s (%v), want it failed", j.State, err)
			}
		})
		t.Run("another study now", func(t *testing.T) {
			files := fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			other := small{study: "1.9", series: "1.9.1", sop: "1.9.1.1"}.bytes(t)
			p.put(t, nameOf(4), other)
			r.wantChanged(jobs[0], "1 of 8 files hold another study now")
			due, err := r.db.Due(context.Background(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range due {
				if j.UID == "1.9" {
					r.mustRun(j)
				}
			}
			r.wantStored(catalog.StudyKey{Tenant: "a", UID: "1.9"}, other)
			p.put(t, nameOf(4), files[4])
			if err := r.p.Run(context.Background(), jobs[0].ID); err != nil {
				r.makeDue()
				r.mustRun(jobs[0])
			}
			r.wantStored(key, files...)
		})
		t.Run("broken now", func(t *testing.T) {
			files := fill(t)
			r := rigFor(t, p, nil)
			jobs, _ := r.queueFrom(p)
			p.put(t, nameOf(6), files[6][:700])
			r.wantChanged(jobs[0], "1 of 8 files are others now")
			r.mustRun(jobs[0])
			r.wantStored(key, append(append([][]byte{}, files[:6]...), files[7])...)
			if s := r.open(key); len(s.Manifest.Quarantined) != 1 {
				t.Errorf("%d files are quarantined, want 1", len(s.Manifest.Quarantined))
			}
		})
	})
}

// TestQueuedAgainByItsSender: a path that is queued again counts as it was pinned last.
func TestQueuedAgainByItsSender(t *testing.T) {
	everyPlace(t, func(t *testing.T, p place) {
		files := someFiles(t, 3)
		for i, f := range files {
			p.put(t, nameOf(i), f)
		}
		r := rigFor(t, p, nil)
		r.queueFrom(p)
		files[1] = small{sop: "1.2.3.4.5.1", number: 1, seed: 77, rows: 40, cols: 40}.bytes(t)
		p.put(t, nameOf(1), files[1])
		jobs, _ := r.queueFrom(p)
		r.mustRun(jobs[0])
		r.wantStored(jobs[0].StudyKey, files...)
	})
}

// TestBrokenFileChanges: a broken file that is written anew before its bytes are quarantined is what it is now.
func TestBrokenFileChanges(t *testing.T) {
	everyPlace(t, func(t *testing.T, p place) {
		whole := someFiles(t, 1)[0]
		for _, tc := range []struct {
			name                 string
			now                  []byte
			studies, quarantined int
		}{
			{"complete", whole, 1, 0},
			{"broken in another way", whole[:len(whole)-7], 0, 1},
			{"no DICOM", []byte("a text that is long enough to be no DICOM file at all, whatever it is that one looks for in it"), 0, 0},
			{"gone", nil, 0, 0},
		} {
			t.Run(tc.name, func(t *testing.T) {
				p.put(t, "x", whole[:len(whole)-100])
				r := rigFor(t, p, nil)
				found, err := p.sources().Discover(context.Background(), []string{p.root()}, nil)
				if err != nil || len(found.Broken) != 1 {
					t.Fatalf("%d broken files, %v; want 1", len(found.Broken), err)
				}
				if p.remove(t, "x"); tc.now != nil {
					p.put(t, "x", tc.now)
				}
				c := Client{DB: r.db, Store: r.store, Sources: p.sources()}
				jobs, err := c.Enqueue(context.Background(), found, p.root(), EnqueueOptions{Tenant: "a"})
				if err != nil || len(jobs) != tc.studies {
					t.Errorf("%d studies were queued (%v), want %d", len(jobs), err, tc.studies)
				}
				n := 0
				err = r.db.QuarantineList(context.Background(), "", func(q catalog.QuarantineEntry) error {
					n++
					b, err := objstore.ReadAll(context.Background(), r.store, q.Key, 1<<20)
					if !bytes.Equal(b, tc.now) {
						t.Errorf("other bytes are quarantined than those that are there")
					}
					return err
				})
				if err != nil || n != tc.quarantined {
					t.Errorf("%d files are quarantined (%v), want %d", n, err, tc.quarantined)
				}
			})
		}
	})
}

// TestRepinNeedsTheLease: only the attempt that has the job changes what is queued.
func TestRepinNeedsTheLease(t *testing.T) {
	r := newRig(t, nil)
	job := r.queue("a", write(t, someFiles(t, 2)...))[0]
	ctx := context.Background()
	owned, err := r.db.Own(ctx, job.ID, "somebody", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := r.db.Arrivals(ctx, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	files := list[0].Files[:1]
	if err := r.db.Repin(ctx, job.ID, owned.Attempt-1, list[0], files, "x"); !errors.Is(err, catalog.ErrStale) {
		t.Errorf("an earlier attempt: got %v, want ErrStale", err)
	}
	for range 2 {
		if err := r.db.Repin(ctx, job.ID, owned.Attempt, list[0], files, "x"); err != nil {
			t.Fatal(err)
		}
	}
	now, _, err := r.db.Arrivals(ctx, job.ID)
	if err != nil || len(now) != 1 || len(now[0].Files) != 1 || now[0].Batch == list[0].Batch {
		t.Errorf("after Repin: %+v, %v", now, err)
	}
}

// TestSupersededBatchIsNotCovered: a batch of which a file was queued again
// with another pin is not remembered as stored, so that the same file may come back.
func TestSupersededBatchIsNotCovered(t *testing.T) {
	f := func(path, etag string) catalog.SourceFile { return catalog.SourceFile{Path: path, ETag: etag} }
	list := []catalog.Arrival{{Batch: "1", Files: []catalog.SourceFile{f("a", "x"), f("b", "x")}}, {Batch: "2", Files: []catalog.SourceFile{f("b", "y")}}, {Batch: "3", Files: []catalog.SourceFile{f("c", "x")}}}
	got := storedAsQueued([]string{"0", "1", "2", "3"}, list, filesOf(list))
	if want := []string{"0", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestBucketsAreKept: files in a bucket cannot be moved or deleted after the commit; that is said before anything is queued.
func TestBucketsAreKept(t *testing.T) {
	found := &Found{Studies: []FoundStudy{{UID: "1.2.3", Files: []catalog.SourceFile{{Path: "s3://b/k", Size: 9, ETag: "e"}}}}}
	c := Client{}
	for _, after := range []string{catalog.AfterMove, catalog.AfterDelete} {
		if _, err := c.Enqueue(context.Background(), found, "s3://b", EnqueueOptions{Tenant: "a", After: after}); !errors.Is(err, ErrKeptOnly) {
			t.Errorf("--after %s: got %v, want ErrKeptOnly", after, err)
		}
	}
	if _, err := Discover(context.Background(), []string{"s3://b/k"}, nil); err == nil || !strings.Contains(err.Error(), "directories only") {
		t.Errorf("a bucket without access to buckets: got %v", err)
	}
}
