package render_test

import (
	"bytes"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/testkit"
)

// opened is a corpus file with native pixel data.
type opened struct {
	path string
	data dcm.Bytes
	file *dcm.File
	ds   *dcm.Dataset
}

// nativeFiles reads all files of the corpus that have native pixel data and are meant to be readable.
func nativeFiles(t *testing.T) []opened {
	t.Helper()
	dir := testkit.Corpus(t)
	var list []opened
	for _, row := range testkit.CorpusFiles(t, dir) {
		path := row["path"]
		if row["pixel_sha256"] == "" || strings.HasPrefix(path, "malformed/") || strings.HasPrefix(path, "codestreams/") {
			continue
		}
		switch row["ts_uid"] {
		case "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99":
		default:
			continue
		}
		// Of the long series a sixteenth will do.
		if (strings.HasPrefix(path, "series/") || strings.Contains(path, "/rtstruct-ct60")) && row["sha256"][0] != '0' {
			continue
		}
		if o, ok := open(t, filepath.Join(dir, path)); ok && o.file.Pixel != nil && !o.file.Pixel.Encapsulated {
			o.path = path
			list = append(list, o)
		}
	}
	if len(list) < 100 {
		t.Errorf("%d native files in the corpus, expected more than 100", len(list))
	}
	return list
}

func open(t *testing.T, path string) (opened, bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := opened{path: path, data: data}
	if o.file, err = dcm.Scan(o.data, int64(len(data)), dcm.Limits{}); err != nil {
		return o, false
	}
	if o.ds, err = dcm.ReadDataset(o.data, o.file, dcm.Limits{}); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return o, true
}

// draw renders the frame that stands for the instance.
func (o *opened) draw(t *testing.T) (render.Raw, render.Params, image.Image) {
	t.Helper()
	representative := 0
	if v := o.ds.Ints(0x00286010); len(v) > 0 {
		representative = v[0]
	}
	n := render.PickFrame(o.file.Image.Frames, representative, render.FramePositions(o.ds, o.file.Image.Frames))
	raw, err := render.ReadNative(o.data, o.file, n)
	if err != nil {
		t.Errorf("%s: %v", o.path, err)
		return raw, render.Params{}, nil
	}
	p, err := render.ParamsFrom(o.ds, o.file.Image, n)
	if err != nil {
		t.Errorf("%s: %v", o.path, err)
		return raw, p, nil
	}
	img, err := render.FrameRaw(raw, p)
	if err != nil {
		t.Errorf("%s: %v", o.path, err)
		return raw, p, nil
	}
	return raw, p, img
}

// TestCorpusDraws draws every native file and checks the thumbnail's size. With RADTIER_RENDER_OUT it leaves them as PNG for people to look at.
func TestCorpusDraws(t *testing.T) {
	out := os.Getenv("RADTIER_RENDER_OUT")
	for _, o := range nativeFiles(t) {
		_, p, img := o.draw(t)
		if img == nil {
			continue
		}
		thumb := render.Thumbnail(img, p.Aspect, 0)
		if s := thumb.Bounds().Size(); max(s.X, s.Y) > render.DefaultSide || s.X < 1 || s.Y < 1 {
			t.Errorf("%s: thumbnail of %v, want at most %d", o.path, s, render.DefaultSide)
		}
		if out == "" {
			continue
		}
		var b bytes.Buffer
		if err := render.EncodePNG(&b, thumb); err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(o.path, "/", "__") + ".png"
		if err := os.WriteFile(filepath.Join(out, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCorpusAgainstDCMTK compares grey images that carry a LINEAR window with what
// dcmj2pnm +Wi 1 draws, within one grey level.
func TestCorpusAgainstDCMTK(t *testing.T) {
	t.Parallel()
	tool := testkit.Tool(t, "dcmj2pnm")
	dir := testkit.Corpus(t)
	compared, off := 0, 0
	for _, o := range nativeFiles(t) {
		if o.file.Image.Samples != 1 || o.file.Image.Photometric == "PALETTE COLOR" || o.file.Image.BitsAllocated > 16 || o.file.Image.BitsAllocated < 8 {
			continue
		}
		raw, p, img := o.draw(t)
		if img == nil || o.ds.Has(0x52009229) {
			continue // DCMTK takes no notice of functional groups
		}
		args := []string{"+Wi", "1"}
		switch {
		case p.VOILUT != nil:
			args = []string{"+Wl", "1"}
		case p.Window == nil:
			args = []string{"+Wm"}
			low, high := extent(raw, p)
			if low == high {
				continue
			}
			p.Window = &render.Window{Center: (low + high + 1) / 2, Width: high - low + 1}
		case !p.Window.Valid() || p.Window.Function != render.Linear:
			continue
		}
		p.Padding = nil // DCMTK draws padding like any other value
		img, err := render.FrameRaw(raw, p)
		if err != nil {
			t.Errorf("%s: %v", o.path, err)
			continue
		}
		representative := render.PickFrame(o.file.Image.Frames, 0, nil)
		args = append(args, "+F", strconv.Itoa(representative+1), "+op", "-O", filepath.Join(dir, o.path), filepath.Join(t.TempDir(), "x.pgm"))
		if msg, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Logf("%s: dcmj2pnm refuses: %.120s", o.path, msg)
			continue
		}
		want, err := os.ReadFile(args[len(args)-1])
		if err != nil {
			t.Fatal(err)
		}
		gray := img.(*image.Gray)
		if len(want) < len(gray.Pix) {
			t.Errorf("%s: dcmj2pnm wrote %d bytes for %d pixels", o.path, len(want), len(gray.Pix))
			continue
		}
		want = want[len(want)-len(gray.Pix):]
		differ, worst, at := 0, 0, 0
		for i := range want {
			if d := int(gray.Pix[i]) - int(want[i]); d != 0 {
				differ++
				if max(d, -d) > worst {
					worst, at = max(d, -d), i
				}
			}
		}
		compared++
		off += differ
		if worst > 1 {
			t.Errorf("%s: %d of %d pixels differ from DCMTK (%s), worst at %d: got %d, want %d", o.path, differ, len(want), args[:2], at, gray.Pix[at], want[at])
		}
	}
	t.Logf("%d images compared, %d pixels differ by one level", compared, off)
	if compared < 60 {
		t.Errorf("%d images compared, expected more than 60", compared)
	}
}

// extent is the smallest and largest value after the Modality LUT, read from the words independently of the code under test.
func extent(raw render.Raw, p render.Params) (low, high float64) {
	first := true
	for i := 0; i < raw.Width*raw.Height; i++ {
		w := int(raw.Pix[i*raw.Allocated/8])
		if raw.Allocated == 16 && raw.BigEndian {
			w = w<<8 | int(raw.Pix[2*i+1])
		} else if raw.Allocated == 16 {
			w |= int(raw.Pix[2*i+1]) << 8
		}
		w = w >> (raw.HighBit - raw.Stored + 1) & (1<<raw.Stored - 1)
		if raw.Signed && w>>(raw.Stored-1) == 1 {
			w -= 1 << raw.Stored
		}
		v := float64(w)
		if p.ModalityLUT != nil {
			v = float64(p.ModalityLUT.At(v))
		} else if p.Slope != 0 {
			v = v*p.Slope + p.Intercept
		}
		if first || v < low {
			low = v
		}
		if first || v > high {
			high = v
		}
		first = false
	}
	return low, high
}
