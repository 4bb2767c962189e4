package bench

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// TestPipelineMeasures: the figures of a run are whole and make sense together. No figure is judged.
func TestPipelineMeasures(t *testing.T) {
	dir := filepath.Join(testkit.Corpus(t), "series", "mr-philips-mprage-170")
	r, err := Pipeline(context.Background(), PipelineOptions{Dir: dir, Cores: 2, Budget: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if r.Instances != 170 || r.Studies != 1 || r.RawBytes == 0 || r.Stored == 0 || r.Stored >= r.RawBytes || r.Wall <= 0 || r.Encode <= 0 || r.Rebuild <= 0 {
		t.Errorf("figures of the run: %+v", r)
	}
	t.Logf("%.1f MB/s on %d cores, ratio %.2f", r.MBps(), r.Cores, float64(r.RawBytes)/float64(r.Stored))
}
