package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/radtier/radtier/codecs/jpegls"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// TestSeriesOfTheCorpus packs real series as JPEG-LS, rebuilds every file, and
// holds the cost of headers and index to what the design promises.
func TestSeriesOfTheCorpus(t *testing.T) {
	dir := testkit.Corpus(t)
	for _, c := range []struct {
		name   string
		header float64 // most share of the header bytes that may be left after compression
	}{
		{"ct-picker-headneck-90", 0.06},
		{"mr-philips-mprage-170", 0.03},
		{"mr-ge-fmri-150", 0.04},
	} {
		t.Run(c.name, func(t *testing.T) {
			paths, err := filepath.Glob(filepath.Join(dir, "series", c.name, "*"))
			if err != nil || len(paths) < 90 {
				t.Fatalf("%d files (%v)", len(paths), err)
			}
			slices.Sort(paths)
			if testing.Short() {
				paths = paths[:64]
			}
			var out bytes.Buffer
			var blocks [][]byte
			w := NewWriter(&out, "1.2.3", "test")
			w.OnBlock = func(b []byte) { blocks = append(blocks, b) }
			enc, dec := jpegls.NewEncoder(jpegls.Options{}), NewDecoders(realSet())
			var files [][]byte
			var headerBytes, frameBytes int
			for _, path := range paths {
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				f, err := dcm.Scan(bytes.NewReader(raw), int64(len(raw)), dcm.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				head := putNative(t, w, f, raw, realKit(t, CodingJPEGLS, enc), dec)
				files = append(files, raw)
				headerBytes += head
				frameBytes += len(raw) - head
			}
			x, sum, err := w.Close()
			if err != nil {
				t.Fatal(err)
			}
			v, err := OpenVolume(t.Context(), Bytes(out.Bytes()), sum.Size)
			if err != nil {
				t.Fatal(err)
			}
			for i, file := range files {
				var got bytes.Buffer
				if err := v.Rebuild(t.Context(), dec, i, &got); err != nil || !bytes.Equal(got.Bytes(), file) {
					t.Fatalf("file %d is not rebuilt: %v", i, err)
				}
			}
			packed := 0
			for _, b := range blocks {
				packed += len(b)
			}
			index, err := EncodeIndex(x)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d files: headers %d -> %d bytes (%.1f times), index %d bytes (%.1f per instance), volume %d of %d bytes (%.2f times)", len(files),
				headerBytes, packed, float64(headerBytes)/float64(packed), len(index), float64(len(index))/float64(len(files)), sum.Size, headerBytes+frameBytes, float64(headerBytes+frameBytes)/float64(sum.Size))
			if share := float64(packed) / float64(headerBytes); share > c.header {
				t.Errorf("compressed headers are %.3f of the header bytes, want at most %.3f", share, c.header)
			}
			if per := float64(len(index)) / float64(len(files)); per > 4*32+16 { // four digests, where bits above the samples make the native one differ
				t.Errorf("index has %.1f bytes per single-frame instance, want at most %d", per, 4*32+16)
			}
		})
	}
}

// putNative stores a native single- or multi-frame file and returns its header bytes.
func putNative(t *testing.T, w *Writer, f *dcm.File, raw []byte, k kit, dec *Decoders) int {
	t.Helper()
	img := &Image{Rows: f.Image.Rows, Columns: f.Image.Columns, Frames: f.Image.Frames, Samples: f.Image.Samples, BitsAllocated: f.Image.BitsAllocated,
		BitsStored: f.Image.BitsStored, HighBit: f.Image.HighBit, Signed: f.Image.Signed, Planar: f.Image.Planar == 1, BigEndian: f.PixelBigEndian(), Photometric: f.Image.Photometric, Modality: f.Modality}
	inst := Instance{SeriesUID: f.SeriesUID, SOPUID: f.SOPUID, ClassUID: f.ClassUID, Syntax: f.Syntax, Stored: k.coding.Syntax(), FileSize: int64(len(raw)), FileSHA256: sha256.Sum256(raw), Exact: true, Image: img}
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	var head []byte
	h := NewHasher(img)
	for _, p := range f.Pieces(BulkBytes) {
		bytesOf := raw[p.Offset : p.Offset+p.Length]
		switch p.Kind {
		case dcm.Header:
			head = append(head, bytesOf...)
			inst.Segments = append(inst.Segments, Segment{Kind: SegmentHeader, Length: p.Length})
		case dcm.NativeFrame:
			d := FrameData{Data: k.encode(FrameView(img, bytesOf, img.Signed)), Coding: k.coding, RawSize: p.Length, SignFill: img.Signed, SampleSHA256: h.Add(bytesOf)}
			rebuilt, err := RebuildFrame(context.Background(), dec, img, d.SignFill, d.Coding, d.Data, nil, make([]byte, p.Length))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rebuilt, bytesOf) {
				for i := range rebuilt {
					rebuilt[i] ^= bytesOf[i]
				}
				d.Residue = CompressZstd(nil, rebuilt)
			}
			n, err := w.AddFrame(d)
			if err != nil {
				t.Fatal(err)
			}
			inst.Segments = append(inst.Segments, Segment{Kind: SegmentFrame, Length: p.Length, Ref: n})
		default:
			t.Fatalf("piece of kind %v in a native file", p.Kind)
		}
	}
	inst.NativeSHA256, inst.SampleSHA256 = h.Sums()
	if err := w.End(inst, head); err != nil {
		t.Fatal(err)
	}
	return len(head)
}
