package synth_test

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// TestLooks draws pictures of every demo study in full size, checks that they
// use the grey scale, and leaves them for people to look at in RADTIER_SYNTH_LOOKS.
func TestLooks(t *testing.T) {
	out := os.Getenv("RADTIER_SYNTH_LOOKS")
	for _, s := range synth.Demo(synth.Options{Seed: 1}) {
		step := max(1, len(s.Instances)/12)
		for i := step / 2; i < len(s.Instances); i += step {
			data, err := s.Instances[i].Bytes()
			if err != nil {
				t.Fatal(err)
			}
			img, p := draw(t, data)
			if used := grays(img); used < 40 {
				t.Errorf("%s, instance %d: only %d of 256 display values occur in more than one pixel of 10,000", s.Name, i, used)
			}
			if out == "" {
				continue
			}
			var b bytes.Buffer
			if err := render.EncodePNG(&b, render.Thumbnail(img, p.Aspect, 512)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(out, fmt.Sprintf("%s-%03d.png", s.Modality, i)), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func draw(t *testing.T, data []byte) (image.Image, render.Params) {
	t.Helper()
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := dcm.ReadDataset(dcm.Bytes(data), f, dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	frame := render.PickFrame(f.Image.Frames, 0, nil)
	raw, err := render.ReadNative(dcm.Bytes(data), f, frame)
	if err != nil {
		t.Fatal(err)
	}
	p, err := render.ParamsFrom(ds, f.Image, frame)
	if err != nil {
		t.Fatal(err)
	}
	img, err := render.FrameRaw(raw, p)
	if err != nil {
		t.Fatal(err)
	}
	return img, p
}

// grays counts the display values that are used by a noticeable part of an image.
func grays(img image.Image) (used int) {
	var count [256]int
	size := img.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			r, _, _, _ := img.At(x, y).RGBA()
			count[r>>8]++
		}
	}
	for _, n := range count {
		if n > size.X*size.Y/10_000 {
			used++
		}
	}
	return used
}
