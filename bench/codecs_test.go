package bench

import (
	"os/exec"
	"testing"

	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/worker"
)

// TestCodecsMeasure: the figures are whole and make sense together. No speed is judged.
func TestCodecsMeasure(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []synth.Study{
		synth.Generic(synth.GenericOptions{Name: "grey", Modality: "CT", Instances: 3, Layout: synth.Layout{Rows: 200, Columns: 300, Stored: 12, Allocated: 16, Signed: true}}),
		synth.Generic(synth.GenericOptions{Name: "colour", Modality: "US", Instances: 1, Frames: 4, Layout: synth.Layout{Rows: 128, Columns: 128, Samples: 3, Stored: 8, Allocated: 8, Photometric: "RGB"}}),
		synth.Generic(synth.GenericOptions{Name: "bits", Modality: "SEG", Instances: 1, Layout: synth.Layout{Rows: 64, Columns: 64, Stored: 1, Allocated: 1}}),
	} {
		if _, _, err := s.WriteTo(dir + "/" + s.Name); err != nil {
			t.Fatal(err)
		}
	}
	o := CodecsOptions{Dir: dir, Rounds: 1}
	if _, err := exec.LookPath("ojph_compress"); err == nil {
		o.RivalFrames = 2
	}
	r, err := Codecs(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[[2]string]int64{}
	for _, c := range worker.Codecs() {
		want[[2]string{"CT", string(c)}] = 3 * 200 * 300 * 2
		want[[2]string{"US", string(c)}] = 4 * 128 * 128 * 3
		want[[2]string{"", string(c)}] = 3*200*300*2 + 4*128*128*3
	}
	for _, x := range r.Results {
		key := [2]string{x.Modality, x.Codec}
		if x.RawBytes != want[key] || x.Frames == 0 || x.Stored == 0 || x.Stored >= x.RawBytes || x.Encode <= 0 || x.Decode <= 0 || x.Kernels == "" {
			t.Errorf("%v: %+v, want %d bytes, fewer stored, some time", key, x, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 || r.Skipped != 1 {
		t.Errorf("no figures of %v; %d instances skipped, want 1", want, r.Skipped)
	}
	if o.RivalFrames == 0 {
		return
	}
	if len(r.Rivals) != 6 { // OpenJPH and ours on the same frames: CT, US, all
		t.Errorf("%d lines of rivals, want 6: %+v", len(r.Rivals), r.Rivals)
	}
	for i := 0; i+1 < len(r.Rivals); i += 2 {
		if a, b := r.Rivals[i], r.Rivals[i+1]; a.Frames != b.Frames || a.RawBytes != b.RawBytes || a.Modality != b.Modality || float64(a.Stored) > 1.01*float64(b.Stored) {
			t.Errorf("not of the same frames, or much larger than the rival's: %+v and %+v", a, b)
		}
	}
}
