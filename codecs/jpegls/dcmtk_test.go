package jpegls

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// What DCMTK (with CharLS inside) encodes must decode to the samples of its
// source. DCMTK takes P from Bits Stored also for signed samples, whose sign it leaves out.
func TestDecodeDCMTK(t *testing.T) {
	tool := testkit.Tool(t, "dcmcjpls")
	dir := testkit.Corpus(t)
	d := NewDecoder()
	done := map[string]int{}
	for _, f := range testkit.CorpusFiles(t, dir) {
		kind := f["modality"] + f["samples"] + f["pixel_rep"]
		if f["ts_uid"] != "1.2.840.10008.1.2.1" || f["frames"] != "1" || f["planar"] == "1" || f["photometric"] == "YBR_FULL_422" || done[kind] >= 2 {
			continue
		}
		size := number(f, "rows") * number(f, "cols") * number(f, "samples") * number(f, "bits_allocated") / 8
		file, err := os.ReadFile(filepath.Join(dir, f["path"]))
		if err != nil {
			t.Fatal(err)
		}
		if size == 0 || len(file) < size {
			continue
		}
		v := viewOf(f, file[len(file)-size:])
		if sum := sha256.Sum256(v.Pix); hex.EncodeToString(sum[:]) != f["pixel_sha256"] || v.Bits > 16 || v.Bits < 8 {
			continue
		}
		for _, near := range []string{"--encode-lossless", "--encode-nearlossless"} {
			out := filepath.Join(t.TempDir(), "out.dcm")
			if exec.Command(tool, near, filepath.Join(dir, f["path"]), out).Run() != nil {
				continue // signed or palette images, near-lossless
			}
			file, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			src := fragments(file)
			if near == "--encode-lossless" {
				if err := d.Compare(v, src, codecs.DecodeOptions{}); err != nil {
					t.Errorf("%s: %v", f["path"], err)
				}
				done[kind]++
				continue
			}
			into := v
			into.Pix = make([]byte, size)
			if err := d.Decode(into, src, codecs.DecodeOptions{}); err != nil {
				t.Errorf("%s near-lossless: %v", f["path"], err)
			}
		}
	}
	if len(done) < 3 {
		t.Errorf("got %d kinds of images through dcmcjpls, want 3 or more", len(done))
	}
}
