package render_test

import (
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/testkit"
)

// TestCorpusColourAgainstDCMTK compares colour and palette images with what dcmj2pnm draws, within two levels (YBR is rounded differently).
func TestCorpusColourAgainstDCMTK(t *testing.T) {
	t.Parallel()
	tool := testkit.Tool(t, "dcmj2pnm")
	compared := 0
	for _, o := range nativeFiles(t) {
		if o.file.Image.Samples != 3 && o.file.Image.Photometric != "PALETTE COLOR" {
			continue
		}
		n := 0
		raw, err := render.ReadNative(o.data, o.file, n)
		if err != nil {
			t.Errorf("%s: %v", o.path, err)
			continue
		}
		p, err := render.ParamsFrom(o.ds, o.file.Image, n)
		if err != nil {
			t.Errorf("%s: %v", o.path, err)
			continue
		}
		img, err := render.FrameRaw(raw, p)
		if err != nil {
			t.Errorf("%s: %v", o.path, err)
			continue
		}
		path := filepath.Join(t.TempDir(), "x.ppm")
		if msg, err := exec.Command(tool, "-O", "+F", "1", "+op", filepath.Join(testkit.Corpus(t), o.path), path).CombinedOutput(); err != nil {
			t.Logf("%s: dcmj2pnm refuses: %.120s", o.path, msg)
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := img.(*image.NRGBA)
		pixels := len(got.Pix) / 4
		if len(want) < 3*pixels {
			t.Errorf("%s: dcmj2pnm wrote %d bytes for %d pixels", o.path, len(want), pixels)
			continue
		}
		want = want[len(want)-3*pixels:]
		compared++
		for i := range pixels {
			g, w := got.Pix[4*i:4*i+3], want[3*i:3*i+3]
			if far(g[0], w[0]) || far(g[1], w[1]) || far(g[2], w[2]) {
				t.Errorf("%s: %s pixel %d: got %v, DCMTK draws %v", o.path, dcm.TagString(o.file.Pixel.Tag), i, g, w)
				break
			}
		}
	}
	t.Logf("%d images compared", compared)
	if compared < 20 {
		t.Errorf("%d images compared, expected more than 20", compared)
	}
}

func far(a, b uint8) bool { return max(a, b)-min(a, b) > 2 }
