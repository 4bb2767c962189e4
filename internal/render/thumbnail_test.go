package render

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"
)

func TestThumbnailSize(t *testing.T) {
	tests := []struct {
		w, h   int
		aspect float64
		side   int
		want   image.Point
	}{
		{512, 512, 1, 256, image.Pt(256, 256)},
		{2000, 2500, 1, 256, image.Pt(205, 256)},
		{640, 480, 0, 0, image.Pt(256, 192)},
		{64, 64, 1, 256, image.Pt(64, 64)},    // not enlarged
		{64, 64, 2, 256, image.Pt(64, 128)},   // but made square-pixeled
		{64, 64, 0.5, 256, image.Pt(128, 64)}, // along the longer side of the pixel
		{256, 512, 0.5, 256, image.Pt(256, 256)},
		{512, 60, 8, 256, image.Pt(256, 240)},  // a reformatted stack
		{256, 1024, 1, 256, image.Pt(64, 256)}, // whole body
		{5000, 3, 1, 256, image.Pt(256, 1)},
		{1, 1, 1, 256, image.Pt(1, 1)},
		{100, 100, 1e9, 256, image.Pt(100, 100)}, // not believed
		{100, 100, -1, 256, image.Pt(100, 100)},
	}
	for _, x := range tests {
		got := Thumbnail(image.NewGray(image.Rect(0, 0, x.w, x.h)), x.aspect, x.side)
		if got.Bounds().Size() != x.want {
			t.Errorf("%d x %d, aspect %v, side %d: got %v, want %v", x.w, x.h, x.aspect, x.side, got.Bounds().Size(), x.want)
		}
		if _, ok := got.(*image.Gray); !ok {
			t.Errorf("%d x %d: got %T, want *image.Gray", x.w, x.h, got)
		}
	}
}

// TestThumbnailAverages checks that shrinking is an area average: lines one pixel wide become their mean, not a choice of them.
func TestThumbnailAverages(t *testing.T) {
	for _, n := range []int{256, 512, 1024, 2048, 4096} {
		gray := image.NewGray(image.Rect(0, 0, n, n))
		colour := image.NewNRGBA(gray.Rect)
		for i := range gray.Pix {
			gray.Pix[i] = uint8(i % 2 * 200)
			copy(colour.Pix[4*i:], []byte{uint8(i % 2 * 200), 10, 90, 255})
		}
		want := uint8(100)
		if n == 256 {
			want = 200 // not shrunk: pixel (101, 101) itself
		}
		if got := Thumbnail(gray, 1, 256).(*image.Gray).GrayAt(101, 101).Y; got != want {
			t.Errorf("grey lines of %d: got %d, want %d", n, got, want)
		}
		if got := Thumbnail(colour, 1, 256).(*image.NRGBA).NRGBAAt(101, 101); got != (color.NRGBA{want, 10, 90, 255}) {
			t.Errorf("coloured lines of %d: got %v, want {%d 10 90 255}", n, got, want)
		}
	}
}

// TestThumbnailKeepsPlace checks that boxes that do not divide the image do not shift it: the mean of a half stays that of the half.
func TestThumbnailKeepsPlace(t *testing.T) {
	for _, n := range []image.Point{{1999, 2501}, {1025, 1025}, {4664, 3064}} {
		img := image.NewGray(image.Rect(0, 0, n.X, n.Y))
		for y := range n.Y {
			for x := n.X / 2; x < n.X; x++ {
				img.Pix[y*img.Stride+x] = 255
			}
		}
		got := Thumbnail(img, 1, 256).(*image.Gray)
		mid := got.Rect.Dx() / 2
		for x := range got.Rect.Dx() {
			v := got.GrayAt(x, got.Rect.Dy()/2).Y
			if x < mid-1 && v != 0 || x > mid+1 && v != 255 {
				t.Errorf("%v: column %d of %d is %d, the border belongs at %d", n, x, got.Rect.Dx(), v, mid)
				break
			}
		}
	}
}

func TestEncode(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i / 12)
	}
	var b bytes.Buffer
	if err := EncodeJPEG(&b, gray); err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(&b)
	if _, ok := img.(*image.Gray); err != nil || !ok || img.Bounds() != gray.Bounds() {
		t.Errorf("JPEG of a grey image: got %T, %v", img, err)
	}
	if err := EncodePNG(&b, gray); err != nil {
		t.Fatal(err)
	}
	img, err = png.Decode(&b)
	if g, ok := img.(*image.Gray); err != nil || !ok || !bytes.Equal(g.Pix, gray.Pix) {
		t.Errorf("PNG of a grey image: got %T, %v", img, err)
	}
}

// BenchmarkLarge renders and shrinks a mammogram of 14 million pixels.
func BenchmarkLarge(b *testing.B) {
	v := row16(12, false, make([]int, 4664*3064)...)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range v.Pix {
		v.Pix[i] = byte(r.Uint32())
	}
	v.Width, v.Height, v.RowStride = 3064, 4664, 2*3064
	b.SetBytes(int64(len(v.Pix)))
	b.ReportAllocs()
	for b.Loop() {
		img, err := Frame(v, Params{Photometric: "MONOCHROME1"})
		if err != nil {
			b.Fatal(err)
		}
		Thumbnail(img, 1, 0)
	}
}
