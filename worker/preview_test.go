package worker

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// previewsOf opens the preview packs of a study.
func previewsOf(t testing.TB, r *rig, s *study.Study) []*study.PreviewPack {
	t.Helper()
	list, err := s.Previews(context.Background(), oneStore{r.store})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// eachPreview visits every frame that the preview packs list.
func eachPreview(list []*study.PreviewPack, see func(q *study.PreviewPack, s *preview.Series, in *preview.Instance, n int, f *preview.Frame)) {
	for _, q := range list {
		for i := range q.Index.Series {
			s := &q.Index.Series[i]
			for k := range s.Instances {
				for n := range s.Instances[k].Frames {
					see(q, s, &s.Instances[k], n, &s.Instances[k].Frames[n])
				}
			}
		}
	}
}

func mustVerify(t testing.TB, r *rig, s *study.Study) {
	t.Helper()
	v, err := study.Verify(context.Background(), oneStore{r.store}, s.Manifest, all.Set(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range v.Damage {
		t.Errorf("damage: %s: %s", d.Key, d.What)
	}
}

// TestPreviewsOfSyntheticStudies: every frame of every modality has a small picture that
// verify accepts; frames with levels cost at most their share, and each can be completed to the full frame.
func TestPreviewsOfSyntheticStudies(t *testing.T) {
	for _, made := range synth.Demo(synth.Options{Seed: 1, Scale: 0.25}) {
		t.Run(made.Name, func(t *testing.T) {
			dir := t.TempDir()
			if _, _, err := made.WriteTo(dir); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, nil)
			s := r.ingest("a", dir)[0]
			mustVerify(t, r, s)
			packs := previewsOf(t, r, s)
			if len(packs) != 1 {
				t.Fatalf("%d preview packs, want 1", len(packs))
			}
			stored := study.ByInstance(s.Instances())
			frames, reduced := 0, 0
			eachPreview(packs, func(q *study.PreviewPack, _ *preview.Series, in *preview.Instance, n int, f *preview.Frame) {
				frames++
				x, ok := q.Shown(stored, in)
				if !ok || x.SOPUID != in.SOPUID {
					t.Fatalf("preview of %q shows %q, %v", in.SOPUID, x.SOPUID, ok)
				}
				if f.Size == 0 || max(f.Width, f.Height) > 128 {
					t.Errorf("%s, frame %d: %d bytes, %d x %d, %s", in.SOPUID, n, f.Size, f.Width, f.Height, f.Reason)
				}
				if f.Method != preview.Reduced {
					return
				}
				reduced++
				small, err := q.Frame(context.Background(), in, n)
				if err != nil {
					t.Fatal(err)
				}
				whole, err := q.Upgrade(context.Background(), x, n, f, small)
				want, _, err2 := x.Volume.FrameBytes(context.Background(), x.Index, n)
				if err != nil || err2 != nil || !bytes.Equal(whole, want) {
					t.Errorf("%s, frame %d: upgraded to %d bytes, %v; want %d, %v", in.SOPUID, n, len(whole), err, len(want), err2)
				}
				if f.Header == nil {
					t.Errorf("%s, frame %d: the upgrade reads the whole frame", in.SOPUID, n)
				}
			})
			if frames != s.Manifest.Totals.Frames {
				t.Errorf("%d frames have previews, want %d", frames, s.Manifest.Totals.Frames)
			}
			t.Logf("%d frames, %d cut out of codestreams; %d bytes of previews, %d stored", frames, reduced, s.Manifest.Packs[1].Size, s.Manifest.Totals.StoredBytes)
		})
	}
}

// TestPreviewsAreTheSame: a repeated attempt, one that adopts volumes and so reads from the store what it has not at hand, makes the same bytes.
func TestPreviewsAreTheSame(t *testing.T) {
	dir := t.TempDir()
	ct := synth.CT(synth.Options{Seed: 1, Scale: 0.25})
	if _, _, err := ct.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i := range 2 {
		r := newRig(t, func(o *PipelineOptions) {
			if i == 1 {
				o.Cores, o.Readers, o.BudgetBytes = 1, 1, 1<<20
				o.Hooks = catalog.Hooks(failFirst("written"))
			}
		})
		jobs := r.queue("a", dir)
		for range 2 {
			r.makeDue()
			if err := r.p.Run(context.Background(), jobs[0].ID); err == nil {
				break
			}
		}
		s := r.open(jobs[0].StudyKey)
		for _, p := range s.Manifest.Packs {
			if p.Class != catalog.ClassPreview {
				continue
			}
			q := previewsOf(t, r, s)[0]
			for k := range q.Index.Volumes {
				q.Index.Volumes[k].Key = "" // has the job's number
			}
			got, err := preview.EncodeIndex(q.Index)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Error("the second time another index was made")
			}
		}
	}
	if want == nil {
		t.Fatal("there are no previews")
	}
}

// failFirst stops the first attempt at a step.
func failFirst(step string) catalog.Hooks {
	failed := false
	return func(_ context.Context, at string) error {
		if at == step && !failed {
			failed = true
			return fmt.Errorf("stopped at %s", step)
		}
		return nil
	}
}

// TestPreviewLateArrival: new instances get a preview pack of their own, and the one that was there stays.
func TestPreviewLateArrival(t *testing.T) {
	r := newRig(t, nil)
	one, two := small{sop: "1.1"}.bytes(t), small{sop: "1.2", series: "1.2.3.9"}.bytes(t)
	first := previewsOf(t, r, r.ingest("a", write(t, one))[0])
	s := r.ingest("a", write(t, one, two))[0]
	mustVerify(t, r, s)
	both := previewsOf(t, r, s)
	if len(first) != 1 || len(both) != 2 || both[0].Key() != first[0].Key() {
		t.Fatalf("%d preview packs, then %d; want the first and one more", len(first), len(both))
	}
	if x := both[1].Index; len(x.Series) != 1 || x.Series[0].UID != "1.2.3.9" || len(x.Series[0].Instances) != 1 || x.Series[0].Instances[0].SOPUID != "1.2" {
		t.Errorf("the second pack lists %+v, want the new instance alone", x.Series)
	}
	seen := map[string]bool{}
	eachPreview(both, func(q *study.PreviewPack, _ *preview.Series, in *preview.Instance, _ int, _ *preview.Frame) {
		if x, ok := q.Shown(study.ByInstance(s.Instances()), in); ok && x.SOPUID == in.SOPUID {
			seen[in.SOPUID] = true
		}
	})
	if len(seen) != 2 {
		t.Errorf("previews of %v, want 1.1 and 1.2", seen)
	}
}

// TestPreviewKinds: indexes, masks, shared chroma, wide words, codestreams kept as received, and what nobody decodes.
func TestPreviewKinds(t *testing.T) {
	rle, _ := all.Set().Lookup(syntaxRLE)
	jls, _ := all.Set().Lookup(syntaxJPEGLS)
	encode := func(e codecs.Encoder) func(codecs.View) ([]byte, error) {
		return func(v codecs.View) ([]byte, error) {
			b, _, err := e.Encode(nil, v, codecs.EncodeOptions{})
			return b, err
		}
	}
	for _, row := range []struct {
		name string
		o    synth.GenericOptions
		want []preview.Method // any of them
	}{
		{"palette", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 400, Stored: 8, Allocated: 8, Photometric: "PALETTE COLOR"}}, []preview.Method{preview.Picked}},
		{"single bits", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 400, Stored: 1, Allocated: 1}}, []preview.Method{preview.Picked}},
		{"wide words", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 200, Stored: 32, Allocated: 32}}, []preview.Method{preview.Averaged}},
		{"high bit", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 200, Stored: 12, HighBit: 15, Allocated: 16}}, []preview.Method{preview.Averaged}},
		{"signed", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 200, Stored: 12, Allocated: 16, Signed: true}}, []preview.Method{preview.Averaged, preview.Reduced}},
		{"planar RGB", synth.GenericOptions{Layout: synth.Layout{Rows: 300, Columns: 200, Samples: 3, Stored: 8, Allocated: 8, Planar: 1, Photometric: "RGB"}}, []preview.Method{preview.Averaged, preview.Reduced}},
		{"RLE", synth.GenericOptions{Syntax: syntaxRLE, Layout: synth.Layout{Rows: 200, Columns: 256, Stored: 12}, Encode: encode(rle.NewEncoder())}, []preview.Method{preview.Averaged, preview.Reduced}},
		{"JPEG-LS kept as received", synth.GenericOptions{Syntax: syntaxJPEGLS, Layout: synth.Layout{Rows: 256, Columns: 256, Stored: 12}, Encode: encode(jls.NewEncoder())}, []preview.Method{preview.Averaged, preview.Reduced}},
		{"nobody decodes", synth.GenericOptions{Syntax: "1.2.840.10008.1.2.4.50", Layout: synth.Layout{Rows: 64, Columns: 64, Stored: 8, Allocated: 8}, Encode: func(codecs.View) ([]byte, error) { return []byte{0xFF, 0xD8, 0xFF, 0xD9}, nil }}, []preview.Method{preview.None}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.o.Instances, row.o.Frames = 2, 3
			dir := t.TempDir()
			made := synth.Generic(row.o)
			if _, _, err := made.WriteTo(dir); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, nil)
			s := r.ingest("a", dir)[0]
			mustVerify(t, r, s)
			n := 0
			eachPreview(previewsOf(t, r, s), func(_ *study.PreviewPack, _ *preview.Series, in *preview.Instance, k int, f *preview.Frame) {
				n++
				if !slices.Contains(row.want, f.Method) {
					t.Errorf("frame %d: made by %v (%s), want %v", k, f.Method, f.Reason, row.want)
				}
				if f.Method == preview.None && !strings.Contains(f.Reason, "1.2.840.10008.1.2.4.50") {
					t.Errorf("frame %d: reason %q", k, f.Reason)
				}
				if f.Method != preview.None && (f.Size == 0 || max(f.Width, f.Height) > 128) {
					t.Errorf("frame %d: %d bytes, %d x %d", k, f.Size, f.Width, f.Height)
				}
			})
			if n != 6 {
				t.Errorf("%d frames, want 6", n)
			}
		})
	}
}

