package render_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/testkit"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// attempt goes the whole way from bytes to a thumbnail, as far as it leads. It returns whether there was one.
func attempt(data []byte) bool {
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil || f.Image == nil {
		return false
	}
	ds, err := dcm.ReadDataset(dcm.Bytes(data), f, dcm.Limits{})
	if err != nil {
		return false
	}
	render.FactsFrom(ds)
	frame := render.PickFrame(f.Image.Frames, 0, render.FramePositions(ds, f.Image.Frames))
	p, err := render.ParamsFrom(ds, f.Image, frame)
	if err != nil {
		return false
	}
	raw, err := render.ReadNative(dcm.Bytes(data), f, frame)
	if err != nil {
		return false
	}
	img, err := render.FrameRaw(raw, p)
	if err != nil {
		return false
	}
	if img, err = render.Guard(img, p, render.PHIMask); err != nil {
		return false
	}
	return render.Thumbnail(img, p.Aspect, 64) != nil
}

// TestCorpusMalformed draws, or refuses, every broken file: none may panic.
func TestCorpusMalformed(t *testing.T) {
	dir := testkit.Corpus(t)
	drawn, all := 0, 0
	err := filepath.WalkDir(filepath.Join(dir, "malformed"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all++
		if attempt(data) {
			drawn++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d files have a picture all the same", drawn, all)
	if all < 50 || drawn == 0 {
		t.Errorf("%d files, %d drawn: expected more than 50 and some", all, drawn)
	}
}

// FuzzDraw mutates small valid objects of many kinds.
func FuzzDraw(f *testing.F) {
	for _, l := range []synth.Layout{
		{Rows: 4, Columns: 6},
		{Rows: 4, Columns: 6, Stored: 12, Signed: true},
		{Rows: 4, Columns: 6, Allocated: 8, Photometric: "PALETTE COLOR"},
		{Rows: 4, Columns: 6, Allocated: 8, Samples: 3, Planar: 1},
		{Rows: 5, Columns: 5, Allocated: 1},
		{Rows: 4, Columns: 6, Allocated: 32},
	} {
		for _, syntax := range []string{synth.ImplicitLE, synth.ExplicitBE} {
			s := synth.Generic(synth.GenericOptions{Layout: l, Syntax: syntax, Frames: 2, Edit: func(_ int, b *dcm.Builder) {
				b.Items(0x00283010, dcm.NewBuilder().Ints(0x00283002, 2, 0, 8).Raw(0x00283006, "OW", []byte{0, 0, 255, 0}))
			}})
			data, err := s.Instances[0].Bytes()
			if err != nil {
				f.Fatal(err)
			}
			if !attempt(data) {
				f.Fatalf("%+v in %s: no picture", l, syntax)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<16 {
			attempt(data)
		}
	})
}
