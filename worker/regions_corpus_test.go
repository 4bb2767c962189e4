package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit"
	"github.com/radtier/radtier/roi"
)

var updateRegions = flag.Bool("update-regions", false, "write testdata/regions, and pictures to look at to $RADTIER_PICTURES")

// TestRegionsOfCorpus holds the region records of real annotated studies to what was checked by hand; the comments say how.
func TestRegionsOfCorpus(t *testing.T) {
	corpus := testkit.Corpus(t)
	for _, name := range []string{
		// 60 CT slices of 204 x 201 pixels, 3 mm apart, and a structure set with one target volume of 26 contours, from z = -49.4 to 25.6 mm. The picture shows the
		// tumour beside the heart inside the contour. 26 slices have contours; 5 mm and half a slice, 6.5 mm, reach two more on each side: 30. Small frames: whole slices.
		"rtstruct-ct60-cms",
		// One CT slice (128 x 128), three objects: an SR with a circle around an aorta segment (T-A7010), an SR with a group that names the image without geometry (key slice), a circle
		// around a nodule, and two groups of organs that are left out; a SEG of bone (connective tissue) that is left out. The whole slice is kept: it is small.
		"tid1500-sr-ct",
		// Three CT slices (512 x 512) and nine segmentations of them: the liver in eight encodings (an organ: left out, also where it cannot be decoded) and one
		// with five segments, of which segment 4 (oedema, morphologically abnormal) is a lesion on one slice.
		"seg-liver-ct3",
		// Segments of tissue and of an organ only: nothing is a lesion.
		"seg-ct-cr-16x16", "seg-labelmap-24x38",
		// Whole slide images with segments of tissue, and microscopy bulk annotations, which are not read: the images stay.
		"seg-wsi-10x10",
		// Presentation states without graphics, and an image with overlays of type G: nothing to keep.
		"gsps",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			var got bytes.Buffer
			for _, s := range r.ingest("a", filepath.Join(corpus, "annotated", name)) {
				mustVerify(t, r, s)
				rec := recordOf(t, r, s)
				if rec == nil {
					fmt.Fprintf(&got, "study %s: nothing\n", s.Manifest.StudyUID)
					continue
				}
				provesRegions(t, r, s, rec)
				if dir := os.Getenv("RADTIER_PICTURES"); dir != "" && len(rec.Lesions) > 0 {
					var b bytes.Buffer
					img, err := DrawRegions(t.Context(), s, s.NewDecoders(), rec, render.PHIAllow)
					if err != nil {
						t.Fatal(err)
					}
					if err := png.Encode(&b, img); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				raw, err := json.Marshal(stable(rec))
				if err != nil {
					t.Fatal(err)
				}
				// A line for each source, lesion, region and item.
				for _, name := range []string{`"why":`, `"sources":`, `"lesions":[{`, `"regions":[{`, `{"id":`, `{"sop_uid":`, `{"series_uid":`, `"totals":`} {
					raw = bytes.ReplaceAll(raw, []byte(name), []byte("\n"+name))
				}
				got.Write(append(raw, '\n', '\n'))
			}
			golden := filepath.Join("testdata", "regions", name+".json")
			if *updateRegions {
				if err := os.MkdirAll(filepath.Dir(golden), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("the record is\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

func recordOf(t testing.TB, r *rig, s *study.Study) *roi.Record {
	t.Helper()
	if s.Manifest.Regions == nil {
		return nil
	}
	rec, err := ReadRecord(context.Background(), r.store, s.Manifest.Regions)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// stable leaves out what depends on the time, on codecs and on the version of the policy.
func stable(rec *roi.Record) *roi.Record {
	c := *rec
	c.Created, c.Plan, c.Policy = time.Time{}, "", ""
	c.Totals.Bytes, c.Totals.FullBytes = 0, 0
	c.Regions = append([]roi.Region(nil), rec.Regions...)
	for i := range c.Regions {
		g := &c.Regions[i]
		g.Bytes = 0
		g.Items = append([]roi.Item(nil), g.Items...)
		for k := range g.Items {
			g.Items[k].OutFile = "" // holds the time of the plan
		}
	}
	return &c
}

// provesRegions reads back what a record says is kept: every instance is there, whole ones are the received files, and the
// samples of crops are those of the source's rectangle.
func provesRegions(t testing.TB, r *rig, s *study.Study, rec *roi.Record) {
	t.Helper()
	ctx := context.Background()
	kept, err := study.OpenRegions(ctx, oneStore{r.store}, s.Manifest, all.Set())
	if err != nil {
		t.Fatal(err)
	}
	dec := s.NewDecoders()
	at := map[string]study.Instance{}
	for _, in := range kept.Instances() {
		at[in.SOPUID] = in
	}
	source := map[string]study.Instance{}
	for _, in := range s.Select("", "", false, false) {
		source[in.SOPUID] = in
	}
	n := 0
	for _, g := range rec.Regions {
		for _, it := range g.Items {
			n++
			in, ok := at[it.OutSOPUID]
			if !ok {
				t.Errorf("region %s: %s is not stored", g.ID, it.OutSOPUID)
				continue
			}
			if fmt.Sprintf("%x", in.FileSHA256) != it.OutFile {
				t.Errorf("region %s: %s is another file than the record says", g.ID, it.OutSOPUID)
			}
			var buf bytes.Buffer
			if _, err := kept.WriteOriginal(ctx, dec, in, &buf); err != nil {
				t.Errorf("region %s: %s: %v", g.ID, it.OutSOPUID, err)
			}
			src, ok := source[it.SOPUID]
			if !ok {
				t.Errorf("region %s: source %s is not in the study", g.ID, it.SOPUID)
				continue
			}
			if g.Mode == roi.ModeSlice {
				if in.FileSHA256 != src.FileSHA256 {
					t.Errorf("region %s: %s is not the received file", g.ID, it.SOPUID)
				}
				continue
			}
			sameSamples(t, s, kept, src, in, g.Rect, it.Frames)
		}
	}
	if n == 0 && len(at) > 0 {
		t.Errorf("%d instances are kept and the record names none", len(at))
	}
}

// sameSamples compares a crop with the rectangle of its source, sample by sample.
func sameSamples(t testing.TB, s, kept *study.Study, src, in study.Instance, r roi.Rect, frames []int) {
	t.Helper()
	ctx := context.Background()
	dec := s.NewDecoders()
	if frames == nil {
		frames = []int{1}
	}
	for n, f := range frames {
		a, err := src.Volume.Frame(ctx, dec, src.Index, f-1, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := in.Volume.Frame(ctx, dec, in.Index, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		pixel := src.Image.BitsAllocated / 8 * src.Image.Samples
		for y := range r.H {
			x := a[((r.Y+y)*src.Image.Columns+r.X)*pixel:][:r.W*pixel]
			if !bytes.Equal(x, b[y*r.W*pixel:][:r.W*pixel]) {
				t.Errorf("%s: row %d of the crop is not row %d of the source from column %d on", in.SOPUID, y, r.Y+y, r.X)
				return
			}
		}
	}
}