// TestPreviewDamage: verify names the frame whose small picture is broken, and nothing else.
func TestPreviewDamage(t *testing.T) {
	r := newRig(t, nil)
	var files [][]byte
	for i := range 5 {
		files = append(files, small{sop: fmt.Sprintf("1.2.3.4.%d", i), number: i, seed: i, rows: 130, cols: 150}.bytes(t))
	}
	s := r.ingest("a", write(t, files...))[0]
	q := previewsOf(t, r, s)[0]
	f := q.Index.Series[0].Instances[3].Frames[0]
	path := filepath.Join(r.dir, "objects", "STANDARD", filepath.FromSlash(q.Key()))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[f.Offset+f.Size/2] ^= 1
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	v, err := study.Verify(context.Background(), oneStore{r.store}, s.Manifest, all.Set(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Damage) != 1 || v.Damage[0].Key != q.Key() || !strings.Contains(v.Damage[0].What, "1.2.3.4.3") {
		t.Errorf("damage: %+v, want that of 1.2.3.4.3", v.Damage)
	}
}

// TestPreviewsOff: no codec or no wish, no preview packs.
func TestPreviewsOff(t *testing.T) {
	for name, change := range map[string]func(*PipelineOptions){
		"off":      func(o *PipelineOptions) { o.Previews.Off = true },
		"no codec": func(o *PipelineOptions) { o.Set = codecs.NewSet(only(all.Set().All(), syntaxRLE, syntaxJPEGLS)...) },
	} {
		r := newRig(t, change)
		if s := r.ingest("a", write(t, small{}.bytes(t)))[0]; len(s.Manifest.Packs) != 1 {
			t.Errorf("%s: %d packs, want 1", name, len(s.Manifest.Packs))
		}
	}
}

func only(list []codecs.Syntax, uids ...string) (out []codecs.Syntax) {
	for _, s := range list {
		for _, uid := range uids {
			if s.UID == uid {
				out = append(out, s)
			}
		}
	}
	return out
}

func TestSpool(t *testing.T) {
	s := &spool{}
	defer s.close()
	stream := bytes.Repeat([]byte("0123456789"), 1000)
	ends := []int64{100, 900, 4000, 10000}
	s.add(spooled{0, 1, 2}, 512, 512, ends, stream, preview.Limit{})
	for n, want := range map[int64]bool{100: true, 900: true, 901: false} {
		got, ok := s.get(spooled{0, 1, 2}, n)
		if ok != want || ok && !bytes.Equal(got, stream[:n]) {
			t.Errorf("%d bytes: got %d, %v; want %v", n, len(got), ok, want)
		}
	}
	if _, ok := s.get(spooled{0, 1, 3}, 1); ok {
		t.Error("a frame that was never given is there")
	}
	s.add(spooled{1, 0, 0}, 128, 128, []int64{4000, 10000}, stream, preview.Limit{}) // too dear, but the lowest
	if _, ok := s.get(spooled{1, 0, 0}, 4000); !ok {
		t.Error("the lowest level is not kept")
	}
	var none *spool
	none.add(spooled{}, 1, 1, ends, stream, preview.Limit{})
	if _, ok := none.get(spooled{}, 1); ok {
		t.Error("no spool gave something")
	}
	none.close()
}
