package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit/faultstore"
)

func copyAll(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, r) }

var errCrash = errors.New("crash")

// TestCrashBetweenSteps stops an attempt at every step of its way, lets
// another attempt finish, and looks at the end: one head, every file, one event.
func TestCrashBetweenSteps(t *testing.T) {
	for _, step := range []string{"owned", "written", catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide,
		catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished} {
		t.Run(step, func(t *testing.T) {
			crashed := false
			r := newRig(t, func(o *PipelineOptions) {
				o.VolumeBytes = 4000 // several volumes
				o.Hooks = func(_ context.Context, s string) error {
					if s == step && !crashed {
						crashed = true
						return errCrash
					}
					return nil
				}
			})
			var files [][]byte
			for i := range 8 {
				files = append(files, small{sop: "1.2.3.4." + string(rune('1'+i)), number: i, seed: i}.bytes(t))
			}
			job := r.queue("a", write(t, files...))[0]
			ctx := context.Background()
			err := r.p.Run(ctx, job.ID)
			if !crashed {
				t.Fatalf("step %s was never reached (%v)", step, err)
			}
			for range 3 { // as the reconciler does: give the job back, resume what is decided
				if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
					t.Fatal(err)
				}
				j, err := r.db.Job(ctx, job.ID)
				if err != nil {
					t.Fatal(err)
				}
				if j.State == catalog.JobDone {
					break
				}
				r.makeDue()
				if err := r.p.Run(ctx, job.ID); err != nil && !errors.Is(err, catalog.ErrClosed) {
					t.Fatal(err)
				}
			}
			s := r.open(job.StudyKey)
			if s.Manifest.Generation != 1 {
				t.Errorf("generation %d, want 1", s.Manifest.Generation)
			}
			got := originals(t, s)
			for i, f := range files {
				if _, ok := got[sha256.Sum256(f)]; !ok {
					t.Errorf("file %d is lost", i)
				}
			}
			if len(s.Instances()) != len(files) {
				t.Errorf("%d instances, want %d", len(s.Instances()), len(files))
			}
			events := 0
			if err := r.db.Events(ctx, func(catalog.Event) error { events++; return nil }); err != nil {
				t.Fatal(err)
			}
			if events != 1 {
				t.Errorf("%d events, want 1", events)
			}
			if step == "written" && s.Manifest.Attempt>>32 == 2 {
				for _, p := range s.Manifest.Packs {
					if p.Class == catalog.ClassPreview {
						continue // made of the packs each time
					}
					if o, ok := catalog.ParseKey(p.Key); !ok || o.Attempt>>32 != 1 {
						t.Errorf("pack %s was made again; want those of attempt 1 adopted", p.Key)
					}
				}
			}
		})
	}
}

// makeDue moves the catalog's clock past every waiting time and lease.
func (r *rig) makeDue() { r.later.Add(int64(3 * time.Hour)) }

// TestStoreFaults: a store that fails, lies and tears in every way; the study is stored whole in the end, or the attempt fails.
func TestStoreFaults(t *testing.T) {
	var files [][]byte
	for i := range 12 {
		files = append(files, small{sop: "1.2.3.4." + string(rune('a'+i)), number: i, seed: i}.bytes(t))
	}
	dir := write(t, files...)
	for seed := range uint64(20) {
		var faulty *faultstore.Store
		r := newRig(t, func(o *PipelineOptions) {
			o.VolumeBytes = 4000
			faulty = faultstore.New(o.Stores.Hot(), healthy)
			o.Stores = oneStore{faulty}
		})
		job := r.queue("a", dir)[0]
		faulty.SetScript(faultstore.Seeded(seed, 0.15, faultstore.Unavailable, faultstore.LostReply, faultstore.Phantom, faultstore.TornPut, faultstore.TruncatedPut, faultstore.BitFlip, faultstore.BrokenRead))
		ctx := context.Background()
		for try := 0; ; try++ {
			if try == 8 { // the store recovers
				faulty.SetScript(healthy)
			}
			if try > 12 {
				t.Fatalf("seed %d: the study is not stored after the store recovered", seed)
			}
			err := r.p.Run(ctx, job.ID)
			_ = catalog.Reconcile(ctx, r.db, oneStore{faulty}.Hot())
			if j, jobErr := r.db.Job(ctx, job.ID); jobErr == nil && j.State == catalog.JobDone {
				break
			} else if err == nil {
				t.Fatalf("seed %d: no error, and the job is %s", seed, j.State)
			}
			r.makeDue()
		}
		faulty.SetScript(healthy)
		if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
			t.Fatal(err)
		}
		s := r.open(job.StudyKey)
		verifyAll(t, s)
		got := originals(t, s)
		for i, f := range files {
			if _, ok := got[sha256.Sum256(f)]; !ok {
				t.Errorf("seed %d: file %d is lost", seed, i)
			}
		}
	}
}

// TestSourceChangesWhileQueued: a file that is not the one that was queued is not stored as if it were.
func TestSourceChangesWhileQueued(t *testing.T) {
	r := newRig(t, nil)
	dir := write(t, small{}.bytes(t))
	job := r.queue("a", dir)[0]
	path := filepath.Join(dir, "f000")
	other := small{seed: 3}.bytes(t)
	if err := os.WriteFile(path, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.p.Run(context.Background(), job.ID); !errors.Is(err, ErrSourceChanged) {
		t.Fatalf("got %v, want ErrSourceChanged", err)
	}
	if _, err := r.db.Head(context.Background(), job.StudyKey); !errors.Is(err, catalog.ErrNoStudy) {
		t.Errorf("a generation was committed: %v", err)
	}
}

// healthy is the script of a store without faults.
func healthy(faultstore.Call) faultstore.Fault { return faultstore.None }
