package worker

import (
	"context"
	"testing"

	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// TestFirstLook: all slices of a CT series of 600 x 512 x 512 are shown after two requests, at 64 samples
// for at most 4 % of its bytes and at 128 for at most 13 %.
func TestFirstLook(t *testing.T) {
	if testing.Short() {
		t.Skip("TestFirstLook: stores 315 MB twice; run without -short")
	}
	const slices = 600
	dir := t.TempDir()
	ct := synth.CT(synth.Options{Seed: 1, Slices: slices})
	if _, _, err := ct.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	for side, most := range map[int]float64{64: 0.04, 128: 0.13} {
		r := newRig(t, func(o *PipelineOptions) { o.Previews.Limit = preview.Limit{Side: side, Share: 0.13} })
		s := r.ingest("a", dir)[0]
		meter := faultstore.NewMeter(r.store)
		packs, err := s.Previews(context.Background(), oneStore{meter})
		if err != nil || len(packs) != 1 {
			t.Fatalf("%d preview packs, %v; want 1", len(packs), err)
		}
		q, frames := packs[0], 0
		series := &q.Index.Series[0]
		if err := q.Each(context.Background(), series, func(in *preview.Instance, n int, _ []byte, err error) error {
			frames++
			if f := &in.Frames[n]; f.Width != side || f.Height != side || f.Method != preview.Reduced {
				t.Errorf("%s is %d x %d, %v; want %d x %d, reduced", in.SOPUID, f.Width, f.Height, f.Method, side, side)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		got := meter.Counts()
		share := float64(got.BytesOut) / float64(series.FullBytes)
		if frames != slices || got.Gets != 2 || share > most {
			t.Errorf("%d samples: %d frames, %d requests, %d of %d bytes = %.2f %%; want %d, 2 and at most %.0f %%", side, frames, got.Gets, got.BytesOut, series.FullBytes, 100*share, slices, 100*most)
		}
		t.Logf("%d samples: %d of %d bytes, %.2f %%", side, got.BytesOut, series.FullBytes, 100*share)
	}
}
