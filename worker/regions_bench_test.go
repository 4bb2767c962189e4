package worker

import (
	"testing"
	"time"

	"github.com/radtier/radtier/internal/dcm"
)

// BenchmarkRegions reports which share of the time of a study of 600 slices goes into regions: without annotations, with a report
// on one slice, with a segmentation of 300 frames of organs, and with one of a lesion.
func BenchmarkRegions(b *testing.B) {
	a := axialSlab(1)
	a.n, a.step, a.thick, a.columns, a.rows = 600, 0.5, 0.5, 512, 512
	lesion, organ := coded("49755003", "SCT"), coded("123037004", "SCT")
	for _, c := range []struct {
		name string
		objs map[string]*dcm.Builder
	}{
		{"none", nil},
		{"report", map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", a.uid(300), 100, 120, 112, 120)))}},
		{"organs", map[string]*dcm.Builder{"seg.dcm": segOf(testStudy+".901.1", a, organ, coded("10200004", "SCT"), 100, 100, 150, 100, 399)}},
		{"segmentation", map[string]*dcm.Builder{"seg.dcm": segOf(testStudy+".901.1", a, lesion, coded("27925004", "SCT"), 200, 200, 30, 150, 449)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			a.write(b, dir)
			writeObjects(b, dir, c.objs)
			for range b.N {
				r := newRig(b, nil)
				jobs := r.queue("a", dir)
				start := time.Now()
				for _, j := range jobs {
					if err := r.p.Run(b.Context(), j.ID); err != nil {
						b.Fatal(err)
					}
				}
				took := time.Since(start)
				b.ReportMetric(100*float64(r.p.Times().Regions.Load())/float64(took), "%-regions")
				b.ReportMetric(took.Seconds(), "s/study")
			}
		})
	}
}
