package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"testing"

	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/space"
)

func record(mode roi.Mode) *roi.Record {
	return &roi.Record{State: roi.StateExtracted, Lesions: []roi.Lesion{{ID: "L1", Extent: "measured", Codes: []string{"27925004,SCT"},
		Outlines: []roi.Outline{{SOPUID: "1.2", Frame: 1, Points: []space.Point{{X: 110, Y: 210}, {X: 130, Y: 210}, {X: 130, Y: 230}, {X: 110, Y: 230}}}}}},
		Regions: []roi.Region{{ID: "R1", SeriesUID: "1", Mode: mode, Rect: roi.Rect{X: 100, Y: 200, W: 64, H: 64}, Lesions: []string{"L1"}, Items: []roi.Item{{SOPUID: "1.2"}}}}}
}

// grey has a bright spot where the lesion is.
func grey(string, int) (image.Image, float64, error) {
	img := image.NewGray(image.Rect(0, 0, 512, 512))
	for y := 210; y < 230; y++ {
		for x := 110; x < 130; x++ {
			img.SetGray(x, y, color.Gray{Y: 200})
		}
	}
	return img, 1, nil
}

func count(img *image.RGBA, area image.Rectangle, c color.RGBA) (n int) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if img.RGBAAt(x, y) == c {
				n++
			}
		}
	}
	return n
}

func TestDraw(t *testing.T) {
	img := Draw(record(roi.ModeCrop), grey)
	if name := os.Getenv("RADTIER_PICTURE"); name != "" { // to look at
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	left := image.Rect(gap, header, gap+tile, header+tile)
	right := left.Add(image.Pt(tile+gap, 0))
	// The rectangle of 64 x 64 of 512 pixels is 48 x 48 here, its border 4 x 48 long.
	if n := count(img, left, kept); n < 180 || n > 200 {
		t.Errorf("the kept rectangle has a border of %d pixels, want 192", n)
	}
	if p := img.RGBAAt(left.Min.X+100*tile/512, left.Min.Y+210*tile/512); p != kept {
		t.Errorf("the left border of the rectangle is %v, want %v", p, kept)
	}
	// The outline is 20 x 20 of 64 x 64 pixels: 120 x 120 of 384.
	if n := count(img, right, outline); n < 460 || n > 500 {
		t.Errorf("the enlarged outline has %d pixels, want 480", n)
	}
	// What lies inside the enlarged outline is the bright spot.
	if p := img.RGBAAt(right.Min.X+20*6, right.Min.Y+20*6); p.R != 200 {
		t.Errorf("inside the outline the crop shows %v, want 200", p)
	}
	if p := img.RGBAAt(right.Min.X+50*6, right.Min.Y+50*6); p.R != 0 {
		t.Errorf("outside the outline the crop shows %v, want 0", p)
	}
}

// Whole slices, frames that cannot be drawn, lesions of other studies, and none at all.
func TestDrawOdd(t *testing.T) {
	whole := Draw(record(roi.ModeSlice), grey)
	if n := count(whole, whole.Bounds(), kept); n != 0 {
		t.Errorf("a rectangle is drawn for whole slices: %d pixels", n)
	}
	if n := count(whole, whole.Bounds(), outline); n < 200 {
		t.Errorf("the outline has %d pixels", n)
	}
	broken := Draw(record(roi.ModeCrop), func(string, int) (image.Image, float64, error) { return nil, 0, errors.New("gone") })
	if n := count(broken, broken.Bounds(), ink); n < 100 {
		t.Error("no reason is written under a frame that cannot be drawn")
	}
	r := record(roi.ModeCrop)
	r.Regions = nil
	Draw(r, grey)
	Draw(&roi.Record{State: roi.StateNone}, grey)
	many := record(roi.ModeCrop)
	for range 40 {
		many.Lesions = append(many.Lesions, many.Lesions[0])
	}
	if b := Draw(many, grey).Bounds(); b.Dy() > 6*(tile+caption+gap)+header+gap {
		t.Errorf("%v for 41 lesions: at most %d are drawn", b, Lesions)
	}
}
