package worker

import (
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit"
)

// TestPreviewsOfCorpus: verify accepts the small pictures of everything that
// real files are, and what a codec here decodes has one.
func TestPreviewsOfCorpus(t *testing.T) {
	corpus := testkit.Corpus(t)
	if testing.Short() {
		t.Skip("TestPreviewsOfCorpus: takes half a minute; run without -short")
	}
	for _, part := range []string{"syntaxes", "families", "multiframe", "objects", "annotated", "series"} {
		t.Run(part, func(t *testing.T) {
			r := newRig(t, nil)
			var count [preview.Picked + 1]int
			var small, full int64
			for _, s := range r.ingest("a", filepath.Join(corpus, part)) {
				mustVerify(t, r, s)
				stored := study.ByInstance(s.Instances())
				for _, q := range previewsOf(t, r, s) {
					for i := range q.Index.Series {
						x := &q.Index.Series[i]
						var bytes int64
						reduced := x.FullBytes > 0
						for k := range x.Instances {
							in := &x.Instances[k]
							for n := range in.Frames {
								f := &in.Frames[n]
								count[f.Method]++
								bytes += f.Size
								reduced = reduced && f.Method == preview.Reduced
								if from, ok := q.Shown(stored, in); f.Method == preview.None && ok && from.SampleSHA256 != ([32]byte{}) {
									t.Errorf("%s, frame %d: decoded when it was stored, and has no preview: %s", in.SOPUID, n, f.Reason)
								}
							}
						}
						// The share is of codestreams without their new headers, of about 200 bytes a frame.
						if reduced && x.Side > 1 && float64(bytes) > 0.12*float64(x.FullBytes)+200*float64(count[preview.Reduced]) {
							t.Errorf("series %s: %d bytes of previews for %d", x.UID, bytes, x.FullBytes)
						}
						small, full = small+bytes, full+x.FullBytes
					}
				}
			}
			t.Logf("frames: none %d, reduced %d, averaged %d, picked %d; %d bytes for %d (%.1f %%)", count[0], count[1], count[2], count[3], small, full, 100*float64(small)/float64(max(full, 1)))
		})
	}
}
