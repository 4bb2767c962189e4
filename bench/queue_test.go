package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// TestQueueMeasures: the figures of a run are whole and make sense together. No figure is judged.
func TestQueueMeasures(t *testing.T) {
	testkit.Tool(t, "redis-server")
	const studies = 900
	runs, err := Queue(context.Background(), QueueOptions{Studies: studies})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 3 {
		t.Fatalf("%d runs, want 3 on SQLite", len(runs))
	}
	for n, r := range runs {
		if !strings.HasPrefix(r.Catalog, "SQLite ") || r.Studies != studies || r.EnqueueRate() <= 0 || r.HandleRate() <= 0 {
			t.Errorf("run %d is not whole: %+v", n, r)
		}
	}
	last := runs[2]
	if len(last.Memory) != 2 { // of the default window, and of all
		t.Fatalf("memory was measured %d times, want 2: %+v", len(last.Memory), last)
	}
	for n, m := range last.Memory {
		// The buffers of connections come and go: they may weigh more than the tasks of the small window.
		lost := n > 0 && m.Bytes <= 0
		if lost || m.Waiting == 0 || m.Waiting > studies {
			t.Errorf("%d waiting tasks take %d bytes", m.Waiting, m.Bytes)
		}
	}
}
