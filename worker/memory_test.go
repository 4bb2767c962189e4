package worker

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// hog is a worker process whose peak memory TestPeakMemory measures: it
// derives everything in Source and says how much memory that took.
type hog struct {
	Dir, Source string
	Budget      int64
}

func (h hog) work(ctx context.Context) error {
	LimitMemory(h.Budget)
	store, err := file.Open(filepath.Join(h.Dir, "objects"), file.Options{})
	if err != nil {
		return err
	}
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(h.Dir, "catalog.db")})
	if err != nil {
		return err
	}
	defer db.Close()
	found, err := Discover(ctx, []string{h.Source}, nil)
	if err != nil {
		return err
	}
	c := Client{DB: db, Store: store}
	jobs, err := c.Enqueue(ctx, found, h.Source, EnqueueOptions{Tenant: "a"})
	if err != nil {
		return err
	}
	p := NewPipeline(PipelineOptions{DB: db, Stores: oneStore{store}, Tier: "hot", Set: all.Set(), Owner: "hog", Build: "test", BudgetBytes: h.Budget})
	defer p.Close()
	for _, j := range jobs {
		if err := p.Run(ctx, j.ID); err != nil {
			return err
		}
	}
	peak, err := peakRSS()
	fmt.Println(peak)
	return err
}

// peakRSS is the largest resident set of this process so far, in bytes.
func peakRSS() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("no VmHWM in /proc/self/status")
}

// TestPeakMemory: the byte budget plus 150 MB is enough for a study of 10,000
// instances and for a multi-frame object of 1 GB.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("TestPeakMemory: works on 1.4 GB of images; run without -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("TestPeakMemory: peak memory is read from /proc")
	}
	const budget, allowance = 128 << 20, 150_000_000
	for _, tc := range []struct {
		name  string
		study func() synth.Study
		files int
	}{
		{"10,000 instances", func() synth.Study { return synth.ManyInstances(synth.Options{}, 10_000) }, 10_000},
		{"1 GB multi-frame object", func() synth.Study { return synth.HugeMultiframe(synth.Options{}, 1_000_000_000) }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source, dir := t.TempDir(), t.TempDir()
			s := tc.study()
			files, size, err := s.WriteTo(source)
			if err != nil {
				t.Fatal(err)
			}
			if files != tc.files {
				t.Fatalf("%d files, want %d", files, tc.files)
			}
			debug.FreeOSMemory()
			var out bytes.Buffer
			if err := spawn(t, hog{dir, source, budget}, &out).Wait(); err != nil {
				t.Fatal(err)
			}
			var peak int64
			if _, err := fmt.Fscan(&out, &peak); err != nil {
				t.Fatalf("peak memory: %v", err)
			}
			t.Logf("%d files of %d MB: peak RSS %d MB with a budget of %d MB", files, size/1e6, peak/1e6, int64(budget)/1e6)
			if peak > budget+allowance {
				t.Errorf("peak RSS %d bytes, want at most %d (budget %d + %d)", peak, int64(budget+allowance), int64(budget), int64(allowance))
			}
		})
	}
}
