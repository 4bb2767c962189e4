package worker

import (
	"context"
	"testing"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// TestVerifyRequests: verify reads the objects of a study in a few large requests, not one or more for each frame, whether small
// pictures are cut out of the frames or made from their samples.
func TestVerifyRequests(t *testing.T) {
	dir := t.TempDir()
	const slices = 200
	ct := synth.CT(synth.Options{Seed: 1, Scale: 0.5, Slices: 2 * slices})
	if _, _, err := ct.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]preview.Limit{"reduced": {}, "averaged": {Side: 40, Share: 0.001}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *PipelineOptions) { o.Previews.Limit = limit })
			s := r.ingest("a", dir)[0]
			meter := faultstore.NewMeter(r.store)
			v, err := study.Verify(context.Background(), oneStore{meter}, s.Manifest, all.Set(), nil)
			if err != nil || len(v.Damage) > 0 || v.Instances != slices {
				t.Fatalf("verify: %v, %d instances, damage %+v", err, v.Instances, v.Damage)
			}
			// Each object whole, then bundle, parts, proofs, previews in pieces of up to 8 MiB.
			got, most := meter.Counts(), int64(12)
			for _, p := range s.Manifest.Packs {
				most += 4 * (p.Size>>23 + 1)
			}
			if got.Gets > most {
				t.Errorf("%d requests for %d frames, want at most %d", got.Gets, slices, most)
			}
			t.Logf("%d requests, %d bytes read of %d stored", got.Gets, got.BytesOut, v.Bytes)
		})
	}
}
